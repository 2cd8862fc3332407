"""What the tests of jobs look at when a job is over, and the same job worked on without any engine or crash."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from dragoman.core.translator import Translator
from dragoman.engines.simulated_text import pseudo_translate
from dragoman.jobs.job import open_job, plan_job
from dragoman.jobs.output import Manifest
from dragoman.jobs.runner import local_runner
from dragoman.jobs.spec import Fingerprint
from dragoman.jobs.tables.planning import plan_table
from dragoman.types import Pair, TranslateRequest, Translation

PAIR = Pair("en", "de")
FINGERPRINT = Fingerprint(engine="none", model="none", revision=None, style=None, prompts="1")


def said(text: str) -> str:
    """What the counting engine says for a text."""
    return pseudo_translate(text, PAIR)


def manifest(folder: Path) -> Manifest:
    """The job's manifest, which is there when it is complete."""
    return msgspec.json.decode((folder / "manifest.json").read_bytes(), type=Manifest)


def output(folder: Path) -> pa.Table:
    """All rows of a complete job, whose parts are those of its manifest."""
    parts = manifest(folder).parts
    assert [part.name for part in parts] == sorted(path.name for path in folder.glob("part-*"))
    for part in parts:
        data = (folder / part.name).read_bytes()
        assert (len(data), sha256(data).hexdigest()) == (part.bytes, part.sha256)
    return pa.concat_tables([pq.read_table(folder / part.name) for part in parts])


def assert_complete(folder: Path, texts: Sequence[str]) -> None:
    """Every row of the table is there once, in its place, with what the engine says for its text."""
    found = output(folder)
    assert found.column("sku").to_pylist() == [f"{number:06}" for number in range(len(texts))]
    assert found.column("title").to_pylist() == list(texts)
    assert found.column("title_de").to_pylist() == [said(text) for text in texts]
    assert set(found.column("title_de_status").to_pylist()) == {"ok"}
    counts = manifest(folder).counts
    assert (counts.rows, counts.ok, counts.passthrough, counts.error) == (len(texts), len(texts), 0, 0)


async def parts_without_crashes(folder: Path, table: Path) -> dict[str, bytes]:
    """The parts of the same job, made in one go by someone who says what the engine says."""
    request = TranslateRequest(texts=(), targets=(PAIR.target,), source=PAIR.source)
    spec, shards = plan_table([table], columns=["title"], request=request)
    plan_job(folder, spec, shards, FINGERPRINT)
    async with open_job(folder) as job:
        before = await job.prepare()
        async with local_runner(spec, folder, job.ledger, cast("Translator", Sayer())) as runner:
            progress = await job.run(runner, before)
    assert progress.state == "done", progress.reason
    return parts_of(folder)


def parts_of(folder: Path) -> dict[str, bytes]:
    """The bytes of each part, by name."""
    return {path.name: path.read_bytes() for path in folder.glob("part-*")}


class Sayer:
    """In the place of a translator: it says at once what the engine says."""

    pool = SimpleNamespace(seats=lambda now: [SimpleNamespace(limit=64)])
    readiness = SimpleNamespace(ready=True)

    async def translate(self, request: TranslateRequest) -> list[Translation]:
        (text,) = request.texts
        translation = Translation(
            text=said(text),
            source=PAIR.source,
            target=PAIR.target,
            engine="none",
            model="none",
        )
        return [translation]
