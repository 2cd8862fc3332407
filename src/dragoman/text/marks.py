"""Markers in the place of what is held: put into a sentence before it is translated, and read back out of what came.

The translation counts only if it holds exactly the same markers. What models do to a marker without harm is understood:
spaces inside it, wide or escaped brackets, other digits. Of a sentence that lost its markers, `apart` leaves the words
between what is held, each to be translated on its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from msgspec import Struct

from dragoman.text import icu
from dragoman.text.markdown_writing import loosened, settled
from dragoman.text.parts import MarkdownSpelling, Part, Run, escaped, shown
from dragoman.types import Finding

Role = Literal["alone", "opens", "closes"]

_SHOWN_CHARACTERS = 60


class Form(Struct, frozen=True):
    """A way to write markers. `pattern` takes them with their harmless changes, `remains` what may be left of one."""

    alone: str
    opens: str
    closes: str
    pattern: re.Pattern[str]
    remains: re.Pattern[str]

    def write(self, mark: Mark) -> str:
        """The marker itself."""
        template: str = getattr(self, mark.role)
        return template.format(mark.number)


class Mark(Struct, frozen=True):
    """One marker. The two ends of a twin have the same number."""

    number: int
    role: Role


class Masked(Struct, frozen=True):
    """A run as an engine is shown it; `marks` are its markers, one for each held stretch."""

    text: str
    run: Run
    form: Form
    marks: tuple[Mark, ...]


_OPEN, _CLOSE = r"(?:[<＜〈⟨]|&lt;)", r"(?:[>＞〉⟩]|&gt;)"
TAGS = Form(
    "<{}/>",
    "<{}>",
    "</{}>",
    re.compile(rf"{_OPEN} {{0,2}}([/／]?) {{0,2}}(\d{{1,6}}) {{0,2}}([/／]?) {{0,2}}{_CLOSE}"),
    re.compile(rf"{_OPEN} {{0,2}}[/／]? {{0,2}}\d|\d {{0,2}}[/／]? {{0,2}}{_CLOSE}|[<＜] {{0,2}}[/／]"),
)
BRACES = Form(
    "{{{}}}",
    "{{{}}}",
    "{{/{}}}",
    re.compile(r"[{｛] {0,2}([/／]?) {0,2}(\d{1,6}) {0,2}()[}｝]"),
    re.compile(r"[{}｛｝]"),
)
FORMS = (TAGS, BRACES)
"""In the order in which they are tried. On sentences to which the bundled model kept the markers, tags were best."""

LOOKALIKE = re.compile(f"{TAGS.pattern.pattern}|{BRACES.pattern.pattern}")
"""Whatever would be taken for a marker; a text's own must be held (`placeholders.hold` does) before it is masked."""

# In every marker there is one of these, even in a broken one.
_TRACE = re.compile("[<>＜＞〈〉⟨⟩{}｛｝&]")

# French sets a space before these where others set none, so that a space there is no mistake.
_LOOSE_MARKS = ":;!?%–—"
# A word of four letters that ends at a marker lost a space; a shorter one may be a prefix (Zulu `ku{name}`).
_WORD_BEFORE = re.compile(r"[A-Za-z\u00c0-\u024f\u0370-\u052f]{4}$")


def mask(run: Run, form: Form) -> Masked:
    """The run with markers, numbered from 1, in the place of what is held.

    The ends of a twin are an opening and a closing marker where both are in the run. A placeholder, tag or code that
    looks like a marker and is not held makes `restore` refuse.
    """
    if not run.held:
        return Masked(shown(run.text), run, form, ())
    marks = tuple(_marks(run))
    pieces = [shown(stretch) for stretch in run.stretches()]
    return Masked(_woven(pieces, map(form.write, marks)), run, form, marks)


def restore(masked: Masked, output: str) -> tuple[Part, ...] | None:
    """The translation, escaped as the run asks, with what is held in its places.

    None where `lost` has something to say: the output does not hold exactly the same markers. A space beside a marker
    that the model added or dropped is set as in the source where that is certain to be right.
    """
    if not masked.marks and not _TRACE.search(output):
        if masked.run.escaping == "none":
            return (output,) if output else ()
        return _placed(masked, _Seen([output], []))
    seen = _read(masked, output)
    return None if next(_faults(masked, seen), None) else _placed(masked, seen)


def lost(masked: Masked, output: str) -> tuple[Finding, ...]:
    """What is wrong with the markers of an output: which are missing, doubled, invented, out of order or broken."""
    seen = _read(masked, output)
    faults = tuple(_faults(masked, seen))
    if faults or _placed(masked, seen) is not None:
        return faults
    return (Finding("placeholder", "Where the translation has them, the marks of Markdown would not be read as such."),)


