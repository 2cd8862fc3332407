"""What a chat model says around a translation, and the translation without it.

All of it is told from what the source holds too: a colon, a note in brackets, quotes or lines that the source has as
well are no chatter.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from dragoman import languages
from dragoman.text.checks.length import is_far_longer
from dragoman.types import Finding, Pair

_HEAD = re.compile(r"(?P<head>[^:：\n]{1,100})[:：\n](?:\*\*)?\s*")
_ABOUT_TRANSLATION = re.compile(
    r"\b(?:translat(?:ion|ed)|traduction|tradui[ts]|übersetz(?:ung|t)|traducción|traducido|tradução|traduzid[oa]"
    r"|traduzione|tradotto|vertaling|vertaald|перевод|переклад|превод|tłumaczenie|çevir[ia]|tercüme|översättning"
    r"|oversættelse|oversettelse|překlad|preklad|prijevod|prevod|traducere|fordítás|käännös|tõlge|vertimas|tulkojums"
    r"|μετάφραση|bản dịch|terjemahan|tafsiri)"
    r"|翻訳|訳文|翻译|翻譯|译文|譯文|번역|ترجم[ةه]|תרגום|अनुवाद|অনুবাদ|คำแปล",
    re.IGNORECASE,
)
_OPENER = re.compile(r"[\W_]*(?:sure|certainly|of course|absolutely|okay|here(?:['’]s| is| are))\b", re.IGNORECASE)
_LANGUAGE_NAME = re.compile(
    r"[\W_]*(?:deutsch|français|español|português|italiano|nederlands|svenska|polski|türkçe|русский|українська"
    r"|日本語|中文|[简簡繁][体體]中文|한국어|العربية|हिन्दी)[\W_]*",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"(?:i['’]m sorry|i am sorry|sorry|as an ai|i cannot|i can['’]t|i am unable|i['’]m unable)\b"
    r".{0,80}(?:translat|provide|assist|help|language model)",
    re.IGNORECASE,
)
_NOTE_WORDS = (
    r"(?:translator['’]?s? note|notes?|explanation|alternative(?:ly|s)?|literal(?:ly)?|breakdown|anmerkung|hinweis"
    r"|erklärung|wörtlich|remarque|explication|littéralement|notas?|explicación|literalmente|explicação|spiegazione"
    r"|letteralmente|opmerking|примечани[ея]|буквально|uwaga|dosłownie|not|açıklama|注[意释釋]?|备注|備考|補足|説明|说明"
    r"|참고|설명|ملاحظة|नोट|टिप्पणी)"
)
_NOTE_IN_BRACKETS = re.compile(
    rf"[(\[（【]\s{{0,3}}{_NOTE_WORDS}\s{{0,3}}[:：,][^()\[\]（）【】]*[)\]）】]\Z", re.IGNORECASE
)
_NOTE_LINE = re.compile(rf"[\s*_(\[（]{{0,6}}{_NOTE_WORDS}\s{{0,3}}(?:[:：*,]|\Z)", re.IGNORECASE)
_FENCE = re.compile(r"```[a-z]{0,12}\n?(?P<inside>.*)```", re.IGNORECASE | re.DOTALL)
_AROUND = (
    ('"', '"'),
    ("“", "”"),
    ("„", "“"),
    ("„", "”"),
    ("«", "»"),
    ("「", "」"),
    ("『", "』"),
    ("**", "**"),
    ("`", "`"),
)
_QUOTES = frozenset("\"“”„«»「」『』`'‘’*")
_OPENING_BRACKETS = frozenset("([（【")
_CLOSING_BRACKETS = frozenset(")]）】")


def chatter(source: str, output: str, pair: Pair) -> Finding | None:
    """Words around the translation, lines after it, or far more than the source can need."""
    is_plain = _is_plain(source, output)
    if not is_plain and any(strip(source, output, pair.target) != output for strip in _STRIPS):
        return Finding("chatter", f"The model added to the translation: {output[:60]}")
    if languages.base(pair.target) != "en" and _REFUSAL.match(output):
        return Finding("chatter", f"The model talks instead of translating: {output[:60]}")
    if "\n" in output.strip() and "\n" not in source:
        return Finding("chatter", "The translation has several lines, its source has one.")
    if is_far_longer(source, output, pair):
        return Finding("chatter", "The translation is far longer than its source.")
    return None


def without_chatter(source: str, output: str, target: str) -> str:
    """The output without fences, quotes or bold type around it, a header before it and a note after it.

    Whatever the source has as well stays, and so does everything if no words would be left.
    """
    if _is_plain(source, output):
        return output
    for _ in _STRIPS:  # each may uncover another
        for strip in _STRIPS:
            shorter = strip(source, output, target)
            output = shorter if any(map(str.isalnum, shorter)) else output
    return output


def _is_plain(source: str, output: str) -> bool:
    """Say whether nothing can be stripped: no header's end, fence, quote in front or bracket behind. Nearly all are."""
    ends = output.strip()
    if ends[:1] in _QUOTES or ends[-1:] in _CLOSING_BRACKETS or "\n" in output:
        return False
    marks = _marks(output)
    return not marks or marks <= _marks(source)


