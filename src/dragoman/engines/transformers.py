"""A model in this process, through transformers and torch: for what llama.cpp does not run, and for real batches.

`transformers://google/translategemma-4b-it` is a repository of the hub (kept in the hub's own cache),
`transformers:///models/folder` a local folder.

| option | meaning | default |
|---|---|---|
| `device` | `cpu` or `cuda` | `auto`: the GPU if torch sees one |
| `dtype` | `bfloat16` or `float32` | `auto`: as the checkpoint was saved |
| `threads` | processor threads, if on the CPU | the physical cores this process may use |
| `max_batch` | segments in one pass | `slots`, else 16 |
| `max_batch_tokens` | longest text of a batch times its segments, in tokens | 2048 |
| `slots` | segments at once | `max_batch` |
| `style` | prompt style | by the model's name, and whether it has a chat template |

A batch is padded to its longest prompt and decoded until its last answer ends, so the scheduler gathers segments of
like length. Batches run one after another in one thread. Many CPUs are slow at bfloat16, in which TranslateGemma is
saved: there `dtype=float32` was three times as fast, for twice the memory.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct, structs

from dragoman.engines.base import Hear
from dragoman.engines.completion import CAN, Answer, Piece
from dragoman.engines.cores import usable_cores
from dragoman.engines.url import EngineURL
from dragoman.errors import (
    ConfigurationError,
    EngineError,
    EngineRejected,
    EngineUnavailable,
    MissingExtra,
)
from dragoman.prompts.base import Prompt, PromptStyle
from dragoman.prompts.styles import style_for, style_named
from dragoman.types import Capability, EngineInfo, Output, Segment

if TYPE_CHECKING:
    from dragoman.engines.transformers_worker import HearPiece, Model

NAME = "transformers"
DEFAULT_MAX_BATCH = 16
DEFAULT_MAX_BATCH_TOKENS = 2048
CLOSE_WAIT_S = 10.0
_TELLS: frozenset[Capability] = frozenset({"logprobs"})

T = TypeVar("T")
log = logging.getLogger(__name__)


class Source(Struct, frozen=True):
    """Which model to load, a folder or the hub's `OWNER/REPOSITORY`, and the URL's options that say how."""

    name: str
    local: bool
    device: str
    dtype: str
    threads: int


async def open_engine(url: EngineURL, data_dir: Path) -> TransformersEngine:
    """Open the model that the URL names; `probe` loads it.

    Raises MissingExtra without the extra `transformers`, and ConfigurationError for a wrong URL or folder.
    """
    url.check_options("device", "dtype", "threads", "max_batch", "max_batch_tokens")
    if not all(map(importlib.util.find_spec, ("torch", "transformers"))):
        raise MissingExtra(f"the engine {NAME}", extra="transformers")
    style_name = url.text_option("style", None)
    style = None if style_name is None else style_named(style_name)
    source = _source(url)
    return TransformersEngine(source, _info(url, source, style), style)


def _source(url: EngineURL) -> Source:
    return Source(
        name=_repository(url) if url.host else str(_folder(url)),
        local=url.host is None,
        device=url.text_option("device", "auto", accepted=("auto", "cpu", "cuda")),
        dtype=url.text_option("dtype", "auto", accepted=("auto", "bfloat16", "float32")),
        threads=url.int_option("threads", usable_cores()),
    )


def _repository(url: EngineURL) -> str:
    name = f"{url.host}{url.path}"
    if url.port is not None or name.count("/") != 1 or name.endswith("/"):
        raise ConfigurationError(
            f"{NAME}:// is followed by OWNER/REPOSITORY of the hub, as {NAME}://google/translategemma-4b-it, or by the "
            f"whole path of a folder, which makes three slashes"
        )
    return name


def _folder(url: EngineURL) -> Path:
    folder = Path(url.path)
    if not (folder / "config.json").is_file():
        raise ConfigurationError(
            f"{folder} is no model folder: it has to hold config.json, the weights as safetensors and the tokenizer's "
            f"files, as save_pretrained writes them"
        )
    return folder


def _info(url: EngineURL, source: Source, style: PromptStyle | None) -> EngineInfo:
    name = Path(source.name).name if source.local else source.name
    max_batch = url.int_option("max_batch", url.int_option("slots", DEFAULT_MAX_BATCH))
    style = style or style_for(name)
    return EngineInfo(
        name=NAME,
        model=name,
        style=style.name,
        slots=url.int_option("slots", max_batch),
        max_batch=max_batch,
        max_batch_tokens=url.int_option("max_batch_tokens", DEFAULT_MAX_BATCH_TOKENS),
        max_segment_tokens=style.max_segment_tokens,
        can=CAN | style.can | _TELLS,
    )


class WorkerThread:
    """One thread that does what it is handed, in order."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        # A model that is being loaded or downloaded cannot be interrupted; it must not keep the process from ending.
        self._thread = Thread(target=self._work, name=NAME, daemon=True)
        self._thread.start()

    async def run(self, job: Callable[[], T]) -> T:
        """Have the thread do `job`; return or raise what came of it. If cancelled before its turn, it is left out."""
        done: Future[T] = Future()
        self._jobs.put(partial(_do, job, done))
        return await asyncio.wrap_future(done)

    async def aclose(self) -> None:
        """Wait until the thread has done what it was handed and ended. Twice is fine."""
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join, CLOSE_WAIT_S)
        if self._thread.is_alive():
            log.warning("%s is still busy, probably loading its model; its thread ends with the process", NAME)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


