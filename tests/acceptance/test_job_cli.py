"""`dragoman job`: the installed command on real files, whatever ends it."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import logging
import os
import pty
import re
import signal
import sqlite3
import struct
import subprocess
import termios
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, chdir, closing, contextmanager, redirect_stderr, redirect_stdout
from fcntl import ioctl
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dragoman import simulator
from dragoman.cli import job_show, main
from dragoman.cli.job import missing_rows
from dragoman.cli.job_status import SILENT_S, Failure, Status, failures_by_kind, report
from dragoman.jobs.job_file import Unfinished
from dragoman.jobs.progress import Progress
from dragoman.jobs.spec import Shard
from dragoman.types import Tokens
from tests.acceptance.test_cli import DRAGOMAN, SIMULATED, Cli, assert_one_line, words

ROWS = 60
ASKED = ("--to", "de,fr", "--from", "en")
SLOW = ("--engine", "simulated://slow-cpu?speed=20&slots=4")
"""Some ten texts a second."""

NARROW = ("--engine", "simulated://instant?slots=2")
"""So that not all of a small table is under way at once."""

LIMITED = ("--max-characters", "30")
"""What is longer fails; no text of `table` is, but those of `with_long_texts` are."""


class Here(Cli):
    """Runs the command in this process, which spares a second each time; `running` is the installed one still."""

    def __call__(self, *arguments: str, stdin: bytes = b"", **variables: str) -> subprocess.CompletedProcess[bytes]:
        stdout, stderr = io.StringIO(), io.StringIO()
        with chdir(self.folder), redirect_stdout(stdout), redirect_stderr(stderr):
            code = main(arguments)
        return subprocess.CompletedProcess(arguments, code, stdout.getvalue().encode(), stderr.getvalue().encode())


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    log = logging.getLogger("dragoman")
    level = log.level
    monkeypatch.setenv("DRAGOMAN_DATA_DIR", str(tmp_path / "data"))
    yield Here(tmp_path)
    log.setLevel(level)


@pytest.fixture
def installed(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


def table(rows: int = ROWS) -> list[dict[str, str]]:
    """Every fifth text stands there twice, and every tenth row has none to translate."""
    return [{"sku": f"{row:05}", "title": title(row)} for row in range(rows)]


def title(row: int) -> str:
    return "" if row % 10 == 9 else f"Red chair number {row - row % 5 % 2}"


def write_csv(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_jsonl(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_parquet(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    pq.write_table(pa.Table.from_pylist(list(rows)), path)


WRITERS = {"csv": write_csv, "jsonl": write_jsonl, "parquet": write_parquet}
READERS: dict[str, Callable[[Path], list[dict[str, str]]]] = {
    "csv": lambda path: list(csv.DictReader(io.StringIO(path.read_text()))),
    "jsonl": lambda path: [json.loads(line) for line in path.read_text().splitlines()],
    "parquet": lambda path: pq.read_table(path).to_pylist(),
}


def status_of(cli: Cli, folder: str = "out") -> Status:
    finished = cli("job", "status", folder, "--json")
    assert finished.returncode == 0, finished.stderr
    return msgspec.json.decode(finished.stdout, type=Status)


def exported(cli: Cli, kind: str = "csv") -> list[dict[str, str]]:
    finished = cli("job", "export", "out", f"translated.{kind}")
    assert finished.returncode == 0, finished.stderr
    return READERS[kind](cli.folder / f"translated.{kind}")


def stored_answers(folder: Path) -> int:
    """How many answers the ledger of a job holds, while another process writes it."""
    path = folder / "job.sqlite3"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path)) as database:
        try:
            (count,) = database.execute("SELECT count(*) FROM memo").fetchone()
        except sqlite3.OperationalError:  # it is being made
            return 0
        return int(count)


def wait_for_answers(folder: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    """Return when the job has so many answers; it must not have ended before."""
    deadline = time.monotonic() + 30
    while stored_answers(folder) < count:
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)  # another process's file gives no event to wait for


# run and export


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_table_comes_back_with_all_its_rows_in_order_and_new_columns(cli: Cli, installed: Cli, kind: str) -> None:
    WRITERS[kind](cli.folder / f"in.{kind}", table())

    finished = installed("job", "run", f"in.{kind}", "--column", "title", *ASKED, "--out", "out", *SIMULATED)

    assert (finished.returncode, finished.stderr) == (0, b"")
    summary, advice = words(finished.stdout)
    assert summary.startswith(f"Done. {ROWS} of {ROWS} rows: 54 ok, 6 passed through, 0 failed; ")
    assert "dragoman job export out FILE.csv" in advice
    rows = exported(cli, kind)
    assert [{name: row[name] for name in ("sku", "title")} for row in rows] == table()
    assert {row["title_de_status"] for row in rows if row["title"]} == {"ok"}
    assert [re.findall(r"\d+", row["title_fr"]) for row in rows] == [re.findall(r"\d+", row["title"]) for row in rows]
    assert rows[0]["title_de"].startswith("ⓓⓔ")


def test_several_files_are_one_table_and_columns_are_named_by_path_and_as_wished(cli: Cli) -> None:
    for number in (1, 2):
        line = {"id": str(number), "about": {"short": f"Chair {number}"}}
        (cli.folder / f"{number}.jsonl").write_text(json.dumps(line) + "\n")

    finished = cli(
        "job", "run", "1.jsonl", "2.jsonl", "--column", "about.short", "--to", "de", "--from", "en",
        "--name", "{target}/{column}", "--out", "out", *SIMULATED,
    )  # fmt: skip

    assert finished.returncode == 0, finished.stderr
    rows = exported(cli, "jsonl")
    assert [row["id"] for row in rows] == ["1", "2"]
    assert [row["de/about.short"][-1] for row in rows] == ["1", "2"]


@pytest.mark.parametrize(
    ("kind", "start"), [("csv", b"sku,title,title_de"), ("jsonl", b'{"sku":'), ("parquet", b"PAR1"), ("tmx", b"<?xml")]
)
def test_a_job_is_exported_in_four_forms_by_suffix_or_by_name(cli: Cli, kind: str, start: bytes) -> None:
    write_csv(cli.folder / "in.csv", table())
    assert cli("job", "run", "in.csv", "--column", "title", *ASKED, "--out", "out", *SIMULATED).returncode == 0

    by_suffix = cli("job", "export", "out", f"a.{kind}")
    by_name = cli("job", "export", "out", "b", "--format", kind)

    assert by_suffix.stdout.decode() == f"Exported {ROWS} rows to a.{kind}\n"
    assert by_name.returncode == 0
    assert (cli.folder / f"a.{kind}").read_bytes().startswith(start)
    assert (cli.folder / "b").read_bytes().startswith(start)


def test_every_wish_reaches_the_translation(cli: Cli) -> None:
    write_csv(cli.folder / "in.csv", [{"title": "The Vesta hub <b>AB-12</b>"}])
    (cli.folder / "terms.csv").write_text("hub,Nabe\n")
    cli("glossary", "import", "bikes", "terms.csv", "--source", "en", "--target", "de")

    finished = cli(
        "job", "run", "in.csv", "--column", "title", "--to", "de", "--from", "en", "--out", "out", "--format", "html",
        "--keep", "Vesta", "--protect", r"[A-Z]{2}-\d+", "--glossary", "bikes", "--confidence", *SIMULATED,
    )  # fmt: skip

    assert finished.returncode == 0, finished.stderr
    (row,) = exported(cli)
    for kept in ("Vesta", "<b>AB-12</b>", "Nabe"):
        assert kept in row["title_de"]
    assert "title_de_confidence" in row


# a dry run


def test_a_dry_run_tells_what_all_of_it_would_take_and_writes_nothing(cli: Cli) -> None:
    write_csv(cli.folder / "in.csv", table(1000))
    asked = ("job", "run", "in.csv", "--column", "title", *ASKED, "--out", "out", "--dry-run", *SIMULATED)

    finished = cli(*asked, "--input-price", "1", "--output-price", "2")
    said = json.loads(cli(*asked, "--json").stdout)

    assert (finished.returncode, finished.stderr) == (0, b"")
    assert finished.stdout.decode().count("\nde: ⓓⓔ") + finished.stdout.decode().count("\nfr: ⓕⓡ") == 3
    assert re.search(r"^cost +\d", finished.stdout.decode(), re.MULTILINE)
    distinct = len({row["title"] for row in table(1000)} - {""})
    assert (said["rows"], said["texts"], said["calls"]) == (1000, 2000, 2 * distinct)
    assert said["passthrough"] == pytest.approx(0.1)
    assert said["duplicates"] == pytest.approx(1 - distinct / 900)
    assert (said["errors"], said["cost"], len(said["examples"])) == (0, None, 3)
    assert not (cli.folder / "out").exists()
    assert stored_in_memory(cli) == 0


def stored_in_memory(cli: Cli) -> int:
    with closing(sqlite3.connect(cli.folder / "data" / "memory.sqlite3")) as database:
        (entries,) = database.execute("SELECT entries FROM total").fetchone()
        return int(entries)


def test_a_dry_run_of_a_table_without_rows_says_so(cli: Cli) -> None:
    (cli.folder / "in.csv").write_text("title\n")

    finished = cli("job", "run", "in.csv", "--column", "title", *ASKED, "--dry-run", *SIMULATED)

    assert finished.returncode == 0, finished.stderr
    assert re.search(r"^rows +0 ", finished.stdout.decode())


# what fails


def with_long_texts(rows: int = ROWS) -> list[dict[str, str]]:
    return [row | {"title": row["title"] + " and so on" * 5 if row["sku"].endswith("1") else row["title"]}
            for row in table(rows)]  # fmt: skip


def test_rows_that_fail_are_counted_told_and_tried_again_on_their_own(cli: Cli) -> None:
    write_csv(cli.folder / "in.csv", with_long_texts())

    first = cli("job", "run", "in.csv", "--column", "title", *ASKED, "--out", "out", *LIMITED, *SIMULATED)
    failed = status_of(cli)
    told = cli("job", "status", "out").stdout.decode()
    again = cli("job", "retry-failed", "out", *SIMULATED)

    assert first.returncode == 1
    assert "dragoman job retry-failed out" in first.stdout.decode()
    assert (failed.state, failed.error, failed.ok, failed.passthrough) == ("done", 6, 48, 6)
    assert [(one.kind, one.count) for one in failed.failures] == [("too_large", 12)]
    assert re.search(r"^12 +too_large +\d+ characters", told, re.MULTILINE)
    assert words(again.stderr) == ["Trying again what failed: 12 texts, 6 written rows."]
    assert again.returncode == 0
    assert (status_of(cli).error, status_of(cli).failures) == (0, [])
    assert {row["title_de_status"] for row in exported(cli) if row["title"]} == {"ok"}


def test_a_row_that_cannot_be_read_is_told_too(cli: Cli) -> None:
    (cli.folder / "in.jsonl").write_text('{"title": "Red chair"}\nno object\n')

    finished = cli("job", "run", "in.jsonl", "--column", "title", *ASKED, "--out", "out", *SIMULATED)

    assert finished.returncode == 1
    assert [(one.kind, one.count) for one in status_of(cli).failures] == [("unreadable", 1)]


def test_too_many_errors_pause_a_job_and_a_higher_bound_goes_on(cli: Cli) -> None:
    write_csv(cli.folder / "in.csv", with_long_texts())
    asked = ("job", "run", "in.csv", "--column", "title", *ASKED, "--out", "out", *LIMITED, *NARROW)

    finished = cli(*asked, "--max-errors", "3")
    resumed = cli("job", "resume", "out", *LIMITED, *NARROW, "--max-errors", "30")

    assert finished.returncode == 1
    assert finished.stdout.startswith(b"Paused. ")
    assert b"more than the 3 allowed" in finished.stdout
    assert b"dragoman job resume out" in finished.stdout
    assert (resumed.returncode, status_of(cli).state, status_of(cli).error) == (1, "done", 6)


def test_a_job_stops_when_so_much_is_spent_and_says_how_much(cli: Cli) -> None:
    write_csv(cli.folder / "in.csv", table())
    asked = ("job", "run", "in.csv", "--column", "title", *ASKED, "--out", "out", *NARROW)

    finished = cli(*asked, "--input-price", "1000", "--max-cost", "0.5")

    status = status_of(cli)
    assert finished.returncode == 1
    assert status.state == "paused"
    assert "is spent" in status.reason
    assert status.cost == pytest.approx(status.tokens.prompt / 1000)


def test_an_engine_that_fails_now_and_then_costs_no_row(cli: Cli) -> None:
    write_csv(cli.folder / "in.csv", table())

    finished = cli(
        "job", "run", "in.csv", "--column", "title", *ASKED, "--out", "out",
        "--engine", "simulated://instant?failure_rate=0.1&seed=3",
    )  # fmt: skip

    assert finished.returncode == 0, finished.stdout
    assert status_of(cli).ok == 54


# what ends a job, and how it goes on


@contextmanager
def at_work(cli: Cli, *engine: str, answers: int = 8, rows: int = 200) -> Iterator[subprocess.Popen[bytes]]:
    """A job that has so many answers and many more to come."""
    write_csv(cli.folder / "in.csv", table(rows))
    asked = ("job", "run", "in.csv", "--column", "title", *ASKED, "--out", "out", *(engine or SLOW))
    with cli.running(*asked) as process:
        wait_for_answers(cli.folder / "out", answers, process)
        yield process


def go_on_quickly(cli: Cli) -> subprocess.CompletedProcess[bytes]:
    """Resume the job on the same model, which is in no hurry any more."""
    return cli("job", "resume", "out", "--engine", "simulated://slow-cpu?speed=100000&slots=4")


def test_a_job_that_was_killed_goes_on_where_it_was(cli: Cli) -> None:
    with at_work(cli) as process:
        process.kill()
        process.wait()
    stored = stored_answers(cli.folder / "out")
    paid = status_of(cli).tokens

    finished = go_on_quickly(cli)

    assert finished.returncode == 0, finished.stdout
    assert [row["sku"] for row in exported(cli)] == [row["sku"] for row in table(200)]
    status = status_of(cli)
    assert (status.rows, status.ok + status.passthrough + status.error) == (200, 200)
    assert stored >= 8
    assert status.tokens.output > paid.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_job_that_is_told_to_stop_repeats_no_call(cli: Cli, number: signal.Signals) -> None:
    write_csv(cli.folder / "in.csv", table(80))
    environ = {**cli.environ, "DRAGOMAN_MEMORY_BYTES": "0"}
    async with counted_engine() as (engine, asked):
        command = ("job", "run", "in.csv", "--column", "title", *ASKED, "--out", "out", "--engine", engine)
        process = await asyncio.create_subprocess_exec(
            DRAGOMAN, *command, cwd=cli.folder, env=environ, stdout=-1, stderr=-1
        )
        await asked.reached(5)
        process.send_signal(number)
        stdout, stderr = await asyncio.wait_for(process.communicate(), 50)
        before = asked.counts.total()
        again = await asyncio.create_subprocess_exec(
            DRAGOMAN, "job", "resume", "out", "--engine", engine, cwd=cli.folder, env=environ, stdout=-1
        )
        await asyncio.wait_for(again.communicate(), 50)

    assert process.returncode == 130
    assert re.search(rb"^Stopping: \d+ texts are under way; again to stop at once$", stderr, re.MULTILINE)
    assert stdout.startswith(b"Paused. ")
    assert before < 2 * distinct_titles(80)
    assert again.returncode == 0
    assert set(asked.counts.values()) <= {0, 1}
    assert asked.counts.total() == 2 * distinct_titles(80)


def distinct_titles(rows: int) -> int:
    return len({row["title"] for row in table(rows)} - {""})


PROBE = '"max_tokens":1,'
"""Stands in what is asked to see whether the engine is there."""


class Asked:
    """What an engine was asked, by the words of the request, counted when it arrives."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._reached: dict[int, asyncio.Event] = {}

    def count(self, prompt: str) -> None:
        self.counts[prompt] += PROBE not in prompt
        for number, event in self._reached.items():
            if self.counts.total() >= number:
                event.set()

    async def reached(self, number: int) -> None:
        event = self._reached.setdefault(number, asyncio.Event())
        await asyncio.wait_for(event.wait(), 30)


