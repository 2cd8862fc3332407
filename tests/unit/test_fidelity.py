"""What comes back is true to what went in: lost markers, faults, repairs and the wishes of a caller, end to end."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.core.plan import Limits
from dragoman.core.pool import Pool
from dragoman.core.scheduler import Scheduling
from dragoman.core.translator import Translator
from dragoman.errors import (
    BadOutput,
    DragomanError,
    EngineError,
    EngineUnavailable,
    InvalidRequest,
    OutputTruncated,
    Unfaithful,
)
from dragoman.memory.base import Entry
from dragoman.memory.hot import HotMemory
from dragoman.memory.keys import key_of_human
from dragoman.memory.tiers import TieredMemory
from dragoman.types import Capability, Format, Glossary, Pair, Segment, Term, TranslateRequest, Translation, Wishes
from tests.spoken_engine import SpokenEngine

LIMITS = Limits(max_texts=100, max_characters=100_000, timeout_s=10, max_timeout_s=60)
EN_DE = Pair("en", "de")
PLAIN = Wishes()
WORDS = {
    "Good morning": "Guten Morgen",
    "Click": "Klicken Sie",
    "here": "hier",
    "to continue": "um fortzufahren",
    "You have": "Sie haben",
    "new messages": "neue Nachrichten",
    "Welcome back": "Willkommen zurück",
    "The cat sleeps": "Die Katze schläft",
    "under the old kitchen table": "unter dem alten Küchentisch",
    "and A red door stands open": "und eine rote Tür steht offen",
    "to the quiet garden": "zum stillen Garten",
}
MARKERS = re.compile(r"[<⟦\[{(]\s*/?\s*\d+\s*/?\s*[>⟧\]})]")


def german(text: str) -> str:
    for english, word in WORDS.items():
        text = text.replace(english, word)
    return text


@asynccontextmanager
async def speaking(
    speak: Callable[[Segment], str | EngineError], *can: Capability
) -> AsyncIterator[tuple[Translator, SpokenEngine]]:
    engine = SpokenEngine(speak, *can)
    memory = TieredMemory(HotMemory(1_000_000))
    queue = Scheduling(segments=1000, tokens=100_000)
    async with Pool() as pool, Translator(pool, memory, LIMITS, queue, grace_s=1) as translator:
        pool.add("spoken", engine)
        yield translator, engine


async def ask(
    translator: Translator, text: str, wishes: Wishes = PLAIN, format: Format = "text"
) -> Translation | DragomanError:
    request = TranslateRequest(texts=(text,), targets=("de",), source="en", format=format, wishes=wishes)
    (result,) = await translator.translate(request)
    return result


async def translated(translator: Translator, text: str, wishes: Wishes = PLAIN, format: Format = "text") -> Translation:
    result = await ask(translator, text, wishes, format)
    assert isinstance(result, Translation), result
    return result


def kinds(result: Translation) -> list[str]:
    return [finding.kind for finding in result.findings]


class TestWhatIsHeld:
    async def test_placeholders_come_back_where_the_engine_put_their_markers(self) -> None:
        async with speaking(lambda segment: german(segment.text)) as (translator, engine):
            result = await translated(translator, "You have %(count)d new messages, {name}.")

        assert result.text == "Sie haben %(count)d neue Nachrichten, {name}."
        assert "%(count)d" not in engine.asked[0].text
        assert "{name}" not in engine.asked[0].text
        assert result.findings == ()

    async def test_markers_that_are_lost_once_are_tried_in_another_form(self) -> None:
        def forgetful(segment: Segment) -> str:
            spoken = german(segment.text)
            return MARKERS.sub("", spoken) if len(engine.asked) == 1 else spoken

        async with speaking(forgetful) as (translator, engine):
            result = await translated(translator, "You have %d new messages.")

        assert result.text == "Sie haben %d neue Nachrichten."
        assert kinds(result) == ["repaired"]
        assert engine.asked[0].text != engine.asked[1].text

    async def test_an_engine_that_never_keeps_a_marker_translates_between_them(self) -> None:
        async with speaking(lambda segment: MARKERS.sub("", german(segment.text))) as (translator, engine):
            result = await translated(translator, "You have %d new messages.")

        assert result.text == "Sie haben %d neue Nachrichten."
        assert "repaired" in kinds(result)
        assert [segment.text for segment in engine.asked[2:]] == ["You have", "new messages."]

    async def test_where_even_that_fails_the_item_is_the_error(self) -> None:
        def fails_between(segment: Segment) -> str | EngineError:
            if len(engine.asked) < 3:
                return MARKERS.sub("", german(segment.text))
            return EngineUnavailable("gone", engine="spoken")

        async with speaking(fails_between) as (translator, engine):
            assert isinstance(await ask(translator, "You have %d new messages."), EngineUnavailable)

    async def test_a_nested_text_of_several_sentences_survives_a_repair_of_the_sentence_it_stands_in(self) -> None:
        text = '<p>Click <a title="Good morning. Welcome back.">here</a> to continue.</p>'
        async with speaking(lambda segment: MARKERS.sub("", german(segment.text))) as (translator, _):
            result = await translated(translator, text, format="html")

        assert result.text == (
            '<p>Klicken Sie <a title="Guten Morgen. Willkommen zurück.">hier</a> um fortzufahren.</p>'
        )

    async def test_a_sentence_that_came_to_nothing_stands_as_it_was_among_others_and_is_told(self) -> None:
        def silent_on_cats(segment: Segment) -> str | EngineError:
            return BadOutput("no text", engine="spoken") if "cat" in segment.text else german(segment.text)

        async with speaking(silent_on_cats) as (translator, _):
            result = await translated(translator, "Good morning! The cat sleeps.")
            alone = await ask(translator, "The cat sleeps.")
            strict = await ask(translator, "Good morning! The cat sleeps.", Wishes(strict=True))

        assert result.text == "Guten Morgen! The cat sleeps."
        assert "untranslated" in kinds(result)
        assert isinstance(alone, BadOutput)
        assert isinstance(strict, Unfaithful)

    @pytest.mark.parametrize(
        ("format", "text", "expected"),
        [
            ("html", '<p>Click <a href="/x" title="Welcome back">here</a> to continue.</p>',
             '<p>Klicken Sie <a href="/x" title="Willkommen zurück">hier</a> um fortzufahren.</p>'),
            ("html", '<p translate="no">Good morning</p><p>Good morning</p>',
             '<p translate="no">Good morning</p><p>Guten Morgen</p>'),
            ("xml", "<a>Good morning <x id='1'/></a>", "<a>Guten Morgen <x id='1'/></a>"),
            ("markdown", "# Good morning\n\nClick [here](https://x.org/here) to continue.\n",
             "# Guten Morgen\n\nKlicken Sie [hier](https://x.org/here) um fortzufahren.\n"),
            ("text", "{count, plural, one {You have # new messages} other {Good morning}}",
             "{count, plural, one {Sie haben # neue Nachrichten} other {Guten Morgen}}"),
        ],
    )  # fmt: skip
    async def test_every_format_keeps_its_structure(self, format: Format, text: str, expected: str) -> None:
        async with speaking(lambda segment: german(segment.text)) as (translator, _):
            assert (await translated(translator, text, format=format)).text == expected

    async def test_a_term_of_the_glossary_is_bound_whatever_the_engine_would_say(self) -> None:
        glossary = Glossary("shop", {EN_DE: (Term("door", "Pforte"),)})
        async with speaking(lambda segment: german(segment.text)) as (translator, _):
            result = await translated(translator, "Good morning door", Wishes(glossaries=(glossary,)))

        assert result.text == "Guten Morgen Pforte"

    async def test_words_to_keep_and_patterns_to_protect_come_back(self) -> None:
        wishes = Wishes(keep=("Good morning",), protect=(r"SKU-\d+",))
        async with speaking(lambda segment: german(segment.text)) as (translator, engine):
            result = await translated(translator, "Good morning, Welcome back to SKU-12.", wishes)

        assert result.text == "Good morning, Willkommen zurück to SKU-12."
        assert "SKU" not in engine.asked[0].text

    async def test_a_persons_translation_is_found_by_the_words_with_their_placeholders(self) -> None:
        async with speaking(lambda segment: german(segment.text)) as (translator, engine):
            segment = Segment("You have %d new messages.", EN_DE)
            assert translator.memory is not None
            await translator.memory.put_many(
                [(key_of_human(segment), Entry(segment.text, EN_DE, "%d neue Nachrichten für Sie.", None, 0))]
            )
            result = await translated(translator, "You have %d new messages.")

        assert (result.text, result.remembered, engine.asked) == ("%d neue Nachrichten für Sie.", 1, [])


class TestFaults:
    async def test_chatter_is_taken_off(self) -> None:
        async with speaking(lambda segment: f"Here is the translation: {german(segment.text)}") as (translator, _):
            assert (await translated(translator, "The cat sleeps.")).text == "Die Katze schläft."

    async def test_a_faulty_answer_is_asked_for_once_more_and_the_better_one_counts(self) -> None:
        async with speaking(
            lambda segment: german(segment.text) if segment.asking.attempt else segment.text, "sampling"
        ) as (translator, engine):
            result = await translated(translator, "The cat sleeps under the table in the kitchen.")

        assert result.text.startswith("Die Katze schläft")
        assert "repaired" in kinds(result)
        assert [segment.asking.attempt for segment in engine.asked] == [0, 1]

    async def test_a_text_that_broke_off_is_translated_in_smaller_pieces(self) -> None:
        def short_of_breath(segment: Segment) -> str | EngineError:
            if len(segment.text) > 60:
                return OutputTruncated("too long", engine="spoken", partial="Die Katze")
            return german(segment.text)

        text = "The cat sleeps under the old kitchen table, and A red door stands open to the quiet garden."
        async with speaking(short_of_breath) as (translator, engine):
            result = await translated(translator, text)

        assert "eine rote Tür" in result.text
        assert "repaired" in kinds(result)
        assert len(engine.asked) > 2

    async def test_a_fault_that_cannot_be_mended_is_told_and_not_remembered(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("dragoman.core.scheduler.KEPT_S", 0.0)
        text = "The cat sleeps under the table in the kitchen."
        async with speaking(lambda segment: segment.text) as (translator, engine):
            first = await translated(translator, text)
            await translated(translator, text)

        assert "echo" in kinds(first)
        assert len(engine.asked) == 2, "what was found faulty is asked for again"

    async def test_strict_callers_get_an_error_with_the_findings(self) -> None:
        async with speaking(lambda segment: segment.text) as (translator, _):
            result = await ask(translator, "The cat sleeps under the table in the kitchen.", Wishes(strict=True))

        assert isinstance(result, Unfaithful)
        assert result.findings[0].kind == "echo"

    async def test_a_sound_answer_is_remembered(self) -> None:
        async with speaking(lambda segment: german(segment.text)) as (translator, engine):
            await translated(translator, "The cat sleeps, {name}.")
            again = await translated(translator, "The cat sleeps, %s.")

        assert again.text == "Die Katze schläft, %s."
        assert (again.remembered, len(engine.asked)) == (1, 1)

    @pytest.mark.parametrize(
        ("target", "said", "expected"),
        [
            ("de", "Here is the translation: Die Katze schläft.", "Die Katze schläft."),
            ("zh-Hant", "这只猫在睡觉。", "這隻貓在睡覺。"),
        ],
    )
    async def test_what_is_remembered_is_the_answer_and_not_what_the_engine_said(
        self, target: str, said: str, expected: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("dragoman.core.scheduler.KEPT_S", 0.0)
        async with speaking(lambda segment: said) as (translator, engine):
            first = await translator.translate_text("The cat sleeps.", source="en", target=target)
            again = await translator.translate_text("The cat sleeps.", source="en", target=target)

        assert (first.text, again.text) == (expected, expected)
        assert (again.remembered, len(engine.asked)) == (1, 1)

    async def test_a_repair_that_is_refused_leaves_the_best_answer_there_is(self) -> None:
        def stops_after_the_first(segment: Segment) -> str:
            translator.scheduler.close()
            return segment.text

        async with speaking(stops_after_the_first, "sampling") as (translator, _):
            result = await translated(translator, "The cat sleeps under the table in the kitchen.")

        assert "echo" in kinds(result)


class TestWishes:
    async def test_alternatives_are_other_answers_to_the_whole_text(self) -> None:
        def varied(segment: Segment) -> str:
            return german(segment.text).replace("Katze", ["Katze", "Mieze", "Katze"][segment.asking.attempt])

        async with speaking(varied, "sampling") as (translator, _):
            result = await translated(translator, "The cat sleeps.", Wishes(alternatives=2))

        assert (result.text, result.alternatives) == ("Die Katze schläft.", ("Die Mieze schläft.",))

    async def test_confidence_follows_what_the_engine_tells(self) -> None:
        async with speaking(lambda segment: german(segment.text)) as (translator, _):
            result = await translated(translator, "The cat sleeps.")

        assert result.confidence is not None
        assert 0 < result.confidence <= 1

    async def test_formality_that_cannot_be_followed_is_refused_or_noted(self) -> None:
        async with speaking(lambda segment: german(segment.text)) as (translator, _):
            with pytest.raises(InvalidRequest, match="formality"):
                await ask(translator, "The cat sleeps.", Wishes(formality="more"))
            noted = await translated(translator, "The cat sleeps.", Wishes(formality="more", formality_preferred=True))

        assert kinds(noted) == ["formality_ignored"]

    async def test_engines_that_follow_instructions_are_told_formality_and_context(self) -> None:
        async with speaking(lambda segment: german(segment.text), "instructions") as (translator, engine):
            await translated(translator, "The cat sleeps.", Wishes(formality="less", context="A children's book."))

        assert engine.asked[0].asking.formality == "less"
        assert "A children's book." in engine.asked[0].asking.context


class TestContext:
    async def test_a_short_sentence_is_asked_for_with_the_one_before_where_the_model_can_use_it(self) -> None:
        text = "Good morning. Click here to continue."
        async with speaking(lambda segment: german(segment.text), "instructions") as (translator, engine):
            await translated(translator, text)
        assert [segment.asking.context for segment in engine.asked] == ["", "Good morning."]

        async with speaking(lambda segment: german(segment.text)) as (translator, engine):
            await translated(translator, text)
        assert [segment.asking.context for segment in engine.asked] == ["", ""], "TranslateGemma gets none"


PLACEHOLDERS = ("%s", "%(name)s", "{0}", "{{user}}", "${HOME}", "<b>", "</b>", "<br/>", "https://example.org/a?b=c")


def mischievous(segment: Segment) -> str:
    """Drops, doubles or moves markers, depending on the text alone."""
    found: list[str] = MARKERS.findall(segment.text)
    spoken = german(segment.text)
    if not found:
        return spoken
    match hash(segment.text) % 4:
        case 0:
            return spoken.replace(found[0], "", 1)
        case 1:
            return spoken + found[-1]
        case 2:
            return found[0] + spoken.replace(found[0], "", 1)
        case _:
            return spoken


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from((*WORDS, *PLACEHOLDERS)), min_size=1, max_size=10))
async def test_whatever_the_engine_does_every_placeholder_comes_back_as_often(
    words: Sequence[str],
) -> None:
    text = " ".join(words)
    async with speaking(mischievous) as (translator, _):
        result = await translated(translator, text)

    assert counted(result.text) == counted(text)


def counted(text: str) -> Counter[str]:
    return Counter({placeholder: text.count(placeholder) for placeholder in PLACEHOLDERS})
