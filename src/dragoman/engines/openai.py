"""Servers that speak OpenAI's API: vLLM, SGLang, llama-server, LM Studio and others.

`openai+http://gpu1:8000/v1?model=google/translategemma-27b-it`. The prompt is rendered here and sent raw to
`/completions` wherever that exists, because chat endpoints each treat TranslateGemma's template in their own way.

| option | meaning | default |
|---|---|---|
| `model` | model on that server | the one it has, if it has just one |
| `slots` | segments at once | what llama-server tells, else found by trying, up to 256 |
| `style` | prompt style | by the model's name |
| `api_key_env` | environment variable that holds the key | no key is sent |
| `timeout_s` | longest silence before an answer goes on | 120 |

vLLM and SGLang batch up to 256 and more by default and do not tell how many.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType, structs

from dragoman.engines.base import Engine
from dragoman.engines.completion import CAN, MAX_SLOTS_TRIED, CompletionEngine, Piece
from dragoman.engines.http import Events, Timeouts, UpstreamClient, shown
from dragoman.engines.url import EngineURL, example_for
from dragoman.errors import BadOutput, ConfigurationError, EngineUnavailable, StatusRejected
from dragoman.prompts.base import Prompt, PromptStyle
from dragoman.prompts.styles import style_for, style_named
from dragoman.types import PLAINLY, Capability, EngineInfo, Pair, Segment, Tokens

NAME = "openai"
FIRST_SLOTS = 64
_NO_SUCH_ROUTE = frozenset({404, 405, 501})
_NOT_UNDERSTOOD = frozenset({400, 422})
_SPARE_CONNECTIONS = 2

Route = Literal["completions", "chat/completions"]


class Manner(Struct, frozen=True):
    """How one server wants to be asked. `extended`: it takes the fields that are not in every server's API."""

    route: Route
    extended: bool


async def open_engine(url: EngineURL, data_dir: Path) -> Engine:
    """Open a model of an OpenAI-style server. Raises ConfigurationError for a URL that cannot be right."""
    url.check_options("model", "api_key_env", "timeout_s")
    if not url.host:
        raise ConfigurationError(f"the engine's URL names no host; {example_for(url.scheme)}")
    style_name = url.text_option("style", None)
    style = style_named(style_name) if style_name else None
    model = url.text_option("model", None)
    slots = url.int_option("slots", None)
    client = UpstreamClient(
        f"{url.scheme.partition('+')[2]}://{url.authority}",
        engine=NAME,
        limit=(slots or MAX_SLOTS_TRIED) + _SPARE_CONNECTIONS,
        timeouts=Timeouts(read_s=url.float_option("timeout_s", 120.0)),
        api_key=url.secret_option("api_key_env"),
    )
    return OpenAIEngine(client, path=url.path.rstrip("/") or "/v1", model=model, style=style, slots=slots)


