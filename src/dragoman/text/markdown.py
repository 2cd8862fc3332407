r"""Markdown read into parts: the words of each paragraph, heading and table cell are a run; all else is kept as it is.

What holds: `parts.written(read_markdown(text), parts.as_it_was)` is the text again, but for the exception that
`markup` names. A paragraph wrapped over several lines is one run in which each line break, with what begins the next
line (`> `), is a soft space. Characters that would be marks are written with a backslash in a translation, unless the
run itself has them as they are.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, TypeAlias

from markdown_it.token import Token
from msgspec import Struct

from dragoman.text.markdown_inline import Span, parser, spans
from dragoman.text.markup import html_tag, is_left_alone, read_html
from dragoman.text.markup_block import Block, Piece, merged
from dragoman.text.markup_tokens import Token as MarkupToken
from dragoman.text.markup_tokens import html_tokens
from dragoman.text.parts import MarkdownSpelling, Part

_MD = parser()
_START = Token("", "", 0)
_LINE = re.compile(r"[^\r\n]*+(?:\r\n|\r|\n)?")
_ESCAPES: Mapping[str, str] = {"\\": "\\\\", "<": "&lt;"} | {mark: "\\" + mark for mark in "*_`[]"}
_IN_CELL: Mapping[str, str] = {**_ESCAPES, "|": "\\|"}
# What begins a quotation that is set apart as a note or a warning, up to its title or the end of the line.
_ALERT = re.compile(r"\[![\w-]++\](?![(\[:])[+-]?[ \t]*+")
_CELL = re.compile(r"(?:[^|]|(?<=\\)\|)++")
# A description that is a reference's name as well (`![words]`) is not to be translated.
_PLAIN_IMAGE = re.compile(r"!\[(?P<description>[^\]\[\\*_`<!\r\n]++)\](?:\(|\[[^\]])")
_TITLE = re.compile(r"""(?<=\s["'])(?P<title>[^"'\\\r\n]++)["'](?=\s*+\)\Z)""")


class _Content(Struct, frozen=True):
    """The content of a paragraph, and where in the source each of its lines starts and ends."""

    text: str
    source: str
    begins: Sequence[int]
    starts: Sequence[int]

    def place(self, offset: int) -> int:
        """The place in the source of an offset in the content."""
        line = bisect_right(self.begins, offset) - 1
        return self.starts[line] + offset - self.begins[line]

    def raw(self, start: int, end: int) -> str:
        """What the source has for a stretch of the content."""
        return self.source[self.place(start) : self.place(end)]


def read_markdown(text: str) -> tuple[Part, ...]:
    """CommonMark, with tables, strikethrough, footnotes and front matter, as parts.

    Kept are front matter, code, addresses and reference definitions; HTML is read as `read_html` does. Links and
    emphasis are held in the words. A reference named by its own words (`[words]`) is held whole: translated, it would
    lead nowhere.
    """
    environment: dict[str, Any] = {}
    lines = [found.span() for found in _LINE.finditer(text)]
    parts: list[Part] = []
    cursor = 0
    for start, end, found in _found(text, lines, _MD.parse(text, environment), environment):
        if start >= cursor:
            parts += (text[cursor:start], *found)
            cursor = end
    return merged((*parts, text[cursor:]))


_Lines: TypeAlias = Sequence[tuple[int, int]]
_Found: TypeAlias = "tuple[int, int, tuple[Part, ...]]"


def _found(text: str, lines: _Lines, tokens: Sequence[Token], environment: dict[str, Any]) -> Iterator[_Found]:
    """Where words or HTML stand in the text, and what they come to as parts."""
    cells: Iterator[_Content] = iter(())
    for before, token in pairwise((_START, *tokens)):
        if token.type == "tr_open" and token.map:
            cells = _cells(text, lines[token.map[0]])
        elif token.type == "html_block" and token.map:
            yield from _html_block(text, lines[token.map[0] : token.map[1]], token.content)
        elif token.type == "inline" and token.map and token.content:
            of_token = lines[token.map[0] : token.map[1]]
            is_cell = before.type in ("th_open", "td_open")
            found = [_cell(cells, token.content)] if is_cell else _contents(text, of_token, token.content)
            for content in filter(None, found):
                start = content.place(0)
                # A row that begins without a pipe is a line that a block may begin on.
                begins_line = "|" not in text[of_token[0][0] : start] if is_cell else not before.markup.startswith("#")
                block = Block(
                    _IN_CELL if is_cell else _ESCAPES, spelling=partial(MarkdownSpelling, in_paragraph=begins_line)
                )
                yield start, content.place(len(content.text)), _paragraph(content, block, environment)


def _html_block(text: str, lines: _Lines, content: str) -> Iterator[_Found]:
    """A block of HTML, unless what begins its lines, such as `> `, would be read as words."""
    start, end = lines[0][0], lines[-1][1]
    if [line.strip() for line in _split(text[start:end])] == [line.strip() for line in _split(content)]:
        yield start, end, read_html(text[start:end])


def _split(text: str) -> list[str]:
    return text.replace("\0", "\ufffd").replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n")


def _contents(text: str, lines: _Lines, content: str) -> list[_Content | None]:
    """The content of a paragraph; without the mark of an alert such as `[!NOTE]`, whose line is kept apart."""
    alert = _ALERT.match(content)
    if alert is None:
        return [_content(text, lines, content)]
    title, _, rest = content[alert.end() :].partition("\n")
    return [_content(text, lines[first:], words) for first, words in enumerate((title, rest)) if words]


def _content(text: str, lines: _Lines, content: str) -> _Content | None:
    """The content of a paragraph with its places; each line of it is the end of a line of the source."""
    begins, starts = [], []
    begin = 0
    for (start, end), line in zip(lines, content.split("\n"), strict=False):
        bare = line.lstrip(" \t")
        at = text[start:end].replace("\0", "\ufffd").rfind(bare)
        if at < 0:
            return None
        begins.append(begin)
        starts.append(start + at - (len(line) - len(bare)))
        begin += len(line) + 1
    return _Content(content, text, begins, starts)


def _cells(text: str, line: tuple[int, int]) -> Iterator[_Content]:
    """What stands between the pipes of a table's row."""
    for found in _CELL.finditer(text, *line):
        cell = found[0].strip()
        start = found.start() + found[0].find(cell)
        yield _Content(cell, text, [0], [start])