@asynccontextmanager
async def counted_engine() -> AsyncIterator[tuple[str, Asked]]:
    """An OpenAI-style server with a few slow slots, and what it was asked for."""
    asked = Asked()
    app = simulator.create_app("openai", simulator.profile_named("slow-cpu"), speed=80)
    app.add_middleware(Counting, asked=asked)
    async with simulator.running(app) as url:
        yield f"openai+{url}/v1?slots=4", asked


class Counting:
    """Middleware that counts what comes in before it is answered."""

    def __init__(self, app: ASGIApp, asked: Asked) -> None:
        self._app = app
        self._asked = asked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def seen() -> Message:
            message = await receive()
            if scope["path"].endswith("completions") and message["type"] == "http.request":
                self._asked.count(message["body"].decode())
            return message

        await self._app(scope, seen, send)


def test_a_second_signal_ends_a_job_at_once(cli: Cli) -> None:
    with at_work(cli, "--engine", "simulated://instant?stall_rate=0.5&stall_s=3600") as process:
        assert process.stderr is not None
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline().startswith(b"Stopping: ")
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 130

    assert cli("job", "resume", "out", "--engine", "simulated://instant").returncode == 0


def test_a_job_is_cancelled_from_another_process_and_can_go_on(cli: Cli) -> None:
    with at_work(cli) as process:
        cancelled = cli("job", "cancel", "out")
        stdout, _ = process.communicate(timeout=10)

    assert cancelled.returncode == 0
    assert process.returncode == 1
    assert stdout.startswith(b"Cancelled. ")
    assert status_of(cli).state == "cancelled"
    assert go_on_quickly(cli).returncode == 0
    assert_one_line(cli("job", "cancel", "out"), 1, "done already")


