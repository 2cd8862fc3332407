"""HTML and XML cut into tags, text and the rest, byte for byte: the tokens join to the very same markup.

The parsers at hand give trees, or positions of some tokens only, so that what is not translated could not come back as
it was written. What a tag is follows the HTML standard; a `<` that starts none is text, and what is never closed, such
as a comment or a quoted value, reaches to the end, so that every pattern takes time that grows with the text alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from dragoman.text.markup_elements import HTML, RAW_TEXT, VOID
from dragoman.text.parts import Kind

_ATTRIBUTE = r"""[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|(?!["'])[^\s>]*+)|(?!\s*+=))"""
_TAG = rf"<(?P<close>/?)(?P<name>%s[^\s/<>]*+)(?:[\s/]++|{_ATTRIBUTE})*+>"
_COMMENT = r"<!--(?:-?>|.*?(?:--!?>|\Z))"
_CDATA = r"<!\[CDATA\[.*?(?:\]\]>|\Z)"
_DOCTYPE = r"<![Dd][Oo][Cc][Tt][Yy][Pp][Ee][^>\[]*+(?:\[[^\]]*+\]?)?+[^>]*+>?"
_OTHER = rf"(?P<other>{_COMMENT}|{_CDATA}|{_DOCTYPE}|%s)"
# What starts like a tag and never ends is lost to every parser; it must not be taken for words.
_UNFINISHED = r"(?P<unfinished></?%s.*+)"


def _pattern(name_start: str, other: str) -> re.Pattern[str]:
    return re.compile("|".join((_OTHER % other, _TAG % name_start, _UNFINISHED % name_start)), re.DOTALL)


_HTML = _pattern("[A-Za-z]", r"<(?:[!?]|/(?![A-Za-z]))[^>]*+>?")
_XML = _pattern("[A-Za-z_:\x80-\U0010ffff]", r"<\?.*?(?:\?>|\Z)|<![^>]*+>?")

_ONE_ATTRIBUTE = re.compile(
    r"""[\s/]*+(?P<name>[^\s/>][^\s/>=]*+)(?:\s*+=\s*+(?:"(?P<double>[^"]*+)"|'(?P<single>[^']*+)'|(?P<bare>[^\s>]*+)))?+"""
)
_AFTER_NAME = re.compile(r"</?[^\s/<>]*+")

TokenKind = Literal["text", "open", "close", "empty", "other", "rest"]


class Token(Struct, frozen=True):
    """A stretch of markup. `empty` tags have no content; `other` is all that is neither a tag nor text.

    The `rest` is what is `other` up to the end, where words put after it may not be words any more.
    """

    kind: TokenKind
    raw: str
    name: str = ""


class Element(Struct, frozen=True):
    """What a tag's element is to whoever reads blocks out of markup.

    Its edges end a sentence, or it is inline. `translate` is what it says of itself and all in it, None where it says
    nothing. What stands in an element that is `left_alone` is held, as of that `kind` and `bare` (see `Held`); so are
    inline tags without content.
    """

    ends_sentence: bool
    translate: bool | None = None
    left_alone: bool = False
    kind: Kind = "kept"
    bare: bool = False


class Attribute(Struct, frozen=True):
    """An attribute's value as it is written, at `tag[start:end]`, and the quote around it, "" where there is none."""

    name: str
    value: str
    start: int
    end: int
    quote: str


def html_tokens(text: str) -> Iterator[Token]:
    """The tokens of HTML, names in lower case. What stands in `script` and its like is one `other` token."""
    position = 0
    while position < len(text):
        token = _token(_HTML, text, position)
        if token.name:
            token = _html_tag(token)
        yield token
        position += len(token.raw)
        if token.kind == "open" and token.name in RAW_TEXT:
            closing = RAW_TEXT[token.name].search(text, position)
            end = closing.start() if closing else len(text)
            yield Token("other" if closing else "rest", text[position:end])
            position = end


def xml_tokens(text: str) -> Iterator[Token]:
    """The tokens of XML, well-formed or not."""
    position = 0
    while position < len(text):
        token = _token(_XML, text, position)
        yield token
        position += len(token.raw)


def attributes(tag: str) -> Iterator[Attribute]:
    """The attributes of a tag, names in lower case."""
    name = _AFTER_NAME.match(tag)
    position = name.end() if name else 0
    while found := _ONE_ATTRIBUTE.match(tag, position):
        group = next((one for one in ("double", "single", "bare") if found[one] is not None), None)
        if group:
            quote = {"double": '"', "single": "'", "bare": ""}[group]
            yield Attribute(found["name"].lower(), found[group], *found.span(group), quote)
        position = found.end()


def _token(pattern: re.Pattern[str], text: str, position: int) -> Token:
    found = pattern.match(text, position)
    if found is None:
        return Token("text", text[position : _next_tag(pattern, text, position)])
    if found["name"] is None:
        return Token("other" if found.end() < len(text) else "rest", found[0])
    if found["close"]:
        return Token("close", found[0], found["name"])
    return Token("empty" if found[0].endswith("/>") else "open", found[0], found["name"])


def _next_tag(pattern: re.Pattern[str], text: str, position: int) -> int:
    found = pattern.search(text, position + (text[position] == "<"))
    return found.start() if found else len(text)


def _html_tag(token: Token) -> Token:
    name = token.name.lower()
    if token.kind == "close":
        return Token("close", token.raw, name)
    # In HTML the slash of `<div/>` says nothing; that of an element nobody knows is meant.
    is_empty = name in VOID or (token.kind == "empty" and name not in HTML)
    return Token("empty" if is_empty else "open", token.raw, name)