class OpenAIEngine(CompletionEngine):
    """One model on one server. The first `probe` learns its model, its slots and how it wants to be asked."""

    def __init__(
        self, client: UpstreamClient, *, path: str, model: str | None, style: PromptStyle | None, slots: int | None
    ) -> None:
        chosen = style or style_for(model or "")
        info = EngineInfo(
            name=NAME,
            model=model or "",
            style=chosen.name,
            slots=slots or FIRST_SLOTS,
            slots_known=slots is not None,
            max_segment_tokens=chosen.max_segment_tokens,
            can=CAN | chosen.can,
        )
        super().__init__(info, client, chosen)
        self._path = path
        self._asked_model = model
        self._asked_style = style
        self._asked_slots = slots
        self._manner: Manner | None = None

    async def _learn(self) -> EngineInfo:
        model = await self._find_model()
        if self._manner is None:
            self._style = self._asked_style or style_for(model)
            slots = self._asked_slots or await self._find_slots()
            self._info = structs.replace(
                self._info,
                model=model,
                style=self._style.name,
                slots=slots or FIRST_SLOTS,
                slots_known=slots is not None,
                max_segment_tokens=self._style.max_segment_tokens,
            )
            manner = await self._find_manner()
            tells: frozenset[Capability] = frozenset({"logprobs"} if await self._tells_logprobs(manner) else ())
            self._info = structs.replace(self._info, can=CAN | self._style.can | tells)
            self._manner = manner
        return self._info

    def _complete(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        if self._manner is None:
            raise EngineUnavailable(f"{NAME} has not answered its first probe yet", engine=NAME)
        return self._ask(prompt, self._manner)

    async def _ask(self, prompt: Prompt, manner: Manner) -> AsyncGenerator[Piece, None]:
        path, request = f"{self._path}/{manner.route}", completion_request(self._info.model, prompt, manner)
        async with aclosing(self._client.stream(path, request, Events())) as events:
            async for event in events:
                if event != b"[DONE]":
                    yield _piece(self._client.decode(event, _CHUNK))

    async def _find_model(self) -> str:
        try:
            listed = [model.id for model in (await self._client.get_json(f"{self._path}/models", _Models)).data]
        except (StatusRejected, BadOutput):
            if self._asked_model is None:
                raise
            return self._asked_model  # some builds of LM Studio have no such route
        if self._asked_model is None and len(listed) != 1:
            raise ConfigurationError(
                f"say in the engine's URL with ?model=NAME which model is meant; this server has "
                f"{', '.join(sorted(listed)) or 'none'}"
            )
        return self._asked_model or listed[0]

    async def _find_slots(self) -> int | None:
        try:
            props = await self._client.get_json(f"{self._path.removesuffix('/v1')}/props", _Props)
        except (StatusRejected, BadOutput):
            return None  # only llama-server has it
        return min(props.total_slots, MAX_SLOTS_TRIED)

    async def _find_manner(self) -> Manner:
        """Ask for one token in each manner, the best first, until one is understood."""
        prompt = self._smallest_prompt()
        refusals: list[str] = []
        for route in _routes(prompt):
            for extended in (True, False):
                manner = Manner(route, extended)
                try:
                    await self._answer_to(prompt, manner)
                    return manner
                except StatusRejected as refusal:
                    refusals.append(f"/{route}: {refusal.message}")
                    if refusal.status not in _NOT_UNDERSTOOD:
                        break
        raise ConfigurationError(
            f"{NAME} completes nothing for the model {self._info.model!r} in the style {self._info.style!r}: "
            f"{'; '.join(refusals)}"
        )

    async def _tells_logprobs(self, manner: Manner) -> bool:
        """Ask for one token's log-probability: some servers refuse to tell it, others do not answer the question."""
        try:
            pieces = await self._answer_to(self._smallest_prompt(logprob=True), manner)
        except StatusRejected:
            return False
        return any(piece.logprobs for piece in pieces)

    def _smallest_prompt(self, *, logprob: bool = False) -> Prompt:
        asking = structs.replace(PLAINLY, logprob=logprob)
        return structs.replace(self._style.render(structs.replace(_SMALLEST, asking=asking)), max_tokens=1)

    async def _answer_to(self, prompt: Prompt, manner: Manner) -> list[Piece]:
        async with aclosing(self._ask(prompt, manner)) as pieces:
            return [piece async for piece in pieces]


class _StreamOptions(Struct, frozen=True):
    include_usage: bool = True


class _Message(Struct, frozen=True):
    content: str
    role: str = "user"


class CompletionRequest(Struct, frozen=True, kw_only=True):
    """The body of both routes: `prompt` for `/completions`, `messages` for `/chat/completions`.

    `logprobs` is a number of tokens for the first, at least 1 or llama-server tells none, and true for the second.

    Sampling is said in full, because servers take what is left out from the checkpoint. It is always streamed:
    llama-server frees the slot of a caller who left only then.
    """

    model: str
    prompt: str | UnsetType = UNSET
    messages: tuple[_Message, ...] | UnsetType = UNSET
    max_tokens: int
    stop: tuple[str, ...] | UnsetType = UNSET
    stop_token_ids: tuple[int, ...] | UnsetType = UNSET
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | UnsetType = UNSET
    logprobs: int | UnsetType = UNSET
    stream: bool = True
    stream_options: _StreamOptions | UnsetType = UNSET


def completion_request(model: str, prompt: Prompt, manner: Manner) -> CompletionRequest:
    """The request for a prompt, said in this manner."""
    raw, decoding = manner.route == "completions", prompt.decoding
    return CompletionRequest(
        model=model,
        prompt=(prompt.raw or "") if raw else UNSET,
        messages=UNSET if raw else (_Message(prompt.chat or ""),),
        max_tokens=prompt.max_tokens,
        stop=prompt.stop or UNSET,
        stop_token_ids=(prompt.stop_token_ids or UNSET) if manner.extended else UNSET,
        temperature=decoding.temperature,
        top_p=decoding.top_p,
        seed=UNSET if decoding.seed is None else decoding.seed,
        logprobs=(1 if raw else True) if decoding.logprob else UNSET,
        stream_options=_StreamOptions() if manner.extended else UNSET,
    )


def _routes(prompt: Prompt) -> Iterator[Route]:
    if prompt.raw is not None:
        yield "completions"
    if prompt.chat is not None:
        yield "chat/completions"


class _Delta(Struct, frozen=True):
    content: str | None = None


class _TokenLogprob(Struct, frozen=True):
    logprob: float


class _Logprobs(Struct, frozen=True):
    """`token_logprobs` is the form of `/completions`; `content` that of chat, and of llama-server on both routes."""

    token_logprobs: tuple[float | None, ...] | None = None
    content: tuple[_TokenLogprob, ...] | None = None

    @property
    def told(self) -> tuple[float, ...]:
        listed = (logprob for logprob in self.token_logprobs or () if logprob is not None)
        return (*listed, *(token.logprob for token in self.content or ()))


class _Choice(Struct, frozen=True):
    text: str = ""
    delta: _Delta = _Delta()
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Cached(Struct, frozen=True):
    cached_tokens: int | None = None


class _Usage(Struct, frozen=True):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _Cached | None = None


class _Error(Struct, frozen=True):
    message: str = ""


class _Chunk(Struct, frozen=True):
    """One event of either route: `text` or `delta` holds what was added, the last one `usage` and no choice."""

    choices: tuple[_Choice, ...] = ()
    usage: _Usage | None = None
    error: _Error | None = None


class _Model(Struct, frozen=True):
    id: str


class _Models(Struct, frozen=True):
    data: tuple[_Model, ...]


class _Props(Struct, frozen=True):
    total_slots: int


_CHUNK = msgspec.json.Decoder(_Chunk)
_SMALLEST = Segment("1", Pair("en", "de"))


def _piece(chunk: _Chunk) -> Piece:
    if chunk.error is not None:
        message = f"{NAME} failed in the middle of its answer: {shown(chunk.error.message)}"
        raise EngineUnavailable(message, engine=NAME)
    tokens = _tokens(chunk.usage) if chunk.usage else None
    if not chunk.choices:
        return Piece(tokens=tokens)
    choice = chunk.choices[0]
    logprobs = choice.logprobs.told if choice.logprobs else ()
    return Piece(choice.text or choice.delta.content or "", choice.finish_reason, tokens, logprobs)


def _tokens(usage: _Usage) -> Tokens:
    details = usage.prompt_tokens_details
    cached = (details.cached_tokens or 0) if details else 0
    return Tokens(prompt=usage.prompt_tokens, cached=cached, output=usage.completion_tokens)
