"""Before the engine and after it: what a request comes to, and how its outputs become texts again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.core.flights import Flown
from dragoman.core.plan import Limits, Plan, check, finish, prepare
from dragoman.core.sentence import Answer, judge
from dragoman.errors import EngineRejected, InvalidRequest, TooLarge, UnknownLanguage, UnsupportedPair
from dragoman.types import EngineInfo, Output, Pair, Segment, Tokens, TranslateRequest, Translation

INFO = EngineInfo(name="test", model="test-1", slots=4, max_segment_tokens=400)
LIMITS = Limits(max_texts=4, max_characters=100, timeout_s=10, max_timeout_s=60)


def request(*texts: str, targets: tuple[str, ...] = ("de",), source: str | None = "en") -> TranslateRequest:
    return TranslateRequest(texts=texts, targets=targets, source=source)


def finished(plan: Plan, translate: dict[str, str] | None = None) -> list[str]:
    """The texts after each segment is replaced by its translation, or by itself."""
    spoken = [(translate or {}).get(segment.text, segment.text) for segment in segments(plan)]
    results = finish(plan, answers(plan, *map(Output, spoken)), INFO, prepare_ms=1.0)
    assert all(isinstance(result, Translation) for result in results)
    return [result.text for result in results if isinstance(result, Translation)]


def segments(plan: Plan) -> list[Segment]:
    return [sentence.segment for sentence in plan.sentences]


def answers(plan: Plan, *outcomes: Output | EngineRejected) -> list[Answer]:
    return [judge(one, Flown(outcome), "test") for one, outcome in zip(plan.sentences, outcomes, strict=True)]


class TestCheck:
    def test_a_request_within_the_limits_passes(self) -> None:
        check(request("a" * 50, "b", targets=("de",)), LIMITS)

    @pytest.mark.parametrize(
        ("asked", "field"),
        [
            (request(), "text"),
            (request("a", targets=()), "target"),
            (TranslateRequest(texts=("a",), targets=("de",), timeout_s=61), "timeout"),
            (TranslateRequest(texts=("a",), targets=("de",), timeout_s=0), "timeout"),
        ],
    )
    def test_what_cannot_be_meant_is_refused_by_the_name_of_its_field(
        self, asked: TranslateRequest, field: str
    ) -> None:
        with pytest.raises(InvalidRequest) as refused:
            check(asked, LIMITS)

        assert refused.value.field == field

    def test_too_many_translations_are_refused_with_the_limit(self) -> None:
        with pytest.raises(TooLarge) as refused:
            check(request("a", "b", "c", targets=("de", "fr")), LIMITS)

        assert refused.value.limit == 4

    def test_characters_count_once_per_target(self) -> None:
        check(request("a" * 100), LIMITS)
        with pytest.raises(TooLarge) as refused:
            check(request("a" * 51, targets=("de", "fr")), LIMITS)

        assert refused.value.limit == 100


class TestPrepare:
    def test_sentences_of_a_text_become_segments_of_their_own(self) -> None:
        plan = prepare(request("Good morning. How are you?"), INFO)

        pair = Pair("en", "de")
        assert segments(plan) == [Segment("Good morning.", pair), Segment("How are you?", pair)]

    def test_equal_segments_are_merged_also_across_texts(self) -> None:
        plan = prepare(request("Yes.\nYes.", "No.", "Yes."), INFO)

        assert [segment.text for segment in segments(plan)] == ["Yes.", "No."]
        assert finished(plan, {"Yes.": "Ja.", "No.": "Nein."}) == ["Ja.\nJa.", "Nein.", "Ja."]

    def test_targets_of_a_text_stand_together(self) -> None:
        plan = prepare(request("One.", "Two.", targets=("de", "fr")), INFO)

        assert [item.pair.target for item in plan.items] == ["de", "fr", "de", "fr"]
        assert len(segments(plan)) == 4

    def test_aliases_are_made_uniform(self) -> None:
        plan = prepare(request("Hello there", source="EN-us", targets=("zh_cn",)), INFO)

        assert plan.items[0].pair == Pair("en", "zh-Hans")

    @pytest.mark.parametrize(
        ("asked", "field"), [(request("a", source="xx"), "source"), (request("a", targets=("qq",)), "target")]
    )
    def test_an_unknown_language_is_refused_by_the_name_of_its_field(self, asked: TranslateRequest, field: str) -> None:
        with pytest.raises(UnknownLanguage) as refused:
            prepare(asked, INFO)

        assert refused.value.field == field

    def test_a_text_whose_pair_the_engine_does_not_have_fails_alone_with_those_it_has(self) -> None:
        info = EngineInfo(name="small", model="m", slots=1, max_segment_tokens=400, pairs=frozenset({Pair("en", "de")}))
        plan = prepare(request("Yes.", targets=("fr", "de")), info)

        french, german = finish(plan, answers(plan, Output("Ja.")), info, prepare_ms=1.0)

        assert isinstance(french, UnsupportedPair)
        assert french.accepted == ("de",)
        assert isinstance(german, Translation)

    def test_the_language_of_each_text_is_detected_where_none_is_given(self) -> None:
        texts = ("Wo ist der nächste Bahnhof, bitte?", "Where is the nearest station, please?")
        plan = prepare(request(*texts, source=None, targets=("fr",)), INFO)

        assert [item.pair.source for item in plan.items] == ["de", "en"]
        assert all(item.detected is not None and item.detected.confidence > 0.5 for item in plan.items)

    @pytest.mark.parametrize("text", ["", " \n\t", "12.50", "🙂 --- 3/4"])
    def test_a_text_without_letters_needs_no_engine_and_no_language(self, text: str) -> None:
        plan = prepare(request(text, source=None), INFO)

        assert segments(plan) == []
        assert finished(plan) == [text]
        assert plan.items[0].pair.source == "und"

    def test_a_text_already_in_the_target_language_comes_back_as_it_is(self) -> None:
        plan = prepare(request("Guten Tag.  Wie geht's?", source="de"), INFO)

        assert segments(plan) == []
        assert finished(plan) == ["Guten Tag.  Wie geht's?"]


class TestFinish:
    @given(st.lists(st.text(alphabet=st.characters(codec="utf-8"), max_size=80), min_size=1, max_size=3))
    def test_an_engine_that_changes_nothing_gives_every_text_back_exactly(self, texts: list[str]) -> None:
        plan = prepare(request(*texts, source="en", targets=("de",)), INFO)

        assert finished(plan) == texts

    def test_a_text_one_of_whose_segments_failed_is_that_error_and_the_others_arrive(self) -> None:
        plan = prepare(request("Yes. No.", "Yes."), INFO)
        error = EngineRejected("no", engine="test")

        first, second = finish(plan, answers(plan, Output("Ja."), error), INFO, prepare_ms=1.0)

        assert first is error
        assert isinstance(second, Translation)
        assert second.text == "Ja."

    def test_tokens_are_those_of_the_segments_and_times_those_of_the_slowest(self) -> None:
        plan = prepare(request("Yes. No."), INFO)
        flown = [
            Flown(Output("Ja.", Tokens(80, 70, 3)), queue_ms=1.0, engine_ms=20.0),
            Flown(Output("Nein.", Tokens(81, 70, 4)), queue_ms=5.0, engine_ms=10.0),
        ]

        judged = [judge(one, came, "test") for one, came in zip(plan.sentences, flown, strict=True)]
        (result,) = finish(plan, judged, INFO, prepare_ms=0.5)

        assert isinstance(result, Translation)
        assert result.tokens == Tokens(161, 140, 7)
        assert (result.timings.prepare_ms, result.timings.queue_ms, result.timings.engine_ms) == (0.5, 5.0, 20.0)
        assert (result.engine, result.model) == ("test", "test-1")
