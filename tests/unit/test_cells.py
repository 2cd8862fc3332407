"""Texts to cells: each text once, as many as keep the engine full, nothing burnt by an engine that is away."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from dragoman.core import breaker
from dragoman.core.plan import Limits
from dragoman.core.pool import Pool
from dragoman.core.scheduler import Scheduling
from dragoman.core.translator import Translator
from dragoman.engines.base import Engine
from dragoman.errors import EngineRejected, EngineTimeout, EngineUnavailable, LedgerError
from dragoman.jobs import cells as cells_module
from dragoman.jobs import outage
from dragoman.jobs.brakes import Brakes
from dragoman.jobs.cells import Cells, Spent, Stopped, Tally, Wanted
from dragoman.jobs.progress import Prices
from dragoman.jobs.spec import Cell
from dragoman.types import EngineInfo, Segment, Tokens, TranslateRequest
from tests.held_engine import HeldEngine
from tests.spoken_engine import SpokenEngine

LIMITS = Limits(max_texts=100, max_characters=100_000, timeout_s=10, max_timeout_s=60)
QUEUE = Scheduling(segments=10_000, tokens=1_000_000)
REQUEST = TranslateRequest(texts=(), targets=("de",), source="en")


class Remembered:
    """A memo in a dict; what is put is committed when `commit` is set."""

    def __init__(self, known: dict[str, Cell] | None = None, *, fails: bool = False) -> None:
        self.stored: dict[bytes, Cell] = {}
        self.known = known or {}
        self.commit = asyncio.Event()
        self.commit.set()
        self._fails = fails
        self._committing: set[asyncio.Task[Cell]] = set()

    async def get_many(self, keys: Sequence[bytes]) -> list[Cell | None]:
        await asyncio.sleep(0)
        return [self.stored.get(key) for key in keys]

    async def put(self, key: bytes, cell: Cell) -> asyncio.Future[Cell]:
        task = asyncio.create_task(self._stored(key, cell))
        self._committing.add(task)
        return task

    async def _stored(self, key: bytes, cell: Cell) -> Cell:
        await self.commit.wait()
        if self._fails:
            raise LedgerError("The disk is full.")
        return self.stored.setdefault(key, cell)


@asynccontextmanager
async def cells_on(
    engine: Engine,
    memo: Remembered | None = None,
    pause_for: Callable[[Tally], str | None] = lambda _: None,
) -> AsyncIterator[Cells]:
    async with Pool() as pool, Translator(pool, None, LIMITS, QUEUE) as translator:
        pool.add("one", engine)
        await translator.ready()
        cells = Cells(translator, memo or Remembered(), REQUEST, pause_for)
        yield cells
        cells.stop(Stopped("The test is over."))
        await cells.drained()


async def until(holds: Callable[[], object]) -> None:
    while not holds():  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0)


def said(segment: Segment) -> str:
    return f"<{segment.pair.target}> {segment.text}"


def wanted(*texts: str | None, target: str = "de") -> list[Wanted]:
    return [Wanted(text, target) for text in texts]


async def test_each_cell_in_its_place_and_equal_texts_asked_for_once() -> None:
    engine = SpokenEngine(lambda segment: f"Das ist {segment.text[-4:]}")
    async with cells_on(engine) as cells:
        spent = Spent()
        found = await cells.translate(wanted("The red hat", "A blue coat", "The red hat"), spent)

    assert [cell.text for cell in found] == ["Das ist  hat", "Das ist coat", "Das ist  hat"]
    assert sorted(one.text for one in engine.asked) == ["A blue coat", "The red hat"]
    assert (cells.tally.called, cells.tally.shared, cells.tally.settled) == (2, 1, 3)
    assert spent.characters == len("The red hat") + len("A blue coat")


async def test_white_space_around_a_text_is_its_own_and_the_core_is_shared() -> None:
    engine = SpokenEngine(lambda segment: "Der rote Hut")
    async with cells_on(engine) as cells:
        found = await cells.translate(wanted("  The red hat\n", "The red hat"), Spent())

    assert [cell.text for cell in found] == ["  Der rote Hut\n", "Der rote Hut"]
    assert len(engine.asked) == 1


@pytest.mark.parametrize("text", [None, "", "  ", "12.50", "4711-0815", "https://example.org/a?b=c", "a.b@example.org"])
async def test_what_needs_no_translation_is_copied_without_a_call(text: str | None) -> None:
    engine = SpokenEngine(said)
    async with cells_on(engine) as cells:
        assert await cells.translate(wanted(text), Spent()) == [Cell("passthrough", text)]
    assert engine.asked == []


async def test_two_shards_that_want_the_same_text_share_the_call_and_each_gets_it() -> None:
    engine = HeldEngine(held=True)
    async with cells_on(engine) as cells:
        first = asyncio.create_task(cells.translate(wanted("The red hat"), Spent()))
        second = asyncio.create_task(cells.translate(wanted("The red hat", "The blue hat"), Spent()))
        await until(lambda: engine.running)
        engine.release.set()
        one, two = await asyncio.gather(first, second)

    assert one[0].text == two[0].text == "[de] The red hat"
    assert sorted(engine.called) == ["The blue hat", "The red hat"]


async def test_what_the_memo_knows_is_not_called_for_and_nothing_is_settled_before_it_is_committed() -> None:
    engine, memo = SpokenEngine(lambda segment: "Der rote Hut"), Remembered()
    memo.commit.clear()
    async with cells_on(engine, memo) as cells:
        waiting = asyncio.create_task(cells.translate(wanted("The red hat"), Spent()))
        await until(lambda: engine.asked)
        await asyncio.sleep(0.01)
        assert not waiting.done()
        memo.commit.set()
        await waiting
        again = await cells.translate(wanted("The red hat"), Spent())

    assert again[0].text == "Der rote Hut"
    assert (len(engine.asked), cells.tally.known) == (1, 1)


async def test_a_text_that_cannot_be_translated_is_an_error_that_says_why_and_leaves_the_others_alone() -> None:
    refusal = EngineRejected("The engine does not want this text.", engine="spoken")
    engine = SpokenEngine(lambda segment: refusal if "bad" in segment.text else "Gut so")
    async with cells_on(engine) as cells:
        bad, good = await cells.translate(wanted("A bad text", "A good text"), Spent())

    assert bad == Cell("error", findings=("engine_rejected: The engine does not want this text.",))
    assert good.status == "ok"
    assert cells.tally.errors == 1


async def test_an_engine_that_is_away_for_a_while_costs_no_row_and_is_said_clearly(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(outage, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(breaker, "SHORTEST_S", 0.01)
    away = True

    def speak(segment: Segment) -> str | EngineUnavailable:
        return EngineUnavailable("nobody there", engine="spoken") if away else "Wieder da"

    engine = SpokenEngine(speak)
    caplog.set_level(logging.WARNING)
    async with cells_on(engine) as cells:
        waiting = asyncio.create_task(cells.translate(wanted(*(f"Text number {n}" for n in range(40))), Spent()))
        await until(lambda: sum("is away" in record.message for record in caplog.records) >= 2)
        away = False
        found = await waiting

    assert {cell.status for cell in found} == {"ok"}
    assert sum("is back" in record.message for record in caplog.records) == 1


async def test_a_text_that_alone_finds_no_answer_becomes_an_error_after_some_tries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: 0.0)
    late = EngineTimeout("no answer in time", engine="spoken")
    engine = SpokenEngine(lambda segment: late if "poison" in segment.text else "Gut so")
    async with cells_on(engine) as cells:
        poison, good = await cells.translate(wanted("A poison text", "A good text"), Spent())

    assert (poison.status, good.status) == ("error", "ok")
    assert sum("poison" in one.text for one in engine.asked) == cells_module.TRIES


async def test_stopping_sends_nothing_more_and_commits_what_flies() -> None:
    engine, memo = HeldEngine(held=True), Remembered()
    async with cells_on(engine, memo) as cells:
        texts = [f"Text number {n}" for n in range(100)]
        waiting = asyncio.create_task(cells.translate(wanted(*texts), Spent()))
        await until(lambda: engine.running)
        cells.stop(Stopped("Ctrl-C"))
        with pytest.raises(Stopped, match="Ctrl-C"):
            await waiting
        engine.release.set()
        await cells.drained()

    assert len(engine.called) == len(memo.stored) < 100


async def test_a_memo_that_cannot_keep_an_answer_stops_the_work() -> None:
    async with cells_on(SpokenEngine(said), Remembered(fails=True)) as cells:
        with pytest.raises(LedgerError, match="disk is full"):
            await cells.translate(wanted("A text", "Another text"), Spent())
        with pytest.raises(LedgerError):
            await cells.translate(wanted("A third text"), Spent())


async def test_no_more_texts_are_out_than_keep_the_engine_full() -> None:
    info = EngineInfo(name="held", model="held-1", slots=20, max_segment_tokens=400)
    engine = HeldEngine(info, held=True)
    async with cells_on(engine) as cells:
        waiting = asyncio.create_task(cells.translate(wanted(*(f"Text number {n}" for n in range(500))), Spent()))
        await until(lambda: engine.running == 18)  # bulk leaves a tenth to people
        await asyncio.sleep(0.02)
        assert cells.tally.called == cells_module.AHEAD * 20
        engine.release.set()
        await waiting
    assert len(engine.called) == 500


class TestBrakes:
    def test_more_errors_than_allowed(self) -> None:
        brakes = Brakes(max_errors=10, errors_before=9)
        assert brakes.reason_to_stop(Tally(called=1_000, errors=1)) is None
        assert "more than the 10 allowed" in (brakes.reason_to_stop(Tally(called=1_000, errors=2)) or "")

    def test_more_spent_than_allowed_counting_what_earlier_runs_spent(self) -> None:
        brakes = Brakes(max_cost=2.0, prices=Prices(input=1.0, output=2.0), tokens_before=Tokens(1_000_000, 0, 0))
        assert brakes.reason_to_stop(Tally(tokens=Tokens(0, 0, 499_999))) is None
        assert "2.00 is spent" in (brakes.reason_to_stop(Tally(tokens=Tokens(0, 0, 500_000))) or "")

    def test_where_most_texts_fail_at_once_something_else_is_wrong(self) -> None:
        brakes = Brakes()
        assert brakes.reason_to_stop(Tally(called=1_000, errors=10)) is None
        assert brakes.reason_to_stop(Tally(called=1_049, errors=59)) is None
        assert "of the last 50 texts failed" in (brakes.reason_to_stop(Tally(called=1_050, errors=60)) or "")
