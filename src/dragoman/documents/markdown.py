"""Markdown: each block of the page (a paragraph, a list, a table) is a passage; what separates them stays."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from markdown_it.common.utils import normalizeReference

from dragoman.documents.base import Document, Piece, passage
from dragoman.documents.encoding import decode
from dragoman.text.markdown import read_markdown
from dragoman.text.markdown_inline import parser
from dragoman.text.parts import runs_in

_MD = parser()
_NAMED = re.compile(r"\[([^\[\]]+)\]")
_LINE = re.compile(r"[^\r\n]*+(?:\r\n|\r|\n|\Z)")


def read(data: bytes) -> Document:
    """Read CommonMark with tables and footnotes. Raises InvalidRequest for what is no text."""
    text, encoding = decode(data)
    environment: dict[str, Any] = {}
    starts = _block_starts(text, environment)
    blocks = [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    return Document(pieces=tuple(_pieces(blocks, _Names(environment))), encoding=encoding, format="markdown")


def _block_starts(text: str, environment: dict[str, Any]) -> list[int]:
    """Where the blocks of a page begin; what stands between two of them goes with the first."""
    lines = [found.start() for found in _LINE.finditer(text)]
    blocks = (token for token in _MD.parse(text, environment) if token.level == 0 and token.map)
    return sorted({0, *(lines[token.map[0]] for token in blocks if token.map)})


class _Names:
    """The references and footnotes that a page defines, which each of its blocks must know to be read rightly."""

    def __init__(self, environment: dict[str, Any]) -> None:
        self._references = frozenset(environment.get("references", ()))
        self._notes = frozenset(environment.get("footnotes", {}).get("refs", ()))

    def added_to(self, block: str) -> str:
        """What to write below a block: definitions of what it names, and calls of the footnotes it defines."""
        named = dict.fromkeys(_NAMED.findall(block))
        references = [f"[{label}]: #" for label in named if normalizeReference(label) in self._references]
        notes = [label for label in named if f":{label[1:]}" in self._notes]
        defined = [f"[{label}]" for label in notes if f"[{label}]:" in block]
        called = [f"[{label}]: 0" for label in notes if f"[{label}]:" not in block]
        return "".join(f"\n\n{line}" for line in (*defined, *references, *called))


def _pieces(blocks: Sequence[str], names: _Names) -> Iterator[Piece]:
    for block in blocks:
        words = block.rstrip("\r\n")
        added = names.added_to(words)
        has_words = any(runs_in(read_markdown(words + added)))
        yield passage(words, words + added, partial(_without, added=added)) if has_words else words
        yield block[len(words) :]


def _without(translation: str, added: str) -> str:
    return translation.removesuffix(added)
