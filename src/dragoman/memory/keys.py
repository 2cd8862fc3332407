"""Keys of the memory: BLAKE2b (RFC 7693) over every field that decides what an engine writes.

Each field is preceded by its length, so that no two requests share a pre-image: joined by a separator, the fields
`a|b` and `a`, `b` would.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import blake2b
from types import MappingProxyType

from dragoman.types import EngineInfo, Pair, Segment

KEY_BYTES = 32
VERSION = "1"
"""To be raised when a change to prompts, cleaning or checks makes old entries wrong."""

NO_OPTIONS: Mapping[str, str] = MappingProxyType({})
_ABSENT = (2**64 - 1).to_bytes(8, "big")


def key_of(info: EngineInfo, segment: Segment, options: Mapping[str, str] = NO_OPTIONS) -> bytes:
    """The key of what this engine makes of a segment: 32 bytes.

    `options` are whatever else changes the output: formality, a glossary's hash, and the tenant where tenants must not
    learn from each other's memory. Engines of one model and revision share entries, wherever they run.
    """
    sorted_options = tuple(sorted(options.items())) if options else ()
    engine = _engine_fields(info.model, info.revision, info.style, segment.pair, sorted_options)
    return _finished(engine, segment.text)


def key_of_human(segment: Segment) -> bytes:
    """The key of a person's translation of a segment: 32 bytes.

    It names no engine and no options: what a person wrote holds whatever the engine, so it is looked up first.
    """
    return _finished(_human_fields(segment.pair), segment.text)


# Few combinations are in use at a time, and hashing them anew would cost more than the text does.
@lru_cache(maxsize=4096)
def _engine_fields(
    model: str, revision: str | None, style: str | None, pair: Pair, options: tuple[tuple[str, str], ...]
) -> blake2b:
    flat = (word for option in options for word in option)
    return _hashed(("engine", VERSION, model, revision, style, pair.source, pair.target, str(len(options)), *flat))


@lru_cache(maxsize=4096)
def _human_fields(pair: Pair) -> blake2b:
    return _hashed(("human", VERSION, pair.source, pair.target))


def _hashed(fields: Iterable[str | None]) -> blake2b:
    return blake2b(b"".join(map(_field, fields)), digest_size=KEY_BYTES)


def _finished(fields: blake2b, text: str) -> bytes:
    whole = fields.copy()
    whole.update(_field(text))
    return whole.digest()


def _field(value: str | None) -> bytes:
    if value is None:
        return _ABSENT
    # A lone surrogate is no Unicode, but it must not make the look-up fail either.
    encoded = value.encode("utf-8", "surrogatepass")
    return len(encoded).to_bytes(8, "big") + encoded
