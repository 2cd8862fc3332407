"""What the simulator says: a text that looks like a translation, has the length of one, and plainly is none.

Each word becomes an invented word in the letters of the target language, always the same one for the same word and
language. Numbers, punctuation, placeholders, tags and addresses stay, so that whatever works on translations (checks,
restored markup, layouts) has something true to work on. It opens with the target's code in circled letters, which are
symbols and not letters: a check of the script sees only the invented words. A second attempt at a text invents other
words than the first.
"""

from __future__ import annotations

import math
import random
import re
from functools import lru_cache
from zlib import crc32

from msgspec import Struct

from dragoman import languages
from dragoman.errors import UnknownLanguage
from dragoman.types import Pair

_BYTES_PER_TOKEN = 5
"""In UTF-8. Measured with Gemma's vocabulary, one sentence each: en 4.9, de 4.0, zh 5.7, ja 5.7, ru 6.8."""
_WORD_LETTERS = 6
_MAX_WORD_LETTERS = 60
_CACHED_WORDS = 20_000

_CIRCLED = {ord(letter): chr(0x24D0 + place) for place, letter in enumerate("abcdefghijklmnopqrstuvwxyz")}

_KEPT = (
    r"https?://\S+|www\.\S+|[\w.+-]{1,64}@[\w-]+\.[\w.-]+|\{[^{}\s]*\}|%\(\w+\)[a-z]|%[sdifgxu@]|</?[a-zA-Z][^<>]*>|&#?\w+;"
    r"|<[^<>\s]+>|⟦[^⟦⟧]*⟧|\[/?\w{0,3}\d+/?\]|\$\{?\w+\}?"
)
_MAY_HOLD_KEPT = re.compile(r"[@/{%<&⟦\[$]|www")
# Signs that stand on or beside a letter are no \w to Python; the dandas of the Indic blocks are punctuation.
_MARK = (
    r"[\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed"
    r"\u0900-\u0963\u0970-\u0de5\u0df0-\u0e4e\u0e80-\u0ecf\u0f18-\u0fbf\u1000-\u103f\u1780-\u17d3]"
)


class _Alphabet(Struct, frozen=True):
    """Letters of one script. `density` is how many of them say what one Latin letter says."""

    consonants: str
    vowels: str
    density: float = 1.0


def _letters(first: int, count: int) -> str:
    return "".join(map(chr, range(first, first + count)))


_DEVANAGARI = _Alphabet("कचटणतनपमयरल", "ािीुे", 0.9)


def _indic(block: int) -> _Alphabet:
    # The Indic blocks of Unicode lie parallel: the same letter has the same place in each.
    shift = dict.fromkeys(range(0x0900, 0x0980), 0) | {code: code - 0x0900 + block for code in range(0x0900, 0x0980)}
    return _Alphabet(_DEVANAGARI.consonants.translate(shift), _DEVANAGARI.vowels.translate(shift), 0.9)


_LATIN = _Alphabet("bdfgklmnprstvz", "aeiou", 1.1)
_ALPHABETS = {
    "Latn": _LATIN,
    "Cyrl": _Alphabet("бвгдзклмнпрстх", "аеиоу", 1.1),
    "Grek": _Alphabet("βγδζθκλμνπρτφχ", "αειοη", 1.1),
    "Armn": _Alphabet("բգդզլկմնպստր", "աեիո", 1.1),
    "Geor": _Alphabet("ბგდზთკლმნპრსტ", "აეიოუ", 1.1),
    "Arab": _Alphabet("بتجدرزسفقلمن", "اوي", 0.85),
    "Hebr": _Alphabet("בגדהזחטלמנסקרשת", "אוי", 0.8),
    "Thaa": _Alphabet(_letters(0x0780, 15), _letters(0x07A6, 6)),
    "Nkoo": _Alphabet(_letters(0x07D3, 18), _letters(0x07CA, 7)),
    "Adlm": _Alphabet(_letters(0x1E923, 11), "𞤢𞤫𞤭𞤮𞤵"),
    "Deva": _DEVANAGARI,
    "Beng": _indic(0x0980),
    "Guru": _indic(0x0A00),
    "Gujr": _indic(0x0A80),
    "Orya": _indic(0x0B00),
    "Taml": _indic(0x0B80),
    "Telu": _indic(0x0C00),
    "Knda": _indic(0x0C80),
    "Mlym": _indic(0x0D00),
    "Sinh": _Alphabet("කගචජතදනපබමයරල", "ාිීුූ"),
    "Tibt": _Alphabet(_letters(0x0F40, 3), "་"),
    "Thai": _Alphabet("กขคงจชดตนบปมยรลวส", "าิีุู"),
    "Laoo": _Alphabet("ກຂຄງຈຊດຕນບປມລວ", "າິີຸູ"),
    "Khmr": _Alphabet(_letters(0x1780, 20), "ាិីុូ"),
    "Mymr": _Alphabet(_letters(0x1000, 20), "ာိီုူ"),
    "Ethi": _Alphabet("ለመረሰቀበተነከወዘደገ", "ላማራሳቃባታናካዋዛዳጋ", 0.6),
    "Mong": _Alphabet("ᠨᠪᠬᠭᠮᠯᠰᠳ", "ᠠᠡᠢᠣᠤ"),
    "Cans": _Alphabet("ᐱᑎᑭᒋᒥᓂᓯᓕ", "ᐸᑕᑲᒐᒪᓇᓴᓚ", 0.6),
    "Yiii": _Alphabet(_letters(0xA000, 40), _letters(0xA100, 40), 0.5),
    "Kore": _Alphabet("가나다라마바사아자하", "고구기노도리모보시주", 0.45),
    "Jpan": _Alphabet("かきけさしたてなのはまらり", "日本今人会社手見行語国電", 0.5),
    "Hans": _Alphabet("国门车书东长马鸟鱼龙", "学说话时间开关来这边", 0.33),
    "Hant": _Alphabet("國門車書東長馬鳥魚龍", "學說話時間開關來這邊", 0.33),
}


