"""Terms in and out of files: CSV, tab-separated values as DeepL's glossaries have them, TMX and TBX (read only).

A table has two columns, source and target. Its first row may name them (`source,target`), or name the languages of two
columns or more (`en,de,fr`): then the first column is the source of all others. DeepL's third and fourth column, the
languages of a row, are read too. Nothing is taken from a file that has a fault: the error names the line.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import takewhile
from typing import Literal, TypeAlias

from msgspec import Struct

from dragoman import languages
from dragoman.errors import InvalidRequest, TooLarge, UnknownLanguage
from dragoman.memory.glossary_file import MAX_TERMS
from dragoman.memory.tbx import read_tbx
from dragoman.memory.tmx import Imported, read_tmx
from dragoman.types import Pair, Term

FileKind = Literal["csv", "tsv", "tmx", "tbx"]
Dictionaries: TypeAlias = "dict[Pair, tuple[Term, ...]]"

MAX_TERM_BYTES = 1_024
"""The longest source or target of a term, in UTF-8; DeepL takes as much."""
MAX_FILE_BYTES = 64 * 2**20

_SHOWN = 40
_LOOKED_AT_ROWS = 50
_HEADS = {("source", "target"), ("source term", "target term"), ("term", "translation")}
# Control characters and what breaks a line, which DeepL refuses too, and surrogates, which no file can hold.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class Placed(Struct, frozen=True):
    """A term, its pair, and where it stood, as `Line 3`."""

    place: str
    pair: Pair
    term: Term


def read_terms(data: bytes, kind: FileKind, pair: Pair | None = None) -> Dictionaries:
    """The terms of a file by pair of canonical codes; with `pair`, those of this pair alone, or of a near one (`de-DE`
    for `de`) if the file has none of it.

    A table that does not name its languages needs `pair`. Raises InvalidRequest that names the line at fault.
    """
    if len(data) > MAX_FILE_BYTES:
        raise TooLarge(f"A file of terms may have {MAX_FILE_BYTES} bytes.", field="file", limit=MAX_FILE_BYTES)
    placed = list(_READERS[kind](data, pair))
    found = checked(placed if pair is None else _of_pair(placed, pair))
    if not found:
        has = tuple(dict.fromkeys(str(one.pair) for one in placed))
        but = f" for {pair}; it has {', '.join(has)}" if has else ""
        raise InvalidRequest(f"The file has no terms{but}.", field="file", accepted=has)
    return found


def terms_of(entries: Mapping[str, str]) -> tuple[Term, ...]:
    """The terms of a JSON object from source to target. Raises as `checked` does."""
    dictionary: dict[str, str] = {}
    for number, (source, target) in enumerate(entries.items(), start=1):
        _add(dictionary, f"Entry {number}", Term(source, target))
    return _terms(dictionary)


def checked(placed: Iterable[Placed]) -> Dictionaries:
    """The terms by pair, white space around them taken off and equal ones once.

    Raises InvalidRequest for an empty term, one too long or with control characters, and for a source with two targets;
    TooLarge for too many.
    """
    found: dict[Pair, dict[str, str]] = {}
    for one in placed:
        _add(found.setdefault(one.pair, {}), one.place, one.term)
    return {pair: _terms(dictionary) for pair, dictionary in found.items()}


def write_tsv(terms: Iterable[Term]) -> str:
    """Terms as tab-separated values, one a line."""
    return "".join(f"{term.source}\t{term.target}\n" for term in terms)


def write_csv(terms: Iterable[Term]) -> str:
    """Terms as two columns of CSV (RFC 4180)."""
    file = io.StringIO()
    csv.writer(file).writerows((term.source, term.target) for term in terms)
    return file.getvalue()


def _of_pair(placed: Sequence[Placed], pair: Pair) -> list[Placed]:
    exact = [one for one in placed if one.pair == pair]
    return exact or [Placed(one.place, pair, one.term) for one in placed if _bases(one.pair) == _bases(pair)]


def _bases(pair: Pair) -> tuple[str, str]:
    return languages.base(pair.source), languages.base(pair.target)


def _add(dictionary: dict[str, str], place: str, term: Term) -> None:
    source, target = _fit(term.source, "source", place), _fit(term.target, "target", place)
    if dictionary.setdefault(source, target) != target:
        raise InvalidRequest(
            f"{place}: {_shown(source)} becomes {_shown(dictionary[source])} already, and here {_shown(target)}. Keep "
            "one of them.",
            field="entries",
        )
    if len(dictionary) > MAX_TERMS:
        raise TooLarge(
            f"{place}: one pair may have {MAX_TERMS} terms. Make several glossaries of them.",
            field="entries",
            limit=MAX_TERMS,
        )


def _terms(dictionary: Mapping[str, str]) -> tuple[Term, ...]:
    return tuple(Term(source, target) for source, target in dictionary.items())


def _fit(words: str, side: str, place: str) -> str:
    words = words.strip()
    if not words:
        raise InvalidRequest(f"{place}: the {side} is empty.", field="entries")
    if found := _UNFIT.search(words):
        raise InvalidRequest(
            f"{place}: the {side} {_shown(words)} holds the character U+{ord(found[0]):04X}, which a term may not.",
            field="entries",
        )
    if len(words.encode()) > MAX_TERM_BYTES:
        raise InvalidRequest(
            f"{place}: the {side} {_shown(words)} is longer than {MAX_TERM_BYTES} bytes.",
            field="entries",
            limit=MAX_TERM_BYTES,
        )
    return words


def _shown(words: str) -> str:
    return repr(words if len(words) <= _SHOWN else f"{words[:_SHOWN]}…")


# Tables

Row: TypeAlias = "tuple[int, list[str]]"
"""The number of its line, and its cells."""


def _read_csv(data: bytes, pair: Pair | None) -> Iterator[Placed]:
    text = _decoded(data)
    return _table(list(_csv_rows(text, _delimiter(text))), pair)


def _read_tsv(data: bytes, pair: Pair | None) -> Iterator[Placed]:
    lines = re.split("\r\n|\r|\n", _decoded(data))
    return _table([(number, line.split("\t")) for number, line in enumerate(lines, start=1) if line.strip()], pair)


def _decoded(data: bytes) -> str:
    # What a spreadsheet calls Unicode text is UTF-16 with a byte order mark.
    coding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return data.decode(coding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidRequest(f"Line {line} is not UTF-8. Save the file as UTF-8.", field="file") from error


def _csv_rows(text: str, delimiter: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 0
    try:
        for cells in reader:
            if any(map(str.strip, cells)):
                yield number + 1, cells
            number = reader.line_num
    except csv.Error as error:
        raise InvalidRequest(f"Line {number + 1} is not CSV: {error}.", field="file") from error


def _delimiter(text: str) -> str:
    """Comma, or semicolon where that makes columns of more of the first lines."""
    lines = text[: _LOOKED_AT_ROWS * MAX_TERM_BYTES].splitlines()[:_LOOKED_AT_ROWS]
    outside_quotes = [re.sub('"[^"]*"', "", line) for line in lines]
    return max(",;", key=lambda delimiter: sum(delimiter in line for line in outside_quotes))


def _table(rows: Sequence[Row], pair: Pair | None) -> Iterator[Placed]:
    if not rows:
        return iter(())
    head = [cell.strip() for cell in rows[0][1]]
    if columns := _columns(head, pair):
        return _by_languages(len(head), columns, rows[1:])
    is_head = tuple(cell.lower() for cell in head[:2]) in _HEADS
    return _two_columns(rows[is_head:], pair)


def _columns(head: Sequence[str], pair: Pair | None) -> list[tuple[int, int, Pair]]:
    """Source column, target column and pair that a head of language codes asks for; none if it is no such head.

    `no` and `is` are words too: with a pair, the head must have both its languages, or near ones.
    """
    # Up to the first that is none: to look for what an unknown code could mean takes long.
    known = [code for code in takewhile(bool, map(_code, head)) if code]
    if len(known) < 2 or len(known) < len(head):
        return []
    if pair is None:
        return [(0, column, Pair(known[0], code)) for column, code in enumerate(known) if code != known[0]]
    source, target = _column(known, pair.source), _column(known, pair.target)
    return [] if source is None or target is None else [(source, target, pair)]


def _column(codes: Sequence[str], wanted: str) -> int | None:
    near = [code for code in codes if languages.base(code) == languages.base(wanted)]
    return codes.index(wanted if wanted in codes else near[0]) if near else None


def _by_languages(width: int, columns: Sequence[tuple[int, int, Pair]], rows: Iterable[Row]) -> Iterator[Placed]:
    for number, cells in rows:
        if len(cells) > width:
            raise InvalidRequest(f"Line {number} has {len(cells)} columns, and the first {width}.", field="file")
        filled = cells + [""] * (width - len(cells))
        for source, target, pair in columns:
            if filled[target].strip():
                yield Placed(f"Line {number}", pair, Term(filled[source], filled[target]))


def _two_columns(rows: Iterable[Row], pair: Pair | None) -> Iterator[Placed]:
    for number, cells in rows:
        own_pair = _pair_of_row(cells)
        if len(cells) != (2 if own_pair is None else 4):
            raise InvalidRequest(
                f"Line {number} has {len(cells)} column{'s' * (len(cells) != 1)} and not 2, a source and its target.",
                field="file",
            )
        bound = own_pair or pair
        if bound is None:
            raise InvalidRequest(
                "The file does not say its languages: name source and target, or write their codes in its first line.",
                field="source",
            )
        yield Placed(f"Line {number}", bound, Term(cells[0], cells[1]))


def _pair_of_row(cells: Sequence[str]) -> Pair | None:
    """The languages that DeepL's third and fourth columns name."""
    if len(cells) != 4:
        return None
    source, target = _code(cells[2]), _code(cells[3])
    return Pair(source, target) if source and target else None


@lru_cache(maxsize=1024)
def _code(cell: str) -> str | None:
    try:
        return languages.resolve(cell.strip())
    except UnknownLanguage:
        return None


# XML


def _read_tmx(data: bytes, pair: Pair | None) -> Iterator[Placed]:
    imported = Imported()
    for _, entry in read_tmx(io.BytesIO(data), imported):
        yield Placed(f"Unit {imported.units}", entry.pair, Term(entry.text, entry.translation))


def _read_tbx(data: bytes, pair: Pair | None) -> Iterator[Placed]:
    for concept in read_tbx(data):
        codes = list(concept.terms)
        column = _column(codes, concept.source if pair is None else pair.source)
        source = concept.source if column is None else codes[column]
        for target in codes:
            for term in concept.terms[source] if target != source else ():
                yield Placed(f"Line {concept.line}", Pair(source, target), Term(term, concept.terms[target][0]))


_READERS: dict[FileKind, Callable[[bytes, Pair | None], Iterator[Placed]]] = {
    "csv": _read_csv,
    "tsv": _read_tsv,
    "tmx": _read_tmx,
    "tbx": _read_tbx,
}
