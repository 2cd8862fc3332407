"""Ollama: `ollama://gpu1:11434/translategemma:27b?slots=4&num_ctx=4096`.

Ollama queues without bound once a model is loaded and reloads it when its options change, so every request carries the
same options, and how many are sent at once is decided here. It works on one request at a time unless the server was
started with `OLLAMA_NUM_PARALLEL`, which its API does not tell: say it with `?slots=`, or leave it to be found.

| option | meaning | default |
|---|---|---|
| `slots` | segments at once: the server's OLLAMA_NUM_PARALLEL | found by trying |
| `style` | prompt style | by the model's name |
| `num_ctx` | context the model is loaded with, in tokens | 4096 |
| `timeout_s` | longest silence before an answer goes on; loading a model counts | 120 |
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from pathlib import Path

import msgspec
from msgspec import UNSET, Struct, UnsetType, structs

from dragoman.engines.base import Engine
from dragoman.engines.completion import CAN, MAX_SLOTS_TRIED, CompletionEngine, Piece
from dragoman.engines.http import Lines, Timeouts, UpstreamClient, shown
from dragoman.engines.url import EngineURL, example_for
from dragoman.errors import BadOutput, ConfigurationError, EngineError, EngineUnavailable, StatusRejected
from dragoman.prompts.base import Prompt, PromptStyle
from dragoman.prompts.styles import style_for, style_named
from dragoman.types import Capability, EngineInfo, Tokens

DEFAULT_PORT = 11434
DEFAULT_ADDRESS = f"localhost:{DEFAULT_PORT}"
NAME = "ollama"
# A probe and a health check get through while every slot is taken.
_SPARE_CONNECTIONS = 2
_SEARCH_CONNECT_S = 0.5
_BARE_NAMES = {"translategemma": "translategemma:4b"}
_FIRST_WITH_LOGPROBS = (0, 12, 11)


async def open_engine(url: EngineURL, data_dir: Path) -> Engine:
    """Open a model of an Ollama server. Raises ConfigurationError for a URL that cannot be right."""
    url.check_options("num_ctx", "timeout_s")
    model = url.path.strip("/")
    if not model:
        raise ConfigurationError(f"the URL of an Ollama engine names its model; {example_for(url.scheme)}")
    style_name = url.text_option("style", None)
    style = style_named(style_name) if style_name else style_for(model)
    slots = url.int_option("slots", None)
    # Ollama gives models that see, as TranslateGemma, no less than 2048.
    num_ctx = url.int_option("num_ctx", 4096, minimum=2048)
    client = _client(
        structs.replace(url, host=url.host or "localhost", port=url.port or DEFAULT_PORT).authority,
        limit=(slots or MAX_SLOTS_TRIED) + _SPARE_CONNECTIONS,
        timeouts=Timeouts(read_s=url.float_option("timeout_s", 120.0)),
    )
    return OllamaEngine(client, model, style, slots=slots, num_ctx=num_ctx)


def local_address() -> str:
    """Where a client on this machine finds Ollama: `OLLAMA_HOST` as Ollama's own client reads it, or the default."""
    address = os.environ.get("OLLAMA_HOST", "").strip().rpartition("://")[2].strip("/")
    if not address:
        return DEFAULT_ADDRESS
    url = EngineURL.parse(f"{NAME}://{address}")
    host = "localhost" if url.host in {None, "0.0.0.0", "::"} else url.host
    return structs.replace(url, host=host, port=url.port or DEFAULT_PORT).authority


async def find_translategemma(address: str) -> str | None:
    """The largest TranslateGemma tag of the Ollama at `host:port`; None if there is none, or no Ollama."""
    client = _client(address, limit=1, timeouts=Timeouts(connect_s=_SEARCH_CONNECT_S))
    try:
        models = await _models(client)
    except EngineError:
        return None
    finally:
        await client.aclose()
    found = [model for model in models if "translategemma" in model.name]
    return max(found, key=lambda model: model.size).name if found else None


def resolve_tag(asked: str, tags: Collection[str]) -> str | None:
    """The tag that is meant, among those a server has: `:latest` may be left out, and so may the `-it` of a size.

    A bare `translategemma` is what Ollama's library gives it, the 4b.
    """
    name, _, tag = asked.partition(":")
    other = f"{name}:{tag.removesuffix('-it')}" if tag else f"{name}:latest"
    wanted = (asked, other, _BARE_NAMES.get(asked, other))
    return next((candidate for candidate in wanted if candidate in tags), None)


