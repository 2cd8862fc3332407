"""Terms of glossaries in a text: found in a run and held there, and looked for in what comes back.

A term is found as a row of whole words, the longest first from the left, in the case in which it is given. What a word
is, the letters say and not the language: letters of scripts with spaces make one word (`cat` is not in `concatenate`),
every letter of Chinese, Japanese, Thai and the like is one (`猫` is in `黒猫`, `AI` in `使用AI的` and not in `OpenAI`),
and in Korean, where particles follow a noun without a space, a term is found at the start of a word (`서울` in
`서울은`). Any white space between two words is as good as another, but only in markup does it cross a line.

A term in lower case is also found with a capital where a sentence begins, and its target gets a capital there too,
unless the same glossary says what the capitalised form becomes.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from itertools import accumulate, chain, repeat
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick, MatchKind
from msgspec import structs

from dragoman import languages
from dragoman.errors import InvalidRequest
from dragoman.text.parts import Held, Run, escaped
from dragoman.types import Glossary, Pair, Term, Wishes

CACHED_DICTIONARIES = 64

_UNSPACED = (
    "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Tibetan; Burmese; Khmer
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u30ff\u3100-\u312f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff66-\uff9f\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
_HANGUL = "\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3"
_LETTER = f"[^\\W{_UNSPACED}{_HANGUL}]"
_HANGUL_FIRST, _LETTER_FIRST = re.compile(f"[{_HANGUL}]"), re.compile(_LETTER)
_JOINERS = "\u00ad\u200c\u200d"
# Where Unicode has combining marks: to ask of every character there is takes ten times as long.
_MARK_BLOCKS = ((0x300, 0x3100), (0xA66F, 0xAC00), (0xFB1E, 0x12000), (0x1E000, 0x1E950))
_LINE_BREAK = re.compile("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_UNUSUAL_SPACE = re.compile(r"\s\s|[^\S ]")
_ENDS_SENTENCE = frozenset(".!?…:。！？")

_INITIAL = " ^"
"""Before the key of a word that begins a sentence, or of a syllable that begins a Korean word: no token begins so."""

_NO_WORD = "\0"
_SURROGATES = range(0xD800, 0xE000)
MAX_WORDS = 0x10FFFF - len(_SURROGATES)
"""Different words that one dictionary may hold: as many as there are characters to stand for them."""


class _Words(NamedTuple):
    """A run as words and single signs, which together are its text; `held` are those that are held stretches."""

    run: Run
    tokens: list[str]
    held: dict[int, Held]


class Matcher(NamedTuple):
    """The dictionaries that bind one pair; the earlier go before the later."""

    dictionaries: tuple[Dictionary, ...]


_NOTHING = Matcher(())


class Dictionary:
    """Terms made ready to be found, all at once and in time linear in the text (an Aho-Corasick automaton).

    The automaton reads words as if they were letters: each gets a character of its own, so that a term can neither
    begin nor end inside one.
    """

    def __init__(self, terms: Iterable[Term]) -> None:
        targets = _targets_by_keys(terms)
        words = dict.fromkeys(chain.from_iterable(targets))
        if len(words) > MAX_WORDS:
            raise InvalidRequest(f"A glossary may hold {MAX_WORDS} different words.", field="glossary", limit=MAX_WORDS)
        self._characters = {word: _character(number) for number, word in enumerate(words, start=1)}
        self._initials = {
            word.removeprefix(_INITIAL): one for word, one in self._characters.items() if word.startswith(_INITIAL)
        }
        self._targets = list(targets.values())
        patterns = ["".join(map(self._characters.__getitem__, keys)) for keys in targets]
        self._automaton = AhoCorasick(patterns, matchkind=MatchKind.LeftmostLongest)

    def hold(self, run: Run) -> Run:
        """The run with every term held that stands in its words outside what is held already."""
        words = _words(run)
        found = self._automaton.find_matches_as_indexes(self._encoded(words))
        if not found:
            return run
        starts = list(accumulate(map(len, words.tokens), initial=0))
        held = [_held(starts[first], starts[last], self._targets[which], run) for which, first, last in found]
        return structs.replace(run, held=tuple(sorted((*run.held, *held), key=_start)))

    def _encoded(self, words: _Words) -> str:
        """The words as the automaton reads them, a character for each."""
        tokens = words.tokens
        characters = list(map(self._characters.get, tokens, repeat(_NO_WORD)))
        if _UNUSUAL_SPACE.search(words.run.text):
            space = self._characters.get(" ", _NO_WORD)
            for index in (index for index, token in enumerate(tokens) if token.isspace()):
                characters[index] = _NO_WORD if _breaks_line(words, index) else space
        for index in [index for index, token in enumerate(tokens) if token in self._initials]:
            if _is_first(words, index):
                characters[index] = self._initials[tokens[index]]
        for index in chain(words.held, _halves(words)):
            characters[index] = _NO_WORD
        return "".join(characters)


def matcher_for(wishes: Wishes, pair: Pair) -> Matcher:
    """What the terms and glossaries of a request come to for a pair of canonical codes.

    Terms for `en` and `de` serve `en-GB` and `de-AT` too, and those for `de-DE` serve `de`; of one glossary, those for
    the nearer pair go before. Each glossary is made ready once, for as long as it is the same object.
    """
    if not (wishes.terms or wishes.glossaries):
        return _NOTHING
    named = (_dictionary(_Same(glossary), pair) for glossary in wishes.glossaries)
    inline = _inline_dictionary(wishes.terms)
    return Matcher(tuple(one for one in (inline, *named) if one is not None))


def hold_terms(run: Run, matcher: Matcher) -> Run:
    """The run with every term of the matcher held (kind `term`), to become its target."""
    for dictionary in matcher.dictionaries:
        run = dictionary.hold(run)
    return run


def _held(start: int, end: int, target: str, run: Run) -> Held:
    return Held(start, end, "term", (escaped(target, run.escaping),))


def _start(held: Held) -> int:
    return held.start


# Dictionaries


class _Same:
    """Equal to another only around the very same glossary: comparing all their terms would take longer than a text."""

    def __init__(self, glossary: Glossary) -> None:
        self.glossary = glossary

    def __hash__(self) -> int:
        return id(self.glossary)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.glossary is other.glossary


@lru_cache(maxsize=CACHED_DICTIONARIES)
def _dictionary(same: _Same, pair: Pair) -> Dictionary | None:
    terms = tuple(chain.from_iterable(_serving(same.glossary.terms, pair)))
    return Dictionary(terms) if terms else None


@lru_cache(maxsize=CACHED_DICTIONARIES)
def _inline_dictionary(terms: tuple[Term, ...]) -> Dictionary | None:
    return Dictionary(terms) if terms else None


def _serving(terms: Mapping[Pair, tuple[Term, ...]], pair: Pair) -> Iterator[tuple[Term, ...]]:
    """The terms of every pair that serves this one, nearest first."""
    distances = {of: (_distance(of.target, pair.target), _distance(of.source, pair.source), str(of)) for of in terms}
    for of in sorted(terms, key=distances.__getitem__):
        if max(distances[of][:2]) < math.inf:
            yield terms[of]


def _distance(code: str, wanted: str) -> float:
    """0 for the language itself, more for what it falls back on, most for a region of it; infinite for any other."""
    nearest = (wanted, *languages.fallbacks(wanted))
    if code in nearest:
        return nearest.index(code)
    return len(nearest) if wanted in languages.fallbacks(code) else math.inf


def _targets_by_keys(terms: Iterable[Term]) -> dict[tuple[str, ...], str]:
    """Each term's target by the row of keys it is found by; of two for one row the first."""
    given: dict[tuple[str, ...], str] = {}
    capitalized: dict[tuple[str, ...], str] = {}
    for source, target in ((term.source, term.target) for term in terms if term.source):
        keys = _keys(source)
        given.setdefault(keys, target)
        if source.islower() and source[0].islower():
            capitalized.setdefault((_with_capital(keys[0]), *keys[1:]), _capitalized_target(target))
    first_words = {keys[0] for keys in capitalized}
    # Where a sentence begins such a word has another key, so the terms that are given with the capital need it too.
    initial = capitalized | {keys: target for keys, target in given.items() if keys[0] in first_words}
    return given | {(_INITIAL + keys[0], *keys[1:]): target for keys, target in initial.items()}


