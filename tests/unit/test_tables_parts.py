"""A part: the input's columns and those of the cells, in bytes that follow from them alone."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.errors import LedgerError
from dragoman.jobs.spec import Cell, JobSpec
from dragoman.jobs.tables.base import ShardRows
from dragoman.jobs.tables.parts import part_schema, write_part
from dragoman.types import TranslateRequest, Wishes

Cells = dict[tuple[str, str], Sequence[Cell]]


def spec(*targets: str, source: str | None = "en", confidence: bool = False) -> JobSpec:
    request = TranslateRequest(texts=(), targets=targets, source=source, wishes=Wishes(confidence=confidence))
    return JobSpec(inputs=(), family="parquet", columns=("title",), request=request, rows=0)


def shard(table: pa.Table) -> ShardRows:
    return ShardRows(table, {}, {})


def test_a_part_has_a_column_for_each_thing_said_of_a_cell(tmp_path: Path) -> None:
    cells: Cells = {
        ("title", "de"): [
            Cell("ok", "Stuhl", ("number: 5 is missing", "echo: it is the same"), 0.5, "en"),
            Cell("error", None, ("unreadable: row 2",)),
        ],
        ("title", "fr"): [Cell("passthrough", "7"), Cell("ok", "Table", source="en")],
    }
    job = spec("de", "fr", source=None, confidence=True)
    table = pa.table({"id": pa.array([1, 2], pa.int8()), "title": ["Chair", None]}).replace_schema_metadata({"a": "b"})
    write_part(job, shard(table), cells, tmp_path / "part")
    part = pq.read_table(tmp_path / "part")
    assert part.schema.equals(part_schema(job, table.schema), check_metadata=True)
    assert part.to_pylist()[0] == {
        "id": 1,
        "title": "Chair",
        "title_de": "Stuhl",
        "title_de_status": "ok",
        "title_de_findings": "number: 5 is missing\necho: it is the same",
        "title_de_confidence": 0.5,
        "title_de_source": "en",
        "title_fr": "7",
        "title_fr_status": "passthrough",
        "title_fr_findings": None,
        "title_fr_confidence": None,
        "title_fr_source": None,
    }
    assert pq.read_metadata(tmp_path / "part").num_row_groups == 1


def test_confidence_and_source_are_there_only_where_they_were_asked_for() -> None:
    assert part_schema(spec("de"), pa.schema([])).names == ["title_de", "title_de_status", "title_de_findings"]


def test_a_shard_of_nulls_has_the_schema_of_the_others(tmp_path: Path) -> None:
    table = pa.table({"title": pa.array([None, None], pa.string())})
    write_part(spec("de"), shard(table), {("title", "de"): [Cell("passthrough")] * 2}, tmp_path / "part")
    assert pq.read_schema(tmp_path / "part").equals(part_schema(spec("de"), table.schema))


def test_the_digest_is_that_of_the_file(tmp_path: Path) -> None:
    digest = write_part(
        spec("de"), shard(pa.table({"a": [1]})), {("title", "de"): [Cell("ok", "x")]}, tmp_path / "part"
    )
    assert digest == hashlib.sha256((tmp_path / "part").read_bytes()).hexdigest()


def test_a_part_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="cannot be written: No such file"):
        write_part(spec("de"), shard(pa.table({"a": [1]})), {("title", "de"): [Cell("ok")]}, tmp_path / "no" / "part")


TEXTS = st.one_of(st.none(), st.text(max_size=5), st.sampled_from(["a", "b"]))
SCHEMA = pa.schema(
    [
        ("text", pa.string()),
        ("kind", pa.dictionary(pa.int16(), pa.string())),
        ("inner", pa.struct([("text", pa.string())])),
        ("list", pa.list_(pa.string())),
    ]
)


def chunked(values: list[str | None], cuts: list[int]) -> pa.Table:
    """The same rows, cut in pieces whose dictionaries and buffers differ."""
    edges = sorted({0, len(values), *(cut % (len(values) + 1) for cut in cuts)})
    pieces = [values[start:end] for start, end in pairwise(edges)]
    tables = []
    for number, piece in enumerate(pieces):
        before: list[str | None] = ["unused"] * number
        whole = [*before, *piece]
        arrays = [pa.array(whole), pa.array(whole).dictionary_encode().cast(SCHEMA.field("kind").type)]
        arrays += [pa.array([{"text": text} for text in whole]), pa.array([[text] for text in whole])]
        arrays = [array.cast(field.type) for array, field in zip(arrays, SCHEMA, strict=True)]
        tables.append(pa.table(arrays, schema=SCHEMA).slice(number))
    return pa.concat_tables(tables)


@settings(max_examples=60, deadline=None)
@given(values=st.lists(TEXTS, min_size=1, max_size=40), cuts=st.lists(st.integers(0, 100), max_size=5))
def test_the_same_rows_give_the_same_bytes_however_they_were_read(values: list[str | None], cuts: list[int]) -> None:
    cells: Cells = {("title", "de"): [Cell("ok", text) for text in values]}
    with TemporaryDirectory() as folder:
        digests = {
            write_part(spec("de"), shard(table), cells, Path(folder) / "part")
            for table in (chunked(values, cuts), chunked(values, []))
        }
    assert len(digests) == 1


PROGRAM = """
import sys
from pathlib import Path
import pyarrow as pa
from dragoman.jobs.spec import Cell, JobSpec
from dragoman.jobs.tables.base import ShardRows
from dragoman.jobs.tables.parts import write_part
from dragoman.types import TranslateRequest
request = TranslateRequest(texts=(), targets=("de",), source="en")
spec = JobSpec(inputs=(), family="parquet", columns=("title",), request=request, rows=0)
rows = ShardRows(pa.table({"id": list(range(5000))}), {}, {})
print(write_part(spec, rows, {("title", "de"): [Cell("ok", f"Stuhl {n}") for n in range(5000)]}, Path(sys.argv[1])))
"""


def test_another_process_gives_the_same_bytes(tmp_path: Path) -> None:
    cells: Cells = {("title", "de"): [Cell("ok", f"Stuhl {number}") for number in range(5000)]}
    here = write_part(spec("de"), shard(pa.table({"id": list(range(5000))})), cells, tmp_path / "here")
    there = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "there")], capture_output=True, text=True, check=True
    )
    assert there.stdout.strip() == here