class OllamaEngine(CompletionEngine):
    """One model on one Ollama server. The URL's model becomes the server's tag, and its digest known, by `probe`."""

    def __init__(
        self, client: UpstreamClient, model: str, style: PromptStyle, *, slots: int | None, num_ctx: int
    ) -> None:
        info = EngineInfo(
            name=NAME,
            model=model,
            style=style.name,
            slots=slots or 1,
            slots_known=slots is not None,
            max_segment_tokens=style.max_segment_tokens,
            can=CAN | style.can,
        )
        super().__init__(info, client, style)
        self._asked = model
        self._num_ctx = num_ctx

    async def _learn(self) -> EngineInfo:
        models = {model.name: model for model in await _models(self._client)}
        tag = resolve_tag(self._asked, models)
        if tag is None:
            there = ", ".join(sorted(models)) or "no model at all"
            raise ConfigurationError(
                f"this Ollama has no model {self._asked!r}: run `ollama pull {self._asked}` there, or name one that it "
                f"has in the engine's URL; it has {there}"
            )
        tells: frozenset[Capability] = frozenset({"logprobs"} if await self._tells_logprobs() else ())
        self._info = structs.replace(
            self._info, model=tag, revision=models[tag].digest[:12] or None, can=CAN | self._style.can | tells
        )
        return self._info

    async def _tells_logprobs(self) -> bool:
        """Whether the server is new enough. An older one ignores the question, and so does a proxy without version."""
        try:
            said = (await self._client.get_json("/api/version", _Version)).version
        except (StatusRejected, BadOutput):
            return False
        return version_numbers(said) >= _FIRST_WITH_LOGPROBS

    async def _complete(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        request = generate_request(self._info.model, prompt, num_ctx=self._num_ctx)
        async with aclosing(self._client.stream("/api/generate", request, Lines())) as lines:
            async for line in lines:
                yield self._piece(self._client.decode(line, _REPLY))

    def _piece(self, reply: _Reply) -> Piece:
        if reply.error:
            raise EngineUnavailable(f"{NAME} failed in the middle of its answer: {shown(reply.error)}", engine=NAME)
        logprobs = tuple(token.logprob for token in reply.logprobs or ())
        if not reply.done:
            return Piece(reply.response, logprobs=logprobs)
        tokens = Tokens(prompt=reply.prompt_eval_count, output=reply.eval_count)
        return Piece(reply.response, reply.done_reason or "stop", tokens, logprobs)


class _Options(Struct, frozen=True):
    num_ctx: int
    num_predict: int
    stop: tuple[str, ...]
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | UnsetType = UNSET


class GenerateRequest(Struct, frozen=True):
    """The body of `POST /api/generate`.

    `shift` and `truncate` are off because Ollama would otherwise drop part of a prompt that is too long, in silence.
    """

    model: str
    prompt: str
    raw: bool
    options: _Options
    logprobs: bool | UnsetType = UNSET
    stream: bool = True
    shift: bool = False
    truncate: bool = False
    keep_alive: str = "30m"


def generate_request(model: str, prompt: Prompt, *, num_ctx: int) -> GenerateRequest:
    """The request for a prompt: raw where the style has it whole, else as a user turn for the model's template."""
    text = prompt.chat if prompt.raw is None else prompt.raw
    logprobs = True if prompt.decoding.logprob else UNSET
    options = _options(prompt, num_ctx)
    return GenerateRequest(model, text or "", raw=prompt.raw is not None, options=options, logprobs=logprobs)


def _options(prompt: Prompt, num_ctx: int) -> _Options:
    # Of these only num_ctx makes Ollama load the model anew when it changes, so it never does.
    decoding = prompt.decoding
    return _Options(
        num_ctx=num_ctx,
        num_predict=prompt.max_tokens,
        stop=prompt.stop,
        temperature=decoding.temperature,
        top_p=decoding.top_p,
        seed=UNSET if decoding.seed is None else decoding.seed,
    )


def version_numbers(version: str) -> tuple[int, ...]:
    """The three numbers that a version begins with: `0.12.11-rc1` has 0, 12 and 11. None for what is no version."""
    numbers = re.match(r"(\d{1,9})\.(\d{1,9})\.(\d{1,9})", version)
    return tuple(map(int, numbers.groups())) if numbers else ()


class _TokenLogprob(Struct, frozen=True):
    logprob: float


class _Reply(Struct, frozen=True):
    response: str = ""
    done: bool = False
    done_reason: str = ""
    prompt_eval_count: int = 0
    eval_count: int = 0
    logprobs: tuple[_TokenLogprob, ...] | None = None
    error: str = ""


class _Version(Struct, frozen=True):
    version: str


class _Model(Struct, frozen=True):
    name: str
    digest: str = ""
    size: int = 0


class _Models(Struct, frozen=True):
    models: tuple[_Model, ...]


_REPLY = msgspec.json.Decoder(_Reply)


def _client(authority: str, *, limit: int, timeouts: Timeouts) -> UpstreamClient:
    return UpstreamClient(f"http://{authority}", engine=NAME, limit=limit, timeouts=timeouts)


async def _models(client: UpstreamClient) -> tuple[_Model, ...]:
    return (await client.get_json("/api/tags", _Models)).models
