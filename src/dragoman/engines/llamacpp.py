"""The embedded engine: llama.cpp in a child process of ours, fed with a GGUF file.

`llamacpp://bundled` is the small evaluation model of the extra `embedded`; `llamacpp:///models/x.gguf` any model file.

| option | meaning | default |
|---|---|---|
| `slots` | segments at once | 4; more pay on a GPU |
| `context` | tokens one slot has for prompt and output | 2048, TranslateGemma's limit |
| `threads` | processor threads | the physical cores this process may use |
| `gpu_layers` | layers on the GPU; 0 keeps it out | as many as fit |
| `style` | prompt style | by the model's name, and whether it has a chat template |

Every slot's context is reserved in memory from the start: 18 KiB a token for the bundled model (150 MB by default),
136 KiB for a 4B TranslateGemma (1.1 GB).
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from dragoman.engines.base import Engine, Hear
from dragoman.engines.bundled import bundled_model
from dragoman.engines.completion import CAN, CompletionEngine, Piece
from dragoman.engines.cores import usable_cores
from dragoman.engines.gguf import ModelFile, read_model_file
from dragoman.engines.http import Events, UpstreamClient
from dragoman.engines.llamacpp_child import ServerOptions
from dragoman.engines.llamacpp_process import Endpoint, ServerProcess
from dragoman.engines.url import EngineURL, example_for
from dragoman.errors import ConfigurationError, EngineError, EngineRejected, EngineUnavailable, MissingExtra
from dragoman.prompts.base import Prompt, PromptStyle
from dragoman.prompts.styles import style_for, style_named
from dragoman.types import Capability, EngineInfo, Output, Segment, Tokens

NAME = "llamacpp"
# On two cores 4 slots did 1.16 times the segments of 8, and 1.4 times those of 16 (`python -m bench.sweep_llamacpp`):
# decoding is bound by the cores there, and every slot has to read each pair's prompt once. A GPU wants more: ?slots=.
DEFAULT_SLOTS = 4
DEFAULT_CONTEXT_TOKENS = 2048
MIN_CONTEXT_TOKENS = 1024
# What a prompt holds besides the text: 75 to 89 tokens for TranslateGemma, up to 600 where examples are shown.
SCAFFOLD_TOKENS = 640
CACHE_RAM_MIB = 512
BATCH_TOKENS = 2048
MICRO_BATCH_TOKENS = 512
SPARE_CONNECTIONS = 2
RESTART_WAIT_S = 10.0
_TELLS: frozenset[Capability] = frozenset({"logprobs"})


async def open_engine(url: EngineURL, data_dir: Path) -> Engine:
    """Open a model file, or the bundled model, which is assembled below `data_dir` the first time.

    Raises MissingExtra without the extra `embedded`, and ConfigurationError for a wrong URL or an unusable file.
    """
    url.check_options("context", "threads", "gpu_layers")
    if importlib.util.find_spec("xllamacpp") is None:
        raise MissingExtra("the engine llamacpp", extra="embedded")
    path = await _model_path(url, data_dir)
    model = await asyncio.to_thread(read_model_file, path)
    options = server_options(url, path, model)
    style = _style(url, path, model)
    return LlamaCppEngine(options, _info(path, model, options, style), style)


async def _model_path(url: EngineURL, data_dir: Path) -> Path:
    if url.host == "bundled" and not url.path:
        return await asyncio.to_thread(bundled_model, data_dir)
    if url.host or not url.path:
        raise ConfigurationError(
            f"llamacpp:// is followed by the word bundled, or by the whole path of a model file, which makes three "
            f"slashes; {example_for(url.scheme)}"
        )
    return Path(url.path)


def server_options(url: EngineURL, path: Path, model: ModelFile) -> ServerOptions:
    """How llama.cpp is set up for this model file: the URL's options, and defaults chosen for throughput.

    `python -m bench.sweep_llamacpp` measures them. The key is made for each start.
    """
    slots = url.int_option("slots", DEFAULT_SLOTS)
    return ServerOptions(
        model=str(path),
        slots=slots,
        context_tokens=_context_tokens(url, model),
        connections=slots + SPARE_CONNECTIONS,
        threads=url.int_option("threads", usable_cores()),
        gpu_layers=url.int_option("gpu_layers", None, minimum=0),
        swa_full=model.sliding_window,
        cache_ram_mib=CACHE_RAM_MIB,
        batch_tokens=BATCH_TOKENS,
        micro_batch_tokens=MICRO_BATCH_TOKENS,
    )


def _context_tokens(url: EngineURL, model: ModelFile) -> int:
    longest = model.context_length or DEFAULT_CONTEXT_TOKENS
    context_tokens = url.int_option("context", min(DEFAULT_CONTEXT_TOKENS, longest), minimum=MIN_CONTEXT_TOKENS)
    if context_tokens > longest:
        raise ConfigurationError(f"the option context={context_tokens} is more than the model's own {longest} tokens")
    return context_tokens


def _style(url: EngineURL, path: Path, model: ModelFile) -> PromptStyle:
    name = url.text_option("style", None)
    if name is not None:
        return style_named(name)
    # Files are often named better than the metadata inside them, and the other way round.
    return style_for(f"{model.name or ''} {path.stem}", instruct=model.has_chat_template)


def _info(path: Path, model: ModelFile, options: ServerOptions, style: PromptStyle) -> EngineInfo:
    # A token of text may become two of output, and both share the slot's context with the prompt's scaffold.
    room = (options.context_tokens - SCAFFOLD_TOKENS) // 3
    return EngineInfo(
        name=NAME,
        model=model.name or path.stem,
        revision=model.revision,
        style=style.name,
        slots=options.slots,
        max_segment_tokens=min(style.max_segment_tokens, room),
        can=CAN | style.can | _TELLS,
    )


class LlamaCppEngine:
    """One model file, served by a child process that is started by the first `probe` or call.

    The mutable state is the child (`process`) and the client of its current run (`_server`).
    """

    def __init__(self, options: ServerOptions, info: EngineInfo, style: PromptStyle) -> None:
        self.options = options
        self.style = style
        self.process = ServerProcess(options, engine=NAME)
        self._info = info
        self._server: LlamaServer | None = None

    @property
    def info(self) -> EngineInfo:
        return self._info

    async def probe(self) -> EngineInfo:
        """Wait until the model is loaded, however long that takes."""
        await self.process.endpoint(wait_s=None)
        return self._info

    async def translate(self, batch: Sequence[Segment], hear: Hear | None = None) -> Sequence[Output | EngineError]:
        try:
            server = await self._current_server()
        except EngineUnavailable as error:
            return [error] * len(batch)
        outcomes = await server.translate(batch, hear)
        if any(isinstance(outcome, EngineUnavailable) for outcome in outcomes):
            await self.process.notice_death()
        return outcomes

    async def aclose(self) -> None:
        await self.process.aclose()
        if self._server:
            await self._server.aclose()

    async def _current_server(self) -> LlamaServer:
        """The server of the child's current run; waits a while for one that is starting. Raises EngineUnavailable."""
        try:
            endpoint = await self.process.endpoint(wait_s=RESTART_WAIT_S)
        except ConfigurationError as error:
            raise EngineUnavailable(error.message, engine=NAME) from error
        former = self._server
        if former and former.endpoint == endpoint:
            return former
        server = self._server = LlamaServer(endpoint, self._info, self.style)
        if former:
            await former.aclose()
        return server


