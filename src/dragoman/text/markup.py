"""HTML and XML read into parts: whole blocks are runs, with inline tags held in them; all else is kept byte for byte.

What holds: `parts.written(read(text), parts.as_it_was)` is the text again, to the last byte, for any string, with one
exception: where one run spells an apostrophe, an ampersand or a letter beyond ASCII in the middle of a word in two
ways (`don't` and `can&#39;t`), all of them come back in one way. Broken markup is read as far as it can be, and
nothing raises.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from dragoman.text.markup_block import TEXT, Block, Piece, merged, value_parts
from dragoman.text.markup_elements import BLOCK, CODE, HTML, IMPLIED_END, LEFT_ALONE, SILENT, is_read
from dragoman.text.markup_outline import outlined
from dragoman.text.markup_tokens import Element, Token, attributes, html_tokens, xml_tokens
from dragoman.text.parts import Kind, Part
from dragoman.types import TagRules

_NO_ELEMENT = Element(ends_sentence=False)


def read_html(text: str) -> tuple[Part, ...]:
    """HTML, a page or a fragment, as parts.

    Left alone are comments, scripts, styles, code, what has `translate="no"` or the class `notranslate` (until
    `translate="yes"`), and all attributes but those that people read. White space that a reader sees as one space is
    shown as one; references to what cannot be seen, such as `&nbsp;`, are held.
    """
    tokens = ((token, _html_element(token)) for token in html_tokens(text))
    return _Reader(lambda: Block(TEXT), html_tag, IMPLIED_END).read(tokens)


def read_xml(text: str, rules: TagRules) -> tuple[Part, ...]:
    """XML, a document or a fragment, as parts. What ends a sentence, and what is left alone, is found by `rules`."""
    tokens = outlined(list(xml_tokens(text)), rules)
    return _Reader(lambda: Block(TEXT, is_xml=True), lambda token: (token.raw,), {}).read(tokens)


def _html_element(token: Token) -> Element:
    if not token.name:
        return _NO_ELEMENT
    name = token.name
    translate = None
    if token.kind in ("open", "empty"):
        translate = _translate(token.raw)
    kind: Kind = "code" if name in CODE else "tag" if token.kind == "empty" else "kept"
    # `<x/>` of an unknown element is somebody's placeholder; the known ones without content say nothing.
    bare = name in SILENT or (token.kind == "empty" and name in HTML)
    return Element(name in BLOCK, translate, name in LEFT_ALONE, kind, bare)


def _translate(tag: str) -> bool | None:
    """What a tag says of translating it, by attribute or by class."""
    if "translate" not in tag.lower():
        return None
    for attribute in attributes(tag):
        if attribute.name == "translate":
            return {"yes": True, "": True, "no": False}.get(attribute.value.lower())
        if attribute.name == "class" and "notranslate" in attribute.value.split():
            return False
    return None


def is_left_alone(token: Token) -> bool:
    """Whether what stands between this opening tag of HTML and its closing one is not to be translated."""
    element = _html_element(token)
    return element.left_alone if element.translate is None else not element.translate


def html_tag(token: Token) -> tuple[Part, ...]:
    """An opening tag of HTML as parts: the attributes that people read are runs."""
    if "=" not in token.raw:
        return (token.raw,)
    found = list(attributes(token.raw))
    values = {attribute.name: attribute.value for attribute in found}
    parts: list[Part] = []
    position = 0
    for attribute in found:
        if is_read(token.name, attribute.name, values):
            parts += (token.raw[position : attribute.start], *value_parts(attribute.value, attribute.quote))
            position = attribute.end
    return (*parts, token.raw[position:])


class _Open(Struct):
    """An element that is open: whether its content is translated, and its tag if that stands in `block`."""

    name: str
    element: Element
    is_read: bool
    tag: Piece | None = None
    block: Block | None = None


class _Reader:
    """Gathers tokens into blocks and blocks into parts; it knows which elements are open."""

    def __init__(
        self,
        new_block: Callable[[], Block],
        tag_parts: Callable[[Token], tuple[Part, ...]],
        implied_end: Mapping[str, frozenset[str]],
    ) -> None:
        self.new_block = new_block
        self.tag_parts = tag_parts
        self.implied_end = implied_end
        self.parts: list[Part] = []
        self.block = new_block()
        self.open: list[_Open] = []
        self.open_names: Counter[str] = Counter()
        self.inline_names: list[Counter[str]] = [Counter()]
        self.twins = 0

    def read(self, tokens: Iterable[tuple[Token, Element]]) -> tuple[Part, ...]:
        for token, element in tokens:
            match token.kind:
                case "open" | "empty":
                    self._begin(token, element)
                case "close":
                    self._end(token, element)
                case "text" if self._is_read():
                    self.block.markup(token.raw)
                case "rest":
                    self._flush()
                    self.parts.append(token.raw)
                case _:
                    self._hold(token.raw)
        self._flush()
        return merged(self.parts)

    def _is_read(self) -> bool:
        return self.open[-1].is_read if self.open else True

    def _hold(self, raw: str) -> None:
        """Keep what is left alone, as what the element it stands in stands for; a comment stands for nothing."""
        if self._is_read():
            self.block.hold(raw, "tag", bare=not raw.startswith("<![CDATA["))
        else:
            self.block.hold(raw, self.open[-1].element.kind, bare=self.open[-1].element.bare)

    def _begin(self, token: Token, element: Element) -> None:
        self._end_implied(token.name)
        around = self.open[-1].element if self.open else None
        if around and around.left_alone and not self._is_read() and element.translate is None:
            # A `<title>` in an `<svg>` is no block of the page.
            element = around
        is_read = self._is_read() if element.translate is None else element.translate
        parts = self.tag_parts(token) if is_read else (token.raw,)
        opened = _Open(token.name, element, is_read and (element.translate is True or not element.left_alone))
        if element.ends_sentence:
            self._flush()
            self.parts += parts
        elif opened.is_read:
            opened.tag = self.block.tag(token.raw, parts, bare=element.bare or token.kind == "open")
            opened.block = self.block
        else:
            self.block.hold(token.raw, element.kind, parts, bare=element.bare)
        if token.kind == "open":
            self._push(opened)

    def _end(self, token: Token, element: Element) -> None:
        opened = self._pop(token.name, element)
        if (opened.element if opened else element).ends_sentence:
            self._flush()
            self.parts.append(token.raw)
        elif opened and not opened.is_read:
            self.block.hold(token.raw, opened.element.kind, bare=opened.element.bare)
        elif not opened and not self._is_read():
            self._hold(token.raw)
        else:
            self.twins += 1
            self.block.close(token.raw, opened.tag if opened and opened.block is self.block else None, self.twins)

    def _flush(self) -> None:
        self.parts += self.block.parts()
        self.block = self.new_block()

    def _end_implied(self, name: str) -> None:
        """Close what the opening tag of this name closes without saying so."""
        ended = self.implied_end.get(name, frozenset())
        while self.open and self.open[-1].name in ended:
            self._drop()

    def _push(self, opened: _Open) -> None:
        self.open.append(opened)
        self.open_names[opened.name] += 1
        if opened.element.ends_sentence:
            self.inline_names.append(Counter())
        else:
            self.inline_names[-1][opened.name] += 1

    def _pop(self, name: str, element: Element) -> _Open | None:
        """Close the innermost open element of this name and all in it. An inline tag closes no block."""
        names = self.open_names if element.ends_sentence else self.inline_names[-1]
        if not names[name]:
            return None
        while (dropped := self._drop()).name != name:
            pass
        return dropped

    def _drop(self) -> _Open:
        dropped = self.open.pop()
        self.open_names[dropped.name] -= 1
        if dropped.element.ends_sentence:
            self.inline_names.pop()
        else:
            self.inline_names[-1][dropped.name] -= 1
        return dropped
