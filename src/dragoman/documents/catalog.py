"""Gettext catalogues (.po, .pot): each entry without a translation is a passage; what people translated stays.

Comments, references, flags, contexts, the header and obsolete entries stay byte for byte. Of a plural, the first form
is made from `msgid` and all others from `msgid_plural`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from dragoman.documents.base import Document, Piece, passage
from dragoman.documents.encoding import decode

HEADER_BYTES = 10_000
"""Where the header, the first entry, is looked for."""

_STRING = r'"(?:[^"\\\r\n]|\\.)*+"'
_STATEMENT = re.compile(
    rf"^(?P<word>msgid|msgid_plural|msgctxt|msgstr(?:\[\d+\])?)[ \t]+(?P<strings>{_STRING}(?:\s*+{_STRING})*+)",
    re.M,
)
_ONE_STRING = re.compile(_STRING)
_DECLARED = re.compile(rb"Content-Type:[^\"\r\n]*charset=([\w.:-]+)", re.I)
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|[0-7]{1,3}|.)")
_MEANING = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_ESCAPED = {ord(meaning): f"\\{letter}" for letter, meaning in _MEANING.items()} | {34: '\\"', 92: "\\\\"}


def read(data: bytes) -> Document:
    """Read a catalogue. Raises InvalidRequest for what is no text."""
    found = _DECLARED.search(data, 0, HEADER_BYTES)
    text, encoding = decode(data, found[1].decode("ascii") if found else None)
    return Document(pieces=tuple(_pieces(text)), encoding=encoding)


def _pieces(text: str) -> Iterator[Piece]:
    end = "\r\n" if "\r\n" in text else "\n"
    message = plural = ""
    at = 0
    for found in _STATEMENT.finditer(text):
        value = _value(found["strings"])
        match found["word"]:
            case "msgid":
                message = plural = value
            case "msgid_plural":
                plural = value
            case "msgctxt":
                pass
            case word if message and not value:  # the header has no message
                start = found.start("strings")
                source = message if word in ("msgstr", "msgstr[0]") else plural
                yield text[at:start]
                yield passage(found["strings"], source, partial(_quoted, end=end))
                at = found.end()
    yield text[at:]


def _value(strings: str) -> str:
    return "".join(_ESCAPE.sub(_meant, one[1:-1]) for one in _ONE_STRING.findall(strings))


def _meant(escape: re.Match[str]) -> str:
    code = escape[1]
    if code[0] == "x" and len(code) == 3:
        return chr(int(code[1:], 16))
    return chr(int(code, 8)) if code[0] in "01234567" else _MEANING.get(code, code)


def _quoted(words: str, end: str) -> str:
    """Words as gettext writes them: those of several lines one line below the other, under an empty string."""
    lines = words.split("\n")
    strings = [f"{line}\n" for line in lines[:-1]] + lines[-1:] * bool(lines[-1])
    quoted = [f'"{line.translate(_ESCAPED)}"' for line in strings]
    return quoted[0] if len(quoted) == 1 else end.join(['""', *quoted])