def _without_fence(source: str, output: str, target: str) -> str:
    fenced = _FENCE.fullmatch(output.strip()) if "```" not in source else None
    return fenced["inside"].strip() if fenced and "```" not in fenced["inside"] else output


def _without_quotes(source: str, output: str, target: str) -> str:
    """Only where the source has no quotes at all, and the ones outside are the only ones."""
    whole = output.strip()
    if _QUOTES.isdisjoint(whole[:1]) or not _QUOTES.isdisjoint(source):
        return output
    for opening, closing in _AROUND:
        inside = whole.removeprefix(opening).removesuffix(closing)
        if len(inside) == len(whole) - len(opening) - len(closing) and opening not in inside and closing not in inside:
            return inside.strip()
    return output


def _without_header(source: str, output: str, target: str) -> str:
    """`Here is the translation:`, `Übersetzung:`, `German:`, unless the source has as many colons or such a header."""
    if _marks(source) >= _marks(output) or _header(source, target):
        return output
    header = _header(output, target)
    return output[header.end() :] if header else output


def _header(text: str, target: str) -> re.Match[str] | None:
    header = _HEAD.match(text)
    return header if header and _is_talk(header["head"], target) else None


def _is_talk(head: str, target: str) -> bool:
    if _OPENER.match(head) or _LANGUAGE_NAME.fullmatch(head) or _ABOUT_TRANSLATION.search(head):
        return True
    name = re.sub(r"\(.*|[*_#\s]+", "", head)
    return name.casefold() == languages.english_name(target).casefold()


def _marks(text: str) -> int:
    """How many colons and line breaks, the ends of headers."""
    return text.count(":") + text.count("：") + text.count("\n")


def _without_note(source: str, output: str, target: str) -> str:
    """`(Note: …)` at the end or `Note: …` on a line of its own, unless the source has brackets or lines too."""
    if "\n" not in source and "\n" in output:
        output = _without_note_lines(output)
    if not _OPENING_BRACKETS.isdisjoint(source):
        return output
    note = _NOTE_IN_BRACKETS.search(output.rstrip()) if output.rstrip()[-1:] in _CLOSING_BRACKETS else None
    return output[: note.start()].rstrip() if note else output


def _without_note_lines(output: str) -> str:
    lines = output.split("\n")
    first = next((index for index, line in enumerate(lines) if index and _NOTE_LINE.match(line)), None)
    return output if first is None else "\n".join(lines[:first]).rstrip()


_STRIPS: tuple[Callable[[str, str, str], str], ...] = (
    _without_fence,
    _without_quotes,
    _without_header,
    _without_note,
)
