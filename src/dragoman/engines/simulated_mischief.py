"""What a misbehaving model does to a translation: one fault in an output, at a set rate, the same in every run.

For testing whatever watches over translations. Which output suffers what is a matter of its text, its languages, the
attempt and a seed, so a second attempt at the same text may well be a good one. A fault that cannot strike, as a lost
marker in a text without any, is not counted: at `mischief=0.1` a tenth of all outputs come out wrong. A rate for one
named fault is a share of the outputs that it can strike.

Markers are `<1>`, `</1>`, `<1/>`, and the same with `[1]`, `{1}` and `⟦1⟧`, with or without letters before the number.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from hashlib import blake2b
from types import MappingProxyType

from msgspec import Struct

from dragoman import languages
from dragoman.engines.simulated_text import invented, marker
from dragoman.errors import ConfigurationError, UnknownLanguage
from dragoman.types import Pair

_INSIDE = r"[a-z]{0,3}\d{1,9}"
MARKERS = re.compile(rf"</?{_INSIDE}\s?/?>|\[/?{_INSIDE}/?\]|\{{/?{_INSIDE}/?\}}|⟦/?{_INSIDE}/?⟧")
_NUMBER = re.compile(r"\d+")
_SENTENCE_END = re.compile(r"[.!?।](?=\s)|[。！？](?=.)")
_WORD_END = re.compile(r"(?<=\w)(?=\s)")
# From those that any reader still knows for a marker to those that nobody does.
_OTHER_BRACKETS = (("< ", " >"), ("＜", "＞"), ("&lt;", "&gt;"), ("(", ")"), ("« ", " »"), ("**", "**"), ("", ""))
_CHATTER = (
    "Here is the translation: {}",
    "Sure! Here is your translation:\n\n{}",
    'Translation: "{}"',
    "{}\n\n(Note: the tone of the original was kept.)",
    "{} Let me know if you need anything else!",
)
_WRITTEN_INSTEAD = {"Hant": "zh-Hans", "Hans": "zh-Hant", "Latn": "ru"}
"""By script, the language whose letters come out in its place; every other script comes out in Latin letters."""


class Said(Struct, frozen=True):
    """A good output, what it translates, and the lots that decide how a fault looks."""

    source: str
    output: str
    pair: Pair
    lots: random.Random


def _drop_marker(said: Said) -> str:
    return _with_one_marker(said, lambda _: "")


def _double_marker(said: Said) -> str:
    return _with_one_marker(said, lambda found: found + found)


def _translate_marker(said: Said) -> str:
    return _with_one_marker(said, lambda found: _NUMBER.sub(invented("number", said.pair), found))


def _reformat_marker(said: Said) -> str:
    def reformatted(found: str) -> str:
        opening, closing = said.lots.choice(_OTHER_BRACKETS)
        return f"{opening}{found[1:-1]}{closing}"

    return _with_one_marker(said, reformatted)


def _swap_markers(said: Said) -> str:
    """Two markers that differ, each in the other's place."""
    found = list(MARKERS.finditer(said.output))
    if len({one[0] for one in found}) < 2:
        return said.output
    first = said.lots.choice(found)
    second = said.lots.choice([one for one in found if one[0] != first[0]])
    first, second = sorted((first, second), key=re.Match.start)
    before, between, after = (
        said.output[: first.start()], said.output[first.end() : second.start()], said.output[second.end() :],
    )  # fmt: skip
    return f"{before}{second[0]}{between}{first[0]}{after}"


def _stop_early(said: Said) -> str:
    """The output up to the end of a sentence, of a word after the first where it has but one, or of its first half."""
    ends = [found.end() for found in _SENTENCE_END.finditer(said.output)]
    ends = ends or [found.end() for found in _WORD_END.finditer(said.output)][1:]
    end = said.lots.choice(ends) if ends else len(said.output) // 2
    return said.output[:end].rstrip()


