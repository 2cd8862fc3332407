"""What cutting a text into pieces promises, and what joining them does."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.text.segment import SAFE_TOKENS, Piece, cut, estimate_tokens, join
from dragoman.types import Pair

LINE_BREAKS = ["\n", "\r\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029"]
LANGUAGES = st.sampled_from(["en", "de", "zh-Hans", "ja", "th", "lo", "km", "my", "hi", "ar", "ko", "bo", "fr-CA"])

_any_character = st.characters(codec=None, categories=None)
_marks = st.sampled_from(
    [*".!?,;: '\"()[]-*>#…。！？，、：；「」『』“”（）។।။་", *LINE_BREAKS, "\u200b", "\u202e", "\ufeff"]
)
_words = st.sampled_from(
    ["Dr.", "z. B.", "e.g.", "3.", "1)", "- ", "https://a.example/b?c=d.e", "me@host.example", "「はい。」", "และ"]
)
_long_words = st.sampled_from(["x" * 400, "字" * 150, "e\u0301" * 200, "👩\u200d👧" * 60, "🇩🇪" * 40, " " * 50])
texts = st.lists(st.one_of(_any_character, _marks, _words, _long_words), max_size=60).map("".join)


def cores(text: str, language: str, max_tokens: int = SAFE_TOKENS) -> list[str]:
    return [piece.core for piece in cut(text, language, max_tokens) if piece.core]


class TestTheLaw:
    @settings(max_examples=300, deadline=None)
    @given(text=texts, language=LANGUAGES, max_tokens=st.integers(8, 120))
    def test_pieces_join_to_the_text_and_every_core_is_one_short_stripped_line(
        self, text: str, language: str, max_tokens: int
    ) -> None:
        pieces = cut(text, language, max_tokens)

        assert "".join(piece.lead + piece.core + piece.tail for piece in pieces) == text
        for core in filter(None, (piece.core for piece in pieces)):
            assert core == core.strip()
            assert len(core.splitlines()) == 1
            assert estimate_tokens(core) <= max_tokens
            assert any(map(str.isalpha, core))
        assert all(piece.core or not piece.tail for piece in pieces)
        assert join(pieces) == text

    @settings(deadline=None)
    @given(text=texts, language=LANGUAGES)
    def test_translating_every_core_to_itself_in_one_language_changes_nothing(self, text: str, language: str) -> None:
        pieces = cut(text, language)

        assert join(pieces, cores(text, language), Pair(language, language)) == text

    def test_the_empty_text_has_no_pieces(self) -> None:
        assert cut("", "en") == []
        assert join([]) == ""

    def test_a_bound_too_small_for_any_text_is_refused(self) -> None:
        with pytest.raises(ValueError, match="at least 8"):
            cut("Hello.", "en", max_tokens=7)


class TestLines:
    @pytest.mark.parametrize("line_break", LINE_BREAKS)
    def test_no_piece_crosses_a_line_break(self, line_break: str) -> None:
        assert cores(f"one line{line_break}another", "en") == ["one line", "another"]

    @pytest.mark.parametrize(
        "mark", ["- ", "* ", "• ", "1. ", "12) ", "(3) ", "a) ", "# ", "### ", "> ", ">> ", "- [ ] "]
    )
    def test_what_marks_a_line_stays_outside(self, mark: str) -> None:
        assert cut(f"Above.\n  {mark}Open the lid.\n", "en")[1:] == [Piece(mark, "Open the lid.", "\n")]

    def test_a_german_ordinal_is_part_of_its_sentence(self) -> None:
        assert cores("3. Mai, ein Sonntag.", "de") == ["3. Mai, ein Sonntag."]

    @pytest.mark.parametrize("text", ["---", "12.5", "🙂", "!?", " \t\n", "* * *", "3 + 4 = 7", "\u200b"])
    def test_a_text_without_letters_needs_no_engine(self, text: str) -> None:
        assert cores(text, "en") == []

    @pytest.mark.parametrize("text", ["https://example.org/a/b?c=d#e", "jane.doe@mail.example.org", "www.example.org"])
    def test_an_address_alone_needs_no_engine(self, text: str) -> None:
        assert cores(text, "en") == []

    def test_marks_of_no_width_and_control_characters_stay_outside(self) -> None:
        assert cut("\ufeff\u200fשלום\u200e\x00", "he") == [Piece("\ufeff\u200f", "שלום", "\u200e\x00")]


# Sentences as they are written one after the other on one line, with what stands between them.
SENTENCES = {
    "abbreviations, initials and titles": (
        "en",
        ["Dr. Smith met J. R. R. Tolkien in the U.S. and Mrs. May.", "See e.g. Fig. 3 vs. No. 5.", "That is all."],
    ),
    "decimals, addresses and ellipses": (
        "en",
        ["It costs 3.50 at https://shop.example/a.b?c=d.e or from me@host.example.", "Wait... what?", "OK!"],
    ),
    "quotations": ("en", ['"Really?" she asked.', 'He said "No way. I won\'t."', "Then he left."]),
    "chat without capitals": ("en", ["hello.", "how are you?", "i am fine"]),
    "German": (
        "de",
        ["Das ist z. B. am 3. Mai im 19. Jahrhundert so.", "„Ja.“ sagte Dr. Müller.", "Vgl. Nr. 5 gem. Abs. 2!"],
    ),
    "French": ("fr", ["M. Dupont et Mme. Durand sont là.", "« Oui. » dit-il.", "C'est tout !"]),
    "Spanish": ("es", ["¿Qué tal?", "¡Bien!", "El Sr. López y la Dña. Ana llegaron."]),
    "Portuguese": ("pt-BR", ["Olá, Sr. Silva, p. ex. aqui.", "Tudo bem?"]),
    "Polish": ("pl", ["Np. dr. Kowalski mieszka przy ul. Długiej.", "Tak."]),
    "Norwegian": ("no", ["Den 5. mai kl. 5 kom hr. Hansen.", "Ja."]),
    "Russian": ("ru", ["А. С. Пушкин жил на ул. Ленина, т. е. здесь.", "Да!"]),
    "Arabic": ("ar", ["مرحبا بك.", "كيف حالك؟", "أنا بخير!"]),
    "Urdu": ("ur", ["یہ ایک ٹیسٹ ہے۔", "آپ کیسے ہیں؟"]),
    "Hindi": ("hi", ["डॉ. शर्मा आए।", "आप कैसे हैं?", "मैं ठीक हूँ।"]),
    "Amharic": ("am", ["ይህ ሙከራ ነው።", "እንዴት ነህ?"]),
    "Korean": ("ko", ["안녕하세요.", '"네."라고 말했다.', "좋아요!"]),
    "Khmer": ("km", ["នេះជាការសាកល្បង។", "អ្នកសុខសប្បាយទេ?"]),
    "Burmese": ("my", ["ဒါက စမ်းသပ်မှုပါ။", "နေကောင်းလား။"]),
    "Lao": ("lo", ["ນີ້ແມ່ນການທົດສອບ.", "ສະບາຍດີບໍ?"]),
    "Tibetan": ("bo", ["ཀྲུང་གོ།", "བོད་ལྗོངས།"]),
}
UNSPACED_SENTENCES = {
    "Japanese quotation": ("ja", ["彼は「はい。そうです。」と言った。", "今日は晴れです。", "本当？", "はい！"]),
    "Japanese dialogue": ("ja", ["「はい。」", "「いいえ。」"]),
    "Chinese quotation": ("zh-Hans", ["他说：“好的。我去。”然后走了。", "今天天气很好！", "你呢？"]),
    "Traditional Chinese": ("zh-Hant", ["他說：「好的。我去。」然後走了。", "我們走吧……好。"]),
}


class TestSentences:
    @pytest.mark.parametrize(("language", "sentences"), SENTENCES.values(), ids=SENTENCES)
    def test_a_spaced_script_is_cut_into_its_sentences(self, language: str, sentences: list[str]) -> None:
        assert cores(" ".join(sentences), language) == sentences

    @pytest.mark.parametrize(("language", "sentences"), UNSPACED_SENTENCES.values(), ids=UNSPACED_SENTENCES)
    def test_a_script_without_spaces_is_cut_into_its_sentences(self, language: str, sentences: list[str]) -> None:
        assert cores("".join(sentences), language) == sentences

    def test_a_sentence_far_into_a_long_line_is_found_like_the_first(self) -> None:
        sentences = [f"Dr. Smith sells {number} apples." for number in range(200)]

        assert cores(" ".join(sentences), "en") == sentences

    def test_thai_is_cut_between_clauses_and_never_beside_a_number_or_a_foreign_word(self) -> None:
        clauses = [
            "คณะกรรมการจะประชุมกันอีกครั้งในบ่ายวันพฤหัสบดีเพื่อตัดสินใจว่าควรซ่อมแซมหรือเปลี่ยนสะพานเก่า",
            "เขามีเงิน 500 บาท และรถ Toyota คันหนึ่งซึ่งจอดอยู่หน้าบ้านของเพื่อนที่ทำงานในเมือง",
            "ชาวบ้านหลายคนหวังว่างานจะเสร็จก่อนฤดูหนาว",
        ]

        assert cores(" ".join(clauses), "th") == clauses

    def test_short_thai_stays_whole(self) -> None:
        text = "วันนี้อากาศดีมาก เราไปเที่ยวกันเถอะ"

        assert cores(text, "th") == [text]


class TestLongSentences:
    def test_it_is_cut_after_the_best_mark_near_its_middle(self) -> None:
        first = "The committee, which watches over all bridges and all roads of the old city and of the new one, meets;"
        second = "the people, who have waited for more than eleven years by now, hope that the work will soon be done."
        assert estimate_tokens(f"{first} {second}") > 50

        assert cores(f"{first} {second}", "en", max_tokens=50) == [first, second]

    def test_without_marks_it_is_cut_between_words(self) -> None:
        words = ["bridge"] * 100

        found = cores(" ".join(words), "en")

        assert len(found) > 1
        assert " ".join(found).split() == words

    def test_a_long_chinese_sentence_is_cut_into_even_parts_of_at_most_100_characters(self) -> None:
        text = "，".join(["许多居民希望工程能在冬天到来之前完工"] * 10) + "。"

        found = cores(text, "zh-Hans")

        assert "".join(found) == text
        assert max(map(len, found)) <= 100
        assert max(map(len, found)) < 2 * min(map(len, found))
        assert all(core[-1] in "，。" for core in found)

    @pytest.mark.parametrize(
        "cluster", ["e\u0301", "👩\u200d👧", "👍🏽", "\U0001f1e9\U0001f1ea", "क्षि", "ກ\u0eb3", "\u1112\u1161\u11ab"]
    )
    def test_no_cut_splits_what_a_reader_sees_as_one_character(self, cluster: str) -> None:
        pieces = cut("a" + cluster * 300, "hi")

        assert len(pieces) > 1
        texts = [piece.lead + piece.core + piece.tail for piece in pieces]
        assert texts[0].startswith("a")
        assert {text.removeprefix("a").replace(cluster, "") for text in texts} <= {""}

    def test_an_address_is_never_cut(self) -> None:
        address = "https://example.org/" + "/".join(["path.to,somewhere;else"] * 6)
        text = " ".join(["see", address] * 4)

        pieces = cut(text, "en")

        assert len(pieces) > 1
        assert all(piece.core.count("https://") == piece.core.count(address) for piece in pieces)

    def test_an_address_longer_than_a_piece_is_left_as_it_is(self) -> None:
        address = "https://example.org/" + "a" * 1000

        assert cores(f"Look at {address} today", "en") == ["Look at", "today"]


HOSTILE = {
    "dots": ".",
    "letters": "a",
    "spaces": " ",
    "line breaks": "\n",
    "words": " a",
    "marks": "，",
    "open quotations": "「a。",
    "ellipses": "…。",
    "curly quotes": "“",
    "full stops": "a. ",
    "bullets": "- ",
    "numbers": "1. ",
    "schemes": "http://",
    "mails": "a@b",
    "hosts": "www.",
    "combining marks": "\u0301",
    "families": "👨‍👩‍👧‍👦",
    "embeddings": "\u202e",
}


class TestCost:
    @pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE)
    def test_the_time_grows_with_the_length_alone(self, unit: str) -> None:
        """A text 8 times as long takes about 8 times as long; a quadratic step would make it 64."""
        short, long = unit * (4_000 // len(unit)), unit * (32_000 // len(unit))

        assert _least_time_s(long, 2) < 24 * _least_time_s(short, 4) + 0.02

    def test_a_megabyte_on_one_line_joins_again(self) -> None:
        text = "x" * 500_000 + "." * 500_000

        assert join(cut(text, "en")) == text


def _least_time_s(text: str, tries: int) -> float:
    return min(_time_s(text) for _ in range(tries))


def _time_s(text: str) -> float:
    start = time.process_time()
    cut(text, "en")
    return time.process_time() - start


class TestJoining:
    def joined(self, text: str, source: str, target: str, translations: Sequence[str]) -> str:
        return join(cut(text, source), translations, Pair(source, target))

    def test_what_stands_around_a_core_comes_back_as_it_was(self) -> None:
        joined = self.joined("  - One.  Two.\r\n\r\n\t7\n3) Three.", "en", "fr", ["Un.", "Deux.", "Trois."])

        assert joined == "  - Un.  Deux.\r\n\r\n\t7\n3) Trois."

    def test_sentences_get_a_space_where_only_the_target_has_one(self) -> None:
        assert self.joined("你好。再见。\n好。", "zh-Hans", "en", ["Hello.", "Bye.", "Good."]) == "Hello. Bye.\nGood."

    @pytest.mark.parametrize("target", ["th", "km", "ko"])
    def test_thai_khmer_and_korean_put_a_space_between_sentences(self, target: str) -> None:
        assert self.joined("你好。再见。", "zh-Hans", target, ["ก", "ข"]) == "ก ข"

    def test_the_single_space_goes_where_only_the_source_has_one(self) -> None:
        assert self.joined("Hello. Bye.  Now.\nOK.", "en", "ja", ["はい。", "では。", "今。", "よし。"]) == (
            "はい。では。  今。\nよし。"
        )

    def test_a_space_between_two_latin_words_stays(self) -> None:
        assert self.joined("Hello. Bye.", "en", "zh-Hans", ["iPhone", "Pro"]) == "iPhone Pro"

    def test_nothing_is_set_apart_differently_between_languages_of_one_habit(self) -> None:
        assert self.joined("你好。再见。", "zh-Hans", "ja", ["はい。", "では。"]) == "はい。では。"
        assert self.joined("One. Two.", "en", "th", ["ก", "ข"]) == "ก ข"

    def test_a_gap_with_a_symbol_in_it_is_left_alone(self) -> None:
        assert (
            join([Piece("", "好", ""), Piece("→", "", ""), Piece("", "坏", "")], ["a", "b"], Pair("zh", "en")) == "a→b"
        )

    @pytest.mark.parametrize("translations", [[], ["Un."], ["Un.", "Deux.", "Trois."]])
    def test_a_wrong_number_of_translations_is_refused(self, translations: list[str]) -> None:
        with pytest.raises(ValueError, match="This is a bug"):
            join(cut("One. Two.", "en"), translations)


# Counted with Gemma 3's tokenizer.
COUNTED = [
    ("The committee will meet again on Thursday afternoon to decide whether the old bridge should be repaired or "
     "replaced. Many residents hope that the work will be finished before winter.", 32),
    ("Lautakunta kokoontuu uudelleen torstaina iltapäivällä päättämään, korjataanko vanha silta vai korvataanko se "
     "uudella. Monet asukkaat toivovat, että työt valmistuvat ennen talvea.", 53),
    ("Ủy ban sẽ họp lại vào chiều thứ Năm để quyết định xem nên sửa chữa hay thay thế cây cầu cũ. Nhiều người dân hy "
     "vọng công việc sẽ hoàn thành trước mùa đông.", 38),
    ("Комитет снова соберётся в четверг днём, чтобы решить, следует ли отремонтировать или заменить старый мост. "
     "Многие жители надеются, что работы завершатся до зимы.", 43),
    ("ستجتمع اللجنة مرة أخرى بعد ظهر يوم الخميس لتقرر ما إذا كان ينبغي إصلاح الجسر القديم أو استبداله. ويأمل العديد "
     "من السكان أن تنتهي الأعمال قبل الشتاء.", 43),
    ("समिति गुरुवार दोपहर को फिर से मिलेगी और तय करेगी कि पुराने पुल की मरम्मत की जाए या उसे बदला जाए। कई निवासियों को "
     "उम्मीद है कि काम सर्दियों से पहले पूरा हो जाएगा।", 38),
    ("คณะกรรมการจะประชุมกันอีกครั้งในบ่ายวันพฤหัสบดีเพื่อตัดสินใจว่าควรซ่อมแซมหรือเปลี่ยนสะพานเก่า "
     "ชาวบ้านหลายคนหวังว่างานจะเสร็จก่อนฤดูหนาว", 47),
    ("위원회는 목요일 오후에 다시 모여 낡은 다리를 수리할지 교체할지 결정할 예정이다. 많은 주민들은 공사가 겨울 전에 "
     "끝나기를 바라고 있다.", 39),
    ("委員会は木曜日の午後に再び会合を開き、古い橋を修理するか架け替えるかを決める予定だ。多くの住民は、冬になる前に工事が"
     "終わることを望んでいる。", 42),
    ("委员会将于星期四下午再次开会，决定是修复还是更换那座旧桥。许多居民希望工程能在冬天到来之前完工。", 30),
    ("for (int i = 0; i < n; i++) { total += values[i] * 2.5; }", 28),
    ("12345678", 8),
    ("ꆈꌠꁱꂷ", 12),
    ("𞤆𞤵𞤤𞤢𞤪", 20),
]  # fmt: skip


class TestTokens:
    @pytest.mark.parametrize(("text", "tokens"), COUNTED)
    def test_the_estimate_is_near_the_truth_and_rather_above_it(self, text: str, tokens: int) -> None:
        assert 0.75 * tokens <= estimate_tokens(text) <= 1.6 * tokens + 1

    @given(parts=st.lists(texts, max_size=4))
    def test_a_part_never_costs_more_than_the_whole(self, parts: list[str]) -> None:
        whole = estimate_tokens("".join(parts))

        assert all(estimate_tokens(part) <= whole for part in itertools.chain([""], parts))
        assert whole <= sum(map(estimate_tokens, parts))