def apart(run: Run) -> tuple[Part, ...]:
    """The run around its held stretches: what has letters is a run of its own, the rest is as it was.

    In Markdown a space is set where words touch emphasis, which may be none beside other words.
    """
    parts: list[Part] = []
    stretches = loosened(run) if isinstance(run.escaping, MarkdownSpelling) else run.stretches()
    for number, stretch in enumerate(stretches):
        if number:
            parts.extend(run.held[number - 1].becomes)
        parts.extend(_alone(stretch, run))
    return tuple(parts)


class _Seen(Struct, frozen=True):
    """An output taken apart: the markers in it, and what stands before, between and after them."""

    literals: list[str]
    marks: list[Mark]


def _marks(run: Run) -> Iterator[Mark]:
    """A marker for each held stretch. The second of a twin closes what the first one opened."""
    ends = Counter(held.twin for held in run.held if held.twin is not None)
    opened: dict[int, int] = {}
    number = 0
    for held in run.held:
        if held.twin is not None and held.twin in opened:
            yield Mark(opened.pop(held.twin), "closes")
            continue
        number += 1
        if held.twin is not None and ends[held.twin] == 2:
            opened[held.twin] = number
            yield Mark(number, "opens")
        else:
            yield Mark(number, "alone")


def _woven(literals: Sequence[str], marks: Iterable[str]) -> str:
    rest = iter(literals)
    return next(rest) + "".join(mark + literal for mark, literal in zip(marks, rest, strict=True))


def _read(masked: Masked, output: str) -> _Seen:
    alone = {mark.number for mark in masked.marks if mark.role == "alone"}
    literals: list[str] = []
    marks: list[Mark] = []
    end = 0
    for match in masked.form.pattern.finditer(output):
        literals.append(output[end : match.start()])
        marks.append(_mark(int(match[2]), bool(match[1]), bool(match[3]), alone))
        end = match.end()
    return _Seen([*literals, output[end:]], marks)


def _mark(number: int, slash_before: bool, slash_after: bool, alone: set[int]) -> Mark:
    """A marker as it came. One that stands alone is known by its number, wherever the slash went."""
    if number in alone or slash_after:
        return Mark(number, "alone")
    return Mark(number, "closes" if slash_before else "opens")


def _faults(masked: Masked, seen: _Seen) -> Iterator[Finding]:
    expected, found = Counter(masked.marks), Counter(seen.marks)
    for held, mark in zip(masked.run.held, masked.marks, strict=True):
        name = _name(masked.run.text[held.start : held.end])
        if not found[mark]:
            yield Finding("placeholder", f"{name} is missing from the translation.")
        elif found[mark] > 1:
            yield Finding("placeholder", f"{name} is {found[mark]} times in the translation instead of once.")
    if invented := found.keys() - expected.keys():
        yield Finding("placeholder", f"{len(invented)} markers in the translation stand for nothing in the source.")
    if found == expected:
        yield from _disorder(masked.marks, seen.marks)
    if _remains(masked.form, seen.literals) > _remains(masked.form, masked.run.stretches()):
        yield Finding("placeholder", "A broken marker is left in the translation.")


def _disorder(expected: Sequence[Mark], found: Sequence[Mark]) -> Iterator[Finding]:
    """What closes before it opens, and what stands in another tag than in the source, or in one more or less."""
    around, around_now = _around(expected), _around(found)
    for mark in expected:
        if mark.role == "closes" and around_now[mark] is None:
            yield Finding("placeholder", "A tag is closed before it is opened in the translation.")
            return
    if around != around_now:
        yield Finding("placeholder", "A tag stands inside another one in the translation, or outside of it.")


def _around(marks: Sequence[Mark]) -> dict[Mark, int | None]:
    """The number of the innermost tag that is open where a tag opens, and where it closes, itself included there."""
    opened: dict[int, None] = {}
    around: dict[Mark, int | None] = {}
    for mark in marks:
        innermost = next(reversed(opened), None)
        if mark.role == "opens":
            around[mark] = innermost
            opened[mark.number] = None
        elif mark.role == "closes":
            around[mark] = innermost if mark.number in opened else None
            opened.pop(mark.number, None)
    return around


def _remains(form: Form, literals: Iterable[str]) -> int:
    return sum(1 for literal in literals for _ in form.remains.finditer(literal))


