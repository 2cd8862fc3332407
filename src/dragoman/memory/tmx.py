"""Translation memories in and out as TMX 1.4b (https://www.gala-global.org/tmx-14b), streamed.

A unit that Dragoman wrote carries its key and its model in `<prop>`s, so that an export read back answers the same
requests as before. Every other unit was made by people: it gets the key that names no engine (`keys.key_of_human`) and
answers for all of them.
"""

from __future__ import annotations

import asyncio
import calendar
import re
import time
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from itertools import islice
from typing import BinaryIO, Protocol
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from msgspec import Struct, field

from dragoman import languages
from dragoman.errors import InvalidRequest, UnknownLanguage
from dragoman.memory.base import Entry, Item
from dragoman.memory.keys import KEY_BYTES, key_of_human
from dragoman.types import Pair, Segment

KEY_PROP = "x-dragoman-key"
MODEL_PROP = "x-dragoman-model"
MAX_SEGMENT_CHARACTERS = 10_000
MAX_UNIT_LANGUAGES = 100
MAX_REASONS = 50

_CHUNK_BYTES = 65_536
_STORE_ITEMS = 1_000
_DATE = "%Y%m%dT%H%M%SZ"
# Everything that the Char production of XML 1.0 leaves out.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Their content is the native code of another program, and no text (TMX 1.4b, section 3.2.2); <hi> holds text.
_CODES = {"bpt", "ept", "it", "ph", "ut"}
_INLINE = _CODES | {"hi"}


class Exported(Struct, frozen=True):
    """What came of an export; `skipped` entries hold characters that XML cannot write."""

    units: int
    skipped: int


class Imported(Struct):
    """What came of an import. It grows while the file is read.

    `flattened` are the segments that lost inline tags; `skipped` counts the units and variants left out, by reason.
    """

    units: int = 0
    entries: int = 0
    flattened: int = 0
    skipped: dict[str, int] = field(default_factory=dict)

    def skip(self, reason: str) -> None:
        if reason not in self.skipped and len(self.skipped) >= MAX_REASONS:
            reason = "other"
        self.skipped[reason] = self.skipped.get(reason, 0) + 1


class Store(Protocol):
    """What an import is written to: the durable tier."""

    async def store(self, items: list[Item]) -> None: ...

    async def announce(self) -> None: ...


def write_tmx(items: Iterable[Item], file: BinaryIO) -> Exported:
    """Write the items as one TMX document in UTF-8."""
    units = skipped = 0
    file.write(_HEADER.format(version=quoteattr(version("dragoman"))).encode())
    for key, entry in items:
        if _NOT_XML.search(entry.text + entry.translation + (entry.model or "")):
            skipped += 1
        else:
            units += 1
            file.write(_unit(key, entry).encode())
    file.write(b"</body>\n</tmx>\n")
    return Exported(units, skipped)


def read_tmx(file: BinaryIO, imported: Imported) -> Iterator[Item]:
    """Yield the file's entries while it is read, in constant memory, and count in `imported`.

    Raises InvalidRequest for what is no TMX and for a document with a DTD of its own: entities are not expanded.
    """
    reader = _Reader()
    while chunk := file.read(_CHUNK_BYTES):
        yield from _entries(reader.feed(chunk), imported)
    yield from _entries(reader.feed(b"", last=True), imported)


async def import_tmx(file: BinaryIO, memory: Store) -> Imported:
    """Read a TMX file into the durable tier, off the event loop, and announce it there. Raises what `read_tmx` and
    `store` raise; what was stored until then stays, and is announced too.
    """
    imported = Imported()
    items = read_tmx(file, imported)
    try:
        while some := await asyncio.to_thread(lambda: list(islice(items, _STORE_ITEMS))):
            await memory.store(some)
            imported.entries += len(some)
    finally:
        await memory.announce()
    return imported


# Writing

