"""Keys of the memory: BLAKE2b (RFC 7693) over every field that decides what an engine writes.

Each field is preceded by its length, so that no two requests share a pre-image: joined by a separator, the fields
`a|b` and `a`, `b` would.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b

from dragoman.types import PLAINLY, Asking, EngineInfo, Pair, Segment

KEY_BYTES = 32
VERSION = "2"
"""To be raised when a change to prompts, cleaning or checks makes old entries wrong."""

_ABSENT = (2**64 - 1).to_bytes(8, "big")


def key_of(info: EngineInfo, segment: Segment) -> bytes:
    """The key of what this engine makes of a segment: 32 bytes.

    Engines of one model and revision share entries, wherever they run. Whether a log-probability is asked for changes
    no output, so it is not in the key.
    """
    engine = _engine_fields(info.model, info.revision, info.style, segment.pair)
    return _finished(engine, (*_options(segment.asking), segment.text))


def key_of_human(segment: Segment) -> bytes:
    """The key of a person's translation of a segment: 32 bytes.

    It names no engine and no options: what a person wrote holds whatever the engine, so it is looked up first.
    """
    return _finished(_human_fields(segment.pair), (segment.text,))


# Few combinations are in use at a time, and hashing them anew would cost more than the text does.
@lru_cache(maxsize=4096)
def _engine_fields(model: str, revision: str | None, style: str | None, pair: Pair) -> blake2b:
    return _hashed(("engine", VERSION, model, revision, style, pair.source, pair.target))


@lru_cache(maxsize=4096)
def _human_fields(pair: Pair) -> blake2b:
    return _hashed(("human", VERSION, pair.source, pair.target))


def _options(asking: Asking) -> tuple[str, ...]:
    """What of a segment's asking changes the output: how many options there are, then each one's name and value."""
    if asking is PLAINLY:
        return ("0",)
    named = {"attempt": str(asking.attempt or ""), "context": asking.context, "formality": asking.formality or ""}
    asked = {name: value for name, value in named.items() if value}
    return (str(len(asked)), *(word for option in asked.items() for word in option))


def _hashed(fields: Iterable[str | None]) -> blake2b:
    return blake2b(_joined(fields), digest_size=KEY_BYTES)


def _finished(fields: blake2b, rest: Iterable[str]) -> bytes:
    whole = fields.copy()
    whole.update(_joined(rest))
    return whole.digest()


def _joined(fields: Iterable[str | None]) -> bytes:
    return b"".join(map(_field, fields))


def _field(value: str | None) -> bytes:
    if value is None:
        return _ABSENT
    # A lone surrogate is no Unicode, but it must not make the look-up fail either.
    encoded = value.encode("utf-8", "surrogatepass")
    return len(encoded).to_bytes(8, "big") + encoded
