"""One text made ready for one pair: read by its format, what no model may touch held, cut into sentences. No I/O.

All of it depends on the text and the wishes alone, and short texts (comments, labels) come again, so that the drafts
of the last ones are kept: a text that the memory knows is then found in a few microseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from msgspec import Struct, structs

from dragoman.core.sentence import Sentence, sentence_of
from dragoman.text import segment as segmentation
from dragoman.text.glossary import hold_terms, matcher_for
from dragoman.text.markdown import read_markdown
from dragoman.text.markup import read_html, read_xml
from dragoman.text.parts import Part, Run, each_run, runs_in
from dragoman.text.placeholders import Protections, hold
from dragoman.types import Asking, Format, Pair, Wishes

KEPT_DRAFTS = 2_048
SHORT_CHARACTERS = 300


NEEDS_CONTEXT_CHARACTERS = 40
"""A sentence shorter than this often hangs on the one before it ("It is red."), and is asked for with it."""


class Manner(Struct, frozen=True):
    """How all texts of a request are drafted. `max_tokens` bounds a sentence.

    With `neighbours` a short sentence is asked for with the one before it as context: for engines that can follow
    `instructions`. TranslateGemma was not trained for it.
    """

    format: Format
    wishes: Wishes
    asking: Asking
    max_tokens: int
    neighbours: bool = False


class Draft(Struct, frozen=True):
    """A text in parts, and the sentence that each run of them is."""

    parts: tuple[Part, ...]
    sentences: Mapping[Run, Sentence]


def held_parts(text: str, manner: Manner) -> tuple[Part, ...]:
    """The text by its format, with everything held that no model may touch. Raises InvalidRequest for bad patterns."""
    protections = Protections.of(manner.wishes)
    return each_run(_read(text, manner), lambda run: (hold(run, protections),))


def draft_of(text: str, parts: Sequence[Part] | None, pair: Pair, manner: Manner) -> Draft:
    """The draft of a text, from its held parts where the caller has them already."""
    if parts is None and len(text) <= SHORT_CHARACTERS and not manner.wishes.glossaries:
        return _kept_draft(text, pair, manner)
    return _drafted(held_parts(text, manner) if parts is None else parts, pair, manner)


@lru_cache(maxsize=KEPT_DRAFTS)
def _kept_draft(text: str, pair: Pair, manner: Manner) -> Draft:
    return _drafted(held_parts(text, manner), pair, manner)


def _read(text: str, manner: Manner) -> Sequence[Part]:
    match manner.format:
        case "html":
            return read_html(text)
        case "xml":
            return read_xml(text, manner.wishes.tags)
        case "markdown":
            return read_markdown(text)
        case "text":
            return (Run(text),)


def _drafted(parts: Sequence[Part], pair: Pair, manner: Manner) -> Draft:
    cut = tuple(_cut(parts, pair, manner))
    runs = list(dict.fromkeys(runs_in(cut)))
    askings = _askings(runs, manner.asking) if manner.neighbours else [manner.asking] * len(runs)
    return Draft(cut, {run: sentence_of(run, pair, asking) for run, asking in zip(runs, askings, strict=True)})


def _askings(runs: Sequence[Run], asking: Asking) -> Iterator[Asking]:
    before = ""
    for run in runs:
        needs_it = before and len(run.text) < NEEDS_CONTEXT_CHARACTERS
        yield structs.replace(asking, context=f"{asking.context} {before}".strip()) if needs_it else asking
        before = run.words


def _cut(parts: Sequence[Part], pair: Pair, manner: Manner) -> Iterator[Part]:
    matcher = matcher_for(manner.wishes, pair)
    for part in each_run(parts, lambda run: (hold_terms(run, matcher),)) if matcher.dictionaries else parts:
        if isinstance(part, str):
            yield part
        else:
            yield from segmentation.cut(part, pair.source, max_tokens=manner.max_tokens, split=manner.wishes.split)