def _cell(cells: Iterator[_Content], content: str) -> _Content | None:
    r"""The next cell with this content, where `\|` is a pipe; the first may begin with what begins the line."""
    for cell in cells:
        bare = cell.text.replace("\0", "\ufffd").replace("\\|", "|")
        if bare == content:
            return cell
        if bare.endswith(content) and "\\|" not in cell.text:
            return _Content(content, cell.source, [0], [cell.starts[0] + len(bare) - len(content)])
    return None


def _paragraph(content: _Content, block: Block, environment: dict[str, Any]) -> tuple[Part, ...]:
    paragraph = _Paragraph(content, block)
    paragraph.read(spans(_MD, content.text, environment))
    return paragraph.block.parts()


class _Paragraph:
    """Puts the spans of a paragraph, and the words between them, into a block."""

    def __init__(self, content: _Content, block: Block) -> None:
        self.content = content
        self.block = block
        self.opened: dict[int, Piece] = {}
        self.elements: dict[str, list[Piece]] = {}
        self.twins = 0

    def read(self, found: Sequence[Span]) -> None:
        cursor = 0
        ends = self._left_alone_up_to(found)
        for span, end in zip(found, ends, strict=True):
            if span.start < cursor:
                continue
            self.block.markup(self.content.raw(cursor, span.start))
            cursor = end
            if end > span.end:
                self.block.hold(self.content.raw(span.start, end), "code", bare=False)
            else:
                self._add(span, self.content.raw(span.start, end))
        self.block.markup(self.content.raw(cursor, len(self.content.text)))

    def _left_alone_up_to(self, found: Sequence[Span]) -> list[int]:
        """Where each span ends; that of a tag such as `<kbd>` only with its closing tag."""
        closings: dict[str, int] = {}
        ends: list[int] = []
        for span in reversed(found):
            end = span.end
            if span.kind == "html":
                tag = next(html_tokens(self.content.raw(span.start, span.end)))
                if tag.kind == "close":
                    closings[tag.name] = span.end
                elif tag.kind == "open" and is_left_alone(tag):
                    end = closings.get(tag.name, end)
            ends.append(end)
        return ends[::-1]

    def _add(self, span: Span, raw: str) -> None:
        match span.kind:
            case "open":
                self.opened[span.pair] = self.block.tag(raw)
            case "close":
                self._close(raw, self.opened.get(span.pair), _titled(raw))
            case "break":
                self.block.line_break(raw)
            case "escape":
                self.block.spelled(raw[1], raw)
            case "html":
                self._html(next(html_tokens(raw)))
            case "image":
                self.block.tag(raw, _image(raw))
            case "hard_break" | "note":
                self.block.tag(raw)
            case "code" | "address" | "kept":
                self.block.hold(raw, span.kind, bare=False)

    def _close(self, raw: str, opening: Piece | None, parts: tuple[Part, ...] = ()) -> None:
        self.twins += 1
        self.block.close(raw, opening, self.twins, parts)

    def _html(self, token: MarkupToken) -> None:
        elements = self.elements.setdefault(token.name, [])
        if token.kind == "close":
            self._close(token.raw, elements.pop() if elements else None)
        elif token.kind in ("other", "rest"):
            self.block.hold(token.raw, "tag", bare=True)
        else:
            tag = self.block.tag(token.raw, html_tag(token))
            if token.kind == "open":
                elements.append(tag)


def _image(raw: str) -> tuple[Part, ...]:
    """An image as parts, with the runs of its description, if that is plain words, and its title."""
    found = _PLAIN_IMAGE.match(raw)
    if found is None:
        return _titled(raw)
    return ("![", *_inner(found["description"], _ESCAPES), *_titled(raw[found.end("description") :]))


def _titled(raw: str) -> tuple[Part, ...]:
    """The end of a link or an image as parts, with the run of its title."""
    found = _TITLE.search(raw)
    if found is None:
        return (raw,)
    quote = raw[found.start("title") - 1]
    title = _inner(found["title"], {quote: "\\" + quote, "\\": "\\\\"})
    return (raw[: found.start("title")], *title, raw[found.end("title") :])


def _inner(words: str, escapes: Mapping[str, str]) -> tuple[Part, ...]:
    block = Block(escapes)
    block.markup(words, is_value=True)
    return block.parts()
