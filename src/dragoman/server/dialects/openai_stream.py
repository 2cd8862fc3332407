"""A streamed chat completion: words as the engine makes them, in OpenAI's chunks.

A chunk can only add. Words that are taken back later, as of a sentence that is repaired, stay where they are; where the
translation is then another than was sent, the last choice tells it whole in `dragoman.text`.

https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

from typing import Any

import msgspec

from dragoman.core.events import (
    Done,
    Event,
    ItemDone,
    ItemFailed,
    ItemStarted,
    SegmentDelta,
    SegmentReplaced,
    SegmentStarted,
)
from dragoman.server.endpoint import ErrorShape
from dragoman.server.problems import Failure, failure_of
from dragoman.types import Translation


class ChatStream:
    """The wording of one stream. `common` is what all of its chunks hold.

    The mutable state: `_sent` is all that was sent, `_at` the segment being written, and of that segment `_is` is the
    text as it stands and `_was` as it was sent.
    """

    def __init__(self, common: dict[str, Any], shape: ErrorShape, request_id: str, *, wants_usage: bool) -> None:
        self._common = {**common, "object": "chat.completion.chunk", **({"usage": None} if wants_usage else {})}
        self._shape = shape
        self._request_id = request_id
        self._wants_usage = wants_usage
        self._sent = ""
        self._at = 0
        self._was = self._is = ""
        self._has_failed = False

    def event(self, event: Event) -> bytes:
        match event:
            case ItemStarted():
                return self._chunk({"role": "assistant", "content": ""})
            case SegmentStarted():
                self._at, self._was, self._is = event.segment, "", ""
                return self._words(event.before)
            case SegmentDelta() if event.segment == self._at:
                return self._written(self._is + event.text)
            case SegmentReplaced() if event.segment == self._at:
                return self._written(event.text)
            case ItemDone():
                return self._words(event.after) + self._end(event.translation)
            case ItemFailed():
                self._has_failed = True
                return self.failure(failure_of(event.error, self._request_id))
            case Done() if not self._has_failed:
                return b"data: [DONE]\n\n"
        return b""

    def failure(self, failure: Failure) -> bytes:
        return b"data: " + bytes(self._shape(failure).body) + b"\n\n"

    def _written(self, text: str) -> bytes:
        """Send what the segment has beyond what was sent of it; nothing while that is not how it begins."""
        self._is = text
        if not text.startswith(self._was):
            return b""
        more, self._was = text[len(self._was) :], text
        return self._words(more)

    def _words(self, words: str) -> bytes:
        self._sent += words
        return self._chunk({"content": words}) if words else b""

    def _end(self, done: Translation) -> bytes:
        beside = told_beside(done) | ({} if done.text == self._sent else {"text": done.text})
        end = self._chunk({}, "stop", {"dragoman": beside})
        return end + (_data({**self._common, "choices": [], "usage": usage_of(done)}) if self._wants_usage else b"")

    def _chunk(
        self, delta: dict[str, str], finish_reason: str | None = None, beside: dict[str, Any] | None = None
    ) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return _data({**self._common, "choices": [choice], **(beside or {})})


def usage_of(done: Translation) -> dict[str, Any]:
    """Tokens that the engine counted: none for what came from the memory."""
    tokens = done.tokens
    return {
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.prompt + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cached},
    }


def told_beside(done: Translation) -> dict[str, Any]:
    """What a translation has and a chat has no place for; clients pass over fields they do not know."""
    return {"source": done.source, "target": done.target, "findings": done.findings}


def _data(chunk: dict[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(chunk) + b"\n\n"