def test_a_job_that_somebody_works_on_is_refused_and_tells_how_far_it_is(cli: Cli) -> None:
    with at_work(cli) as process:
        refused = cli("job", "resume", "out", *SLOW)
        status = status_of(cli)

    assert_one_line(refused, 1, f"Process {process.pid} works on the job in out")
    assert (status.state, status.done) == ("running", 0)
    assert (status.columns, status.targets) == (["title"], ["de", "fr"])


def test_what_is_done_is_exported_only_if_that_is_enough_and_says_what_is_missing(cli: Cli) -> None:
    with at_work(cli) as process:
        process.kill()
        process.wait()

    assert_one_line(cli("job", "export", "out", "all.csv"), 1, "rows 1 to 200 are missing", "--partial")
    finished = cli("job", "export", "out", "some.csv", "--partial")

    assert finished.stdout == b"Exported 0 rows to some.csv; rows 1 to 200 are missing\n"
    assert (cli.folder / "some.csv").read_text().startswith("sku,title,title_de,")


# what is refused


def test_a_changed_input_is_refused_and_named(cli: Cli) -> None:
    with at_work(cli) as process:
        process.kill()
        process.wait()
    with (cli.folder / "in.csv").open("a") as file:
        file.write("00200,One more\n")

    assert_one_line(go_on_quickly(cli), 1, "in.csv had ", " bytes and has ")


