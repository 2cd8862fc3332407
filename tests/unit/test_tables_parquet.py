"""Parquet: types untouched, one stream through a huge row group, and errors that say which rows."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dragoman.errors import InputChanged, InvalidRequest, UnreadableTable
from dragoman.jobs.spec import JobSpec, Shard
from dragoman.jobs.tables.planning import Reader, plan_table
from dragoman.types import TranslateRequest

TO_GERMAN = TranslateRequest(texts=(), targets=("de",), source="en")


def numbered(rows: int) -> pa.Table:
    return pa.table({"id": list(range(rows)), "title": [f"Chair {row}" for row in range(rows)]})


def plan(paths: Sequence[Path], *columns: str, shard_rows: int = 2) -> tuple[JobSpec, list[Shard]]:
    return plan_table(paths, columns=columns, request=TO_GERMAN, shard_rows=shard_rows)


def written(folder: Path, table: pa.Table, name: str = "shop.parquet", row_group_size: int = 1_000_000) -> Path:
    path = folder / name
    pq.write_table(table, path, row_group_size=row_group_size, write_page_checksum=True)
    return path


def test_columns_go_through_with_their_types_and_metadata(tmp_path: Path) -> None:
    schema = pa.schema(
        [
            pa.field("id", pa.int8(), nullable=False, metadata={"unit": "none"}),
            pa.field("title", pa.large_string()),
            pa.field("made", pa.timestamp("ns", tz="UTC")),
            pa.field("price", pa.decimal128(7, 2)),
            pa.field("kind", pa.dictionary(pa.int32(), pa.string())),
            pa.field("tags", pa.list_(pa.string())),
        ],
        metadata={"shop": "ours"},
    )
    rows = [
        [1, 2, 3],
        ["Chair", None, "NA"],
        [datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)] * 3,
        [None, None, None],
        ["a", "b", "a"],
        [["x"], [], None],
    ]
    arrays = [pa.array(values, field.type) for values, field in zip(rows, schema, strict=True)]
    table = pa.table(arrays, schema=schema)
    spec, shards = plan([written(tmp_path, table)], "title", "kind")
    reader = Reader(spec)
    first, second = (reader.read(shard) for shard in shards)
    reader.close()
    expected = pq.read_table(spec.inputs[0].path).schema
    assert first.carried.schema.equals(expected, check_metadata=True)
    assert pa.concat_tables([first.carried, second.carried]).equals(table)
    assert (first.texts, second.texts) == (
        {"title": ["Chair", None], "kind": ["a", "b"]},
        {"title": ["NA"], "kind": ["a"]},
    )


def test_a_path_leads_through_structs_and_a_name_with_dots_goes_first(tmp_path: Path) -> None:
    table = pa.table(
        {
            "d": pa.array([{"short": "a", "e": {"f": "b"}}, None, {"short": None, "e": None}]),
            "d.e.f": ["x", "y", "z"],
        }
    )
    spec, shards = plan([written(tmp_path, table)], "d.short", "d.e.f", shard_rows=3)
    assert Reader(spec).read(shards[0]).texts == {"d.short": ["a", None, None], "d.e.f": ["x", "y", "z"]}


@pytest.mark.parametrize(
    ("column", "says"),
    [
        ("titel", r"no column 'titel'.*: d\.short, title"),
        ("id", r"'id' holds no text but int64.*: d\.short, title"),
        ("d", r"'d' holds no text but struct"),
        ("d.long", r"no column 'd\.long'"),
    ],
)
def test_a_column_without_texts_is_told_with_those_there_are(tmp_path: Path, column: str, says: str) -> None:
    table = pa.table({"id": [1], "title": ["a"], "d": [{"short": "b"}]})
    with pytest.raises(InvalidRequest, match=says) as caught:
        plan([written(tmp_path, table)], column)
    assert (caught.value.field, caught.value.accepted) == ("columns", ("d.short", "title"))


def test_columns_with_one_name_are_told(tmp_path: Path) -> None:
    table = pa.table([pa.array(["a"]), pa.array(["b"])], names=["title", "title"])
    with pytest.raises(UnreadableTable, match="same name: title"):
        plan([written(tmp_path, table)], "title")


def test_a_text_that_is_not_utf_8_breaks_its_row_alone(tmp_path: Path) -> None:
    texts = pa.array([b"a", b"b\xff", b"c"]).view(pa.string())
    spec, shards = plan([written(tmp_path, pa.table({"title": texts}))], "title", shard_rows=3)
    rows = Reader(spec).read(shards[0])
    assert rows.texts["title"] == ["a", None, "c"]
    assert rows.broken == {1: "shop.parquet, row 2: title is not UTF-8 (invalid start byte at byte 1)"}


@pytest.mark.parametrize("row_group_size", [1, 3, 7, 100])
@pytest.mark.parametrize("order", [1, -1])
def test_shards_hold_the_rows_in_order_however_they_are_grouped_and_read(
    tmp_path: Path, row_group_size: int, order: int
) -> None:
    paths = [written(tmp_path, numbered(23), f"{name}.parquet", row_group_size) for name in "ab"]
    spec, shards = plan(paths, "title", shard_rows=5)
    reader = Reader(spec)
    found = {shard.first: reader.read(shard).carried.column("id").to_pylist() for shard in shards[::order]}
    reader.close()
    assert [row for first in sorted(found) for row in found[first]] == [*range(23), *range(23)]


def test_shards_that_follow_each_other_read_no_row_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, shards = plan([written(tmp_path, numbered(20_000))], "title", shard_rows=1_000)
    begun = []

    class Watched(pq.ParquetFile):  # type: ignore[misc]
        def iter_batches(self, *args: object, **kwargs: object) -> object:
            begun.append(kwargs["row_groups"])
            return super().iter_batches(*args, **kwargs)

    monkeypatch.setattr(pq, "ParquetFile", Watched)
    reader = Reader(spec)
    for shard in shards:
        assert reader.read(shard).carried.num_rows == 1_000
    assert begun == [range(1)]


def with_a_corrupt_page(folder: Path) -> Path:
    """Five row groups of four rows; a byte of the third one's texts is flipped."""
    path = written(folder, numbered(20), row_group_size=4)
    chunk = pq.read_metadata(path).row_group(2).column(1)
    data = bytearray(path.read_bytes())
    data[chunk.data_page_offset + chunk.total_compressed_size // 2] ^= 0xFF
    path.write_bytes(data)
    return path


def test_a_corrupt_page_costs_its_own_shards_only(tmp_path: Path) -> None:
    spec, shards = plan([with_a_corrupt_page(tmp_path)], "title")
    reader = Reader(spec)
    errors = {}
    for shard in shards:
        try:
            assert reader.read(shard).carried.column("id").to_pylist() == [shard.start, shard.start + 1]
        except UnreadableTable as error:
            errors[shard.start] = error.message
    assert list(errors) == [8, 10]
    assert "shop.parquet, row group 2, rows 9 to 10 cannot be read:" in errors[8]
    assert "row group 2, rows 11 to 12 cannot be read: they stand behind" in errors[10]


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_file_cut_short_after_planning_is_told(tmp_path: Path, share: float) -> None:
    path = written(tmp_path, numbered(20_000), row_group_size=5_000)
    spec, shards = plan([path], "title", shard_rows=1_000)
    reader = Reader(spec)
    assert reader.read(shards[0]).carried.num_rows == 1_000
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(InputChanged, match=r"had \d+ bytes and has"):
        Reader(spec).read(shards[1])
    with pytest.raises(InputChanged, match=r"had \d+ bytes and has"):
        [reader.read(shard) for shard in shards[1:]]


def test_a_file_with_fewer_rows_is_told(tmp_path: Path) -> None:
    spec, shards = plan([written(tmp_path, numbered(4))], "title")
    written(tmp_path, numbered(3))
    with pytest.raises(InputChanged, match="rows 3 to 4 are not there"):
        Reader(spec).read(shards[1])


def test_files_with_other_columns_are_told(tmp_path: Path) -> None:
    paths = [
        written(tmp_path, numbered(1), "a.parquet"),
        written(tmp_path, pa.table({"id": ["1"], "title": ["x"]}), "b.parquet"),
    ]
    with pytest.raises(UnreadableTable, match=r"b\.parquet differs from .*a\.parquet in the columns id"):
        plan(paths, "title")


def test_a_limit_takes_the_first_rows(tmp_path: Path) -> None:
    paths = [written(tmp_path, numbered(5), f"{name}.parquet") for name in "abc"]
    spec, shards = plan_table(paths, columns=["title"], request=TO_GERMAN, shard_rows=3, limit=7)
    assert (spec.rows, [one.rows for one in spec.inputs]) == (7, [5, 2, 0])
    assert [(shard.file, shard.start, shard.first, shard.rows) for shard in shards] == [
        (0, 0, 0, 3),
        (0, 3, 3, 2),
        (1, 0, 5, 2),
    ]


def test_long_rows_make_small_shards(tmp_path: Path) -> None:
    table = pa.table({"title": ["x" * 10_000_000 + str(row) for row in range(4)]})
    _, shards = plan([written(tmp_path, table)], "title", shard_rows=2_000)
    assert [shard.rows for shard in shards] == [1, 1, 1, 1]
