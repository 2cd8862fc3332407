"""What stands inside a paragraph of Markdown, and where: markdown-it's inline rules with the places they matched.

markdown-it says what an inline token is but not where it stood. Here each rule is wrapped so that what it took is noted
in the state's environment; delimiters such as `*` are known for what they are only when all is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from markdown_it import MarkdownIt
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.front_matter import front_matter_plugin
from msgspec import Struct

SpanKind = Literal["open", "close", "break", "hard_break", "escape", "code", "address", "html", "image", "note", "kept"]
_Rule = Callable[[StateInline, bool], bool]

_NOTES = "dragoman_notes"
_KINDS: dict[str, SpanKind] = {
    "autolink": "address",
    "html_inline": "html",
    "image": "image",
    "footnote_ref": "note",
    "hardbreak": "hard_break",
    "softbreak": "break",
    "code_inline": "code",
}


class Span(Struct, frozen=True):
    """What `content[start:end]` is; all between spans is words. The two ends of one thing have the same `pair`."""

    start: int
    end: int
    kind: SpanKind
    pair: int = 0


class _Notes:
    """What the rules took of one state."""

    def __init__(self, state: StateInline) -> None:
        self.state = state
        self.spans: list[Span] = []
        self.label_ends: dict[int, int] = {}
        self.delimiters: list[tuple[Token, int]] = []
        self.pairs = 0

    def take(self, rule: str, start: int, tokens: Sequence[Token], words: int) -> None:
        """Note what a rule took from `start` to where the state is now, and the tokens it made, `words` first."""
        match rule:
            case "emphasis" | "strikethrough":
                for token in tokens[words:]:
                    self.delimiters.append((token, start))
                    start += len(token.content)
            case "link":
                self._link(start)
            case "newline":
                while self.state.src[start - 1] == " ":
                    start -= 1
                self._add(start, _KINDS[tokens[-1].type])
            case "escape" | "backticks" if tokens and tokens[-1].type in _KINDS:
                self._add(start, _KINDS[tokens[-1].type])
            case "escape" if tokens[-1].content == self.state.src[start + 1 : self.state.pos]:
                self._add(start, "escape")
            case "autolink" | "html_inline" | "image" | "footnote_ref":
                self._add(start, _KINDS[rule])

    def _add(self, start: int, kind: SpanKind) -> None:
        self.spans.append(Span(start, self.state.pos, kind))

    def _link(self, start: int) -> None:
        label_end = self.label_ends[start + 1]
        if self.state.src[label_end + 1 : self.state.pos] in ("", "[]"):
            # The label is the name of the reference too: translated, it would lead nowhere.
            self._add(start, "kept")
            return
        self.pairs += 1
        self.spans.append(Span(start, start + 1, "open", self.pairs))
        self.spans.append(Span(label_end, self.state.pos, "close", self.pairs))

    def paired_delimiters(self) -> Iterator[Span]:
        """The delimiters that open or close something, known when the state is parsed to its end."""
        waiting: list[int] = []
        for token, at in sorted(self.delimiters, key=lambda delimiter: delimiter[1]):
            size = len(token.markup)
            if token.nesting == 1:
                self.pairs += 1
                waiting.append(self.pairs)
                # Of the two tokens that make one `**`, the inner one is it.
                start = at + 1 - size if token.type == "strong_open" else at
                yield Span(start, start + size, "open", self.pairs)
            elif token.nesting == -1 and waiting:
                yield Span(at, at + size, "close", waiting.pop())


class _NotingInline(ParserInline):
    """Notes, too, where a link's label ends, which is tokenized on its own."""

    def tokenize(self, state: StateInline) -> None:
        notes = _notes_of(state)
        if notes:
            notes.label_ends[state.pos] = state.posMax
        super().tokenize(state)


def parser() -> MarkdownIt:
    """CommonMark with tables, strikethrough, front matter and footnotes, for blocks and for `spans`."""
    md = MarkdownIt()
    md.inline = _NotingInline()
    md.configure("commonmark").enable(["table", "strikethrough"])
    md.use(front_matter_plugin).use(footnote_plugin, inline=False, move_to_end=False)
    md.disable("inline")
    rules = zip(md.inline.ruler.get_active_rules(), md.inline.ruler.getRules(""), strict=True)
    for name, rule in list(rules):
        md.inline.ruler.at(name, _noted(name, rule))
    return md


def spans(md: MarkdownIt, content: str, environment: dict[str, Any]) -> list[Span]:
    """The spans of a paragraph's content, in order and apart; `environment` is what parsing the blocks left."""
    state = StateInline(content, md, environment, [])
    notes = environment[_NOTES] = _Notes(state)
    md.inline.tokenize(state)
    for finish in md.inline.ruler2.getRules(""):
        finish(state)
    found = sorted((*notes.spans, *notes.paired_delimiters()), key=lambda span: (span.start, -span.end))
    return list(_apart(found))


def _apart(found: Sequence[Span]) -> Iterator[Span]:
    end = 0
    for span in found:
        if span.start >= end:
            yield span
            end = span.end


def _noted(name: str, rule: _Rule) -> _Rule:
    def noted(state: StateInline, silent: bool) -> bool:
        notes = None if silent else _notes_of(state)
        start = state.pos
        known, words = len(state.tokens), int(bool(state.pending))
        taken = rule(state, silent)
        if notes and taken:
            notes.take(name, start, state.tokens[known:], words)
        return taken

    return noted


def _notes_of(state: StateInline) -> _Notes | None:
    """The notes of this state; an image's description is parsed in a state of its own, which nobody notes."""
    notes: _Notes | None = state.env.get(_NOTES)
    return notes if notes and notes.state is state else None