def _do(job: Callable[[], T], done: Future[T]) -> None:
    if not done.set_running_or_notify_cancel():
        return
    try:
        done.set_result(job())
    except BaseException as error:  # whatever it is, who waits has to get it
        done.set_exception(error)


class TransformersEngine:
    """One model, loaded by the first `probe` or call.

    The mutable state is the model (`_model`, which only the thread touches), whether it is there (`_ready`), the flags
    that abandon the calls under way, and `_closed`.
    """

    def __init__(self, source: Source, info: EngineInfo, style: PromptStyle | None) -> None:
        self._source = source
        self._info = info
        self._named_style = style
        self._style = style or style_for(info.model)
        self._thread = WorkerThread()
        self._model: Model | None = None
        self._ready = False
        self._calls: set[Event] = set()
        self._closed = False

    @property
    def info(self) -> EngineInfo:
        return self._info

    async def probe(self) -> EngineInfo:
        """Load the model, however long that takes; a failed load is tried again by the next probe."""
        self._check_open()
        if not self._ready:
            self._learn(await self._thread.run(self._load))
        return self._info

    async def translate(self, batch: Sequence[Segment], hear: Hear | None = None) -> Sequence[Output | EngineError]:
        try:
            await self._prepare()
        except EngineUnavailable as error:
            return [error] * len(batch)
        numbers = [number for number, segment in enumerate(batch) if segment.text.strip()]
        prompts = [self._style.render(batch[number]) for number in numbers]
        answers = iter(await self._complete(prompts, None if hear is None else self._hearing(numbers, hear)))
        return [self._outcome(next(answers)) if segment.text.strip() else _empty() for segment in batch]

    async def aclose(self) -> None:
        self._closed = True
        for abandoned in self._calls:
            abandoned.set()
        await self._thread.aclose()
        self._model = None

    def _hearing(self, numbers: Sequence[int], hear: Hear) -> HearPiece:
        """For the thread: tells the loop the answer so far to the prompt of each of these segments."""
        loop = asyncio.get_running_loop()

        def hear_piece(row: int, piece: Piece) -> None:
            loop.call_soon_threadsafe(hear, numbers[row], self._answer(piece).settled())

        return hear_piece

    async def _prepare(self) -> None:
        """Make sure the model is loaded. Raises EngineUnavailable where it cannot be."""
        try:
            await self.probe()
        except ConfigurationError as error:
            raise EngineUnavailable(error.message, engine=NAME) from error

    async def _complete(self, prompts: Sequence[Prompt], hear: HearPiece | None) -> list[Piece | EngineError]:
        """One pass of the model over all prompts, given up at the next token when the caller leaves."""
        if self._closed:
            return [_closed()] * len(prompts)
        abandoned = Event()
        self._calls.add(abandoned)
        try:
            return await self._thread.run(lambda: self._load().complete(prompts, abandoned, hear))
        except EngineError as error:
            return [error] * len(prompts)
        finally:
            abandoned.set()
            self._calls.discard(abandoned)

    def _load(self) -> Model:
        """The model. Runs in the thread, which alone imports torch."""
        if self._model is None:
            from dragoman.engines import transformers_worker

            self._model = transformers_worker.load(self._source)
        return self._model

    def _learn(self, model: Model) -> None:
        self._style = self._named_style or style_for(self._info.model, instruct=model.has_chat_template)
        self._info = structs.replace(
            self._info,
            revision=model.revision,
            style=self._style.name,
            max_segment_tokens=self._style.max_segment_tokens,
            can=CAN | self._style.can | _TELLS,
        )
        self._ready = True
        self._check_open()

    def _answer(self, piece: Piece) -> Answer:
        answer = Answer(self._style, NAME)
        answer.add(piece)
        return answer

    def _output(self, answer: Piece | EngineError) -> Output:
        if isinstance(answer, EngineError):
            raise answer
        return self._answer(answer).output()

    def _outcome(self, answer: Piece | EngineError) -> Output | EngineError:
        try:
            return self._output(answer)
        except EngineError as error:
            return error

    def _check_open(self) -> None:
        if self._closed:
            raise _closed()


def _closed() -> EngineUnavailable:
    return EngineUnavailable(f"the engine {NAME} is closed; open it again", engine=NAME)


def _empty() -> EngineRejected:
    return EngineRejected("the segment is empty; leave it out", engine=NAME)
