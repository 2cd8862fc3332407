"""Which elements of XML end a sentence: told by the caller, or found from where text stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from dragoman.text.markup_tokens import Element, Token
from dragoman.types import TagRules

_ROOT = 0
_INLINE = Element(ends_sentence=False)


class _Node(Struct):
    """An element: the place of the one around it, whether text stands in itself, and in how many of its children."""

    name: str
    parent: int
    has_text: bool = False
    children_with_text: int = 0


def outlined(tokens: Sequence[Token], rules: TagRules) -> Iterator[tuple[Token, Element]]:
    """Each token with its element; a closing tag has that of the opening one.

    With `rules.outline` an element is inline where it stands beside text or in an inline element. One that holds no
    text of its own but two or more elements that do is not: it sets out blocks, even if it stands beside text.
    """
    nodes, places = _tree(tokens)
    elements = _elements(nodes, rules)
    for token, place in zip(tokens, places, strict=True):
        yield token, _INLINE if place == _ROOT else elements[place]


def _tree(tokens: Sequence[Token]) -> tuple[list[_Node], list[int]]:
    """The elements in the order they open, and for each token the place of the element it is a tag of, or the root."""
    nodes = [_Node("", _ROOT)]
    places: list[int] = []
    open_places = [_ROOT]
    waiting: dict[str, int] = {}
    for token in tokens:
        place = _ROOT
        if token.kind == "text" and not token.raw.isspace():
            nodes[open_places[-1]].has_text = True
        elif token.kind in ("open", "empty"):
            place = len(nodes)
            nodes.append(_Node(token.name, open_places[-1]))
        if token.kind == "open":
            open_places.append(place)
            waiting[token.name] = waiting.get(token.name, 0) + 1
        elif token.kind == "close" and waiting.get(token.name):
            place = _close(token.name, nodes, open_places, waiting)
        places.append(place)
    return nodes, places


def _close(name: str, nodes: list[_Node], open_places: list[int], waiting: dict[str, int]) -> int:
    """Close the innermost open element of this name, and all in it that were never closed."""
    while True:
        place = open_places.pop()
        waiting[nodes[place].name] -= 1
        if nodes[place].name == name:
            return place


def _elements(nodes: list[_Node], rules: TagRules) -> list[Element]:
    for node in reversed(nodes[1:]):
        nodes[node.parent].children_with_text += bool(node.has_text or node.children_with_text)
    elements = [Element(ends_sentence=True)]
    for node in nodes[1:]:
        ends_sentence = _ends_sentence(node, nodes[node.parent], elements[node.parent], rules)
        elements.append(Element(ends_sentence, translate=False if node.name in rules.ignored else None))
    return elements


def _ends_sentence(node: _Node, around: _Node, element_around: Element, rules: TagRules) -> bool:
    if node.name in rules.non_splitting:
        return False
    if node.name in rules.splitting or not rules.outline:
        return node.name in rules.splitting
    if not element_around.ends_sentence:
        return False
    sets_out_blocks = not node.has_text and node.children_with_text > 1
    return not around.has_text or sets_out_blocks
