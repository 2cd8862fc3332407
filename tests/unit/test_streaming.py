"""What is told of a request while it is worked on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct, structs

from dragoman.core.events import Done, Event, ItemStarted, SegmentDelta, SegmentDone, SegmentStarted
from dragoman.core.plan import Limits
from dragoman.core.pool import Pool
from dragoman.core.scheduler import Scheduling
from dragoman.core.telling import Telling
from dragoman.core.translator import Translator
from dragoman.engines.base import Engine, Hear
from dragoman.engines.registry import open_engine
from dragoman.errors import EngineError, EngineUnavailable, Overloaded
from dragoman.memory.hot import HotMemory
from dragoman.memory.tiers import TieredMemory
from dragoman.server.live.wire import in_words
from dragoman.server.schemas import native_items
from dragoman.types import EngineInfo, Output, Segment, TranslateRequest, Wishes
from tests.streamed import Reading, streamed

LIMITS = Limits(max_texts=100, max_characters=100_000, timeout_s=20, max_timeout_s=60)
QUEUE = Scheduling(segments=1_000, tokens=100_000)


class Dictated:
    """Says of each segment, one after the other, what the test dictates: `say` more of it, or `end` it."""

    def __init__(self, slots: int = 8) -> None:
        self.info = EngineInfo(
            name="dictated", model="dictated-1", slots=slots, max_segment_tokens=400, can=frozenset({"stream"})
        )
        self.hears: dict[str, Callable[[str], None]] = {}
        self.ends: dict[str, asyncio.Future[Output | EngineError]] = {}
        self.cancelled: list[str] = []
        self.asked = asyncio.Condition()

    async def probe(self) -> EngineInfo:
        return self.info

    async def translate(self, batch: Sequence[Segment], hear: Hear | None = None) -> list[Output | EngineError]:
        (segment,) = batch
        self.hears[segment.text] = (lambda text: hear(0, text)) if hear else (lambda text: None)
        end = self.ends[segment.text] = asyncio.get_running_loop().create_future()
        async with self.asked:
            self.asked.notify_all()
        try:
            return [await end]
        except asyncio.CancelledError:
            self.cancelled.append(segment.text)
            raise

    async def aclose(self) -> None:
        for end in self.ends.values():
            end.cancel()

    async def until_asked(self, *texts: str) -> None:
        async with self.asked, asyncio.timeout(5):
            await self.asked.wait_for(lambda: all(text in self.ends for text in texts))

    def say(self, text: str, so_far: str) -> None:
        self.hears[text](so_far)

    def end(self, text: str, outcome: str | EngineError) -> None:
        self.ends.pop(text).set_result(Output(outcome) if isinstance(outcome, str) else outcome)


@asynccontextmanager
async def over(
    engine: Engine, memory: TieredMemory | None = None, queue: Scheduling = QUEUE
) -> AsyncIterator[Translator]:
    async with Pool() as pool, Translator(pool, memory, LIMITS, queue) as translator:
        pool.add("only", engine)
        await translator.ready()
        yield translator


def asked(*texts: str, **more: Any) -> TranslateRequest:  # noqa: ANN401 - any field
    return TranslateRequest(**{"texts": texts, "targets": ("de",), "source": "en", **more})


async def news(telling: Telling) -> list[Event]:
    async with asyncio.timeout(5):
        return await telling.news()


async def until_done(telling: Telling) -> list[Event]:
    events: list[Event] = []
    while not events or not isinstance(events[-1], Done):
        events += await news(telling)
    return events


def take(reading: Reading, events: list[Event]) -> None:
    for event in events:
        name, data = in_words(event, "request")
        reading.read(name, msgspec.json.decode(data))


class TestOrder:
    async def test_words_come_as_they_are_made(self) -> None:
        engine = Dictated()
        async with over(engine) as translator, translator.stream(asked("Good morning.")) as telling:
            assert await news(telling) == [
                ItemStarted(item=0, text=0, target="de", source="en", segments=1),
                SegmentStarted(0, 0, "Good morning.", ""),
            ]
            await engine.until_asked("Good morning.")
            engine.say("Good morning.", "Guten")
            assert await news(telling) == [SegmentDelta(0, 0, "Guten")]
            engine.say("Good morning.", "Guten Mor")
            assert await news(telling) == [SegmentDelta(0, 0, " Mor")]
            engine.end("Good morning.", "Guten Morgen.")
            done = await until_done(telling)

        assert done[:2] == [
            SegmentDelta(0, 0, "gen."),
            SegmentDone(item=0, segment=0, text="Guten Morgen.", findings=(), remembered=False),
        ]

    async def test_words_of_later_sentences_wait_for_their_turn(self) -> None:
        engine = Dictated()
        async with over(engine) as translator, translator.stream(asked("First one. Second one.")) as telling:
            await news(telling)
            await engine.until_asked("First one.", "Second one.")
            engine.say("Second one.", "Zwei")
            engine.end("Second one.", "Zweitens.")
            engine.say("First one.", "Ers")
            assert await news(telling) == [SegmentDelta(0, 0, "Ers")]
            engine.end("First one.", "Erstens.")
            events = await until_done(telling)

        assert [type(event).__name__ for event in events[:5]] == [
            "SegmentDelta", "SegmentStarted", "SegmentDelta", "SegmentDone", "SegmentDone",
        ]  # fmt: skip
        assert events[1:3] == [SegmentStarted(0, 1, "Second one.", " "), SegmentDelta(0, 1, "Zweitens.")]

    async def test_texts_do_not_wait_for_each_other(self) -> None:
        engine = Dictated()
        async with over(engine) as translator, translator.stream(asked("One.", "Two.")) as telling:
            await news(telling)
            await engine.until_asked("One.", "Two.")
            engine.say("Two.", "Zwei")

            assert await news(telling) == [SegmentDelta(1, 0, "Zwei")]

    async def test_a_reader_who_was_away_gets_it_in_one_piece(self) -> None:
        engine = Dictated()
        async with over(engine) as translator, translator.stream(asked("Good morning.")) as telling:
            await news(telling)
            await engine.until_asked("Good morning.")
            for end in range(1, len("Guten Morgen")):
                engine.say("Good morning.", "Guten Morgen"[:end])

            assert await news(telling) == [SegmentDelta(0, 0, "Guten Morge")]

    async def test_while_nothing_happens_there_is_no_news(self) -> None:
        engine = Dictated()
        async with over(engine) as translator, translator.stream(asked("Good morning.")) as telling:
            await news(telling)

            assert await telling.news(timeout_s=0.01) == []

    async def test_two_who_want_the_same_sentence_hear_the_same_words(self) -> None:
        engine = Dictated()
        async with (
            over(engine) as translator,
            translator.stream(asked("Good morning.")) as first,
            translator.stream(asked("Good morning.")) as second,
        ):
            await news(first)
            await news(second)
            await engine.until_asked("Good morning.")
            engine.say("Good morning.", "Guten")

            assert await news(first) == await news(second) == [SegmentDelta(0, 0, "Guten")]
            assert len(engine.ends) == 1


class TestTakenBack:
    async def test_a_sentence_that_another_replica_begins_anew_is_replaced_where_it_differs(self) -> None:
        engine = Dictated()
        async with over(engine) as translator, translator.stream(asked("Good morning.")) as telling:
            reading = Reading()
            await engine.until_asked("Good morning.")
            engine.say("Good morning.", "Guten Mor")
            take(reading, await news(telling))
            engine.end("Good morning.", EngineUnavailable("It fell over.", engine="dictated"))
            await engine.until_asked("Good morning.")
            engine.say("Good morning.", "Guten")
            engine.say("Good morning.", "Schönen")
            take(reading, await news(telling))
            engine.end("Good morning.", "Schönen Morgen.")
            take(reading, await until_done(telling))

        assert list(dict.fromkeys(reading.shown[0])) == ["", "Guten Mor", "Schönen", "Schönen Morgen."]

    async def test_chatter_around_a_translation_is_replaced_by_the_translation(self) -> None:
        engine = Dictated()
        async with over(engine) as translator, translator.stream(asked("Good morning.")) as telling:
            reading = Reading()
            await engine.until_asked("Good morning.")
            engine.say("Good morning.", "Here is the translation: Gut")
            take(reading, await news(telling))
            engine.end("Good morning.", "Here is the translation: Guten Morgen.")
            take(reading, await until_done(telling))

        assert list(dict.fromkeys(reading.shown[0])) == ["", "Here is the translation: Gut", "Guten Morgen."]

    async def test_a_sentence_that_waits_for_its_repair_does_not_hold_up_the_next(self) -> None:
        engine = Dictated()
        async with over(engine) as translator, translator.stream(asked("Dear {name}, hi. Second one.")) as telling:
            reading = Reading()
            await engine.until_asked("Dear <1/>, hi.", "Second one.")
            engine.say("Dear <1/>, hi.", "Liebe <1/>, h")
            engine.end("Dear <1/>, hi.", "Liebe, hallo.")
            engine.say("Second one.", "Zwei")
            while "Zwei" not in (waiting := "".join(reading.texts.get(0, ()))):
                take(reading, await news(telling))
            engine.end("Second one.", "Zweitens.")
            await engine.until_asked("Dear {1}, hi.")
            engine.end("Dear {1}, hi.", "Liebe {1}, hallo.")
            take(reading, await until_done(telling))

        assert waiting == "Liebe {name}, hZwei"
        assert reading.text(0) == "Liebe {name}, hallo. Zweitens."
        assert [finding["kind"] for finding in reading.done[0][0]["findings"]] == ["repaired"]


class TestEnds:
    async def test_who_leaves_cancels_the_work_in_the_engine_too(self) -> None:
        engine = Dictated()
        async with over(engine) as translator:
            async with translator.stream(asked("Good morning.")) as telling:
                await news(telling)
                await engine.until_asked("Good morning.")
            async with asyncio.timeout(5):
                await translator.scheduler.drained()

        assert engine.cancelled == ["Good morning."]

    async def test_who_leaves_takes_nothing_from_others(self) -> None:
        engine = Dictated()
        async with over(engine) as translator, translator.stream(asked("Good morning.")) as stays:
            async with translator.stream(asked("Good morning.")) as leaves:
                await news(leaves)
                await engine.until_asked("Good morning.")
            engine.end("Good morning.", "Guten Morgen.")

            assert isinstance((await until_done(stays))[-1], Done)

    async def test_what_is_refused_is_raised_before_anything_is_told(self) -> None:
        engine = Dictated(slots=1)
        async with (
            over(engine, queue=Scheduling(segments=1, tokens=10_000)) as translator,
            translator.stream(asked("One. Two.")) as first,
        ):
            await news(first)
            async with translator.stream(asked("Three. Four.")) as second:
                with pytest.raises(Overloaded):
                    await news(second)

    async def test_an_item_that_fails_leaves_the_others_alone(self) -> None:
        engine = Dictated()
        async with over(engine) as translator, translator.stream(asked("One.", "Two.")) as telling:
            await engine.until_asked("One.", "Two.")
            engine.end("Two.", "Zwei.")
            for _ in range(2):  # one try more
                await engine.until_asked("One.")
                engine.end("One.", EngineUnavailable("It fell over.", engine="dictated"))
            reading = Reading()
            take(reading, await until_done(telling))

        assert reading.items[0]["error"]["status"] == 502
        assert (reading.items[1]["text"], reading.end and reading.end["failed"]) == ("Zwei.", 1)

    async def test_what_is_remembered_comes_at_once(self) -> None:
        engine = Dictated()
        memory = TieredMemory(HotMemory(max_bytes=1_000_000))
        async with over(engine, memory) as translator:
            first = asyncio.create_task(translator.translate(asked("Good morning.")))
            await engine.until_asked("Good morning.")
            engine.end("Good morning.", "Guten Morgen.")
            await first
            async with translator.stream(asked("Good morning.")) as telling:
                events = await news(telling)

        assert SegmentDone(item=0, segment=0, text="Guten Morgen.", findings=(), remembered=True) in events
        assert isinstance(events[-1], Done)


class Case(Struct, frozen=True):
    """A text, in a format, into a language."""

    text: str
    format: Any = "text"
    target: str = "de"


SENTENCES = st.sampled_from(
    ["Good morning, {name}.", "We have 3 rooms left.", "See https://example.org/a?b=c now!", "Is it <b>big</b>?",
     "Order #1,234 costs $5.", "Bye", "- a list item", "1. First", "*very* nice", "It is.", "こんにちは。"]
)  # fmt: skip
MARKUP = st.sampled_from(
    ["<p>Good <b>morning</b>, Ann.</p>", '<a href="x" title="A nice title">Read this</a> now. ', "Hi &amp; bye. ",
     "<li>One thing. Two things.</li>", "<br>", "<code>x = 1</code> is code. "]
)  # fmt: skip
TARGETS = st.sampled_from(["de", "zh", "ja", "sr-Latn", "en"])
CASES = st.one_of(
    st.builds(
        Case,
        st.lists(st.tuples(SENTENCES, st.sampled_from([" ", "\n", "\n\n", ""])), max_size=6).map(
            lambda pieces: "".join(map("".join, pieces))
        ),
        st.sampled_from(["text", "markdown"]),
        TARGETS,
    ),
    st.builds(Case, st.lists(MARKUP, max_size=5).map("".join), st.just("html"), TARGETS),
)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=CASES, mischief=st.sampled_from(["0", "0.5", "drop_marker:0.5,reformat_marker:0.5"]))
def test_a_stream_comes_to_the_plain_answer(case: Case, mischief: str, tmp_path: Path) -> None:
    async def both() -> tuple[list[dict[str, Any]], Reading]:
        url = f"simulated://ollama-1?slots=4&speed=500&mischief={mischief}"
        request = asked(
            case.text or " ", targets=(case.target, "fr"), format=case.format, wishes=Wishes(confidence=True)
        )
        request = structs.replace(request, no_store=True)
        async with over(await open_engine(url, tmp_path)) as translator:
            plain = native_items(request, await translator.translate(request), "request")
            reading, _ = await streamed(translator, request)
        return msgspec.json.decode(msgspec.json.encode(plain)), reading

    plain, reading = asyncio.run(both())
    assert [settled(reading.items[number]) for number in range(2)] == list(map(settled, plain))
    for texts in reading.shown.values():
        assert not any("<1" in text or "{1" in text or "⟦" in text for text in texts)


def settled(item: dict[str, Any]) -> dict[str, Any]:
    """An item without what depends on when it was asked for."""
    return {name: value for name, value in item.items() if name not in ("timings", "tokens")}
