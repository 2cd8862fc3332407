"""The shapes of what a text holds that is no words: placeholders of all dialects, tags, paths, code, emoji, quantities.

Every pattern takes time that grows with the text alone: what repeats is possessive or bounded, and a look-behind keeps
a word from being tried at each of its characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from dragoman.text import icu
from dragoman.text.addresses import ADDRESS
from dragoman.text.marks import LOOKALIKE
from dragoman.text.parts import Kind

TAG = re.compile(
    r"""<(?P<close>/?)(?P<name>[A-Za-z][\w:.-]*+|\d{1,6})
        (?P<attributes>(?:\s++(?:[\w:@.#()\[\]*-]++\s*+=\s*+(?:"[^"<]*+"|'[^'<]*+'|[^\s"'<>=]++)
            |(?:async|autofocus|checked|controls|defer|disabled|hidden|loop|multiple|muted|novalidate|open|readonly
               |required|selected|\.\.\.|…)(?=[\s/>])))*+)
        \s*+(?P<alone>/?)>""",
    re.VERBOSE,
)
"""One tag; `name` is a number in the markup of some catalogues: `<0>here</0>`."""

# Scripts that set no space between words, and Hangul, where particles follow a name without one.
_UNSPACED = "\u0e00-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u318f\u31f0-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
_VOWEL_SIGNS = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u0900-\u0963\u0966-\u0dff"
_LETTER = rf"(?![{_UNSPACED}])\w"
IN_WORD = rf"(?:{_LETTER}|[{_VOWEL_SIGNS}])"
"""A pattern of one character beside which a word goes on, in scripts that set words apart."""

_LONGEST_BRACES = 300
_SPACE = "[ \u00a0\u202f]"
_NUMBER = r"(?:\d{1,3}(?:[ ]\d{3})++(?!\d)|\d++(?:[.,'’\u00a0\u202f]\d++){0,9}+)"
# Not here, because they are words or numerals somewhere when a space stands before: in, ha, mi, em, s, k, A, B, N.
_UNIT = (
    r"(?:[kMGTPdcmµμn](?:g|m|l|L|B|b|bit|Bit|Hz|W|Wh|V|A|Ah|Pa|J|cal|eV|F|Ω)|[kMGT]i?(?:B|b|bit)ps|[kMGT]i[Bb]"
    r"|[mµμn]s|[Mk]px|kWp|hPa|g|m|l|L|t|h|W|V|Hz|Ω|min|lbs?|oz|ft|yd|mph|kph|rpm|fps|[dp]pi|px|dB|bar|psi|cal|mol"
    r"|ppm|Nm|°[CFRK]?|[℃℉])(?:[²³]|\^?[23](?!\d))?"
)
_CLOSE_UNIT = r"(?:[pikKMxAVDGB]|r?em|ha|mi|in|pt|v[hw]|MP)"
_QUANTITY = rf"""(?=[-−+±\dvV])(?<!{_LETTER})(?:
    (?<![.,:/%$-])[-−+±]?{_NUMBER}(?:{_SPACE}?[-–—×x~/]{_SPACE}?{_NUMBER})?
        (?:{_SPACE}?{_UNIT}(?:/(?:{_UNIT}|s|in))?|{_CLOSE_UNIT})(?!{IN_WORD}|['’])
    |(?<![.,:/-])\d{{1,5}}{_SPACE}?[x×]{_SPACE}?\d{{1,5}}(?!{IN_WORD})
    |(?<![.,:/-])\d{{1,3}}:(?:\d|\d{{3,9}})(?![\d:]|[.,]\d)
    |(?<![.-])[vV]\d{{1,9}}(?:\.\d{{1,9}}){{0,4}}(?:-\w{{1,20}}(?:\.\w{{1,20}}){{0,3}}+)?+(?!{IN_WORD})
    |(?<![.,:/-])(?!\d{{1,2}}\.\d{{1,2}}\.(?:\d\d){{1,2}}(?![\d.]))(?!\d{{1,3}}(?:\.\d{{3}})+(?![\d.]))
        \d{{1,9}}(?:\.\d{{1,9}}){{2,5}}(?!{IN_WORD})
)"""

_CONVERSION = r"(?:\d{1,2}\$)?[-+0\#]*+(?:\d{1,4}|\*)?(?:\.(?:\d{1,4}|\*))?(?:hh|ll|[hlLqjzt])?[diouxXeEfFgGcCsSp@]"
# `100 % sure` and `50%de` are percentages: a space is never taken for a flag, and after a number no letter may follow.
_NO_PERCENTAGE = rf"(?<![0-9]%)(?<![0-9]{_SPACE}%)"
_PRINTF = rf"""%(?:
    \([^()\n]{{1,80}}\)[-+0\#]*+\d{{0,4}}(?:\.\d{{1,4}})?[diouxXeEfFgGcrsa]
    |<\w{{1,80}}>[-+0\#]*+\d{{0,4}}(?:\.\d{{1,4}})?[a-zA-Z]
    |[A-Z][A-Z0-9_]++%
    |%
    |{_NO_PERCENTAGE}{_CONVERSION}(?:(?=[A-Za-z]{{0,3}}(?![A-Za-z]))|[A-Za-z]++)
    |{_CONVERSION}(?![^\W\d_])
    |{_NO_PERCENTAGE}L?[1-9](?![\d.,])
    |{_NO_PERCENTAGE}[-_0^\#]?[a-zA-Z](?![^\W\d_])
)"""

_IN_NAME = rf"(?:(?![{_UNSPACED}])[\w.@+~%-])"
_STEM = rf"(?:(?![{_UNSPACED}])[\w@+~%-])"
_IN_WINDOWS_NAME = rf"""(?:(?![{_UNSPACED}])[^\s\\/:*?"<>|])"""
_EXTENSION = (
    "7z|avi|bat|bmp|bz2|cfg|conf|cpp|cs|css|csv|dll|docx?|ebook|env|epub|exe|gif|gz|html?|ico|ini|ipynb|jar|java|jpe?g"
    "|js|json|jsx|kt|lock|log|lua|md|mk[dv]|mo|mov|mp[34]|odt|ogg|pdf|php|pl|png|po|pot|ppt|pptx|ps1|pyc?|rar|rb|rs|rst"
    "|rtf|scss|sh|so|sql|sqlite3?|svg|tar|tex|tiff?|toml|ts|tsv|tsx|ttf|txt|vue|wav|webm|webp|whl|xlsx?|xml|ya?ml|zip"
)
_ABSOLUTE_PATH = rf"/(?<!{_LETTER}/)(?<![/<:.)}}-]/)(?:{_IN_NAME}++/)++{_IN_NAME}*+"
_DOTTED_PATH = rf"(?=[~.])(?<!{_LETTER})(?<![./~-])(?:~|\.\.?)/(?:{_IN_NAME}|[/*])++"
_RELATIVE_PATH = rf"""(?={_STEM})(?<!{_LETTER})(?<![./~@+%-])
    (?:{_IN_NAME}++/)++{_STEM}++(?:\.{_STEM}{{1,40}}+){{0,4}}\.[A-Za-z][A-Za-z0-9]{{0,9}}(?!{IN_WORD}|-)"""
_WINDOWS_PATH = (
    rf"(?:(?<!{_LETTER})[A-Za-z]:\\{_IN_WINDOWS_NAME}*+|(?<!\\)\\\\[\w.$-]++)(?:\\{_IN_WINDOWS_NAME}++)*+\\?"
)
_FILE = rf"""(?={_STEM}|\*)(?<!{_LETTER})(?<![*./~@+%-])
    (?:\*\.[A-Za-z0-9]{{1,10}}|{_STEM}++(?:\.{_STEM}{{1,40}}+){{0,4}}\.(?:{_EXTENSION}))(?!{IN_WORD}|[@-])"""

_PICTURE = (
    "[\U0001f000-\U0001f1e5\U0001f200-\U0001f3fa\U0001f400-\U0001faff"
    "\u231a\u231b\u23e9-\u23fa\u2600-\u2767\u2795-\u27bf\u2b1b\u2b1c\u2b50\u2b55]"
)
_EMOJI_ONE = f"(?:{_PICTURE}\ufe0f?|[©®\u203c-\u3299]\ufe0f)[\U0001f3fb-\U0001f3ff]?[\U000e0020-\U000e007f]*+"
_EMOJI_SIGNS = "\u20e3\ufe0f\u231a-\u27bf\u2b1b-\u2b55\U0001f000-\U0001faff"
_EMOJI = (
    f"(?=[0-9\\#*]\ufe0f?\u20e3|[©®\u203c-\u3299\U0001f000-\U0001faff])"
    f"(?:{_EMOJI_ONE}(?:\u200d{_EMOJI_ONE})*+|[0-9\\#*]\ufe0f?\u20e3|[\U0001f1e6-\U0001f1ff]{{2}}"
    f"|[\U0001f3fb-\U0001f3ff])++"
)


class Shape(Struct, frozen=True):
    """A pattern of one kind of thing; `trigger` is found fast in every text that holds one, and seldom in others."""

    kind: Kind
    trigger: re.Pattern[str]
    pattern: re.Pattern[str]


def _shape(kind: Kind, trigger: str, pattern: str | re.Pattern[str]) -> Shape:
    compiled = re.compile(pattern, re.VERBOSE) if isinstance(pattern, str) else pattern
    return Shape(kind, re.compile(trigger), compiled)


SHAPES = (
    _shape("address", r":/|www\.|@", ADDRESS),
    _shape("tag", "<", TAG),
    _shape("tag", "<[!?]", r"<!--[^<>]{0,500}-->|<![A-Za-z][^<>]{0,300}>|<\?[A-Za-z][^<>]{0,300}\?>"),
    _shape("tag", "&", r"&(?:[A-Za-z][A-Za-z0-9]{1,31}|\#\d{1,7}|\#[xX][0-9A-Fa-f]{1,6});"),
    _shape("placeholder", "[<＜〈⟨{｛]|&lt;", LOOKALIKE),
    _shape("placeholder", "%", _PRINTF),
    _shape(
        "placeholder", r"\$", rf"\$(?:t\([^()\n]{{1,200}}\)|(?<!{_LETTER}\$)(?<!\$\$)[A-Za-z_][A-Za-z0-9_]{{0,60}}+)"
    ),
    _shape(
        "placeholder",
        ":[A-Za-z0-9_]{2}",
        r""":(?<![^\s("']:)(?:[a-z0-9_+-]{2,40}+:|[A-Za-z][A-Za-z0-9_]{1,40}+)(?![\w:])""",
    ),
    _shape("code", "`", r"(?<![\w`])(`{1,3})(?![\s`])[^`\n]{1,500}(?<!\s)\1(?![\w`])"),
    _shape("path", "/", _ABSOLUTE_PATH),
    _shape("path", r"[~.]/", _DOTTED_PATH),
    _shape("path", r"/[^\s/]{1,80}\.[A-Za-z]", _RELATIVE_PATH),
    _shape("path", r"\\", _WINDOWS_PATH),
    _shape("path", rf"\.(?:{_EXTENSION})|\*\.", _FILE),
    _shape("quantity", r"\d", _QUANTITY),
    _shape("emoji", f"[{_EMOJI_SIGNS}]", _EMOJI),
)

# In whatever is found here, braces with it, there is one of these; of full stops only those inside of something.
_TRACE = re.compile(rf"[.:@<＜〈⟨{{｛&%$`/\\~*\d{_EMOJI_SIGNS}](?:(?<!\.)|(?=\S))")
_IS_PLACEHOLDER = re.compile(
    r"\s*[^\s{}]*\s*"  # {0} {name} {user.name!r:>10} { name }
    r"|%.*%|#.*#"  # {% tag %} {# comment #}
    r"|\s*[\w.$\[\]]+\s*(?:\||![rsa]|\s\?\s).*"  # {name | filter: 'x'}
    r"|\s*[\w.$\[\]]+\s*,\s*(?:-?\d|(?:number|date|time|spellout|ordinal|duration|choice)\b).*"
    r"|\s*[\w.$\[\]]+(?:![rsa])?:\S.*",  # {date:%d %B}
    re.DOTALL,
)
_BRACES = re.compile("[{}]")


def is_plain(text: str) -> bool:
    """Whether a text certainly holds no shape and no braces, as most do: a faster way to find none."""
    return not _TRACE.search(text)


def shapes_in(text: str) -> Iterator[tuple[int, int, Kind]]:
    """Where something stands in the text that is no words, and what kind of thing it is; they may overlap."""
    for shape in SHAPES:
        if shape.trigger.search(text):
            for match in shape.pattern.finditer(text):
                yield match.start(), _trimmed_end(match, shape.kind), shape.kind


def _trimmed_end(match: re.Match[str], kind: Kind) -> int:
    """Where an address or a path ends: the full stop after it is the sentence's, and so are the like of it."""
    if kind == "path":
        return match.start() + len(match.group().rstrip("."))
    if kind != "address":
        return match.end()
    address = match.group()
    end, unopened = len(address), address.count(")") - address.count("(")
    while address[end - 1] in ".,;:!?'" or (address[end - 1] == ")" and unopened > 0):
        unopened -= address[end - 1] == ")"
        end -= 1
    return match.start() + end


def braces_in(text: str) -> Iterator[tuple[int, int]]:
    """Every pair of braces that holds no prose, with the sign before it; a broken ICU message goes with its line."""
    opened: list[int] = []
    for brace in _BRACES.finditer(text):
        if brace.group() == "{":
            opened.append(brace.start())
        elif opened:
            start = opened.pop()
            if _is_placeholder(text, start, brace.end()):
                yield start - (start > 0 and text[start - 1] in "$#%@"), brace.end()
    yield from _unclosed_messages(text, opened)


def _unclosed_messages(text: str, opened: list[int]) -> Iterator[tuple[int, int]]:
    end = 0
    for start in opened:
        if start >= end and icu.HEAD.match(text, start):
            end = _line_end(text, start)
            yield start, end


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _is_placeholder(text: str, start: int, end: int) -> bool:
    if end - start > _LONGEST_BRACES:
        return icu.HEAD.match(text, start) is not None
    inside = text[start + 1 : end - 1]
    return "{" in inside or _IS_PLACEHOLDER.fullmatch(inside) is not None or icu.HEAD.match(text, start) is not None
