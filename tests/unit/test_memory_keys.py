"""A key stands for exactly one request: nothing that changes an output is missing from it, and no two fields merge."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dragoman.memory.keys import KEY_BYTES, key_of, key_of_human
from dragoman.types import Asking, EngineInfo, Pair, Segment

Fields = tuple[str, str | None, str | None, str, str, Asking, str]

PLAIN = Asking()

# Few and treacherous letters, so that fields often differ only in where they end.
words = st.text(alphabet="a|\0é\ud800", max_size=3)
fields = st.tuples(
    words,
    st.none() | words,
    st.none() | words,
    words,
    words,
    st.builds(Asking, formality=st.sampled_from([None, "more", "less"]), context=words, attempt=st.integers(0, 2)),
    words,
)


def key_of_fields(fields: Fields) -> bytes:
    model, revision, style, source, target, asking, text = fields
    info = EngineInfo(
        name="engine", model=model, revision=revision, style=style, slots=1, max_segment_tokens=100, max_batch=1
    )
    return key_of(info, Segment(text, Pair(source, target), asking))


@given(fields, fields)
def test_two_requests_share_a_key_exactly_when_all_their_fields_are_equal(first: Fields, second: Fields) -> None:
    assert (key_of_fields(first) == key_of_fields(second)) == (first == second)


@given(fields, st.integers(0, 6), words)
def test_changing_any_one_field_changes_the_key(before: Fields, place: int, word: str) -> None:
    changed = list(before)
    changed[place] = replace(before[5], context=f"{before[5].context}x") if place == 5 else f"{before[place]}{word}x"

    assert key_of_fields(before) != key_of_fields(tuple(changed))  # type: ignore[arg-type] # same shape


def test_a_border_between_fields_cannot_be_moved() -> None:
    assert key_of_fields(("ab", "c", None, "en", "de", PLAIN, "x")) != key_of_fields(
        ("a", "bc", None, "en", "de", PLAIN, "x")
    )
    assert key_of_fields(("m", None, None, "en", "de", Asking(context="a"), "bx")) != key_of_fields(
        ("m", None, None, "en", "de", Asking(context="ab"), "x")
    )


def test_asking_for_a_log_probability_finds_what_was_translated_without() -> None:
    assert key_of_fields(("m", None, None, "en", "de", Asking(logprob=True), "x")) == key_of_fields(
        ("m", None, None, "en", "de", PLAIN, "x")
    )


def test_every_way_to_ask_has_a_key_of_its_own() -> None:
    ways = (PLAIN, Asking(formality="more"), Asking(formality="less"), Asking(context="1"), Asking(attempt=1))

    assert len({key_of_fields(("m", None, None, "en", "de", asking, "x")) for asking in ways}) == len(ways)


def test_where_an_engine_runs_and_how_wide_it_is_does_not_matter() -> None:
    segment = Segment("Good morning.", Pair("en", "de"))
    here = EngineInfo(name="here", model="m", slots=1, max_segment_tokens=100)
    there = EngineInfo(name="there", model="m", slots=64, max_segment_tokens=200)

    assert key_of(here, segment) == key_of(there, segment)


def test_a_persons_translation_has_a_key_that_no_engine_shares() -> None:
    segment = Segment("Good morning.", Pair("en", "de"))
    engine = EngineInfo(name="engine", model="", slots=1, max_segment_tokens=100)

    assert key_of_human(segment) != key_of(engine, segment)
    assert key_of_human(segment) != key_of_human(Segment("Good morning.", Pair("en", "fr")))
    assert len(key_of_human(segment)) == KEY_BYTES


def test_a_key_stays_the_same_from_one_process_to_the_next() -> None:
    plain = key_of_fields(("m", "r", "s", "en", "de", PLAIN, "Good morning."))
    formal = key_of_fields(("m", "r", "s", "en", "de", Asking(formality="more", attempt=1), "Good morning."))

    assert plain.hex() == "3ae3b5f5e904195738b6a128cee8581eb2d552a06fb557eda9c4505707483d84"
    assert formal.hex() == "a9a947ec39b7f719fc2e559cc9dc2b9cf6be167a55751e9a36af76dabdc69fe2"
