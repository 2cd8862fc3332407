"""The shape a text has while it is translated: what is kept as it is, and runs of words with held stretches in them.

A text of any format is read into parts: strings, which come back untouched, and `Run`s, which are translated. A run may
hold stretches that no model may touch: placeholders, tags, addresses, terms of a glossary. A held stretch may have
parts of its own, such as the `title` of a link in the middle of a sentence or the branches of an ICU plural.

Reading adds runs (`markup`, `markdown`), holding adds held stretches (`placeholders`, `glossary`), cutting turns each
run into runs of one sentence (`segment`), and `written` puts translations in their places.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import Literal, TypeAlias

from msgspec import Struct

SOFT_SPACES = "\u2004\u2005\u2006\u2000\u2001\u2008\u205f"
"""Rare spaces that stand for line breaks inside a paragraph; a `Spelling` says which break each of them is.

To whoever cuts or searches a text they are white space on one line, and `shown` makes them plain for a model.
"""
_SOFT_SPACE = re.compile(f"[{SOFT_SPACES}]")


class Spelling(Struct, frozen=True):
    """How the source of a run writes single characters, such as `—` as `&mdash;`; all others stand for themselves."""

    characters: tuple[tuple[str, str], ...]

    def write(self, words: str) -> str:
        """The words as the source would have written them."""
        return words.translate({ord(character): spelled for character, spelled in self.characters})


class MarkdownSpelling(Spelling, frozen=True):
    """How a run of Markdown writes characters; what is held in it is Markdown's marks, which need the right neighbours.

    With `in_paragraph` a line may begin where the run does, on which no list, heading or the like may begin.
    """

    in_paragraph: bool = False


Escaping: TypeAlias = Literal["none", "text", "attribute"] | Spelling
Kind = Literal["placeholder", "address", "path", "code", "emoji", "quantity", "tag", "pattern", "kept", "term"]
Part: TypeAlias = "str | Run"


class Held(Struct, frozen=True):
    """A stretch of a run, `text[start:end]`, that a model is not shown; `becomes` stands there in the translation.

    Two held stretches of one run with the same `twin` are the opening and the closing end of one thing, such as `<b>`
    and `</b>`; the earlier one opens. `bare` is True where it says nothing that a sentence needs, as most tags do, and
    False where it stands for words, as a placeholder does.
    """

    start: int
    end: int
    kind: Kind
    becomes: tuple[Part, ...]
    twin: int | None = None
    bare: bool = False


class Run(Struct, frozen=True):
    """Words to translate, with the stretches held in them, in order and apart from each other.

    `escaping` is what the format asks of the translated words; what is held is written as it is.
    """

    text: str
    held: tuple[Held, ...] = ()
    escaping: Escaping = "none"

    @property
    def words(self) -> str:
        """The text without what is held, a space in its place."""
        return shown(" ".join(self.stretches()) if self.held else self.text)

    def stretches(self) -> Iterator[str]:
        """The text before, between and after what is held: one more than there are held stretches."""
        start = 0
        for held in self.held:
            yield self.text[start : held.start]
            start = held.end
        yield self.text[start:]


def runs_in(parts: Sequence[Part]) -> Iterator[Run]:
    """Every run, each before those inside what it holds."""
    for part in parts:
        if isinstance(part, Run):
            yield part
            for held in part.held:
                yield from runs_in(held.becomes)


def each_run(parts: Sequence[Part], change: Callable[[Run], Sequence[Part]]) -> tuple[Part, ...]:
    """The parts with every run, those inside held stretches first, put through `change`."""
    return tuple(
        made for part in parts for made in (change(_inside(part, change)) if isinstance(part, Run) else (part,))
    )


def written(parts: Sequence[Part], translate: Callable[[Run], str]) -> str:
    """The text that the parts come to: strings as they are, and for each run what `translate` writes for it."""
    return "".join(part if isinstance(part, str) else translate(part) for part in parts)


def as_it_was(run: Run) -> str:
    """A run as the format writes it when nothing is translated; of a held stretch, what it becomes."""
    pieces: list[str] = []
    for stretch, held in zip(run.stretches(), (*run.held, None), strict=True):
        pieces.append(escaped(stretch, run.escaping))
        if held is not None:
            pieces.append(written(held.becomes, as_it_was))
    return "".join(pieces)


def shown(words: str) -> str:
    """Words as a model is shown them: on one line, with plain spaces where the source breaks its lines."""
    return words if words.isascii() else _SOFT_SPACE.sub(" ", words)


def escaped(words: str, escaping: Escaping) -> str:
    """Words as the format writes them."""
    if isinstance(escaping, Spelling):
        return escaping.write(words)
    return words if escaping == "none" else escape(words, quote=escaping == "attribute")


def _inside(run: Run, change: Callable[[Run], Sequence[Part]]) -> Run:
    if not any(isinstance(part, Run) for held in run.held for part in held.becomes):
        return run
    held = tuple(
        Held(one.start, one.end, one.kind, each_run(one.becomes, change), one.twin, one.bare) for one in run.held
    )
    return Run(run.text, held, run.escaping)