def _capitalized_target(target: str) -> str:
    """The target as it stands where a sentence begins; a name such as `iPhone` stays as it is."""
    first_word = target.split(maxsplit=1)[:1]
    return _with_capital(target) if first_word and first_word[0].islower() else target


def _with_capital(words: str) -> str:
    return words[0].title() + words[1:]


def _character(number: int) -> str:
    return chr(number if number < _SURROGATES.start else number + len(_SURROGATES))


# Words


def _keys(source: str) -> tuple[str, ...]:
    first, *others = (" " if token.isspace() else token for token in _pattern().findall(source))
    return (_INITIAL + first if _is_hangul(first) else first, *others)


def _words(run: Run) -> _Words:
    tokens: list[str] = []
    held: dict[int, Held] = {}
    read, at = _pattern().findall, 0
    for one in run.held:
        tokens += read(run.text, at, one.start)
        held[len(tokens)] = one
        tokens.append(run.text[one.start : one.end])
        at = one.end
    return _Words(run, tokens + read(run.text, at), held)


def _breaks_line(words: _Words, index: int) -> bool:
    """Whether a line ends here: in markup a line break is as good as a space."""
    return words.run.escaping == "none" and _LINE_BREAK.search(words.tokens[index]) is not None


def _is_first(words: _Words, index: int) -> bool:
    """Whether a syllable is the first of its Korean word, or any other word of its sentence."""
    if _is_hangul(words.tokens[index]):
        return index == 0 or not _is_hangul(words.tokens[index - 1])
    for before in range(index - 1, -1, -1):
        token, held = words.tokens[before], words.held.get(before)
        if held is None and (token in _ENDS_SENTENCE or _breaks_line(words, before)):
            return True
        if token[:1].isalnum() if held is None else not held.bare:
            return False
    return True