def estimate_tokens(text: str) -> int:
    """About how many tokens a Gemma model makes of `text`; at least 1."""
    return max(1, -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES_PER_TOKEN))


def marker(target: str) -> str:
    """What a pseudo-translation into `target` opens with: the code in circled letters, `ⓓⓔ` for `de`."""
    return target.lower().translate(_CIRCLED)


def pseudo_translate(text: str, pair: Pair, attempt: int = 0) -> str:
    """Return the pseudo-translation of `text`: a pure function of its arguments. Only empty text stays empty."""
    return f"{marker(pair.target)} {invented(text, pair, attempt)}" if text else ""


def pseudo_logprobs(text: str, tokens: int) -> tuple[float, ...]:
    """How sure a model might have been of each of a text's `tokens`: mostly much, as with a sentence it knows well."""
    lots = random.Random(crc32(text.encode("utf-8", "surrogatepass")))
    return tuple(math.log(1 - 0.6 * lots.random() ** 2) for _ in range(tokens))


def invented(text: str, pair: Pair, attempt: int = 0) -> str:
    """The pseudo-translation without what it opens with."""
    source, source_spaced = _writing(pair.source)
    target, target_spaced = _writing(pair.target)
    ratio = target.density / source.density
    longest = _MAX_WORD_LETTERS if source_spaced else max(1, round(_WORD_LETTERS * source.density))
    split_words = target_spaced and not source_spaced

    def replaced(token: re.Match[str]) -> str:
        word = token["word"]
        if word is None:
            return token[0]
        new = _word(word, pair.target, ratio, attempt)
        return f"{new} " if split_words and text[token.end() : token.end() + 1].isalpha() else new

    return _tokens(longest, bool(_MAY_HOLD_KEPT.search(text)), target_spaced).sub(replaced, text)


@lru_cache(maxsize=64)
def _tokens(longest: int, with_kept: bool, keep_spaces: bool) -> re.Pattern[str]:
    # Looking for addresses at every letter takes most of the time, and few texts hold any.
    kept = rf"(?P<kept>{_KEPT})|" if with_kept else ""
    word = rf"(?P<word>[^\W\d_](?:[^\W\d_]|(?!\d){_MARK}){{0,{longest - 1}}})"
    gap = "" if keep_spaces else r"(?: (?=[^\W\d_]))?"
    return re.compile(kept + word + gap)


@lru_cache(maxsize=1024)
def _writing(code: str) -> tuple[_Alphabet, bool]:
    """The letters a language is written in, and whether it sets words apart. Latin for what is no known language."""
    try:
        return _ALPHABETS.get(languages.script(code), _LATIN), languages.uses_spaces(code)
    except UnknownLanguage:
        return _LATIN, True


@lru_cache(maxsize=_CACHED_WORDS)
def _word(word: str, target: str, ratio: float, attempt: int) -> str:
    alphabet, _ = _writing(target)
    digest = crc32(f"{target} {attempt or ''}{word.lower()}".encode("utf-8", "surrogatepass"))
    vowel_first = digest % 2 and alphabet.density > 1  # where vowels are signs, they need a letter to stand on
    turns = (alphabet.vowels, alphabet.consonants) if vowel_first else (alphabet.consonants, alphabet.vowels)
    new = ""
    for place in range(max(1, round(len(word) * ratio))):
        letters = turns[place % 2]
        new += letters[(digest >> 8) % len(letters)]
        digest = (digest * 1103515245 + 12345) & 0xFFFFFFFF
    return new.capitalize() if word[0].isupper() else new
