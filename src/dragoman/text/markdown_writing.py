r"""Translations written into Markdown so that its marks are read as marks, and words as words.

`**` opens and closes only between certain characters, two code spans that touch are one, and a line that begins with
`1. ` is a list: what is right in the source may say something else around the words of another language. So what was
written is read again and compared with the source. Where it differs, the marks are set apart from what misleads a
reader, by a space of no width where none may be seen.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token
from msgspec import structs

from dragoman.text.parts import Held, MarkdownSpelling, Part, Run, as_it_was, escaped, written

_MD = MarkdownIt("commonmark").enable(["table", "strikethrough"])
_BLOCKS = MarkdownIt("commonmark").enable("table").disable("inline")
_ONE_PARAGRAPH = ["paragraph_open", "inline", "paragraph_close"]

_NO_MARKS = frozenset({"text", "text_special", "softbreak"})

# It is no white space to a reader of Markdown and no punctuation, so that a mark beside it is one as beside a letter.
_NO_WIDTH = "\u200b"
_EMPHASIS = frozenset({"*", "**", "_", "__", "~", "~~"})
_WITHIN_WORDS = {"_": "*", "__": "**"}
_ALL_ESCAPES = {mark: "\\" + mark for mark in "\\*_`[]~"}

_LINE_BREAK = re.compile(r"[\r\n]+")
# Possessive, so that no line is tried in more than one way.
_BLOCK_START = re.compile(
    r"(?P<number>\d{1,9})[.)](?=[ \t]|\Z)|[-+*](?=[ \t]|\Z)|\#{1,6}(?=[ \t]|\Z)|>|~~~|=++[ \t]*+\Z|-++[ \t]*+\Z"
)
_LIKE_A_BLOCK = re.compile(r"(?m)^[ \t]*+[-+*#>~=_`<|:\[\d]|^(?: {4}|\t)")
_LIKE_A_MARK = re.compile(r"[*_`\[<~]")


def settled(
    run: Run, spelling: MarkdownSpelling, literals: Sequence[str], held: Sequence[Held]
) -> tuple[Part, ...] | None:
    """The translation of a run of Markdown as parts: literals, and between them what is held, in their new order.

    None where some of its marks would not be read as such; that cannot be where nothing is held.
    """
    words = [_LINE_BREAK.sub(" ", literal) for literal in literals]
    plain = _woven(run, spelling, [escaped(word, spelling) for word in words], held)
    if _reads_alike(run, spelling, plain):
        return plain
    apart = _set_apart(run, spelling, words, held)
    return apart if not held or _reads_alike(run, spelling, apart) else None


def loosened(run: Run) -> list[str]:
    """The stretches of a run whose words are to be translated alone, with a space where one touches emphasis.

    Nobody knows whether the translation of a stretch will begin and end with letters, as its source does.
    """
    stretches = list(run.stretches())
    for place, opens in _openings(run.held, [written(one.becomes, as_it_was) for one in run.held]):
        if opens and stretches[place][-1:].isalnum():
            stretches[place] += " "
        elif not opens and stretches[place + 1][:1].isalnum():
            stretches[place + 1] = " " + stretches[place + 1]
    return stretches


def _woven(run: Run, spelling: MarkdownSpelling, literals: Sequence[str], held: Sequence[Held]) -> tuple[Part, ...]:
    """The parts, with a backslash before words at the start of a line that look like a block's."""
    parts: list[Part] = []
    for literal, before, following in zip(literals, (None, *held), (*held, None), strict=True):
        if spelling.in_paragraph and (before is None or _ends_line(before)):
            literal = _no_block(literal, run, spelling)
        parts += (literal, *(following.becomes if following else ()))
    return tuple(part for part in parts if part)


def _ends_line(held: Held) -> bool:
    last = held.becomes[-1] if held.becomes else ""
    return isinstance(last, str) and "\n" in last and not last.rpartition("\n")[2].strip(" \t>")


def _no_block(literal: str, run: Run, spelling: MarkdownSpelling) -> str:
    """Words that begin no block. What the source begins with as well begins none where it stands."""
    words = literal.lstrip(" \t")
    found = _BLOCK_START.match(words)
    if found is None:
        return words
    usual = _BLOCK_START.match(escaped(next(run.stretches()), spelling))
    if usual and usual[0] == found[0]:
        return words
    at = found.end("number") if found["number"] else 0
    return f"{words[:at]}\\{words[at:]}"


def _reads_alike(run: Run, spelling: MarkdownSpelling, parts: Sequence[Part]) -> bool:
    """Whether a translation has the marks of its source and, in a paragraph, is no other block."""
    text = written(parts, as_it_was)
    if not run.held and not _LIKE_A_MARK.search(text) and not _LIKE_A_BLOCK.search(text):
        return True
    source = as_it_was(run)
    if _marks(source) != _marks(text):
        return False
    return not spelling.in_paragraph or _is_paragraph(text) or not _is_paragraph(source)


