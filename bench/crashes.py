"""A job that is killed again and again at random moments, and resumed until it is done."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from bench.job_processes import Child, Engine, Nursery

WORDS = ("Red wooden chair", "Garden table", "Soft cushion", "Oak shelf", "Blue lamp", "Cotton blanket", "Iron gate")
DUPLICATES = 0.3
LONGEST_PAUSE_S = 0.03
"""After the moment at which so many texts were asked for: long enough to hit a commit or a part that is written."""


class Crashed(Struct, frozen=True):
    """A job that came to its end. `asked` and `answered` are the texts in the order of the engine's own count; run n
    began at `asked_before[n]` and `answered_before[n]` of them, and every run but the last was killed.
    """

    asked: Sequence[str]
    answered: Sequence[str]
    asked_before: Sequence[int]
    answered_before: Sequence[int]


def titles(rows: int, seed: int = 1) -> list[str]:
    """Product titles, of which `DUPLICATES` came before, all over the table."""
    lots = random.Random(seed)
    distinct = round(rows * (1 - DUPLICATES))
    made = [f"{lots.choice(WORDS)} with four strong legs number {number}" for number in range(distinct)]
    found = made + lots.choices(made, k=rows - distinct)
    lots.shuffle(found)
    return found


def write_table(path: Path, texts: Sequence[str]) -> None:
    """A CSV with a number and a title in each row."""
    path.write_text("sku,title\n" + "".join(f"{number:06},{text}\n" for number, text in enumerate(texts)))


def crash(folder: Path, table: Path, distinct: int, kills: int, seed: int, engine: Engine, home: Nursery) -> Crashed:
    """Work on a new job in `folder` until it is done, killed as often on the way. Raises AssertionError, with what the
    command said, where a run ends by itself that should not, or the last one ends without success.
    """
    lots = random.Random(seed)
    moments = sorted(lots.choices(range(1, distinct * 9 // 10), k=kills))  # from 1 on: then the job is planned
    options = ("--engine", engine.url, "--memory-bytes", "0")
    plan = ("job", "run", str(table), "--column", "title", "--from", "en", "--to", "de", "--out", str(folder))
    asked_before, answered_before = [len(engine.asked)], [len(engine.answered)]
    child = home.start(*plan, *options)
    for moment in moments:
        _until(moment, engine, child)
        engine.read_for(lots.uniform(0.0, LONGEST_PAUSE_S))
        child.kill()
        assert child.code() < 0, child.told()
        engine.settle()
        asked_before.append(len(engine.asked))
        answered_before.append(len(engine.answered))
        child = home.start("job", "resume", str(folder), *options)
    _until(None, engine, child)
    assert child.code() == 0, child.told()
    return Crashed(engine.asked, engine.answered, asked_before, answered_before)


def _until(moment: int | None, engine: Engine, child: Child) -> None:
    """Take in what is asked until that makes so many different texts, or else until the command ends."""
    different = set(engine.asked)
    taken = len(engine.asked)
    while (moment is None or len(different) < moment) and engine.read(child.ended):
        different.update(engine.asked[taken:])
        taken = len(engine.asked)
