"""The style of base models, which continue text: three example pairs, then the text, and the model goes on.

The examples are those of `exemplar_sentences`; a language without any gets the heading and the labels alone.

Chosen among several forms on the bundled 270M model. The language's name beside every line keeps the answer in that
language: of 56 short English texts to 8 languages this form looped in one and answered none in English; a bare `=>`
between the sentences, 14 tokens shorter, looped in one and answered four in English.
"""

from __future__ import annotations

from functools import lru_cache

from dragoman.languages import english_name, fallbacks
from dragoman.prompts.base import Decoding, Prompt
from dragoman.prompts.exemplar_sentences import SENTENCES, Sentences
from dragoman.prompts.limits import output_tokens
from dragoman.prompts.markers import as_one_line, clean
from dragoman.types import Capability, Pair, Segment

# With the examples (96 tokens for en to de, 179 for the costliest evaluated pair) well within a context of 2,048.
MAX_SEGMENT_TOKENS = 128
MAX_OUTPUT_TOKENS = 1024

# Near enough to learn the form from, though their codes say another language.
_NEIGHBOURS = {"nb": "no", "tl": "fil-PH"}


class Exemplar:
    """Shows a base model what is wanted. It knows no turns, so it has no chat form."""

    name = "exemplar"
    max_segment_tokens = MAX_SEGMENT_TOKENS
    can: frozenset[Capability] = frozenset()

    def render(self, segment: Segment) -> Prompt:
        text = as_one_line(segment.text)
        return Prompt(
            raw=_opening(segment.pair) + _lines(segment.pair, text, ""),
            chat=None,
            stop=("\n",),
            max_tokens=output_tokens(text, MAX_OUTPUT_TOKENS),
            decoding=Decoding.of(segment.asking),
        )

    def clean(self, output: str) -> str:
        return clean(output)


def sentences_in(code: str) -> Sentences | None:
    """The example sentences in a language, or in the one it falls back on (never in another script); else None."""
    nearest = (code, *fallbacks(code), _NEIGHBOURS.get(code, ""))
    return next((SENTENCES[candidate] for candidate in nearest if candidate in SENTENCES), None)


@lru_cache(maxsize=4096)
def _opening(pair: Pair) -> str:
    """Everything before the text's own lines."""
    source, target = sentences_in(pair.source), sentences_in(pair.target)
    examples = zip(source, target, strict=True) if source and target else ()
    heading = "Translate from {} to {}.\n\n".format(*_labels(pair))
    return heading + "".join(_lines(pair, text, f" {translation}\n\n") for text, translation in examples)


def _lines(pair: Pair, text: str, answer: str) -> str:
    source, target = _labels(pair)
    return f"{source}: {text}\n{target}:{answer}"


def _labels(pair: Pair) -> tuple[str, str]:
    source, target = english_name(pair.source), english_name(pair.target)
    if source == target:  # two variants of one language: only their codes differ
        return f"{source} ({pair.source})", f"{target} ({pair.target})"
    return source, target
