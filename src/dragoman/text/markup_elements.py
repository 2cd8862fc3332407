"""What Dragoman knows of HTML's elements and attributes (HTML Living Standard, sections 4 and 15)."""

from __future__ import annotations

import re


def _names(spaced: str) -> frozenset[str]:
    return frozenset(spaced.split())


VOID = _names("area base br col embed hr img input link meta param source track wbr")
"""Elements without content or closing tag."""

BLOCK = _names(
    "address article aside base blockquote body br caption center col colgroup dd details dialog dir div dl dt "
    "fieldset figcaption figure footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html iframe legend "
    "li link main menu meta nav noframes object ol optgroup option p plaintext pre search section select summary table "
    "tbody td template tfoot th thead title tr track ul video audio xmp listing"
)
"""Elements at whose edges a sentence ends. All others are inline, unknown ones too.

`<br>` is among them: a reader sees a new line, as of an address or a poem, and so does plain text at its line breaks.
"""

_INLINE = _names(
    "a abbr acronym applet area b basefont bdi bdo big blink button canvas cite code data datalist del dfn em embed "
    "font i img input ins kbd label map mark marquee math meter nobr noembed noscript output param picture progress q "
    "rb rp rt rtc ruby s samp script slot small source span strike strong style sub sup svg textarea time tt u var wbr"
)
HTML = BLOCK | _INLINE
"""Every element that HTML has or had."""

CODE = _names("code kbd samp var tt pre listing xmp plaintext")
"""Elements whose content is left alone and stands for words."""

SILENT = _names("script style svg canvas iframe noembed noframes object template")
"""Elements whose content is left alone and says nothing in a sentence."""

LEFT_ALONE = CODE | SILENT | {"math", "textarea"}
"""Elements whose content is not translated."""

RAW_TEXT = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE)
    for name in _names("script style textarea xmp iframe noembed noframes")
}
"""Elements whose content holds no tags, each with what ends it."""

IMPLIED_END = {
    **dict.fromkeys(BLOCK - {"br"}, frozenset({"p"})),
    "li": frozenset({"li", "p"}),
    "dt": frozenset({"dt", "dd", "p"}),
    "dd": frozenset({"dt", "dd", "p"}),
    "option": frozenset({"option"}),
    "optgroup": frozenset({"option"}),
    "tr": frozenset({"tr", "td", "th", "p"}),
    "td": frozenset({"td", "th", "p"}),
    "th": frozenset({"td", "th", "p"}),
}
"""The open elements that the opening tag of each of these ends."""

_READ_OF_ANY = _names("alt title placeholder aria-label aria-description aria-placeholder")
_READ = {
    "option": frozenset({"label"}),
    "optgroup": frozenset({"label"}),
    "track": frozenset({"label"}),
    "th": frozenset({"abbr"}),
    "table": frozenset({"summary"}),
}
_BUTTONS = frozenset({"submit", "reset", "button"})
_META = _names(
    "description og:title og:description og:site_name og:image:alt twitter:title twitter:description twitter:image:alt"
)


def is_read(element: str, attribute: str, values: dict[str, str]) -> bool:
    """Whether people read this attribute; `values` are all of the tag's, some of which change what another means."""
    if element == "input" and attribute == "value":
        return values.get("type", "").lower() in _BUTTONS
    if element == "meta" and attribute == "content":
        return (values.get("name") or values.get("property", "")).lower() in _META
    return attribute in _READ_OF_ANY or attribute in _READ.get(element, ())