def test_another_engine_or_other_terms_are_refused(cli: Cli) -> None:
    write_csv(cli.folder / "in.csv", table())
    (cli.folder / "terms.csv").write_text("chair,Stuhl\n")
    terms = ("terms.csv", "--source", "en", "--target", "de")
    cli("glossary", "import", "shop", *terms)
    asked = ("job", "run", "in.csv", "--column", "title", "--to", "de", "--from", "en", "--out", "out")
    assert cli(*asked, "--glossary", "shop", *SIMULATED).returncode == 0

    assert_one_line(
        cli("job", "resume", "out", "--engine", "simulated://h100-27b"), 1, "model 'instant', and it is 'h100-27b' now"
    )
    (cli.folder / "terms.csv").write_text("chair,Sessel\n")
    cli("glossary", "import", "shop", *terms)
    assert_one_line(cli("job", "resume", "out", *SIMULATED), 1, "other terms in the glossary 'shop'")


@pytest.mark.parametrize(
    ("flags", "code", "parts"),
    [
        (("--column", "titel", "--to", "de"), 1, ("'titel'", "sku, title")),
        (("--column", "title", "--to", "xx"), 1, ("xx",)),
        (("--column", "title", "--to", "de", "--protect", "(", "--from", "en"), 1, ("(",)),
        (("--column", "title", "--to", "de", "--formality", "more"), 1, ("ormality",)),
        (("--column", "title", "--to", "de", "--glossary", "none"), 1, ("none",)),
        (("--column", "title", "--to", "de", "--name", "{x}"), 1, ("{x}",)),
        (("--column", "title", "--to", "de", "--max-cost", "3"), 2, ("--input-price",)),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_planned(
    cli: Cli, flags: tuple[str, ...], code: int, parts: tuple[str, ...]
) -> None:
    write_csv(cli.folder / "in.csv", table())

    assert_one_line(cli("job", "run", "in.csv", "--out", "out", *flags, *SIMULATED), code, *parts)
    assert not (cli.folder / "out").exists()


def test_a_folder_that_is_no_job_or_is_taken_is_told_with_what_to_do(cli: Cli) -> None:
    write_csv(cli.folder / "in.csv", table())
    asked = ("job", "run", "in.csv", "--column", "title", *ASKED, *SIMULATED)

    assert_one_line(cli(*asked), 2, "--out")
    assert_one_line(cli(*asked, "--out", "."), 1, "is not empty")
    for action in ("status", "cancel", "resume", "retry-failed"):
        assert_one_line(cli("job", action, "out"), 1, "There is no job in out", "dragoman job run")
    assert cli(*asked, "--out", "out").returncode == 0
    assert_one_line(cli(*asked, "--out", "out"), 1, "dragoman job resume out")
    assert_one_line(cli("job", "export", "out", "out.xlsx"), 1, "csv, jsonl, parquet, tmx")


def test_without_the_extra_it_is_named(cli: Cli, installed: Cli) -> None:
    write_csv(cli.folder / "in.csv", table())
    (cli.folder / "pyarrow.py").write_text("raise ModuleNotFoundError('No module named pyarrow', name='pyarrow')\n")

    finished = installed(
        "job", "run", "in.csv", "--column", "title", *ASKED, "--out", "out", PYTHONPATH=str(cli.folder)
    )

    assert_one_line(finished, 2, "pip install 'dragoman[jobs]'")


# how it shows itself


def test_a_terminal_gets_a_bar_with_all_that_counts(cli: Cli) -> None:
    write_csv(cli.folder / "in.csv", table(200))
    command = ("job", "run", "in.csv", "--column", "title", *ASKED, "--out", "out", "--output-price", "1000", *SLOW)
    with on_terminal(cli, *command) as (process, terminal):
        shown = ""
        while not re.search(
            r"\d+ of 200 rows \(\d+ %\), [\d.]+ rows/s, [\d,.]+ tokens/s, .*0 failed, .+ left, cost \d", shown
        ):
            shown += os.read(terminal, 4096).decode()
        process.send_signal(signal.SIGINT)
        while "texts are under way" not in shown:
            shown += os.read(terminal, 4096).decode()

    assert "━" in shown


@contextmanager
def on_terminal(cli: Cli, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The command with its stderr at a terminal of 120 columns, and the other end of that."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
    environ = {**cli.environ, "TERM": "xterm-256color", "COLUMNS": "120"}
    try:
        with subprocess.Popen(
            [DRAGOMAN, *arguments], cwd=cli.folder, env=environ, stdout=subprocess.DEVNULL, stderr=theirs
        ) as process:
            os.close(theirs)
            try:
                yield process, ours
            finally:
                process.kill()
    finally:
        os.close(ours)


def progress(**fields: object) -> Progress:
    plain = {"state": "running", "rows": 0, "rows_total": 1000, "cells": 0, "cells_total": 2000}
    return msgspec.convert(plain | fields, Progress)


def test_a_log_gets_a_line_every_half_minute(capsys: pytest.CaptureFixture[str]) -> None:
    lines = job_show.Lines()
    for second in range(100):
        lines.tell(progress(at=1000.0 + second, cells=20 * second, rate=20.0))

    assert [line.partition(",")[0] for line in capsys.readouterr().err.splitlines()] == [
        "300 of 1", "600 of 1", "900 of 1"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("state", "error", "parts"),
    [
        ("done", 0, ["job export out FILE.csv"]),
        ("done", 3, ["job status out", "job retry-failed out", "job export out FILE.csv"]),
        ("paused", 0, ["job resume out"]),
        ("paused", 3, ["job resume out", "job retry-failed out"]),
        ("cancelled", 0, ["job resume out"]),
    ],
)
def test_the_last_line_says_what_to_do_next(state: str, error: int, parts: list[str]) -> None:
    advice = job_show.next_step(progress(state=state, error=error), Path("out"))

    for part in parts:
        assert f"dragoman {part}" in advice


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (0.2, "1 s"),
        (59.5, "1 min 0 s"),
        (250, "4 min 10 s"),
        (3599.5, "1 h 0 min"),
        (180_000, "50 h 0 min"),
    ],
)
def test_times_are_told_in_two_units(seconds: float, said: str) -> None:
    assert job_show.duration(seconds) == said


@pytest.mark.parametrize(("part", "said"), [(0, "0 %"), (999, "99 %"), (1000, "100 %")])
def test_it_is_a_hundred_percent_only_when_it_is_all(part: int, said: str) -> None:
    assert job_show.percent(part, 1000) == said


@pytest.mark.parametrize(("amount", "said"), [(0, "0.00"), (0.004, "less than 0.01"), (1234.5, "1,234.50")])
def test_what_it_costs_is_never_rounded_to_nothing(amount: float, said: str) -> None:
    assert job_show.money(amount) == said


def test_failures_are_told_by_kind_with_the_most_frequent_reason() -> None:
    failures = {"too_large: 40 characters": 2, "engine_rejected: no": 4, "too_large: 50 characters": 3}

    assert failures_by_kind(failures, ["unreadable: line 4"]) == [
        Failure("too_large", 5, "50 characters"),
        Failure("engine_rejected", 4, "no"),
        Failure("unreadable", 1, "line 4"),
    ]


def test_missing_rows_are_told_as_ranges() -> None:
    def open_shard(first: int) -> Unfinished:
        return Unfinished(Shard(number=first // 10, file=0, start=first, first=first, rows=10), "pending", "")

    assert missing_rows([]) == ""
    assert missing_rows([open_shard(first) for first in (0, 10, 40)]) == "rows 1 to 20, 41 to 50 are"


def test_a_running_job_that_is_not_heard_of_is_told_as_such() -> None:
    status = Status(
        folder="out", state="running", reason="", alive=False, rows=9, done=0, ok=0, passthrough=0, error=0, cells=0,
        cells_total=9, tokens=Tokens(), hit_rate=None, rate_rows_per_s=None, seconds_remaining=None, cost=None,
        created_at=0, noted_at=time.time() - SILENT_S - 60, columns=["title"], targets=["de"], stuck=[], failures=[],
    )  # fmt: skip

    assert "not heard of for 1 min" in report(status)
    assert "dragoman job resume out" in report(status)
