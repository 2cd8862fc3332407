"""Bad rows, bad files, bad disks and bad answers: each has a clear word, and everything else goes on."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dragoman.jobs import outage
from dragoman.jobs.brakes import Brakes
from dragoman.jobs.job import fingerprint_of, open_job, plan_job
from dragoman.jobs.progress import Progress
from dragoman.jobs.runner import local_runner
from dragoman.jobs.tables.planning import plan_table
from dragoman.settings import Settings
from dragoman.types import TranslateRequest
from dragoman.wiring import open_translator
from tests.contract.fault_server import Connection, Request, answer
from tests.faults.engines import Fault, FaultyOllama, line, never_answers, ollamas, resets_at_once, sends, translates

REQUEST = TranslateRequest(texts=(), targets=("de",), source="en")
FEW = 6


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits before another try waits a hundredth of its time."""
    monkeypatch.setattr(outage, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(random, "uniform", lambda low, high: high / 100)


async def work(folder: Path, table: Path, engine: str, *, shard_rows: int = 4) -> Progress:
    """Plan the job in `folder`, where there is none, and work on it until it ends."""
    settings = Settings(engine=engine, data_dir=str(folder.parent / "data"), memory_bytes=0)
    async with open_translator(settings) as translator:
        await translator.ready()
        fingerprint = fingerprint_of(translator.info)
        if not folder.exists():  # noqa: ASYNC240 - a test waits for its own disk
            plan_job(
                folder, *plan_table([table], columns=["title"], request=REQUEST, shard_rows=shard_rows), fingerprint
            )
        async with open_job(folder) as job:
            job.check(fingerprint)
            before = await job.prepare()
            brakes = Brakes()
            async with local_runner(job.spec, folder, job.ledger, translator, (), brakes.reason_to_stop) as runner:
                return await job.run(runner, before)


def rows_of(folder: Path) -> list[tuple[str | None, str, str | None]]:
    """What each row came to: the translation, the status, the findings."""
    parts = [pq.read_table(path) for path in sorted(folder.glob("part-*.parquet"))]
    names = ("title_de", "title_de_status", "title_de_findings")
    return [row for part in parts for row in zip(*(part.column(name).to_pylist() for name in names), strict=True)]


def csv_of(folder: Path, rows: Sequence[bytes]) -> Path:
    path = folder / "in.csv"
    path.write_bytes(b"sku,title\n" + b"\n".join(rows) + b"\n")
    return path


def good_rows(count: int) -> list[bytes]:
    return [
        b"%d,Good morning number %s." % (number, b"abcdefghijklmnopqrstuvwxyz"[number : number + 1])
        for number in range(count)
    ]


async def test_a_csv_with_broken_rows_has_everything_else_translated_and_says_where_they_are(tmp_path: Path) -> None:
    rows = good_rows(FEW)
    rows[1] = b"1,too,many,fields"
    rows[3] = b"3,half \xff a letter"
    async with ollamas(FaultyOllama()) as (engine,):
        progress = await work(tmp_path / "out", csv_of(tmp_path, rows), engine)

    assert (progress.state, progress.rows, progress.ok, progress.error) == ("done", FEW, FEW - 2, 2)
    found = rows_of(tmp_path / "out")
    assert [status for _, status, _ in found] == ["ok", "error", "ok", "error", "ok", "ok"]
    for row in (1, 3):
        translation, _, findings = found[row]
        assert translation is None
        assert findings is not None
        assert findings.startswith(f"unreadable: in.csv, line {row + 2}: ")


async def test_garbage_in_json_lines_is_a_broken_row_and_the_rest_is_translated(tmp_path: Path) -> None:
    table = tmp_path / "in.jsonl"
    table.write_bytes(b'{"title":"Good morning a."}\n\x00\x17garbage\n{"title":7}\n[]\n{"title":"Good morning b."}\n')
    async with ollamas(FaultyOllama()) as (engine,):
        progress = await work(tmp_path / "out", table, engine)

    assert (progress.state, progress.ok, progress.error) == ("done", 2, 3)
    found = rows_of(tmp_path / "out")
    assert [status for _, status, _ in found] == ["ok", "error", "error", "error", "ok"]
    assert all("in.jsonl, line " in str(findings) for _, status, findings in found if status == "error")


async def test_a_parquet_file_with_a_corrupt_page_is_translated_but_for_the_rows_of_that_page(tmp_path: Path) -> None:
    table = tmp_path / "in.parquet"
    titles = [f"Good morning {letter}." for letter in "abcdefghijkl"]
    pq.write_table(pa.table({"title": titles}), table, row_group_size=4, compression="none", write_page_checksum=True)
    whole = table.read_bytes()
    table.write_bytes(whole.replace(b"Good morning f.", b"Good evening f."))
    async with ollamas(FaultyOllama()) as (engine,):
        progress = await work(tmp_path / "out", table, engine)
        assert (progress.state, progress.rows, progress.ok) == ("failed", 8, 8)
        assert "1 parts of the input cannot be read" in progress.reason
        assert not (tmp_path / "out" / "manifest.json").exists()
        assert [path.name for path in sorted((tmp_path / "out").glob("part-*"))] == [
            "part-000000.parquet",
            "part-000002.parquet",
        ]


async def test_an_input_that_is_cut_while_it_is_read_ends_the_job_and_what_was_done_stays(tmp_path: Path) -> None:
    long = b"x" * 20_000  # more than is read ahead
    table, out = csv_of(tmp_path, [long + row for row in good_rows(20)]), tmp_path / "out"
    whole, stand = table.read_bytes(), table.stat()

    async def cuts(connection: Connection) -> None:
        os.truncate(table, 300_000)
        await translates(connection)

    ollama = FaultyOllama(cuts)
    async with ollamas(ollama) as (engine,):
        cut = await work(out, table, engine)
        assert cut.state == "failed"
        assert str(table) in cut.reason
        assert 0 < cut.ok < 20

        table.write_bytes(whole)
        os.utime(table, ns=(stand.st_atime_ns, stand.st_mtime_ns))
        done = await work(out, table, engine)

    assert (done.state, done.ok) == ("done", 20)
    assert ollama.asked == 20


def busy(status: int, extra: str = "") -> Fault:
    return lambda connection: connection.send(answer(b'{"error":"not now"}', status, extra=extra))


CAPPED = sends(b'{"response":"Guten Mo","done":true,"done_reason":"length"}\n')

PASSING: dict[str, Fault] = {
    "429 with Retry-After": busy(429, "Retry-After: 1\r\n"),
    "500": busy(500),
    "503": busy(503),
    "408": busy(408),
    "a reset connection": resets_at_once,
    "silence": never_answers,
}


@pytest.mark.parametrize("fault", PASSING)
async def test_a_fault_that_passes_costs_no_row(fault: str, tmp_path: Path) -> None:
    ollama = FaultyOllama(*[PASSING[fault]] * 3)
    async with ollamas(ollama) as (engine,):
        progress = await work(tmp_path / "out", csv_of(tmp_path, good_rows(FEW)), f"{engine}&timeout_s=1")

    assert (progress.state, progress.ok, progress.error) == ("done", FEW, 0)


LASTING: dict[str, tuple[Fault, str]] = {
    "garbage": (sends(b"<html>no</html>\n"), "bad_output: "),
    "an empty answer": (sends(line("", done=True)), "bad_output: "),
    "400 for this text": (busy(400), "status_rejected: "),
    "413 for this text": (busy(413), "status_rejected: "),
    "422 for this text": (busy(422), "status_rejected: "),
}


async def test_an_answer_that_ran_into_its_limit_is_there_with_a_finding_that_says_so(tmp_path: Path) -> None:
    async with ollamas(always_for(b"number c", CAPPED)) as (engine,):
        progress = await work(tmp_path / "out", csv_of(tmp_path, good_rows(FEW)), engine)

    assert (progress.state, progress.ok) == ("done", FEW)
    _, _, findings = rows_of(tmp_path / "out")[2]
    assert findings is not None
    assert findings.startswith("truncated: ")


def always_for(text: bytes, fault: Fault) -> FaultyOllama:
    """An engine that has the fault with one text, however often it is asked."""

    class Picky(FaultyOllama):
        async def __call__(self, connection: Connection, request: Request) -> None:
            self.always = fault if text in request.body else translates
            await super().__call__(connection, request)

    return Picky()


@pytest.mark.parametrize("fault", LASTING)
async def test_a_fault_that_lasts_costs_its_row_alone_and_says_why(fault: str, tmp_path: Path) -> None:
    bad, begins = LASTING[fault]
    async with ollamas(always_for(b"number c", bad)) as (engine,):
        progress = await work(tmp_path / "out", csv_of(tmp_path, good_rows(FEW)), engine)

    assert (progress.state, progress.ok, progress.error) == ("done", FEW - 1, 1)
    translation, status, findings = rows_of(tmp_path / "out")[2]
    assert (translation, status) == (None, "error")
    assert findings is not None
    assert findings.startswith(begins)


@pytest.mark.parametrize("status", [401, 402, 403, 404])
async def test_a_key_or_model_that_is_refused_pauses_the_job_and_spoils_no_row(status: int, tmp_path: Path) -> None:
    count = 200
    table = csv_of(tmp_path, [b"%d,Good morning number %d." % (number, number) for number in range(count)])
    ollama = FaultyOllama(always=busy(status))
    async with ollamas(ollama) as (engine,):
        progress = await work(tmp_path / "out", table, engine, shard_rows=100)
    assert progress.state == "paused"
    assert "refuses all work" in progress.reason
    assert (progress.error, ollama.asked < count) == (0, True)
