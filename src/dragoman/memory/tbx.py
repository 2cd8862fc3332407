"""Terminology as TBX (ISO 30042): the older form (`martif`, `termEntry`, `langSet`, `tig`) and that of 2019 (`tbx`,
`conceptEntry`, `langSec`, `termSec`). Of a concept only its terms are read, not what is said of them.
"""

from __future__ import annotations

from functools import lru_cache
from xml.parsers import expat

from msgspec import Struct, field

from dragoman import languages
from dragoman.errors import InvalidRequest, UnknownLanguage

_ROOTS = {"martif", "tbx"}
_CONCEPTS = {"termEntry", "conceptEntry"}
_LANGUAGES = {"langSet", "langSec"}


class Concept(Struct, frozen=True):
    """The terms of one concept by canonical code, in their order, and the line it begins at.

    `source` is the language of the whole file where that has terms, else the concept's first.
    """

    line: int
    source: str
    terms: dict[str, list[str]]


class _Reading(Struct):
    """Where in the document the parser stands. A language that is not known has the code "" and is left out."""

    main: str = ""
    seen_root: bool = False
    line: int = 0
    code: str = ""
    terms: dict[str, list[str]] = field(default_factory=dict)
    text: list[str] | None = None
    concepts: list[Concept] = field(default_factory=list)


def read_tbx(data: bytes) -> list[Concept]:
    """The concepts of a file that have terms in two languages or more that Dragoman speaks.

    Raises InvalidRequest for what is no TBX and for a document with a DTD of its own: entities are not expanded.
    """
    reading, parser = _Reading(), expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _doctype
    parser.SkippedEntityHandler = _entity
    parser.StartElementHandler = lambda tag, attributes: _start(reading, tag, attributes, parser.CurrentLineNumber)
    parser.EndElementHandler = lambda tag: _end(reading, tag)
    parser.CharacterDataHandler = lambda words: reading.text.append(words) if reading.text is not None else None
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise InvalidRequest(f"This is not a TBX file: {error}.", field="file") from error
    return reading.concepts


def _doctype(name: str, system: str | None, public: str | None, has_internal_subset: int) -> None:
    if has_internal_subset:
        raise InvalidRequest(
            "The TBX file declares a DTD of its own, which is not read for safety. Remove what stands between [ and ] "
            "in its DOCTYPE.",
            field="file",
        )


def _entity(name: str, is_parameter: bool) -> None:
    raise InvalidRequest(f"The TBX file uses the entity &{name}; write the character itself.", field="file")


def _start(reading: _Reading, tag: str, attributes: dict[str, str], line: int) -> None:
    if not reading.seen_root:
        if tag not in _ROOTS:
            raise InvalidRequest(f"This is not a TBX file: it begins with <{tag}>.", field="file")
        reading.seen_root, reading.main = True, _code(attributes.get("xml:lang", ""))
    elif tag in _CONCEPTS:
        reading.line, reading.terms = line, {}
    elif tag in _LANGUAGES:
        reading.code = _code(attributes.get("xml:lang", ""))
    elif tag == "term":
        reading.text = []


def _end(reading: _Reading, tag: str) -> None:
    if tag == "term":
        words, reading.text = "".join(reading.text or ()).strip(), None
        if words and reading.code:
            reading.terms.setdefault(reading.code, []).append(words)
    elif tag in _CONCEPTS and len(reading.terms) > 1:
        source = reading.main if reading.main in reading.terms else next(iter(reading.terms))
        reading.concepts.append(Concept(reading.line, source, reading.terms))


@lru_cache(maxsize=1024)
def _code(language: str) -> str:
    try:
        return languages.resolve(language)
    except UnknownLanguage:
        return ""
