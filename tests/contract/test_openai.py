"""The engine for OpenAI-style servers: the contract against llama.cpp's real server, then how others differ."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from dragoman.engines.base import Engine
from dragoman.engines.completion import MAX_SLOTS_TRIED
from dragoman.engines.http import UpstreamClient
from dragoman.engines.openai import FIRST_SLOTS, OpenAIEngine, open_engine
from dragoman.engines.url import EngineURL
from dragoman.errors import BadOutput, ConfigurationError, EngineError, EngineUnavailable, OutputTruncated
from dragoman.prompts.base import Prompt
from dragoman.prompts.styles import style_named
from dragoman.simulator import create_app, profile_named, running
from dragoman.types import Asking, Capability, Output, Segment, Tokens
from tests.contract import llama_server
from tests.contract.engine_contract import EN_DE, SENTENCES, EngineContract, segments
from tests.contract.fault_server import Reply, Request, Script, answer, serving

MODEL = "google/translategemma-27b-it"
MODELS = answer(msgspec.json.encode({"data": [{"id": MODEL}]}))
HELLO = Segment("Good morning.", EN_DE)


@pytest.fixture(scope="module")
def llama() -> Iterator[str]:
    pytest.importorskip("xllamacpp")
    with llama_server.running() as address:
        yield address


class TestLlamaServer(EngineContract):
    @pytest.fixture
    async def engine(self, llama: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Engine]:
        monkeypatch.setenv("LLAMA_KEY", llama_server.KEY)
        async with opened(f"openai+http://{llama}?style=exemplar&api_key_env=LLAMA_KEY") as engine:
            yield engine

    async def test_outputs_come_in_the_order_and_number_of_the_segments(self, engine: Engine) -> None:
        # A real server computes a batch in another order than a single prompt, and a near tie may then fall otherwise.
        await engine.probe()
        batch = segments(*SENTENCES)

        together = texts_of(await engine.translate(batch))
        alone = [texts_of(await engine.translate([segment]))[0] for segment in batch]

        closest = [difflib.get_close_matches(words, alone, n=1, cutoff=0)[0] for words in together]
        assert closest == alone

    async def test_its_model_and_slots_are_found(self, engine: Engine) -> None:
        info = await engine.probe()

        assert info.model.endswith(".gguf")
        assert info.slots == llama_server.SLOTS

    async def test_a_prompt_begins_with_exactly_one_bos(self, engine: Engine, llama: str) -> None:
        await engine.probe()
        raw = style_named("exemplar").render(HELLO).raw

        (output,) = await engine.translate([HELLO])

        assert isinstance(output, Output)
        without_bos = await token_count(llama, raw or "")
        assert output.tokens.prompt == without_bos + 1

    async def test_a_second_request_of_the_pair_uses_the_first_ones_work(self, engine: Engine) -> None:
        await engine.probe()

        await engine.translate([HELLO])
        (output,) = await engine.translate(segments("Where is the station?"))

        assert isinstance(output, Output)
        assert output.tokens.cached > output.tokens.prompt / 2

    async def test_callers_who_leave_free_their_slots(self, llama: str) -> None:
        client = UpstreamClient(f"http://{llama}", engine="openai", limit=16, api_key=llama_server.KEY)
        async with aclosing(OpenAIEngine(client, path="/v1", model="m", style=Endless(), slots=4)) as engine:
            await engine.probe()
            begun = asyncio.Semaphore(0)
            calls = [asyncio.create_task(listen(engine, begun)) for _ in range(2 * llama_server.SLOTS)]
            for _ in range(llama_server.SLOTS):
                await begun.acquire()

            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)

            async with asyncio.timeout(10):  # to their ends they would take a minute
                await all_slots_free(client)

    async def test_a_missing_key_is_the_operators_mistake(self, llama: str) -> None:
        async with opened(f"openai+http://{llama}?style=exemplar") as engine:
            with pytest.raises(ConfigurationError, match=r"\?api_key_env=NAME"):
                await engine.probe()


class TestSimulatedServer(EngineContract):
    @pytest.fixture
    async def engine(self) -> AsyncIterator[Engine]:
        app = create_app("openai", profile_named("vllm-12b"), speed=50)
        async with running(app) as address, opened(f"openai+{address}/v1") as engine:
            yield engine

    async def test_its_model_is_found_and_asked_raw(self, engine: Engine) -> None:
        info = await engine.probe()

        assert (info.model, info.style) == ("google/translategemma-12b-it", "translategemma")
        assert info.slots == 64
        assert "logprobs" in info.can


class TestSimulatedChatServer(EngineContract):
    @pytest.fixture
    async def engine(self) -> AsyncIterator[Engine]:
        app = create_app("openai", profile_named("vllm-12b"), speed=50)
        async with running(app) as address, opened(f"openai+{address}/v1?style=instruct") as engine:
            yield engine

    async def test_what_is_asked_beyond_the_text_is_not_translated(self, engine: Engine) -> None:
        assert (await engine.probe()).can == {"stream", "sampling", "logprobs", "instructions"}
        asking = Asking(formality="more", context="Who is there?")

        plain, asked = texts_of(await engine.translate([HELLO, Segment("Good morning.", EN_DE, asking)]))

        assert asked == plain


class Endless:
    """A style whose answers go on until the output limit."""

    name = "endless"
    max_segment_tokens = 128
    can: frozenset[Capability] = frozenset()

    def render(self, segment: Segment) -> Prompt:
        return Prompt(raw=f"{segment.text}: 1 2 3 4 5", chat=None, stop=(), max_tokens=1500)

    def clean(self, output: str) -> str:
        return output.strip()


async def listen(engine: Engine, begun: asyncio.Semaphore) -> None:
    first = iter([begun.release])
    await engine.translate([HELLO], lambda number, text: next(first, lambda: None)())


async def all_slots_free(client: UpstreamClient) -> None:
    while True:
        if not any(slot.is_processing for slot in await client.get_json("/slots", list[Slot])):
            return
        await asyncio.sleep(0.05)


def texts_of(outcomes: Sequence[Output | EngineError]) -> list[str]:
    assert all(isinstance(outcome, Output) for outcome in outcomes), outcomes
    return [outcome.text for outcome in outcomes if isinstance(outcome, Output)]


class Counted(Struct):
    tokens: list[int]


class Slot(Struct):
    is_processing: bool


class Content(Struct):
    content: str


async def token_count(address: str, text: str) -> int:
    client = UpstreamClient(f"http://{address}", engine="llama", limit=1, api_key=llama_server.KEY)
    (body,) = [body async for body in client.stream("/tokenize", Content(text), Whole())]
    await client.aclose()
    return len(msgspec.json.decode(body, type=Counted).tokens)


class Whole:
    """The framing of a body that is one message."""

    def __init__(self) -> None:
        self._body = b""

    def feed(self, data: bytes) -> list[bytes]:
        self._body += data
        return []

    def end(self) -> list[bytes]:
        return [self._body]


# Servers that differ


def sse(*events: dict[str, Any]) -> bytes:
    lines = [b"data: " + msgspec.json.encode(event) for event in events] + [b"data: [DONE]"]
    return answer(b"".join(line + b"\n\n" for line in lines), content_type="text/event-stream")


def text(words: str, finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "text": words, "finish_reason": finish}]}


def chat(words: str | None, finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"role": "assistant", "content": words}, "finish_reason": finish}]}


USAGE = {"choices": [], "usage": {"prompt_tokens": 20, "completion_tokens": 3, "total_tokens": 23}}
GOOD = sse(text("Guten "), text("Morgen."), text("", "stop"), USAGE)
GOOD_CHAT = sse(chat(None), chat("Guten Morgen."), chat(None, "stop"), USAGE)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Engine]:
    engine = await open_engine(EngineURL.parse(url), Path())
    try:
        yield engine
    finally:
        await engine.aclose()


@asynccontextmanager
async def engine_on(replies: dict[str, Reply], options: str = "") -> AsyncIterator[tuple[Engine, Script]]:
    script = Script({"/v1/models": MODELS, **replies})
    async with serving(script) as address, opened(f"openai+http://{address}/v1{options}") as engine:
        yield engine, script


async def outcome(engine: Engine) -> object:
    (outcome,) = await engine.translate([HELLO])
    return outcome


def bodies(script: Script) -> list[dict[str, Any]]:
    return [msgspec.json.decode(request.body) for request in script.requests if request.body]


async def test_the_raw_prompt_is_sent_to_completions_in_full() -> None:
    async with engine_on({"/v1/completions": GOOD}) as (engine, script):
        info = await engine.probe()
        assert await outcome(engine) == Output("Guten Morgen.", Tokens(prompt=20, output=3))

    prompt = style_named("translategemma").render(HELLO)
    assert (info.name, info.model, info.style, info.slots) == ("openai", MODEL, "translategemma", FIRST_SLOTS)
    assert bodies(script)[-1] == {
        "model": MODEL,
        "prompt": prompt.raw,
        "max_tokens": prompt.max_tokens,
        "stop": list(prompt.stop),
        "stop_token_ids": list(prompt.stop_token_ids),
        "temperature": 0,
        "top_p": 1,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_a_probe_asks_for_no_more_than_one_token_at_a_time() -> None:
    async with engine_on({"/v1/completions": GOOD}) as (engine, script):
        await engine.probe()
        await engine.probe()

    assert [body["max_tokens"] for body in bodies(script)] == [1, 1]


async def test_a_further_attempt_is_sampled_by_its_own_seed() -> None:
    async with engine_on({"/v1/completions": GOOD}) as (engine, script):
        await engine.probe()
        await engine.translate([HELLO])
        await engine.translate([Segment("Good morning.", EN_DE, Asking(attempt=2))])

    first, second = bodies(script)[-2:]
    assert second == first | {"temperature": 0.7, "top_p": 0.95, "seed": 2}


LISTED = {"tokens": ["Guten", " Morgen"], "token_logprobs": [None, -0.2, -0.4], "top_logprobs": None}
EACH = {"content": [{"token": "Guten", "logprob": -0.2}, {"token": " Morgen", "logprob": -0.4}]}


def with_logprobs(event: dict[str, Any], logprobs: dict[str, Any]) -> dict[str, Any]:
    return {"choices": [event["choices"][0] | {"logprobs": logprobs}]}


@pytest.mark.parametrize(
    ("route", "piece", "logprobs", "asked"),
    [
        ("completions", text("Guten Morgen."), LISTED, 1),
        ("completions", text("Guten Morgen."), EACH, 1),
        ("chat/completions", chat("Guten Morgen."), EACH, True),
    ],
    ids=["vLLM", "llama-server", "chat"],
)
async def test_the_log_probability_is_the_mean_over_all_tokens(
    route: str, piece: dict[str, Any], logprobs: dict[str, Any], asked: object
) -> None:
    reply = sse(with_logprobs(piece, logprobs), text("", "stop"))
    async with engine_on({f"/v1/{route}": reply}) as (engine, script):
        info = await engine.probe()
        (output,) = await engine.translate([Segment("Good morning.", EN_DE, Asking(logprob=True))])

    assert "logprobs" in info.can
    assert isinstance(output, Output)
    assert output.logprob == pytest.approx(-0.3)
    assert bodies(script)[-1]["logprobs"] == asked


@pytest.mark.parametrize("refuses", [True, False])
async def test_a_server_that_refuses_or_ignores_the_question_for_log_probabilities_does_not_tell_them(
    refuses: bool,
) -> None:
    def reply(request: Request) -> bytes:
        return answer(b'{"error":"unknown field"}', 400) if refuses and b"logprobs" in request.body else GOOD

    async with engine_on({"/v1/completions": reply}) as (engine, _):
        info = await engine.probe()
        assert isinstance(await outcome(engine), Output)

    assert info.can == {"stream", "sampling"}


@pytest.mark.parametrize(("style", "told"), [("translategemma", False), ("instruct", True)])
async def test_formality_and_context_reach_the_models_that_follow_instructions(style: str, told: bool) -> None:
    async with engine_on({"/v1/chat/completions": GOOD_CHAT}, f"?style={style}") as (engine, script):
        info = await engine.probe()
        await engine.translate([Segment("Come in.", EN_DE, Asking(formality="less", context="Who is there?"))])

    (message,) = bodies(script)[-1]["messages"]
    assert ("instructions" in info.can) == told
    assert ("Address the reader informally" in message["content"]) == told
    assert ("Who is there?" in message["content"]) == told


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_chat_is_used_where_only_chat_exists(status: int) -> None:
    replies: dict[str, Reply] = {"/v1/completions": answer(b"{}", status), "/v1/chat/completions": GOOD_CHAT}
    async with engine_on(replies) as (engine, script):
        await engine.probe()
        assert await outcome(engine) == Output("Guten Morgen.", Tokens(prompt=20, output=3))

    chat_text = style_named("translategemma").render(HELLO).chat
    assert bodies(script)[-1]["messages"] == [{"role": "user", "content": chat_text}]
    assert "prompt" not in bodies(script)[-1]
    assert script.paths.count("/v1/completions") == 1


async def test_a_style_without_a_raw_form_goes_straight_to_chat() -> None:
    async with engine_on({"/v1/chat/completions": GOOD_CHAT}, "?style=instruct") as (engine, script):
        await engine.probe()
        assert isinstance(await outcome(engine), Output)

    assert "/v1/completions" not in script.paths


async def test_a_style_without_a_chat_form_needs_completions() -> None:
    async with engine_on({"/v1/chat/completions": GOOD_CHAT}, "?style=exemplar") as (engine, script):
        with pytest.raises(ConfigurationError, match="no such route"):
            await engine.probe()

    assert "/v1/chat/completions" not in script.paths


@pytest.mark.parametrize("status", [400, 422])
async def test_a_strict_server_is_asked_without_the_extra_fields(status: int) -> None:
    def strict(request: Request) -> bytes:
        known = b"stop_token_ids" not in request.body and b"stream_options" not in request.body
        return GOOD if known else answer(b'{"error":{"message":"unknown field"}}', status)

    async with engine_on({"/v1/completions": strict}) as (engine, script):
        await engine.probe()
        assert isinstance(await outcome(engine), Output)

    said = [b"stop_token_ids" in request.body for request in script.requests if request.body]
    assert said == [True, False, False, False]


async def test_a_server_that_refuses_every_way_is_the_operators_mistake_in_its_own_words() -> None:
    refusal = answer(b'{"error":{"message":"The model `x` does not exist."}}', 404)
    replies: dict[str, Reply] = {"/v1/completions": refusal, "/v1/chat/completions": refusal}
    async with engine_on(replies, "?model=x") as (engine, _):
        with pytest.raises(ConfigurationError, match="The model `x` does not exist"):
            await engine.probe()


@pytest.mark.parametrize("listed", [[], ["b", "a"]])
async def test_the_model_has_to_be_named_unless_there_is_just_one(listed: list[str]) -> None:
    models = answer(msgspec.json.encode({"data": [{"id": name} for name in listed]}))
    async with engine_on({"/v1/models": models}) as (engine, _):
        with pytest.raises(ConfigurationError, match=rf"\?model=NAME .* has {', '.join(sorted(listed)) or 'none'}"):
            await engine.probe()


@pytest.mark.parametrize("models", [answer(b"{}", 404), answer(b'{"error":"Unexpected endpoint or method."}')])
async def test_a_server_that_lists_no_models_is_fine_if_the_model_is_named(models: bytes) -> None:
    replies: dict[str, Reply] = {"/v1/models": models, "/v1/completions": GOOD}
    async with engine_on(replies, f"?model={MODEL}") as (engine, _):
        assert (await engine.probe()).model == MODEL
    async with engine_on(replies) as (engine, _):
        with pytest.raises(ConfigurationError):
            await engine.probe()


@pytest.mark.parametrize(("options", "slots"), [("", MAX_SLOTS_TRIED), ("?slots=7", 7)])
async def test_slots_are_what_the_url_says_else_what_the_server_tells_within_a_bound(options: str, slots: int) -> None:
    replies: dict[str, Reply] = {"/props": answer(b'{"total_slots":100000}'), "/v1/completions": GOOD}
    async with engine_on(replies, options) as (engine, _):
        assert (await engine.probe()).slots == slots


async def test_the_key_is_sent_as_a_bearer_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_KEY", "hunter2")
    async with engine_on({"/v1/completions": GOOD}, "?api_key_env=LLM_KEY") as (engine, script):
        await engine.probe()

    assert {request.headers["authorization"] for request in script.requests} == {"Bearer hunter2"}


async def test_an_engine_that_was_never_probed_is_unavailable() -> None:
    async with engine_on({"/v1/completions": GOOD}) as (engine, _):
        assert isinstance(await outcome(engine), EngineUnavailable)


async def test_a_server_that_is_down_or_slow_may_mend() -> None:
    async with serving(Script({})) as gone:
        pass
    async with opened(f"openai+http://{gone}/v1") as engine:
        with pytest.raises(EngineUnavailable):
            await engine.probe()
    async with engine_on({"/v1/models": answer(b"{}", 504)}) as (engine, _):
        with pytest.raises(EngineUnavailable):
            await engine.probe()


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (sse(text("Guten Mor", "length"), USAGE), OutputTruncated),
        (sse(text("Guten Mor", "content_filter")), BadOutput),
        (sse(text("Guten Mor")), EngineUnavailable),
        (sse(text("Guten Mor"), {"error": {"message": "CUDA out of memory", "code": 500}}), EngineUnavailable),
        (sse(text(" ", "stop")), BadOutput),
        (sse(), EngineUnavailable),
        (answer(b'data: {"choices": 5}\n\n'), BadOutput),
        (answer(b"<html></html>", content_type="text/html"), BadOutput),
    ],
    ids=["length", "filtered", "no end", "error", "blank", "nothing", "other json", "html"],
)
async def test_an_answer_that_is_no_translation_is_an_error(reply: bytes, kind: type[Exception]) -> None:
    async with engine_on({"/v1/completions": GOOD}) as (engine, script):
        await engine.probe()
        script.replies["/v1/completions"] = reply
        failed = await outcome(engine)

    assert type(failed) is kind
    if isinstance(failed, OutputTruncated):
        assert failed.partial == "Guten Mor"


async def test_one_segment_that_fails_leaves_the_others_alone() -> None:
    def picky(request: Request) -> bytes:
        return answer(b'{"error":"bad text"}', 400) if b"Second" in request.body else GOOD

    async with engine_on({"/v1/completions": picky}) as (engine, _):
        await engine.probe()
        outcomes = await engine.translate(segments("First.", "Second.", "Third."))

    assert [type(outcome).__name__ for outcome in outcomes] == ["Output", "StatusRejected", "Output"]


async def test_no_half_control_token_and_no_outer_white_space_is_ever_heard() -> None:
    reply = sse(text(" Guten"), text(" Mor"), text("gen. "), text("<end_of"), text("_turn> \n", "stop"))
    async with engine_on({"/v1/completions": reply}) as (engine, _):
        await engine.probe()
        heard: list[str] = []
        await engine.translate([HELLO], lambda number, text: heard.append(text))

    assert list(dict.fromkeys(heard)) == ["Guten", "Guten Mor", "Guten Morgen."]


async def test_an_answer_that_breaks_off_is_an_error_after_what_was_heard() -> None:
    heard: list[str] = []
    async with engine_on({"/v1/completions": GOOD}) as (engine, script):
        await engine.probe()
        script.replies["/v1/completions"] = sse(text("Guten "))
        (outcome,) = await engine.translate([HELLO], lambda number, text: heard.append(text))

    assert isinstance(outcome, EngineUnavailable)
    assert heard == ["Guten"]
