"""The simulator behind HTTP: the two protocols over real sockets, and clients that leave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from starlette.applications import Starlette

from dragoman.engines.simulated import SimulatedEngine, open_engine
from dragoman.engines.url import EngineURL
from dragoman.errors import ConfigurationError
from dragoman.prompts.base import PromptStyle
from dragoman.prompts.exemplar import Exemplar
from dragoman.prompts.instruct import Instruct
from dragoman.prompts.translategemma import TranslateGemma
from dragoman.simulator import Faults, create_app, profile_named, read_mischief, running, serve
from dragoman.simulator.reading import read_prompt
from dragoman.types import Asking, Output, Pair, Segment

TEXT = "The train (number 9) leaves at 10:30, please hurry."
PROMPT = (
    "<start_of_turn>user\nYou are a professional English (en) to German (de-AT) translator. Your goal is to accurately "
    "convey the meaning and nuances of the original English text while adhering to German grammar, vocabulary, and "
    "cultural sensitivities.\nProduce only the German translation, without any additional explanations or commentary. "
    f"Please translate the following English text into German:\n\n\n{TEXT}<end_of_turn>\n<start_of_turn>model\n"
)
HUB_4B = "google/translategemma-4b-it"

Post = Callable[[str, dict[str, Any]], AbstractAsyncContextManager[aiohttp.ClientResponse]]


class Client:
    """A client of one running simulator; `app` is the app behind it."""

    def __init__(self, app: Starlette, url: str, session: aiohttp.ClientSession) -> None:
        self.app, self._url, self._session = app, url, session

    async def get(self, path: str) -> tuple[int, bytes]:
        async with self._session.get(self._url + path) as response:
            return response.status, await response.read()

    async def post(self, path: str, **body: object) -> tuple[int, bytes]:
        async with self._session.post(self._url + path, json=body) as response:
            return response.status, await response.read()

    async def post_json(self, path: str, **body: object) -> dict[str, Any]:
        status, answer = await self.post(path, **body)
        assert status == 200, answer
        return msgspec.json.decode(answer, type=dict[str, Any])

    async def busy_with(self, requests: int, within_s: float = 2.0) -> bool:
        """Wait until so many requests run or wait, and say whether it came to that."""
        for _ in range(int(within_s / 0.01)):
            if self.busy == requests:
                return True
            await asyncio.sleep(0.01)
        return False

    @property
    def busy(self) -> int:
        model = self.app.state.model
        return int(model.running + model.waiting)


@asynccontextmanager
async def client_of(app: Starlette) -> AsyncIterator[Client]:
    async with running(app) as url, aiohttp.ClientSession() as session:
        yield Client(app, url, session)


@pytest.fixture
async def ollama() -> AsyncIterator[Client]:
    async with client_of(create_app("ollama", profile_named("instant"))) as client:
        yield client


@pytest.fixture
async def openai() -> AsyncIterator[Client]:
    async with client_of(create_app("openai", profile_named("instant"))) as client:
        yield client


async def translated_in_process(text: str) -> str:
    engine: SimulatedEngine = await open_engine(EngineURL.parse("simulated://instant"), Path())
    (output,) = await engine.translate([Segment(text, Pair("en", "de-AT"))])
    assert isinstance(output, Output)
    return output.text


def lines(body: bytes) -> list[Any]:
    return [msgspec.json.decode(line) for line in body.splitlines()]


def events(body: bytes) -> list[Any]:
    records = body.decode().strip().split("\n\n")
    assert records.pop() == "data: [DONE]"
    return [msgspec.json.decode(record.removeprefix("data: ")) for record in records]


class TestOllama:
    async def test_a_raw_prompt_is_answered_as_the_engine_in_the_process_would(self, ollama: Client) -> None:
        answer = await ollama.post_json(
            "/api/generate", model="translategemma:4b", prompt=PROMPT, raw=True, stream=False
        )

        assert answer["response"] == await translated_in_process(TEXT)
        assert (answer["done"], answer["done_reason"]) == (True, "stop")
        assert answer["eval_count"] > 5
        assert answer["prompt_eval_count"] > 75
        assert answer["total_duration"] > 0

    async def test_it_streams_lines_unless_told_not_to(self) -> None:
        async with client_of(create_app("ollama", profile_named("ollama-1"), speed=4)) as client:
            _, body = await client.post("/api/generate", model="translategemma:27b", prompt=PROMPT, raw=True)

        *pieces, last = lines(body)
        assert len(pieces) > 2
        assert not any(piece["done"] for piece in pieces)
        assert "".join(piece["response"] for piece in pieces) == await translated_in_process(TEXT)
        assert (last["response"], last["done_reason"]) == ("", "stop")
        assert last["eval_duration"] > 0

    async def test_the_output_limit_cuts_and_says_so(self, ollama: Client) -> None:
        answer = await ollama.post_json(
            "/api/generate", model="translategemma:4b", prompt=PROMPT, stream=False, options={"num_predict": 4}
        )

        assert (answer["done_reason"], answer["eval_count"]) == ("length", 4)
        assert (await translated_in_process(TEXT)).startswith(answer["response"])

    async def test_an_unknown_model_is_not_found(self, ollama: Client) -> None:
        for path in ("/api/generate", "/api/show"):
            status, body = await ollama.post(path, model="translategemma:27b", prompt=PROMPT)

            assert (status, msgspec.json.decode(body)) == (404, {"error": "model 'translategemma:27b' not found"})

    async def test_it_lists_its_model_and_the_bare_name_is_the_smallest(self, ollama: Client) -> None:
        _, tags = await ollama.get("/api/tags")
        _, loaded = await ollama.get("/api/ps")
        shown = await ollama.post_json("/api/show", model="translategemma")

        assert "translategemma:4b" in [model["name"] for model in msgspec.json.decode(tags)["models"]]
        assert [model["name"] for model in msgspec.json.decode(loaded)["models"]] == ["translategemma:4b"]
        assert shown["details"]["parameter_size"] == "4B"
        assert (await ollama.get("/api/version"))[0] == 200

    async def test_a_broken_body_is_a_bad_request(self, ollama: Client) -> None:
        status, body = await ollama.post("/api/generate", prompt=PROMPT)

        assert status == 400
        assert "model" in msgspec.json.decode(body)["error"]

    async def test_a_queue_with_a_bound_answers_busy(self) -> None:
        app = create_app("ollama", profile_named("slow-cpu"), max_queue=1)
        async with client_of(app) as client:
            request = {"model": "translategemma:12b", "prompt": PROMPT}
            calls = [asyncio.create_task(client.post("/api/generate", **request)) for _ in range(2)]
            assert await client.busy_with(2)

            status, body = await client.post("/api/generate", **request)

            assert (status, msgspec.json.decode(body)["error"][:11]) == (503, "server busy")
            for call in calls:
                call.cancel()
            assert await client.busy_with(0)

    async def test_a_failure_by_lot_is_a_server_error_also_when_streamed(self) -> None:
        app = create_app("ollama", profile_named("instant"), faults=Faults(failure_rate=1.0))
        async with client_of(app) as client:
            for stream in (True, False):
                request = {"model": "translategemma:4b", "prompt": PROMPT, "stream": stream}
                status, body = await client.post("/api/generate", **request)

                assert (status, "failure_rate" in msgspec.json.decode(body)["error"]) == (500, True)

    async def test_each_token_has_a_log_probability_where_it_is_asked_for(self, ollama: Client) -> None:
        asked = {"model": "translategemma:4b", "prompt": PROMPT, "logprobs": True}
        whole = await ollama.post_json("/api/generate", **asked, stream=False)
        _, body = await ollama.post("/api/generate", **asked)
        plain = await ollama.post_json("/api/generate", model="translategemma:4b", prompt=PROMPT, stream=False)

        told = [token for line in lines(body) for token in line.get("logprobs", [])]
        assert len(told) == whole["eval_count"]
        assert told == whole["logprobs"]
        assert all(-2 < token["logprob"] <= 0 for token in told)
        assert "logprobs" not in plain

    async def test_mischief_spoils_outputs_and_another_seed_may_not(self) -> None:
        app = create_app("ollama", profile_named("instant"), faults=Faults(mischief=read_mischief("echo:0.5")))
        async with client_of(app) as client:
            answers = [
                await client.post_json(
                    "/api/generate",
                    model="translategemma:4b",
                    prompt=PROMPT,
                    stream=False,
                    options={"temperature": 0.7, "seed": seed},
                )
                for seed in range(12)
            ]

        assert 2 < sum(answer["response"] == TEXT for answer in answers) < 10


class TestOpenAI:
    async def test_a_completion_is_the_engines_translation(self, openai: Client) -> None:
        answer = await openai.post_json("/v1/completions", model=HUB_4B, prompt=PROMPT, max_tokens=200)

        (choice,) = answer["choices"]
        assert (choice["text"], choice["finish_reason"]) == (await translated_in_process(TEXT), "stop")
        assert answer["usage"]["total_tokens"] > answer["usage"]["completion_tokens"] > 5

    async def test_a_stream_joins_to_the_completion_and_ends_with_the_usage(self) -> None:
        async with client_of(create_app("openai", profile_named("vllm-h100-12b"), speed=2)) as client:
            _, body = await client.post(
                "/v1/completions",
                model="google/translategemma-12b-it",
                prompt=PROMPT,
                max_tokens=200,
                stream=True,
                stream_options={"include_usage": True},
            )

        *pieces, usage = events(body)
        assert len(pieces) > 3
        assert "".join(piece["choices"][0]["text"] for piece in pieces) == await translated_in_process(TEXT)
        assert [piece["choices"][0]["finish_reason"] for piece in pieces][-2:] == [None, "stop"]
        assert usage["usage"]["completion_tokens"] > 5

    async def test_chat_answers_the_last_turn_of_the_user(self, openai: Client) -> None:
        turn = PROMPT.removeprefix("<start_of_turn>user\n").partition("<end_of_turn>")[0]
        messages = [{"role": "user", "content": turn}]

        whole = await openai.post_json("/v1/chat/completions", model=HUB_4B, messages=messages)
        _, body = await openai.post("/v1/chat/completions", model=HUB_4B, messages=messages, stream=True)

        assert whole["choices"][0]["message"]["content"] == await translated_in_process(TEXT)
        deltas = [event["choices"][0]["delta"]["content"] for event in events(body)]
        assert "".join(deltas) == await translated_in_process(TEXT)

    async def test_each_token_has_a_log_probability_where_it_is_asked_for(self, openai: Client) -> None:
        asked = {"model": HUB_4B, "prompt": PROMPT, "max_tokens": 200, "logprobs": 1}
        whole = await openai.post_json("/v1/completions", **asked)
        _, body = await openai.post("/v1/completions", **asked, stream=True)
        messages = [{"role": "user", "content": PROMPT}]
        chat = await openai.post_json("/v1/chat/completions", model=HUB_4B, messages=messages, logprobs=True)

        told = whole["choices"][0]["logprobs"]["token_logprobs"]
        pieces = [event["choices"][0]["logprobs"] for event in events(body)]
        assert len(told) == whole["usage"]["completion_tokens"]
        assert [logprob for piece in pieces if piece for logprob in piece["token_logprobs"]] == told
        assert [token["logprob"] for token in chat["choices"][0]["logprobs"]["content"]] == told

    async def test_the_limit_is_16_tokens_where_none_is_given(self, openai: Client) -> None:
        answer = await openai.post_json("/v1/completions", model=HUB_4B, prompt=f"{TEXT} {TEXT}")

        assert answer["choices"][0]["finish_reason"] == "length"
        assert answer["usage"]["completion_tokens"] == 16

    async def test_a_stop_word_ends_the_answer(self, openai: Client) -> None:
        answer = await openai.post_json("/v1/completions", model=HUB_4B, prompt="One.\nTwo.", stop=["\n"])

        assert "\n" not in answer["choices"][0]["text"]
        assert answer["choices"][0]["text"].endswith(".")

    async def test_unknown_models_and_wrong_bodies_are_refused(self, openai: Client) -> None:
        for body, status in (
            ({"model": "gpt", "prompt": PROMPT}, 404),
            ({"model": HUB_4B, "prompt": [2, 105]}, 400),
            ({"model": HUB_4B, "prompt": PROMPT, "max_tokens": 0}, 400),
        ):
            answered, error = await openai.post("/v1/completions", **body)
            assert (answered, msgspec.json.decode(error)["error"]["code"]) == (status, status)

    async def test_it_tells_its_model_its_slots_and_its_health(self, openai: Client) -> None:
        _, models = await openai.get("/v1/models")
        _, props = await openai.get("/props")

        assert [model["id"] for model in msgspec.json.decode(models)["data"]] == [HUB_4B]
        assert msgspec.json.decode(props)["total_slots"] == 64
        assert await openai.get("/health") == (200, b"")

    async def test_the_gauges_count_who_runs_and_who_waits(self) -> None:
        async with client_of(create_app("openai", profile_named("slow-cpu"))) as client:
            request = {"model": "google/translategemma-12b-it", "prompt": PROMPT}
            calls = [asyncio.create_task(client.post("/v1/completions", **request)) for _ in range(3)]
            assert await client.busy_with(3)

            _, metrics = await client.get("/metrics")

            assert b'num_requests_running{model_name="google/translategemma-12b-it"} 1.0\n' in metrics
            assert b'num_requests_waiting{model_name="google/translategemma-12b-it"} 2.0\n' in metrics
            for call in calls:
                call.cancel()
            assert await client.busy_with(0)


@pytest.mark.parametrize(
    ("style", "pair"),
    [
        (TranslateGemma(), Pair("en", "pt-BR")),
        (TranslateGemma(), Pair("zh-Hant", "sr-Cyrl-BA")),
        (Instruct(), Pair("en", "pt-BR")),
        (Exemplar(), Pair("en", "ja")),
        (Exemplar(), Pair("pt-BR", "pt-PT")),
    ],
)
def test_it_understands_every_style_of_prompt(style: PromptStyle, pair: Pair) -> None:
    prompt = style.render(Segment(TEXT, pair))
    asked = prompt.raw or prompt.chat or ""

    work = read_prompt(asked)

    assert (work.text, work.pair) == (TEXT, pair)
    assert asked.startswith(work.prefix + TEXT)
    assert work.prompt_tokens > work.prefix_tokens > 10


@pytest.mark.parametrize("context", ["Who is there?", "---", "Text: a\n---\n\nb"])
def test_it_knows_the_text_from_the_context_that_a_prompt_shows(context: str) -> None:
    asking = Asking(formality="more", context=context, attempt=1)

    work = read_prompt(Instruct().render(Segment(TEXT, Pair("en", "pt-BR"), asking)).chat or "")

    assert (work.text, work.pair) == (TEXT, Pair("en", "pt-BR"))


def test_a_prompt_in_no_known_style_is_a_text_in_an_unknown_language() -> None:
    work = read_prompt("Sing a song.")

    assert (work.text, work.pair, work.prefix_tokens) == ("Sing a song.", Pair("und", "und"), 0)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("speak", ["ollama", "openai"])
async def test_a_client_that_leaves_frees_its_slot_and_its_place_in_the_queue(speak: str, stream: bool) -> None:
    path, model = {
        "ollama": ("/api/generate", "translategemma:12b"),
        "openai": ("/v1/completions", "google/translategemma-12b-it"),
    }[speak]
    app = create_app("ollama" if speak == "ollama" else "openai", profile_named("slow-cpu"))
    async with client_of(app) as client:
        request = {"model": model, "prompt": PROMPT, "stream": stream}
        calls = [asyncio.create_task(client.post(path, **request)) for _ in range(4)]
        assert await client.busy_with(4)

        for call in calls:
            call.cancel()

        assert await client.busy_with(0, within_s=0.5)


async def test_serve_prints_where_it_listens_and_what_it_plays(capsys: pytest.CaptureFixture[str]) -> None:
    serving = asyncio.create_task(serve("ollama", profile_named("ollama-1"), "127.0.0.1", 0))
    await asyncio.sleep(0.1)
    printed = capsys.readouterr().out
    url = printed.split()[0]
    async with aiohttp.ClientSession() as session, session.get(f"{url}/api/version") as response:
        assert response.status == 200
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)

    assert printed.endswith("speaks ollama and plays ollama-1: translategemma:27b, 1 slot\n")


async def test_a_port_in_use_is_said_in_one_line() -> None:
    async with running(create_app("ollama", profile_named("instant"))) as url:
        port = int(url.rpartition(":")[2])
        with pytest.raises(ConfigurationError, match=rf"port {port}.*--port"):
            await serve("ollama", profile_named("instant"), "127.0.0.1", port)