def _is_paragraph(text: str) -> bool:
    return not _LIKE_A_BLOCK.search(text) or [token.type for token in _BLOCKS.parse(text)] == _ONE_PARAGRAPH


def _marks(text: str) -> Counter[tuple[str, str]]:
    """What a text has inside it beside words and line breaks, and how often."""
    tokens: list[Token] = []
    _MD.inline.parse(text, _MD, {}, tokens)
    return Counter(_named(token) for token in tokens if token.type not in _NO_MARKS)


def _named(token: Token) -> tuple[str, str]:
    is_verbatim = token.type in ("code_inline", "html_inline")
    return token.type, token.content if is_verbatim else str(token.attrGet("href") or token.attrGet("src") or "")


def _set_apart(run: Run, spelling: MarkdownSpelling, words: Sequence[str], held: Sequence[Held]) -> tuple[Part, ...]:
    """The parts, with every mark that words might hold written with a backslash, and the held ones set apart."""
    escapes = tuple({**dict(spelling.characters), **_ALL_ESCAPES}.items())
    ends = Counter(one.twin for one in held if one.twin is not None)
    marks = [_for_within_words(one) if one.twin is not None and ends[one.twin] == 2 else one for one in held]
    line = _Line([escaped(word, structs.replace(spelling, characters=escapes)) for word in words], marks)
    line.set_apart()
    return _woven(run, spelling, line.literals, marks)


def _for_within_words(held: Held) -> Held:
    """The same emphasis, written as it can stand within words too."""
    mark = held.becomes[0] if held.becomes else ""
    other = _WITHIN_WORDS.get(mark) if isinstance(mark, str) else None
    return structs.replace(held, becomes=(other,)) if other else held


class _Line:
    """A translation while its marks are set apart. The mutable state is `literals`: what stands around the marks."""

    def __init__(self, literals: list[str], held: Sequence[Held]) -> None:
        self.literals = literals
        self.marks = [written(one.becomes, as_it_was) for one in held]
        self._opens = dict(_openings(held, self.marks))

    def set_apart(self) -> None:
        """Set all marks apart from each other and from what misleads a reader, the outer ones before the inner."""
        for place in range(len(self.marks)):
            self._part(place)
            self._shield(place)
        closings = [place for place, opens in self._opens.items() if not opens]
        for place in (*filter(self._opens.get, sorted(self._opens)), *sorted(closings, reverse=True)):
            self._flank(place)

    def _flank(self, place: int) -> None:
        """Let what emphasis stands around begin and end with neither a space nor, where words go on, punctuation."""
        opens = self._opens[place]
        inside, outside = (place + 1, place) if opens else (place, place + 1)
        inner = self.literals[inside]
        bare = inner.lstrip() if opens else inner.rstrip()
        space = inner[: len(inner) - len(bare)] if opens else inner[len(bare) :]
        outer = self.literals[outside]
        self.literals[inside] = bare
        self.literals[outside] = outer + space if opens else space + outer
        before, after = self._neighbours(place)
        if _misleads(*((after, before) if opens else (before, after))):
            self.literals[inside] = _NO_WIDTH + bare if opens else bare + _NO_WIDTH

    def _part(self, place: int) -> None:
        """Keep a mark from becoming one with the mark before it."""
        if not place or self.literals[place] or self.marks[place - 1][-1] != self.marks[place][0]:
            return
        if self.marks[place][0] == "`":
            self.literals[place] = " "
        elif self._opens.get(place) and self._opens.get(place - 1) is False:
            self.literals[place] = _NO_WIDTH

    def _shield(self, place: int) -> None:
        """Keep `!` before a link from making an image of it, and `(` or `:` behind a name from making it a link."""
        before, after = self.literals[place], self.literals[place + 1]
        if self.marks[place][0] == "[" and before.endswith("!"):
            self.literals[place] = before[:-1] + "\\!"
        if self.marks[place][-1] == "]" and after.startswith(("(", ":")):
            self.literals[place + 1] = "\\" + after

    def _neighbours(self, place: int) -> tuple[str, str]:
        """The characters before and after a mark, if there are any."""
        before = self.literals[place] or (self.marks[place - 1] if place else "")
        after = self.literals[place + 1] or (self.marks[place + 1] if place + 1 < len(self.marks) else "")
        return before[-1:], after[:1]


def _openings(held: Sequence[Held], marks: Sequence[str]) -> Iterator[tuple[int, bool]]:
    """Which of the marks are emphasis, by place, and whether it opens there; of what is not closed here, nothing."""
    opened: dict[int, int] = {}
    for place, (one, mark) in enumerate(zip(held, marks, strict=True)):
        if one.twin is None or mark not in _EMPHASIS:
            continue
        if one.twin in opened:
            yield from ((opened[one.twin], True), (place, False))
        opened[one.twin] = place


def _misleads(inner: str, outer: str) -> bool:
    """Whether a mark between these two does not open or close, as CommonMark has it."""
    goes_on = outer != "" and not outer.isspace() and unicodedata.category(outer)[0] != "P"
    return goes_on and inner != "" and unicodedata.category(inner)[0] in "PS"