def _halves(words: _Words) -> Iterator[int]:
    """The words that an inline tag cuts in two, as in `con<b>cat</b>enate`: what stands on either side is none."""
    for index, held in words.held.items():
        if held.twin is None or _is_inline(words, index - 1):
            continue
        before, after = index - 1, index + 1
        while _is_inline(words, after):
            after += 1
        if before >= 0 and after < len(words.tokens) and all(_is_word(words, side) for side in (before, after)):
            yield from (before, after)


def _is_inline(words: _Words, index: int) -> bool:
    held = words.held.get(index)
    return held is not None and held.twin is not None


def _is_word(words: _Words, index: int) -> bool:
    return index not in words.held and _LETTER_FIRST.match(words.tokens[index]) is not None


def _is_hangul(token: str) -> bool:
    return _HANGUL_FIRST.match(token) is not None


@cache
def _pattern() -> re.Pattern[str]:
    """Words, white space, and any one sign with the marks on it; together they are the whole of any text."""
    blocks = (range(start, end) for start, end in _MARK_BLOCKS)
    marks = "".join(mark for mark in map(chr, chain(*blocks)) if unicodedata.category(mark).startswith("M"))
    # To look for a mark is slow, and most often what follows a letter is a plain sign.
    marked = r"(?![\n -~])"
    return re.compile(
        rf" (?!\s)|{_LETTER}++(?:{marked}[{marks}{_JOINERS}]+{_LETTER}*)*+|\s++|.(?:{marked}[{marks}]+)?+", re.DOTALL
    )