class LlamaServer(CompletionEngine):
    """One run of llama.cpp's server, at one address."""

    def __init__(self, endpoint: Endpoint, info: EngineInfo, style: PromptStyle) -> None:
        client = UpstreamClient(
            endpoint.address, engine=NAME, limit=info.slots + SPARE_CONNECTIONS, api_key=endpoint.api_key
        )
        super().__init__(info, client, style)
        self.endpoint = endpoint

    async def _learn(self) -> EngineInfo:
        return self._info

    async def _complete(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        messages = self._client.stream("/completion", _request(prompt), Events())
        async with aclosing(messages):
            async for message in messages:
                yield _piece(self._client.decode(message, _MESSAGES))


class CompletionRequest(Struct, frozen=True, kw_only=True):
    """POST /completion of llama.cpp's server, which puts `<bos>` before the prompt itself.

    It is always streamed: only then does the server notice that a caller left, and frees the slot.
    """

    prompt: str
    n_predict: int
    stop: tuple[str, ...]
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | UnsetType = UNSET
    # Asking costs: 1.11 times the time of a token with Gemma's 262,144 on one core.
    n_probs: int | UnsetType = UNSET
    cache_prompt: bool = True
    stream: bool = True
    # The last message otherwise repeats the prompt and forty settings.
    response_fields: tuple[str, ...] = (
        "content", "stop", "stop_type", "tokens_evaluated", "tokens_predicted", "timings", "error",
        "completion_probabilities",
    )  # fmt: skip


class Timings(Struct, frozen=True):
    """The part of llama.cpp's timings that is used: `cache_n` tokens of the prompt were there already."""

    cache_n: int = 0


class Probability(Struct, frozen=True):
    """One token's log-probability, as the model has it before any sampling."""

    logprob: float


class ServerError(Struct, frozen=True):
    """An error in the middle of a stream, in the manner of HTTP."""

    code: int = 500
    message: str = "no reason given"


class Message(Struct, frozen=True):
    """One event of a streamed completion. `stop_type` is that of the last one."""

    content: str = ""
    stop_type: Literal["none", "eos", "limit", "word"] | None = None
    tokens_evaluated: int = 0
    tokens_predicted: int = 0
    timings: Timings = Timings()
    completion_probabilities: tuple[Probability, ...] = ()
    error: ServerError | None = None


_MESSAGES = msgspec.json.Decoder(Message)
_FINISH = {"eos": "stop", "word": "stop", "limit": "length"}


def _request(prompt: Prompt) -> CompletionRequest:
    if prompt.raw is None:
        raise EngineRejected("this prompt style has no raw form; choose another with ?style=", engine=NAME)
    decoding = prompt.decoding
    return CompletionRequest(
        prompt=prompt.raw,
        n_predict=prompt.max_tokens,
        stop=prompt.stop,
        temperature=decoding.temperature,
        top_p=decoding.top_p,
        seed=UNSET if decoding.seed is None else decoding.seed,
        n_probs=1 if decoding.logprob else UNSET,
    )


def _piece(message: Message) -> Piece:
    if message.error is not None:
        raise _error(message.error)
    logprobs = tuple(token.logprob for token in message.completion_probabilities)
    if message.stop_type is None:
        return Piece(message.content, logprobs=logprobs)
    tokens = Tokens(message.tokens_evaluated, message.timings.cache_n, message.tokens_predicted)
    return Piece(message.content, _FINISH.get(message.stop_type, message.stop_type), tokens, logprobs)


def _error(error: ServerError) -> EngineError:
    kind = EngineUnavailable if error.code >= 500 else EngineRejected
    return kind(f"llamacpp stopped with {error.code}: {error.message}", engine=NAME)
