"""The engine for Ollama: the contract against a server that speaks its protocol, then the protocol's own corners."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.engines.base import Engine
from dragoman.engines.ollama import find_translategemma, local_address, open_engine, resolve_tag
from dragoman.engines.url import EngineURL
from dragoman.errors import (
    BadOutput,
    ConfigurationError,
    EngineRejected,
    EngineTimeout,
    EngineUnavailable,
    OutputTruncated,
)
from dragoman.prompts.styles import style_named
from dragoman.simulator import create_app, profile_named, running
from dragoman.types import Asking, Output, Segment, Tokens
from tests.contract.engine_contract import EN_DE, EngineContract, segments
from tests.contract.fault_server import Connection, Hangup, Reply, Request, Script, answer, serving

HELLO = Segment("Good morning.", EN_DE)
MODEL = "translategemma:27b"


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Engine]:
    engine = await open_engine(EngineURL.parse(url), Path())
    try:
        yield engine
    finally:
        await engine.aclose()


class TestSimulatedOllama(EngineContract):
    @pytest.fixture
    async def engine(self) -> AsyncIterator[Engine]:
        app = create_app("ollama", profile_named("ollama-4"), speed=50)
        async with running(app) as address, opened(f"{address.replace('http', 'ollama')}/{MODEL}?slots=4") as engine:
            yield engine

    async def test_its_tag_and_digest_are_found(self, engine: Engine) -> None:
        info = await engine.probe()

        assert (info.name, info.model, info.slots) == ("ollama", MODEL, 4)
        assert info.revision
        assert info.style == "translategemma"

    async def test_tokens_are_counted(self, engine: Engine) -> None:
        await engine.probe()

        (output,) = await engine.translate([HELLO])

        assert isinstance(output, Output)
        assert output.tokens.prompt > 70
        assert output.tokens.output > 0

    async def test_the_simulator_has_other_words_for_each_attempt_and_tells_how_sure_it_is(
        self, engine: Engine
    ) -> None:
        assert "logprobs" in (await engine.probe()).can
        attempts = [Segment("Good morning.", EN_DE, Asking(attempt=attempt)) for attempt in range(3)]

        outputs = [output for output in await engine.translate(attempts) if isinstance(output, Output)]

        assert len({output.text for output in outputs}) == 3


async def test_callers_who_leave_free_the_model() -> None:
    app = create_app("ollama", profile_named("ollama-1"), speed=0.1)
    async with running(app) as address, opened(f"{address.replace('http', 'ollama')}/{MODEL}?slots=3") as engine:
        calls = [asyncio.create_task(engine.translate(segments(f"Part {number}"))) for number in range(3)]
        await until(lambda: app.state.model.running + app.state.model.waiting == 3)

        for call in calls:
            call.cancel()

        await until(lambda: app.state.model.running + app.state.model.waiting == 0)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(2):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


# The protocol


def tags(*names: str) -> bytes:
    models = [{"name": name, "model": name, "digest": f"{name:0<64}", "size": len(name)} for name in names]
    return answer(msgspec.json.encode({"models": models}))


def ndjson(*lines: dict[str, Any]) -> bytes:
    body = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
    return answer(body, content_type="application/x-ndjson")


def piece(words: str) -> dict[str, Any]:
    return {"model": MODEL, "response": words, "done": False}


def last(reason: str = "stop") -> dict[str, Any]:
    counts = {"prompt_eval_count": 80, "eval_count": 3}
    return {"model": MODEL, "response": "", "done": True, "done_reason": reason, **counts}


GOOD = ndjson(piece("Guten "), piece("Morgen."), last())


@asynccontextmanager
async def engine_on(replies: dict[str, Reply], url_end: str = MODEL) -> AsyncIterator[tuple[Engine, Script]]:
    script = Script({"/api/tags": tags(MODEL, "gemma3:4b"), "/api/generate": GOOD, **replies})
    async with serving(script) as address, opened(f"ollama://{address}/{url_end}") as engine:
        yield engine, script


async def outcome(engine: Engine) -> object:
    (outcome,) = await engine.translate([HELLO])
    return outcome


async def test_the_whole_prompt_is_sent_raw_with_options_that_never_change() -> None:
    async with engine_on({}) as (engine, script):
        await engine.probe()
        assert await outcome(engine) == Output("Guten Morgen.", Tokens(prompt=80, output=3))

    prompt = style_named("translategemma").render(HELLO)
    assert script.paths == ["/api/tags", "/api/version", "/api/generate"]
    assert msgspec.json.decode(script.requests[-1].body) == {
        "model": MODEL,
        "prompt": prompt.raw,
        "raw": True,
        "stream": True,
        "shift": False,
        "truncate": False,
        "keep_alive": "30m",
        "options": {
            "temperature": 0,
            "top_p": 1,
            "num_ctx": 4096,
            "num_predict": prompt.max_tokens,
            "stop": list(prompt.stop),
        },
    }


async def test_a_further_attempt_is_sampled_by_its_own_seed_and_changes_nothing_that_would_reload_the_model() -> None:
    async with engine_on({}) as (engine, script):
        await engine.probe()
        await engine.translate([HELLO])
        await engine.translate([Segment("Good morning.", EN_DE, Asking(attempt=2))])

    first, second = (msgspec.json.decode(request.body) for request in script.requests[-2:])
    assert second["options"] == first["options"] | {"temperature": 0.7, "top_p": 0.95, "seed": 2}


@pytest.mark.parametrize(
    ("version", "tells"),
    [
        (b'{"version":"0.12.11"}', True),
        (b'{"version":"0.12.11-rc1"}', True),
        (b'{"version":"1.0.0"}', True),
        (b'{"version":"0.12.9"}', False),
        (b'{"version":"0.9.100"}', False),
        (b'{"version":"0.0.0"}', False),
        (b'{"version":"new"}', False),
        (b"[]", False),
    ],
)
async def test_log_probabilities_are_told_by_a_server_that_is_new_enough(version: bytes, tells: bool) -> None:
    async with engine_on({"/api/version": answer(version)}) as (engine, _):
        info = await engine.probe()

    assert ("logprobs" in info.can) == tells
    assert info.can >= {"stream", "sampling"}


async def test_the_log_probability_is_the_mean_over_all_lines() -> None:
    certain = [{"token": "Guten", "logprob": -0.1}, {"token": " ", "logprob": -0.2}]
    reply = ndjson(
        piece("Guten ") | {"logprobs": certain}, piece("Morgen."), last() | {"logprobs": [{"logprob": -0.6}]}
    )
    async with engine_on({"/api/generate": reply}) as (engine, script):
        (output,) = await engine.translate([Segment("Good morning.", EN_DE, Asking(logprob=True))])

    assert isinstance(output, Output)
    assert output.logprob == pytest.approx(-0.3)
    assert msgspec.json.decode(script.requests[-1].body)["logprobs"] is True


@pytest.mark.parametrize(("url_end", "told"), [(MODEL, False), ("gemma3:4b?style=instruct", True)])
async def test_formality_and_context_reach_the_models_that_follow_instructions(url_end: str, told: bool) -> None:
    async with engine_on({}, url_end) as (engine, script):
        info = await engine.probe()
        await engine.translate([Segment("Come in.", EN_DE, Asking(formality="more", context="Who is there?"))])

    prompt = msgspec.json.decode(script.requests[-1].body)["prompt"]
    assert ("instructions" in info.can) == told
    assert ("Address the reader formally" in prompt) == told
    assert ("Who is there?" in prompt) == told


async def test_a_style_without_a_raw_form_leaves_the_template_to_ollama() -> None:
    async with engine_on({}, "gemma3:4b?style=instruct&num_ctx=8192") as (engine, script):
        await engine.probe()
        await outcome(engine)

    body = msgspec.json.decode(script.requests[-1].body)
    assert body["prompt"] == style_named("instruct").render(HELLO).chat
    assert not body["raw"]
    assert body["options"]["num_ctx"] == 8192


async def test_one_slot_is_taken_unless_the_url_says_more() -> None:
    async with engine_on({}) as (engine, _):
        assert engine.info.slots == 1


@pytest.mark.parametrize("url", ["ollama://h", "ollama://h/", "ollama://h/m?num_ctx=1024", "ollama://h/m?shift=1"])
async def test_a_url_that_cannot_be_right_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        await open_engine(EngineURL.parse(url), Path())


async def test_a_missing_model_says_how_to_get_it_and_what_is_there() -> None:
    async with engine_on({}, "translategemma:12b") as (engine, _):
        with pytest.raises(ConfigurationError, match=r"`ollama pull translategemma:12b`.* gemma3:4b, translategemma"):
            await engine.probe()


async def test_a_model_that_was_removed_while_we_ran_is_told_in_ollamas_words() -> None:
    gone = answer(b'{"error":"model \'translategemma:27b\' not found"}', 404)
    async with engine_on({"/api/generate": gone}) as (engine, _):
        await engine.probe()
        failed = await outcome(engine)

    assert isinstance(failed, EngineRejected)
    assert failed.message == "ollama answered 404: model 'translategemma:27b' not found"


async def test_a_host_that_is_down_may_mend_and_another_kind_of_server_will_not() -> None:
    async with serving(Script({})) as gone:
        pass
    async with opened(f"ollama://{gone}/{MODEL}") as engine:
        with pytest.raises(EngineUnavailable):
            await engine.probe()
        assert isinstance(await outcome(engine), EngineUnavailable)
    async with engine_on({"/api/tags": answer(b'{"data":[]}')}) as (engine, _):
        with pytest.raises(ConfigurationError, match="kind of server"):
            await engine.probe()


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (ndjson(piece("Guten Mor"), last("length")), OutputTruncated),
        (ndjson(piece("Guten Mor")), EngineUnavailable),
        (ndjson(piece("Guten Mor"), {"error": "llama runner process has terminated"}), EngineUnavailable),
        (ndjson(last()), BadOutput),
        (ndjson(last("load")), BadOutput),
        (answer(b'{"response":"Guten Mo'), BadOutput),
        (answer(b'{"response":5}\n'), BadOutput),
        (answer(b"<html></html>", content_type="text/html"), BadOutput),
        (answer(b'{"error":"server busy, please try again."}', 503), EngineUnavailable),
        (answer(b'{"error":"the prompt is longer than the context length"}', 400), EngineRejected),
    ],
    ids=["length", "no end", "error", "blank", "load", "cut json", "other json", "html", "busy", "too long"],
)
async def test_an_answer_that_is_no_translation_is_an_error(reply: bytes, kind: type[Exception]) -> None:
    async with engine_on({"/api/generate": reply}) as (engine, _):
        await engine.probe()
        failed = await outcome(engine)

    assert isinstance(failed, kind)
    if isinstance(failed, OutputTruncated):
        assert failed.partial == "Guten Mor"


async def test_a_silent_server_is_a_timeout_after_the_time_the_url_gives_it() -> None:
    async def black_hole(connection: Connection, request: Request) -> None:
        await connection.closed_by_client()
        raise Hangup

    async with serving(black_hole) as address, opened(f"ollama://{address}/{MODEL}?timeout_s=0.1") as engine:
        assert isinstance(await outcome(engine), EngineTimeout)


# Names


@pytest.mark.parametrize(
    ("asked", "there", "meant"),
    [
        ("translategemma:27b", ["translategemma:27b"], "translategemma:27b"),
        ("translategemma:27b-it", ["translategemma:27b"], "translategemma:27b"),
        ("translategemma:27b-it", ["translategemma:27b", "translategemma:27b-it"], "translategemma:27b-it"),
        ("translategemma:27b", ["translategemma:4b"], None),
        ("translategemma", ["translategemma:latest", "translategemma:4b"], "translategemma:latest"),
        ("translategemma", ["translategemma:4b", "translategemma:27b"], "translategemma:4b"),
        ("gemma3", ["gemma3:4b"], None),
        ("hf.co/someone/model-GGUF:Q4_K_M", ["hf.co/someone/model-GGUF:Q4_K_M"], "hf.co/someone/model-GGUF:Q4_K_M"),
        ("translategemma:27b", [], None),
    ],
)
def test_a_model_is_found_by_the_names_people_use(asked: str, there: list[str], meant: str | None) -> None:
    assert resolve_tag(asked, there) == meant


names = st.from_regex(r"[a-z0-9./]{1,8}(:[a-z0-9-]{1,5})?", fullmatch=True)


@given(names, st.lists(names))
def test_a_tag_is_never_made_up_and_an_exact_one_always_wins(asked: str, there: list[str]) -> None:
    assert resolve_tag(asked, there) in {*there, None}
    assert resolve_tag(asked, [*there, asked]) == asked


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        (tags("gemma3:4b", "translategemma:4b", "translategemma:27b"), "translategemma:27b"),
        (tags("gemma3:4b"), None),
        (answer(b"{}", 404), None),
        (answer(b"Ollama is running", content_type="text/html"), None),
    ],
)
async def test_the_largest_translategemma_of_a_server_is_found(listed: bytes, found: str | None) -> None:
    async with serving(Script({"/api/tags": listed})) as address:
        assert await find_translategemma(address) == found


async def test_no_translategemma_is_found_where_no_server_is() -> None:
    async with serving(Script({})) as gone:
        pass
    assert await find_translategemma(gone) is None


@pytest.mark.parametrize(
    ("variable", "address"),
    [
        ("", "localhost:11434"),
        ("gpu1", "gpu1:11434"),
        ("gpu1:8080", "gpu1:8080"),
        ("http://gpu1:8080/", "gpu1:8080"),
        ("0.0.0.0", "localhost:11434"),
        ("0.0.0.0:8080", "localhost:8080"),
        (":8080", "localhost:8080"),
        ("[::]:8080", "localhost:8080"),
        ("[::1]", "[::1]:11434"),
    ],
)
def test_the_local_address_is_read_as_ollamas_own_client_reads_it(
    variable: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", variable)

    assert local_address() == address
