"""A real job, small enough for a machine without a GPU: real descriptions, the bundled model, a kill in the middle.

The rows are the first 300 one-line descriptions of the Debian packages that are installed here. The command is killed
with -9, engine and all, once some are stored, and resumed to its end.
"""

from __future__ import annotations

import asyncio
import csv
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import msgspec
import pyarrow.parquet as pq

from bench.report import Report
from dragoman.jobs.ledger import Ledger

ROWS = 300
KILLED_AT = 60
EXAMPLES = 4


async def run() -> Report:
    """Measure for about five minutes."""
    with tempfile.TemporaryDirectory() as name:
        return await asyncio.to_thread(_measured, Path(name))


def _measured(folder: Path) -> Report:
    texts = _write_table(folder / "packages.csv")
    out = folder / "out"
    began = time.perf_counter()
    plan = ("--column", "description", "--from", "en", "--to", "de", "--out", str(out))
    first = _started(folder, "run", str(folder / "packages.csv"), *plan)
    while _stored(out) < KILLED_AT:
        assert first.poll() is None, f"the job ended with {first.returncode}"
        time.sleep(0.2)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    kept = _stored(out)
    _started(folder, "resume", str(out)).wait()
    seconds = time.perf_counter() - began
    rows = pq.read_table(sorted(out.glob("part-*.parquet"))).to_pylist()
    assert [row["description"] for row in rows] == texts
    statuses = [row["description_de_status"] for row in rows]
    translated = [text for text, status in zip(texts, statuses, strict=True) if status != "passthrough"]
    needed = len(set(translated)) - kept
    return Report(
        name="job_real",
        title="A real job through the bundled model, killed in its middle",
        columns=(
            "rows",
            "ok",
            "copied",
            "failed",
            "with a finding",
            "stored when killed",
            "of them asked again",
            "min",
        ),
        rows=[
            (
                str(len(rows)),
                *(str(statuses.count(status)) for status in ("ok", "passthrough", "error")),
                str(sum(bool(row["description_de_findings"]) for row in rows)),
                str(kept),
                str(_calls_of_last_run(out, len(translated)) - needed),
                f"{seconds / 60:.1f}",
            )
        ],
        notes=[
            "One-line descriptions of installed Debian packages, English to German; all rows are there, in order.",
            *(f"“{row['description']}”: “{row['description_de']}”" for row in rows[:: ROWS // EXAMPLES]),
        ],
    )


def _write_table(path: Path) -> list[str]:
    listed = subprocess.run(
        ["dpkg-query", "-W", "-f=${Package}\t${binary:Summary}\n"], capture_output=True, text=True, check=True
    )
    rows = [line.split("\t") for line in listed.stdout.splitlines()][:ROWS]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("package", "description"), *rows])
    return [description for _, description in rows]


def _started(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """`dragoman job`, in a process group of its own and without any memory but the job's."""
    options = ("--engine", "llamacpp://bundled", "--data-dir", str(folder / "data"), "--memory-bytes", "0")
    return subprocess.Popen(
        [sys.executable, "-m", "dragoman", "job", *arguments, *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _stored(out: Path) -> int:
    """How many answers the job has on disk."""
    if not (out / Ledger.FILE_NAME).exists():
        return 0
    with closing(sqlite3.connect(f"file:{out / Ledger.FILE_NAME}?mode=ro", uri=True)) as ledger:
        (count,) = ledger.execute("SELECT count(*) FROM memo").fetchone()
        return int(count)


def _calls_of_last_run(out: Path, asked: int) -> int:
    """From the share of the texts that needed none."""
    status = subprocess.run(
        [sys.executable, "-m", "dragoman", "job", "status", str(out), "--json"], capture_output=True, check=True
    )
    hit_rate = float(msgspec.json.decode(status.stdout)["hit_rate"])
    return round(asked * (1 - hit_rate))


if __name__ == "__main__":
    sys.exit("run `python -m bench job_real`")
