"""What every family of documents is read into: passages to translate, and all else as it stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from msgspec import Struct

from dragoman.documents.encoding import Encoding
from dragoman.types import Format


def as_it_is(words: str) -> str:
    """For families that write a translation just as it comes."""
    return words


class Passage(Struct, frozen=True):
    """A stretch of a document that is translated on its own.

    `source` is what stands in the document now, `text` what a translator gets of it, and `put` makes of a translation
    what is to stand there.
    """

    source: str
    text: str
    put: Callable[[str], str] = as_it_is


Piece: TypeAlias = "str | Passage"


class Document(Struct, frozen=True, kw_only=True):
    """A document in pieces: strings stay, passages are translated as texts of `format`.

    `protect` are regular expressions for what must come back as it is in this family's texts.
    """

    pieces: tuple[Piece, ...]
    encoding: Encoding
    format: Format = "text"
    protect: tuple[str, ...] = ()

    @property
    def passages(self) -> list[Passage]:
        """What is to be translated, in the document's order."""
        return [piece for piece in self.pieces if isinstance(piece, Passage)]

    def write(self, translations: Sequence[str | None]) -> bytes:
        """The document with one translation for each passage; one of None keeps its source."""
        left = iter(translations)
        return self.encoding.encode(
            "".join(piece if isinstance(piece, str) else _put(piece, next(left)) for piece in self.pieces)
        )


def passage(source: str, text: str | None = None, put: Callable[[str], str] = as_it_is) -> Piece:
    """A passage, or plain `source` where there is not a letter to translate. `text` None is the source itself."""
    text = source if text is None else text
    return Passage(source, text, put) if any(map(str.isalpha, text)) else source


def _put(piece: Passage, translation: str | None) -> str:
    return piece.source if translation is None else piece.put(translation)