def _name(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


def _placed(masked: Masked, seen: _Seen) -> tuple[Part, ...] | None:
    """The translation as parts; None where Markdown's marks would not be read as such."""
    index = {mark: number for number, mark in enumerate(masked.marks)}
    order = [index[mark] for mark in seen.marks]
    literals = list(_spaced(masked, seen.literals, order)) if order else seen.literals
    if isinstance(masked.run.escaping, MarkdownSpelling):
        return settled(masked.run, masked.run.escaping, literals, [masked.run.held[number] for number in order])
    return tuple(_parts(masked.run, literals, order))


def _parts(run: Run, literals: Iterable[str], order: Sequence[int]) -> Iterator[Part]:
    """The literals as the format writes them, and between them what the held stretches become, in this order."""
    following = [*(run.held[index].becomes for index in order), None]
    for literal, becomes in zip(literals, following, strict=True):
        if words := _unquoting(literal, run, becomes) if run.escaping == icu.WORDS else literal:
            yield escaped(words, run.escaping)
        yield from becomes or ()


def _unquoting(literal: str, run: Run, becomes: tuple[Part, ...] | None) -> str:
    """Words of an ICU message whose last apostrophe (French `l'{name}`) cannot be taken for an opening quote."""
    if not _ends_in_apostrophe(literal):
        return literal
    if becomes is None:
        return literal if _ends_in_apostrophe(run.text) else literal + "'"
    first = becomes[0] if becomes else ""
    return literal + "'" if isinstance(first, str) and first.startswith(("{", "#", "'")) else literal


def _ends_in_apostrophe(words: str) -> bool:
    return (len(words) - len(words.rstrip("'"))) % 2 == 1


def _alone(stretch: str, run: Run) -> Iterator[Part]:
    lead, core, tail = _edges(stretch)
    if not any(map(str.isalpha, core)):
        lead, core, tail = stretch, "", ""
    if lead:
        yield escaped(lead, run.escaping)
    if core:
        yield Run(core, (), run.escaping)
    if tail:
        yield escaped(tail, run.escaping)


def _edges(literal: str) -> tuple[str, str, str]:
    """The white space before the words, the words, and the white space after them."""
    core = literal.strip()
    start = len(literal) - len(literal.lstrip())
    return literal[:start], core, literal[start + len(core) :]


def _spaced(masked: Masked, literals: Sequence[str], order: Sequence[int]) -> Iterator[str]:
    """The output's literals with the white space beside markers as in the source, where that is certain to be right."""
    source = list(masked.run.stretches())
    sides = [None, *order, None]
    moved = _moved_out(masked, source, literals, order)
    for literal, left, right in zip(moved, sides[:-1], sides[1:], strict=True):
        lead, core, tail = _edges(literal)
        if not core:
            yield _between(source, literal, left, right)
            continue
        if left is not None:
            there, words, _ = _edges(source[left + 1])
            lead = _gap(there, lead, words[:1], core[:1], inside=masked.marks[left].role == "opens")
        if right is not None:
            _, words, there = _edges(source[right])
            if there and not tail and _WORD_BEFORE.search(core[-4:]):
                tail = there
            tail = _gap(there, tail, words[-1:], core[-1:], inside=masked.marks[right].role == "closes")
        yield lead + core + tail


def _moved_out(masked: Masked, source: Sequence[str], literals: Sequence[str], order: Sequence[int]) -> list[str]:
    """The literals with white space that slipped inside a tag outside of it again, where words would run together."""
    moved = list(literals)
    for place, index in enumerate(order):
        before, after, role = moved[place], moved[place + 1], masked.marks[index].role
        had_before, had_after = source[index][-1:].isspace(), source[index + 1][:1].isspace()
        if role == "opens" and before[-1:].isalnum() and had_before and not had_after:
            space = after[: len(after) - len(after.lstrip())]
            moved[place], moved[place + 1] = before + space, after[len(space) :]
        elif role == "closes" and after[:1].isalnum() and had_after and not had_before:
            space = before[len(before.rstrip()) :]
            moved[place], moved[place + 1] = before[: len(before) - len(space)], space + after
    return moved


def _between(source: Sequence[str], literal: str, left: int | None, right: int | None) -> str:
    """White space, or nothing, between two markers; as in the source where they are neighbours there too."""
    first = 0 if left is None else left + 1
    last = len(source) - 1 if right is None else right
    return source[first] if first == last and not source[first].strip() else literal


def _gap(there: str, here: str, source_neighbour: str, neighbour: str, *, inside: bool) -> str:
    """The white space to set between a marker and `neighbour`, from that in the source (`there`) and in the output.

    Between the same two things it is as it was, and none is added on the inner side of a tag.
    """
    if neighbour == source_neighbour and not neighbour.isalnum() and (there or neighbour not in _LOOSE_MARKS):
        return there
    return "" if inside and not there else here