def _loop(said: Said) -> str:
    """The last words, or characters where words are not set apart, over and over."""
    words = said.output.split(" ")
    spaced = len(words) > 3
    repeated = " " + " ".join(words[-3:]) if spaced else said.output[-4:]
    return said.output + repeated * said.lots.randint(8, 20)


def _chatter(said: Said) -> str:
    return said.lots.choice(_CHATTER).format(said.output)


def _wrong_script(said: Said) -> str:
    pair = Pair(said.pair.source, _WRITTEN_INSTEAD.get(_script(said.pair.target), "en"))
    return f"{marker(said.pair.target)} {invented(said.source, pair)}"


def _echo(said: Said) -> str:
    return said.source


def _empty(_said: Said) -> str:
    return ""


FAULTS: Mapping[str, Callable[[Said], str]] = MappingProxyType(
    {
        "drop_marker": _drop_marker,
        "double_marker": _double_marker,
        "swap_markers": _swap_markers,
        "translate_marker": _translate_marker,
        "reformat_marker": _reformat_marker,
        "stop_early": _stop_early,
        "loop": _loop,
        "chatter": _chatter,
        "wrong_script": _wrong_script,
        "echo": _echo,
        "empty": _empty,
    }
)


class Mischief(Struct, frozen=True, kw_only=True):
    """How often an output suffers a fault: `rate` any one of them, `rates` each named one, all 0 to 1."""

    rate: float = 0.0
    rates: tuple[tuple[str, float], ...] = ()

    def done_to(self, output: str, source: str, pair: Pair, *, attempt: int, seed: int) -> str:
        """The output as this model writes it; the good one most of the time."""
        if not self.rate and not self.rates:
            return output
        asked = f"{seed} {attempt} {pair} {source}".encode("utf-8", "surrogatepass")
        said = Said(source, output, pair, random.Random(blake2b(asked).digest()))
        struck = (FAULTS[name](said) for name in self._drawn(said.lots))
        return next((faulty for faulty in struck if faulty != output), output)

    def _drawn(self, lots: random.Random) -> list[str]:
        """The faults to try, until one strikes."""
        lot = lots.random()
        for name, rate in self.rates:
            if lot < rate:
                return [name]
            lot -= rate
        return lots.sample(list(FAULTS), len(FAULTS)) if lot < self.rate else []


NO_MISCHIEF = Mischief()


def read_mischief(words: str) -> Mischief:
    """`0.1` is the rate of outputs with any fault, `loop:0.05,echo:0.1` a rate for each. Raises ConfigurationError."""
    if ":" not in words:
        return Mischief(rate=_rate(words, words))
    rates = tuple(_named_rate(part) for part in words.split(","))
    if len(dict(rates)) < len(rates) or sum(rate for _, rate in rates) > 1:
        raise _wrong(words, "it names a fault twice, or the rates come to more than 1")
    return Mischief(rates=rates)


def _named_rate(part: str) -> tuple[str, float]:
    name, _, rate = part.strip().partition(":")
    if name not in FAULTS:
        raise _wrong(part, f"there are the faults {', '.join(FAULTS)}")
    return name, _rate(rate, part)


def _rate(number: str, words: str) -> float:
    try:
        rate = float(number)
    except ValueError:
        rate = -1.0
    if not 0 <= rate <= 1:
        raise _wrong(words, "a rate is a share of the outputs: 0 to 1")
    return rate


def _wrong(words: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"the mischief {words!r} is not right: {why}; right ones look like 0.1 or drop_marker:0.1,loop:0.05"
    )


def _with_one_marker(said: Said, change: Callable[[str], str]) -> str:
    """The output with one of its markers changed; as it is where there is none."""
    found = list(MARKERS.finditer(said.output))
    if not found:
        return said.output
    chosen = said.lots.choice(found)
    return said.output[: chosen.start()] + change(chosen[0]) + said.output[chosen.end() :]


def _script(code: str) -> str:
    try:
        return languages.script(code)
    except UnknownLanguage:
        return "Latn"
