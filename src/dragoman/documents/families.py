"""Which family a file belongs to: by the name that is given, by its suffix, or by what it holds."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePath

from msgspec import Struct

from dragoman.documents import catalog, html, json_values, markdown, plain, subtitles
from dragoman.documents.base import Document
from dragoman.errors import InvalidRequest

_SNIFFED_BYTES = 1_000


class Family(Struct, frozen=True):
    """Documents of one kind: `name` is what callers call it, `read` raises InvalidRequest for what it cannot read."""

    name: str
    suffixes: tuple[str, ...]
    media_type: str
    read: Callable[[bytes], Document]


TXT = Family("txt", (".txt", ".text"), "text/plain", plain.read)
HTML = Family("html", (".html", ".htm", ".xhtml"), "text/html", html.read)
MARKDOWN = Family("md", (".md", ".markdown"), "text/markdown", markdown.read)
SRT = Family("srt", (".srt",), "application/x-subrip", subtitles.read)
VTT = Family("vtt", (".vtt",), "text/vtt", subtitles.read)
PO = Family("po", (".po", ".pot"), "text/x-gettext-translation", catalog.read)
JSON = Family("json", (".json",), "application/json", json_values.read)

FAMILIES = (TXT, HTML, MARKDOWN, SRT, VTT, PO, JSON)

_SIGNS = {
    VTT: re.compile(rb"(?:\xef\xbb\xbf)?WEBVTT"),
    SRT: re.compile(rb"(?:\xef\xbb\xbf)?\s*\d+\s*\n\s*\d+:\d+:\d+[,.]\d+\s*-->"),
    HTML: re.compile(
        rb"(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*|<\?xml[^>]*>\s*)*<(?:!doctype html|html|head|body)\b", re.I | re.S
    ),
}


def family_of(filename: str, data: bytes, named: str | None = None) -> Family:
    """The family of a file. One without a suffix is looked into. Raises InvalidRequest where it is none of these."""
    if named is not None:
        return _chosen(named, lambda family: named.lower() == family.name, field="format")
    suffix = PurePath(filename).suffix.lower()
    if suffix:
        return _chosen(suffix, lambda family: suffix in family.suffixes, field="file")
    return next((family for family, sign in _SIGNS.items() if sign.match(data[:_SNIFFED_BYTES])), TXT)


def _chosen(what: str, fits: Callable[[Family], bool], field: str) -> Family:
    chosen = next(filter(fits, FAMILIES), None)
    if chosen is None:
        names = tuple(family.name for family in FAMILIES)
        raise InvalidRequest(
            f"Documents of the kind {what[:20]!r} are not translated; known are {', '.join(names)}.",
            field=field,
            accepted=names,
        )
    return chosen
