"""The embedded engine keeps the contract with the real llama.cpp and the bundled model, and outlives its crashes."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import TypeVar

import aiohttp
import msgspec
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dragoman.engines.base import Engine
from dragoman.engines.gguf import read_model_file
from dragoman.engines.llamacpp import LlamaCppEngine, LlamaServer, open_engine
from dragoman.engines.llamacpp_process import COMMAND, ServerProcess, restart_delay_s
from dragoman.engines.url import EngineURL
from dragoman.errors import (
    ConfigurationError,
    EngineError,
    EngineRejected,
    EngineUnavailable,
    MissingExtra,
    OutputTruncated,
)
from dragoman.prompts.base import Prompt
from dragoman.prompts.exemplar import Exemplar
from dragoman.types import Output, Segment
from tests.contract.engine_contract import SENTENCES, EngineContract, segments
from tests.unit.test_gguf import GEMMA, TENSORS, gguf

T = TypeVar("T")

on_one_loop = pytest.mark.asyncio(loop_scope="module")
SLOTS = 4
# One thread, because the tests share their machine.
OPTIONS = f"slots={SLOTS}&context=1024&threads=1"


class Primed(Exemplar):
    """Shows the very sentences of the contract and their translations, so that the small model only has to copy.

    Whether a prompt's beginning was cached, and what else is in the batch, changes the last bits of llama.cpp's sums.
    Left to itself the bundled model is so unsure that those bits decide between two words.
    """

    def render(self, segment: Segment) -> Prompt:
        shown = "".join(f"English: {source}\nGerman: {translation}\n\n" for source, translation in SHOWN.items())
        raw = f"{shown}English: {segment.text}\nGerman:"
        return replace(super().render(segment), raw=raw, stop=("\n",))


SHOWN = {
    "Room 17 is free.": "Zimmer 17 ist frei.",
    "Good morning.": "Guten Morgen.",
    "The train leaves at nine.": "Der Zug fährt um neun Uhr ab.",
    "Room 8 is free.": "Zimmer 8 ist frei.",
    "Where is the station?": "Wo ist der Bahnhof?",
    "She reads a book.": "Sie liest ein Buch.",
    "Room 3 is free.": "Zimmer 3 ist frei.",
}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


async def opened(url: str, data_dir: Path) -> LlamaCppEngine:
    engine = await open_engine(EngineURL.parse(url), data_dir)
    assert isinstance(engine, LlamaCppEngine)
    return engine


async def started(data_dir: Path) -> LlamaCppEngine:
    """The bundled model, loaded."""
    engine = await opened(f"llamacpp://bundled?{OPTIONS}", data_dir)
    engine.style = Primed()
    await engine.probe()
    return engine


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(data_dir: Path) -> AsyncIterator[LlamaCppEngine]:
    """One engine for all tests that leave it running: loading the model takes a second or more."""
    engine = await started(data_dir)
    yield engine
    await engine.aclose()


@pytest_asyncio.fixture(loop_scope="module")
async def own(data_dir: Path) -> AsyncIterator[LlamaCppEngine]:
    """An engine of the test's own, to close or to break."""
    engine = await started(data_dir)
    yield engine
    await engine.aclose()


@on_one_loop
class TestContract(EngineContract):
    @pytest.fixture
    def engine(self, shared: LlamaCppEngine) -> Engine:
        return shared

    async def test_a_closed_engine_says_that_it_is_unavailable(self, own: Engine) -> None:
        await super().test_a_closed_engine_says_that_it_is_unavailable(own)


class LongWinded(Exemplar):
    """Asks for a text of 900 tokens that nothing stops."""

    def render(self, segment: Segment) -> Prompt:
        return Prompt(
            raw=f"{segment.text} The story of the princess goes like this:", chat=None, stop=(), max_tokens=900
        )


class Curt(Exemplar):
    """Allows two tokens."""

    def render(self, segment: Segment) -> Prompt:
        return replace(super().render(segment), max_tokens=2)


class ChatOnly(Exemplar):
    """Cannot be said as a raw prompt."""

    def render(self, segment: Segment) -> Prompt:
        return replace(super().render(segment), raw=None, chat=segment.text)


@asynccontextmanager
async def asking_for(style: Exemplar, engine: LlamaCppEngine) -> AsyncIterator[LlamaServer]:
    """The running server of `engine`, asked in another style."""
    server = LlamaServer(await engine.process.endpoint(wait_s=1), engine.info, style)
    async with aclosing(server):
        yield server


async def ask(engine: LlamaCppEngine, path: str, answer: type[T], body: object = None) -> T:
    """A request straight to llama.cpp: POST where there is a body."""
    endpoint = await engine.process.endpoint(wait_s=1)
    headers = {"Authorization": f"Bearer {endpoint.api_key}"}
    async with (
        aiohttp.ClientSession(endpoint.address, headers=headers) as session,
        session.request("POST" if body else "GET", path, json=body) as response,
    ):
        return msgspec.json.decode(await response.read(), type=answer)