_HEADER = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4">
<header creationtool="dragoman" creationtoolversion={version} segtype="sentence" o-tmf="dragoman" adminlang="en" \
srclang="*all*" datatype="plaintext"/>
<body>
"""


def _unit(key: bytes, entry: Entry) -> str:
    pair = entry.pair
    return (
        f"<tu srclang={quoteattr(pair.source)} creationdate={quoteattr(_date(entry.made_at))}>"
        f"{_machine_props(key, entry.model)}"
        f"{_variant(pair.source, entry.text)}{_variant(pair.target, entry.translation)}</tu>\n"
    )


def _machine_props(key: bytes, model: str | None) -> str:
    if model is None:
        return ""
    return f'<prop type="{KEY_PROP}">{key.hex()}</prop><prop type="{MODEL_PROP}">{_escaped(model)}</prop>'


def _variant(language: str, text: str) -> str:
    return f"<tuv xml:lang={quoteattr(language)}><seg>{_escaped(text)}</seg></tuv>"


def _escaped(text: str) -> str:
    # A parser reads a bare carriage return as a line feed (XML 1.0, section 2.11).
    return escape(text, {"\r": "&#13;"})


def _date(made_at: int) -> str:
    return time.strftime(_DATE, time.gmtime(made_at))


# Reading


class _Unit(Struct):
    """A `<tu>` as it stands in the file. `variants` are language code and text, in their order."""

    source: str
    date: str
    props: dict[str, str] = field(default_factory=dict)
    variants: list[tuple[str, str]] = field(default_factory=list)
    flattened: int = 0


class _Reader:
    """Turns bytes into units. Mutable state: where in the document it stands."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.SkippedEntityHandler = self._entity
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._units: list[_Unit] = []
        self._unit: _Unit | None = None
        self._seen_root = False
        self._source = "*all*"
        self._language = ""
        self._prop = ""
        self._text: list[str] | None = None
        self._text_characters = 0
        self._code_depth = 0
        self._has_tags = False

    def feed(self, chunk: bytes, *, last: bool = False) -> list[_Unit]:
        """The units that end in this chunk. Raises InvalidRequest."""
        try:
            self._parser.Parse(chunk, last)
        except (expat.ExpatError, ValueError, LookupError) as error:
            raise InvalidRequest(f"This is not a TMX file: {error}.", field="file") from error
        units, self._units = self._units, []
        return units

    def _doctype(self, name: str, system: str | None, public: str | None, has_internal_subset: int) -> None:
        if has_internal_subset:
            raise InvalidRequest(
                "The TMX file declares a DTD of its own, which is not read for safety. Remove what stands between [ "
                "and ] in its DOCTYPE.",
                field="file",
            )

    def _entity(self, name: str, is_parameter: bool) -> None:
        raise InvalidRequest(
            f"The TMX file uses the entity &{name}; which TMX does not have. Write the character itself.", field="file"
        )

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if not self._seen_root and tag != "tmx":
            raise InvalidRequest(f"This is not a TMX file: it begins with <{tag}> and not with <tmx>.", field="file")
        self._seen_root = True
        if tag == "header":
            self._source = attributes.get("srclang", self._source)
        elif tag == "tu":
            self._unit = _Unit(attributes.get("srclang", self._source), attributes.get("creationdate", ""))
        elif tag == "tuv":
            self._language = attributes.get("xml:lang") or attributes.get("lang", "")
        elif tag == "prop":
            self._prop = attributes.get("type", "")
            self._begin_text()
        elif tag == "seg":
            self._begin_text()
        elif tag in _INLINE:
            self._has_tags = True
            self._code_depth += tag in _CODES

    def _end(self, tag: str) -> None:
        if tag in _CODES:
            self._code_depth -= 1
        elif tag == "prop":
            self._end_prop()
        elif tag == "seg":
            self._end_segment()
        elif tag == "tu" and self._unit is not None:
            self._units.append(self._unit)
            self._unit = None

    def _characters(self, data: str) -> None:
        if self._text is None or self._code_depth:
            return
        self._text_characters += len(data)
        # A segment that will be refused for its length is not worth its memory.
        if self._text_characters <= MAX_SEGMENT_CHARACTERS + len(data):
            self._text.append(data)

    def _begin_text(self) -> None:
        self._text, self._text_characters, self._has_tags = [], 0, False

    def _taken_text(self) -> str:
        text, self._text = "".join(self._text or ()), None
        return text

    def _end_prop(self) -> None:
        text = self._taken_text()
        if self._unit is not None and self._prop in (KEY_PROP, MODEL_PROP):
            self._unit.props[self._prop] = text

    def _end_segment(self) -> None:
        text = self._taken_text()
        if self._unit is not None and len(self._unit.variants) < MAX_UNIT_LANGUAGES:
            self._unit.variants.append((self._language, text))
            self._unit.flattened += self._has_tags


def _entries(units: Iterable[_Unit], imported: Imported) -> Iterator[Item]:
    for unit in units:
        imported.units += 1
        imported.flattened += unit.flattened
        yield from _items(unit, imported)


def _items(unit: _Unit, imported: Imported) -> list[Item]:
    """One entry for each direction the unit may be used in; none, and the reason counted, where it gives none."""
    texts = _texts(unit, imported)
    key, model = _machine(unit)
    items = [
        (key or key_of_human(Segment(texts[pair.source], pair)), _entry(unit, texts, pair, model))
        for pair in _pairs(unit.source, list(texts))
    ]
    if not items:
        imported.skip("no pair of languages")
    elif model is not None and (key is None or len(items) > 1):
        imported.skip("damaged key")
        return []
    return items


def _entry(unit: _Unit, texts: dict[str, str], pair: Pair, model: str | None) -> Entry:
    return Entry(texts[pair.source], pair, texts[pair.target], model, _made_at(unit.date))


def _texts(unit: _Unit, imported: Imported) -> dict[str, str]:
    """The unit's texts by canonical code; of two in one language the first."""
    texts: dict[str, str] = {}
    for language, raw in unit.variants:
        text = raw.strip()
        if len(text) > MAX_SEGMENT_CHARACTERS:
            imported.skip("text too long")
        elif text and (code := _code(language)) is None:
            imported.skip(f"unknown language {language[:35]!r}")
        elif text and code is not None:
            texts.setdefault(code, text)
    return texts


def _pairs(source: str, codes: list[str]) -> list[Pair]:
    """From the source language to the others; between all of them where the file says that each may be the source."""
    if source == "*all*":
        return [Pair(first, second) for first in codes for second in codes if first != second]
    exact = _code(source)
    # A header often says `en` where the units say `en-GB`.
    start = exact if exact in codes else next((code for code in codes if exact and _same_language(exact, code)), None)
    return [Pair(start, code) for code in codes if code != start] if start is not None else []


def _same_language(first: str, second: str) -> bool:
    return languages.base(first) == languages.base(second)


def _machine(unit: _Unit) -> tuple[bytes | None, str | None]:
    """Key and model of a unit that Dragoman wrote; the key is None where there is none that makes sense."""
    try:
        key = bytes.fromhex(unit.props.get(KEY_PROP, ""))
    except ValueError:
        key = b""
    model = unit.props.get(MODEL_PROP)
    return (key if model is not None and len(key) == KEY_BYTES else None), model


def _code(language: str) -> str | None:
    try:
        return languages.resolve(language)
    except UnknownLanguage:
        return None


def _made_at(date: str) -> int:
    try:
        return calendar.timegm(time.strptime(date, _DATE))
    except ValueError:
        return int(time.time())
