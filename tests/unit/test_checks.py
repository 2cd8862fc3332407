"""What each check is for, what it keeps quiet about, and what holds for all of them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.text.checks import check
from dragoman.types import Pair

SENTENCE = "The committee will meet again on Thursday afternoon to vote on the budget of the bridge."
GERMAN = "Der Ausschuss trifft sich am Donnerstagnachmittag erneut, um über das Budget der Brücke abzustimmen."
FRENCH = "Le comité se réunira de nouveau jeudi après-midi pour voter le budget du pont."
RUSSIAN = "Комитет снова соберётся в четверг днём, чтобы проголосовать за бюджет моста."
JAPANESE = "委員会は木曜日の午後に再び集まり、橋の予算について投票します。"
CHINESE = "委员会将于周四下午再次开会，对桥梁预算进行表决。"


def kinds(source: str, output: str, target: str, source_language: str = "en", *, truncated: bool = False) -> set[str]:
    return {each.kind for each in check(source, output, Pair(source_language, target), truncated=truncated)}


@pytest.mark.parametrize(
    ("target", "output"),
    [("de", GERMAN), ("fr", FRENCH), ("ru", RUSSIAN), ("ja", JAPANESE), ("zh-Hans", CHINESE)],
)
def test_nothing_is_said_of_a_true_translation(target: str, output: str) -> None:
    assert set() == kinds(SENTENCE, output, target)
    assert set() == kinds(output, SENTENCE, "en", target)


@pytest.mark.parametrize(
    ("source", "output"), [(SENTENCE, ""), (SENTENCE, " \n"), (SENTENCE, "..."), ("Delete", "—"), ("42", "")]
)
def test_an_output_without_words_is_empty_and_nothing_else(source: str, output: str) -> None:
    assert {"empty"} == kinds(source, output, "de")


@pytest.mark.parametrize(("source", "output"), [("", ""), ("none", "–"), ("th", "."), ("…", "...")])
def test_an_output_may_be_as_wordless_as_its_source(source: str, output: str) -> None:
    assert set() == kinds(source, output, "de")


class TestEcho:
    @pytest.mark.parametrize(
        ("source", "output", "pair"),
        [
            ("Please enter a valid date", "Please enter a valid date.", Pair("en", "de")),
            ("Save all changes", "save all changes", Pair("en", "fr")),
            ("Bitte wählen Sie eine Datei aus.", "Bitte wählen Sie eine Datei aus.", Pair("de", "es")),
            ("save changes", "save changes", Pair("en", "ru")),
            ("変更を保存する", "変更を保存する", Pair("ja", "en")),
        ],
    )
    def test_the_source_came_back(self, source: str, output: str, pair: Pair) -> None:
        assert "echo" in {each.kind for each in check(source, output, pair)}

    @pytest.mark.parametrize(
        ("source", "pair"),
        [
            ("Standard", Pair("en", "de")),
            ("Video blog", Pair("en", "it")),
            ("Google Cloud Platform", Pair("en", "fr")),
            ("GitHub Actions", Pair("en", "ja")),
            ("ISO 8601", Pair("en", "ar")),
            ("https://example.org/", Pair("en", "ko")),
            ("Hun bor i en lille by", Pair("da", "nb")),
            ("a cor do carro novo", Pair("pt", "pt-BR")),
            ("東京", Pair("ja", "zh-Hant")),
        ],
    )
    def test_names_few_words_and_near_languages_may_stay(self, source: str, pair: Pair) -> None:
        assert check(source, source, pair) == ()


class TestWrongLanguage:
    @pytest.mark.parametrize(
        ("output", "target"), [(FRENCH, "de"), (GERMAN, "it"), (SENTENCE, "es"), (SENTENCE, "hi"), (CHINESE, "ja")]
    )
    def test_another_language_came_back(self, output: str, target: str) -> None:
        assert "wrong_language" in kinds("Комитет снова соберётся в четверг.", output, target, "ru")

    @pytest.mark.parametrize(
        ("source", "output", "pair"),
        [
            (GERMAN, "Komiteen møtes igjen torsdag ettermiddag for å stemme over budsjettet.", Pair("de", "da")),
            (SENTENCE, "Odbor će se ponovno sastati u četvrtak poslijepodne radi proračuna.", Pair("en", "sr-Latn")),
            ("Save", "Enregistrer", Pair("en", "de")),  # too short for a verdict
        ],
    )
    def test_near_languages_and_short_texts_pass(self, source: str, output: str, pair: Pair) -> None:
        assert check(source, output, pair) == ()


class TestWrongScript:
    @pytest.mark.parametrize(
        ("output", "target"),
        [
            ("Der Ausschuss trifft sich am 星期四 erneut und stimmt über das Budget der Brücke ab.", "de"),
            ("Le comité se réunira снова jeudi après-midi pour voter le budget du pont.", "fr"),
            ("Komitet snova soberyotsya v chetverg dnyom, chtoby progolosovat za byudzhet.", "ru"),
            ("委员会将于周四の下午再次开会，对桥梁预算进行表决。", "zh"),
            ("위원회는 木曜日に 다시 모여 다리 예산에 대해 투표합니다.", "ko"),
        ],
    )
    def test_words_of_another_script_stand_in_it(self, output: str, target: str) -> None:
        assert "wrong_script" in kinds(SENTENCE, output, target)

    @pytest.mark.parametrize(
        ("source", "output", "target"),
        [
            ("Install Python on Windows", "Установите Python на Windows", "ru"),
            ("Enter a valid URL.", "URLを正しく入力してください。", "ja"),
            ("The letter π is Greek.", "Der Buchstabe π ist griechisch.", "de"),
            ("The word мир means peace.", "Das Wort мир bedeutet Frieden.", "de"),
            ("John Smith", "约翰・史密斯", "zh"),
            ("Beijing (北京) is big", "Pekín (北京) es grande", "es"),
        ],
    )
    def test_names_symbols_and_quoted_words_pass(self, source: str, output: str, target: str) -> None:
        assert set() == kinds(source, output, target)


class TestTruncated:
    @pytest.mark.parametrize(
        ("target", "output"),
        [
            ("de", "Der Ausschuss trifft sich am Donnerstagnachmittag erneut"),
            ("de", "Der Ausschuss trifft sich"),
            ("ru", "Комитет снова"),
            ("ja", "委員会は木曜日の"),
            ("zh", "委员会将于"),
            ("de", "Der Ausschuss trifft sich am Donnerstagnachmittag erneut, um über das Budget,"),
            ("ja", "委員会は木曜日の午後に再び集まり、橋の予算について、"),
        ],
    )
    def test_an_output_breaks_off(self, target: str, output: str) -> None:
        assert "truncated" in kinds(SENTENCE, output, target)

    def test_sentences_are_missing(self) -> None:
        source = "It rains. We stay here. Nobody complains. The tea is hot."
        assert "truncated" in kinds(source, "Es regnet heute den ganzen Tag hier.", "de")

    def test_the_engine_says_so(self) -> None:
        assert "truncated" in kinds(SENTENCE, GERMAN, "de", truncated=True)

    @pytest.mark.parametrize(
        ("source", "output", "target"),
        [
            ("Are you sure?", "Είστε σίγουρος;", "el"),
            ("Authentication and Authorization", "認証と認可", "ja"),
            ("View release notes for Django", "查看 Django 的 release notes", "zh"),
            ("Thank you very much!", "Danke!", "de"),
            ("The two password fields didn't match.", "รหัสผ่านไม่ตรงกัน", "th"),  # which has no full stop
        ],
    )
    def test_dense_languages_and_short_ways_to_say_it_pass(self, source: str, output: str, target: str) -> None:
        assert set() == kinds(source, output, target)
        assert "truncated" not in kinds(output, source, "en", target)


class TestLoop:
    @pytest.mark.parametrize(
        ("target", "output"),
        [
            ("de", "Der Ausschuss trifft sich, der Ausschuss trifft sich, der Ausschuss trifft sich, der Ausschuss"),
            ("de", GERMAN + "!!!!!!!!!!!!!!!!!!!!!!!!"),
            ("fr", "Le comité le comité le comité le comité le comité le comité le comité"),
            ("ja", "委員会は再び委員会は再び委員会は再び委員会は再び委員会は再び"),
            ("zh", "表决表决表决表决表决表决表决表决表决"),
        ],
    )
    def test_the_output_repeats_what_the_source_says_once(self, target: str, output: str) -> None:
        assert "loop" in kinds(SENTENCE, output, target)

    @pytest.mark.parametrize("unit", ["ab", "abcd", "abcdef", "abcdefghij"])
    @pytest.mark.parametrize("before", range(12))
    def test_it_is_found_wherever_it_begins(self, before: int, unit: str) -> None:
        again = max(12, 2 * len(unit))  # the least that counts
        output = GERMAN[:before] + (unit * 9)[: len(unit) + again] + "."

        assert "loop" in kinds(SENTENCE, output, "de")
        assert "loop" not in kinds(SENTENCE, output.replace((unit * 9)[:again], "", 1), "de")

    @pytest.mark.parametrize(
        ("source", "output"),
        [
            ("no no no no no no no no", "nein nein nein nein nein nein nein nein"),
            ("Name: ____________________", "Name: ________________________"),
            ("It was very, very, very good.", "Es war sehr, sehr, sehr gut."),
            ("Ha ha ha!", "Ha ha ha!"),
        ],
    )
    def test_what_repeats_in_the_source_may_repeat(self, source: str, output: str) -> None:
        assert "loop" not in kinds(source, output, "de")


class TestControlToken:
    @pytest.mark.parametrize("token", ["<end_of_turn>", "<eos>", "<|im_end|>", "<|endoftext|>", "<unused42>"])
    def test_a_control_token_came_out(self, token: str) -> None:
        assert {"control_token"} == kinds(SENTENCE, GERMAN + token, "de")
        assert set() == kinds(SENTENCE + token, GERMAN + token, "de")

    @pytest.mark.parametrize("text", ["<s>alt</s>", "[INST]", "a <| b |> c"])
    def test_what_may_be_text_passes(self, text: str) -> None:
        assert set() == kinds(SENTENCE, f"{GERMAN} {text}", "de")


class TestUnbalanced:
    @pytest.mark.parametrize(
        ("source", "output", "target"),
        [
            ("Press the key (left)", "Drücken Sie die Taste (links", "de"),
            ("Press the key (left)", "左のキー（左を押します", "ja"),
            ('Say "hello" to me', "Sagen Sie „Hallo zu mir", "de"),
            ('Say "hello" to me', "Dites « bonjour à moi", "fr"),
            ("Choose a file", "Выберите файл]", "ru"),
        ],
    )
    def test_a_bracket_or_quote_stands_alone(self, source: str, output: str, target: str) -> None:
        assert {"unbalanced"} == kinds(source, output, target)

    @pytest.mark.parametrize(
        ("source", "output", "target"),
        [
            ('Say "hello" to me', "Sagen Sie „Hallo“ zu mir", "de"),
            ('Say "hello" to me', "私に「こんにちは」と言って", "ja"),
            ("It's the user's file", "C'est le fichier de l'utilisateur", "fr"),
            ("a) the first one", "a) der erste", "de"),
            ('A 5" screen', "Ein 5-Zoll-Bildschirm", "de"),
            ("Press the key (left)", "按左键（左)", "zh"),
        ],
    )
    def test_other_quotes_apostrophes_and_lone_ones_of_the_source_pass(
        self, source: str, output: str, target: str
    ) -> None:
        assert set() == kinds(source, output, target)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60), st.sampled_from(["de", "ja", "ru", "zh-TW", "sr-Latn", "ar"]))
def test_any_text_is_taken_and_no_kind_comes_twice(source: str, output: str, target: str) -> None:
    found = [each.kind for each in check(source, output, Pair("en", target))]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("text", ["\ud800 broken \udfff", "\x00\x01\x02", "\u202eabc\u202c", "ª º µ 𝟙𝟚 ٣"])
def test_odd_characters_are_taken(text: str) -> None:
    check(text, SENTENCE, Pair("en", "de"))
    check(SENTENCE, text, Pair("en", "de"))


@pytest.mark.parametrize("unit", ["1.00", "(Note: ", "ab ", "「a", ".。", "\n*"])
def test_long_hostile_texts_take_time_in_proportion(unit: str) -> None:
    """A check that took the square of the length would need many minutes for it."""
    hostile = unit * (200_000 // len(unit))
    started = time.process_time()
    check(hostile, hostile[1:], Pair("en", "de"))
    check(SENTENCE, hostile, Pair("en", "de"))
    assert time.process_time() - started < 10


def test_a_megabyte_takes_seconds() -> None:
    started = time.process_time()
    check(SENTENCE, "1.00 (" * 170_000, Pair("en", "de"))
    assert time.process_time() - started < 20