async def busy_slots(engine: LlamaCppEngine) -> int:
    slots = await ask(engine, "/slots", list[dict[str, object]])
    return sum(slot["is_processing"] is True for slot in slots)


async def until_busy(engine: LlamaCppEngine, slots: int, within_s: float) -> None:
    """Wait until so many slots are at work."""
    async with asyncio.timeout(within_s):
        while await busy_slots(engine) != slots:  # noqa: ASYNC110 - llama.cpp does not tell when
            await asyncio.sleep(0.02)


def environment_of(pid: int | None) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def is_running(pid: int | None) -> bool:
    return Path(f"/proc/{pid}").exists()


def long_calls(server: Engine) -> list[asyncio.Task[Sequence[Output | EngineError]]]:
    return [asyncio.create_task(server.translate(segments(f"Story {number}."))) for number in range(2 * SLOTS)]


@on_one_loop
class TestRequests:
    async def test_the_info_says_which_file_it_is(self, shared: LlamaCppEngine) -> None:
        model = read_model_file(Path(shared.options.model))

        assert (shared.info.model, shared.info.revision) == ("Gemma 3 270m", model.revision)
        assert (shared.info.style, shared.info.slots) == ("exemplar", SLOTS)

    async def test_the_prompt_has_one_bos_in_front(self, shared: LlamaCppEngine) -> None:
        (segment,) = segments(SENTENCES[0])
        content = {"content": shared.style.render(segment).raw, "add_special": True}

        tokens = (await ask(shared, "/tokenize", dict[str, list[int]], content))["tokens"]
        (output,) = await shared.translate([segment])

        assert isinstance(output, Output)
        assert (tokens[0], tokens.count(2)) == (2, 1)
        assert output.tokens.prompt == len(tokens)

    async def test_the_beginning_that_all_prompts_of_a_pair_share_is_computed_once(
        self, shared: LlamaCppEngine
    ) -> None:
        await shared.translate(segments("The first sentence of this pair."))

        (output,) = await shared.translate(segments("Another one follows it."))

        assert isinstance(output, Output)
        assert output.tokens.cached > output.tokens.prompt / 2
        assert output.tokens.output > 0

    async def test_an_output_that_hits_its_limit_is_truncated_and_says_what_there_was(
        self, shared: LlamaCppEngine
    ) -> None:
        async with asking_for(Curt(), shared) as server:
            (outcome,) = await server.translate(segments("She reads a long and difficult book in the garden."))

        assert isinstance(outcome, OutputTruncated)
        assert 0 < len(outcome.partial) < 20

    async def test_a_prompt_longer_than_the_context_is_rejected(self, shared: LlamaCppEngine) -> None:
        (outcome,) = await shared.translate(segments("word " * 2000))

        assert isinstance(outcome, EngineRejected)
        assert "context" in outcome.message

    async def test_a_style_without_a_raw_form_is_rejected(self, shared: LlamaCppEngine) -> None:
        async with asking_for(ChatOnly(), shared) as server:
            (outcome,) = await server.translate(segments(SENTENCES[0]))

        assert isinstance(outcome, EngineRejected)

    async def test_nobody_else_on_the_machine_can_use_it(self, shared: LlamaCppEngine) -> None:
        endpoint = await shared.process.endpoint(wait_s=1)
        stranger = LlamaServer(replace(endpoint, api_key="guessed"), shared.info, shared.style)

        async with aclosing(stranger):
            (outcome,) = await stranger.translate(segments(SENTENCES[0]))

        assert isinstance(outcome, EngineRejected)
        assert "401" in outcome.message

    async def test_cancelled_calls_free_their_slots_at_once(self, shared: LlamaCppEngine) -> None:
        async with asking_for(LongWinded(), shared) as server:
            calls = long_calls(server)
            await until_busy(shared, SLOTS, within_s=20)
            for call in calls:
                call.cancel()
            await asyncio.wait(calls)

            await until_busy(shared, 0, within_s=3)

    async def test_a_call_that_is_left_while_it_is_heard_frees_its_slot_at_once(self, shared: LlamaCppEngine) -> None:
        async with asking_for(LongWinded(), shared) as server:
            begun = asyncio.Event()
            call = asyncio.ensure_future(server.translate(segments("A story."), lambda number, text: begun.set()))
            await begun.wait()
            call.cancel()
            await asyncio.wait([call])

            await until_busy(shared, 0, within_s=3)


