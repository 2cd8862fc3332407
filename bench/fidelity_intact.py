"""Whether a translation kept what no translation may touch, judged without any of Dragoman's own code.

Placeholders are found by a few expressions, HTML is read by Python's parser, Markdown by markdown-it. Each `lost_*` is
a pure function that names what is missing, new or out of its place; nothing named means intact.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from html.parser import HTMLParser

from markdown_it import MarkdownIt
from markdown_it.token import Token

from dragoman.types import Format

_HELD = re.compile(
    r"</?[a-zA-Z][^<>]*>"  # a tag
    r"|https?://[^\s<>\"'”)]*[\w/]|[\w.+-]+@[\w-]+\.\w[\w.]*"  # an address
    r"|%\(\w+\)[a-z]|%[sdifr]\b|\{\w*\}"  # a placeholder
)
_READ = frozenset({"alt", "title", "placeholder", "aria-label"})
_READ_OF = frozenset(
    {("meta", "content"), ("input", "value"), ("table", "summary"), ("th", "abbr"), ("option", "label")}
)
_BLOCKS = frozenset(
    {
        "article", "aside", "blockquote", "body", "br", "dd", "details", "div", "dl", "dt", "figure",
        "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "head", "header", "hr", "html", "li", "main",
        "nav", "ol", "p", "pre", "section", "table", "tbody", "td", "tfoot", "th", "thead", "title", "tr",
        "ul",
    }
)  # fmt: skip
_VERBATIM = frozenset({"code", "kbd", "pre", "samp", "script", "style", "svg", "textarea", "tt", "var"})
_VOID = frozenset({"br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})


def placeholders(text: str) -> Counter[str]:
    """The tags, addresses and placeholders of a plain text."""
    return Counter(_HELD.findall(text))


def without_placeholders(text: str) -> str:
    """The text with a space in the place of each."""
    return _HELD.sub(" ", text)


def lost_in_text(source: str, output: str) -> list[str]:
    """Tags, addresses and placeholders that are not there as often as in the source, and changed outer white space."""
    return [*_differing(placeholders(source), placeholders(output)), *_changed_lines(source, output)]


def lost_in_html(source: str, output: str) -> list[str]:
    """Tags, attributes, comments and verbatim stretches that differ, blocks out of order, tags that cross."""
    before, after = _Page(source), _Page(output)
    lost = _differing(Counter(before.kept), Counter(after.kept))
    if before.blocks != after.blocks:
        lost.append("the order of the blocks")
    if after.crossed > before.crossed:
        lost.append(f"{after.crossed - before.crossed} tags closed in the wrong place")
    return lost


def lost_in_markdown(source: str, output: str) -> list[str]:
    """Blocks, code, links, images and HTML that differ."""
    before, after = _Document(source), _Document(output)
    lost = _differing(Counter(before.kept), Counter(after.kept))
    if before.blocks != after.blocks:
        lost.append("the order of the blocks")
    return [*lost, *lost_in_html(before.html, after.html)]


LOST: Mapping[Format, Callable[[str, str], list[str]]] = {
    "text": lost_in_text,
    "html": lost_in_html,
    "markdown": lost_in_markdown,
}


def _is_read(tag: str, attribute: str) -> bool:
    """Whether people read this attribute, so that it may be translated."""
    return attribute in _READ or (tag, attribute) in _READ_OF


class _Page(HTMLParser):
    """What of a page must stay: `kept` anywhere in its block, `blocks` in this order; `crossed` counts bad nesting."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=False)
        self.kept: list[str] = []
        self.blocks: list[str] = []
        self.crossed = 0
        self._open: list[str] = []
        self._verbatim: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = [name if _is_read(tag, name) else f"{name}={value}" for name, value in attrs]
        self._keep(tag, f"<{' '.join([tag, *attributes])}>")
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self._keep_verbatim()
        self._keep(tag, f"</{tag}>")
        if self._open[-1:] == [tag]:
            self._open.pop()
        else:
            self.crossed += 1
            self._forget(tag)

    def handle_data(self, data: str) -> None:
        if not _VERBATIM.isdisjoint(self._open):
            self._verbatim.append(data)

    def handle_entityref(self, name: str) -> None:
        self.handle_data(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.handle_data(f"&#{name};")

    def handle_comment(self, data: str) -> None:
        self.kept.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.kept.append(f"<!{decl}>")

    def handle_pi(self, data: str) -> None:
        self.kept.append(f"<?{data}>")

    def _keep(self, tag: str, mark: str) -> None:
        self._keep_verbatim()
        (self.blocks if tag in _BLOCKS else self.kept).append(mark)

    def _keep_verbatim(self) -> None:
        if self._verbatim:
            self.kept.append("".join(self._verbatim))
            self._verbatim.clear()

    def _forget(self, tag: str) -> None:
        """Close what was left open inside the tag, as a browser does; a tag that was never opened closes nothing."""
        if tag in self._open:
            while self._open.pop() != tag:
                pass


class _Document:
    """What of a Markdown document must stay: `blocks` in this order, `kept` anywhere in its block, and its HTML."""

    def __init__(self, markdown: str) -> None:
        environment: dict[str, dict[str, object]] = {}
        tokens = _MARKDOWN.parse(markdown, environment)
        self.blocks = [_block(token) for token in tokens if token.type != "inline"]
        inline = [child for token in tokens for child in token.children or ()]
        self.kept = [*_inline(inline), *environment.get("references", {})]
        self.html = "\n".join(
            token.content for token in (*tokens, *inline) if token.type in ("html_block", "html_inline")
        )


_MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def _block(token: Token) -> str:
    verbatim = token.content if token.type in ("fence", "code_block") else ""
    return f"{token.type} {token.tag} {token.level} {token.info} {verbatim}"


def _inline(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type == "code_inline":
            yield f"`{token.content}`"
        elif token.type not in ("text", "softbreak", "html_inline", "text_special"):
            yield f"{token.type} {token.attrGet('href') or token.attrGet('src') or ''}"


def _differing(before: Counter[str], after: Counter[str]) -> list[str]:
    return [f"lost: {mark}" for mark in (before - after)] + [f"new: {mark}" for mark in (after - before)]


def _changed_lines(source: str, output: str) -> Iterator[str]:
    """White space at either end, and the count of lines: a catalogue's strings depend on both."""
    for name, edge in (("beginning", str.lstrip), ("end", str.rstrip)):
        if len(source) - len(edge(source)) != len(output) - len(edge(output)):
            yield f"white space at the {name}"
    if source.count("\n") != output.count("\n"):
        yield "line breaks"
