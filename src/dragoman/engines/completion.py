"""What engines share that have a language model complete a prompt, piece by piece, on a server elsewhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from statistics import fmean

from msgspec import Struct

from dragoman.engines.base import Hear, HearOne, translate_each
from dragoman.engines.http import UpstreamClient
from dragoman.errors import (
    BadOutput,
    ConfigurationError,
    EngineError,
    EngineRejected,
    EngineTimeout,
    EngineUnavailable,
    OutputTruncated,
)
from dragoman.prompts.base import Prompt, PromptStyle
from dragoman.types import Capability, EngineInfo, Output, Segment, Tokens

# Every control token that `PromptStyle.clean` takes out or puts back begins with < or [ and is no longer than this.
_UNSETTLED_CHARACTERS = 32


MAX_SLOTS_TRIED = 256
"""Where a server does not tell its slots the best number is found by trying; no more than this."""

CAN: frozenset[Capability] = frozenset({"stream", "sampling"})
"""What every engine can that is asked with a prompt. Its style, and what is found out, may add to that."""


class Piece(Struct, frozen=True):
    """One message of an engine's answer. `finish` says why it ended ("stop", "length", …) where this is the end.

    `logprobs` are those of the tokens in it, where they were asked for and the engine tells them.
    """

    text: str = ""
    finish: str | None = None
    tokens: Tokens | None = None
    logprobs: tuple[float, ...] = ()


class CompletionEngine(ABC):
    """An engine that is asked with a prompt. A subclass knows its server: how to probe it and how to `_complete`."""

    def __init__(self, info: EngineInfo, client: UpstreamClient, style: PromptStyle) -> None:
        self._info = info
        self._client = client
        self._style = style

    @property
    def info(self) -> EngineInfo:
        return self._info

    async def probe(self) -> EngineInfo:
        try:
            return await self._learn()
        except EngineTimeout as error:
            raise EngineUnavailable(error.message, engine=self._info.name) from error
        except (EngineRejected, BadOutput) as error:
            raise ConfigurationError(error.message) from error

    @abstractmethod
    async def _learn(self) -> EngineInfo:
        """Ask the server what it is, and keep it in `_info`. Raises EngineError or ConfigurationError."""

    @abstractmethod
    def _complete(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """Ask for one completion. The pieces' texts join to the whole answer."""

    async def translate(self, batch: Sequence[Segment], hear: Hear | None = None) -> Sequence[Output | EngineError]:
        return await translate_each(batch, self._translate_one, hear)

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _translate_one(self, segment: Segment, hear: HearOne | None) -> Output:
        answer = Answer(self._style, self._info.name)
        async with aclosing(self._complete(self._style.render(segment))) as pieces:
            async for piece in pieces:
                answer.add(piece)
                if hear is not None:
                    hear(answer.settled())
        return answer.output()


class Answer:
    """An answer as it grows. The mutable state is its text, its tokens, their log-probabilities, and why it ended."""

    def __init__(self, style: PromptStyle, engine: str) -> None:
        self._style = style
        self._engine = engine
        self._text = ""
        self._tokens = Tokens()
        self._finish: str | None = None
        self._logprobs: list[float] = []

    def add(self, piece: Piece) -> None:
        self._text += piece.text
        self._tokens = piece.tokens or self._tokens
        self._finish = piece.finish or self._finish
        self._logprobs += piece.logprobs

    def settled(self) -> str:
        """The part of the translation that nothing to come can change: half a control token waits for its end."""
        window = max(0, len(self._text) - _UNSETTLED_CHARACTERS)
        starts = [start for mark in "<[" if (start := self._text.find(mark, window)) >= 0]
        return self._style.clean(self._text[: min(starts, default=len(self._text))])

    def output(self) -> Output:
        """The finished translation. Raises OutputTruncated or BadOutput if the answer is none."""
        text = self._style.clean(self._text)
        if self._finish is None:
            raise EngineUnavailable(f"{self._engine} broke off in the middle of its answer", engine=self._engine)
        if self._finish == "length":
            raise OutputTruncated(f"{self._engine} reached its output limit", engine=self._engine, partial=text)
        if self._finish != "stop":
            raise BadOutput(f"{self._engine} ended its answer with {self._finish!r}", engine=self._engine)
        if not text:
            raise BadOutput(f"{self._engine} answered with no text", engine=self._engine)
        return Output(text, self._tokens, mean_logprob(self._logprobs))


def mean_logprob(logprobs: Sequence[float]) -> float | None:
    """The mean log-probability of an answer's tokens, never above 0; None where there are none."""
    return min(0.0, fmean(logprobs)) if logprobs else None