@on_one_loop
class TestCrash:
    async def test_a_killed_child_fails_only_the_calls_under_way_and_is_there_again(
        self, own: LlamaCppEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SOME_API_KEY", "secret")
        before = own.process.pid
        assert before is not None
        own.style = LongWinded()
        own_calls = long_calls(own)
        await until_busy(own, SLOTS, within_s=20)

        os.kill(before, signal.SIGKILL)
        outcomes = [outcome for (outcome,) in await asyncio.gather(*own_calls)]
        own.style = Primed()
        again = await asyncio.gather(*(own.translate([segment]) for segment in segments(*SENTENCES)))

        assert all(isinstance(outcome, EngineUnavailable) for outcome in outcomes), outcomes
        assert all(isinstance(outcome, Output) for (outcome,) in again), again
        assert own.process.pid != before
        assert b"SOME_API_KEY" not in environment_of(own.process.pid)

    async def test_closing_ends_the_calls_under_way_and_the_child(self, own: LlamaCppEngine) -> None:
        pid = own.process.pid
        async with asking_for(LongWinded(), own) as server:
            calls = long_calls(server)
            await until_busy(own, SLOTS, within_s=20)

            await own.aclose()
            outcomes = [outcome for (outcome,) in await asyncio.gather(*calls)]

        assert all(isinstance(outcome, EngineUnavailable) for outcome in outcomes), outcomes
        assert not is_running(pid)

    async def test_a_model_that_cannot_be_loaded_is_a_lasting_error_with_the_end_of_the_log(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "odd.gguf"
        path.write_bytes(gguf(GEMMA, TENSORS))
        engine = await opened(f"llamacpp://{path}?{OPTIONS}", tmp_path)

        async with aclosing(engine):
            with pytest.raises(ConfigurationError, match=r"(?s)failed 3 times in a row.*error loading model"):
                await engine.probe()
            (outcome,) = await engine.translate(segments(SENTENCES[0]))

        assert isinstance(outcome, EngineUnavailable)
        assert "error loading model" in outcome.message

    async def test_a_call_does_not_wait_for_ever_while_the_model_is_loading(self, shared: LlamaCppEngine) -> None:
        process = ServerProcess(shared.options, engine="llamacpp")

        async with aclosing(process):
            with pytest.raises(EngineUnavailable, match="still loading its model"):
                await process.endpoint(wait_s=0.01)


class TestChild:
    def test_the_child_ends_when_its_parent_is_gone(self, shared: LlamaCppEngine) -> None:
        options = msgspec.json.encode(replace(shared.options, api_key="key"))
        with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            assert child.stdin
            assert child.stdout
            child.stdin.write(options + b"\n")
            child.stdin.flush()
            assert b"http://127.0.0.1:" in child.stdout.readline()

            child.stdin.close()

            assert child.wait(timeout=5) == 0

    @given(deaths=st.integers(1, 10_000), jitter=st.floats(0, 1))
    def test_the_wait_before_a_restart_grows_and_stays_bounded(self, deaths: int, jitter: float) -> None:
        assert 0.1 <= restart_delay_s(deaths, jitter) <= 15
        assert restart_delay_s(deaths, jitter) <= restart_delay_s(deaths + 1, jitter)


class TestOpening:
    @pytest.mark.parametrize(
        ("url", "words"),
        [
            ("llamacpp://models/x.gguf", "three slashes"),
            ("llamacpp://bundled/x.gguf", "three slashes"),
            ("llamacpp:///none.gguf", "there is no model file /none.gguf"),
            ("llamacpp:///tmp", "is a directory"),
            ("llamacpp://bundled?speed=9", "knows no option speed"),
            ("llamacpp://bundled?slots=0", "slots=0"),
            ("llamacpp://bundled?context=100", "context=100"),
            ("llamacpp://bundled?context=1000000", "more than the model's own 32768 tokens"),
            ("llamacpp://bundled?style=none", "style"),
        ],
    )
    async def test_a_url_that_cannot_be_right_is_refused_with_the_reason(
        self, url: str, words: str, data_dir: Path
    ) -> None:
        with pytest.raises(ConfigurationError, match=re.escape(words)):
            await opened(url, data_dir)

    async def test_without_llama_cpp_the_extra_is_named(self, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "xllamacpp", None)

        with pytest.raises(MissingExtra, match=r"pip install 'dragoman\[embedded\]'"):
            await opened("llamacpp://bundled", data_dir)

    async def test_the_options_reach_llama_cpp(self, data_dir: Path) -> None:
        engine = await opened("llamacpp://bundled?slots=3&context=1024&threads=5&gpu_layers=0&style=instruct", data_dir)

        options = engine.options

        assert (options.slots, options.context_tokens, options.threads, options.gpu_layers) == (3, 1024, 5, 0)
        assert (engine.info.style, engine.info.slots) == ("instruct", 3)

    async def test_sliding_windows_are_kept_whole(self, data_dir: Path) -> None:
        engine = await opened("llamacpp://bundled", data_dir)

        assert engine.options.swa_full

    async def test_a_translategemma_file_gets_its_own_prompt(self, tmp_path: Path) -> None:
        path = tmp_path / "model.gguf"
        path.write_bytes(gguf(GEMMA, TENSORS))

        engine = await opened(f"llamacpp://{path}", tmp_path)

        assert engine.info.style == "translategemma"
        assert engine.info.model == "Translategemma 4b It"
