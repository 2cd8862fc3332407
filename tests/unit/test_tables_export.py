"""A job's parts as one file: in order, whole or not at all, and the user's own fields as they were."""

from __future__ import annotations

import csv
import datetime
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dragoman.errors import LedgerError
from dragoman.jobs.spec import Cell, JobSpec
from dragoman.jobs.tables.export import ExportFamily, export, rows_as
from dragoman.jobs.tables.parts import write_part
from dragoman.jobs.tables.planning import Reader, plan_table
from dragoman.memory.tmx import Imported, read_tmx
from dragoman.types import TranslateRequest


def run(path: Path, column: str = "title", source: str | None = "en") -> tuple[JobSpec, list[Path]]:
    """A job over the file whose translations are its texts in capitals; what is broken is an error."""
    request = TranslateRequest(texts=(), targets=("de",), source=source)
    spec, shards = plan_table([path], columns=[column], request=request, shard_rows=2)
    reader = Reader(spec)
    parts = []
    for shard in shards:
        rows = reader.read(shard)
        texts = rows.texts[column]
        cells = [
            Cell("error", findings=(rows.broken[row],)) if row in rows.broken else translated(text)
            for row, text in enumerate(texts)
        ]
        parts.append(path.parent / f"part-{shard.number:06d}.parquet")
        write_part(spec, rows, {(column, "de"): cells}, parts[-1])
    reader.close()
    return spec, parts


def translated(text: str | None) -> Cell:
    return Cell("ok", text.upper(), source="en") if text else Cell("passthrough", text)


def shop(folder: Path, name: str, data: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def test_csv_becomes_csv_with_its_delimiter_in_utf_8(tmp_path: Path) -> None:
    data = 'id;title\r\n007;"Théière ""à"" piston;\r\nroyale"\r\nNA;Crème\r\n3;\r\n4\r\n'.encode("latin-1")
    spec, parts = run(shop(tmp_path, "shop.csv", data))
    assert export(spec, parts, tmp_path / "out.csv", "csv") == 4
    text = (tmp_path / "out.csv").read_bytes().decode()
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=";"))
    assert rows == [
        ["id", "title", "title_de", "title_de_status", "title_de_findings"],
        ["007", 'Théière "à" piston;\r\nroyale', 'THÉIÈRE "À" PISTON;\r\nROYALE', "ok", ""],
        ["NA", "Crème", "CRÈME", "ok", ""],
        ["3", "", "", "passthrough", ""],
        ["4", "", "", "error", "shop.csv, line 6: 1 fields where the header has 2"],
    ]


def test_json_lines_keep_their_own_fields_byte_for_byte(tmp_path: Path) -> None:
    lines = [
        '{"title": "a",  "price": 1.50, "n": 12345678901234567890123, "x": "\\u00e9", "x": 2 } ',
        "{ }",
        '{"title":"b"}',
        "{broken",
    ]
    spec, parts = run(shop(tmp_path, "shop.jsonl", "\n".join(lines)))
    out = b"".join(rows_as("jsonl", spec, parts)).decode().splitlines()
    assert out[:3] == [
        '{"title": "a",  "price": 1.50, "n": 12345678901234567890123, "x": "\\u00e9", "x": 2 '
        ',"title_de":"A","title_de_status":"ok","title_de_findings":null}',
        '{ "title_de":null,"title_de_status":"passthrough","title_de_findings":null}',
        '{"title":"b","title_de":"B","title_de_status":"ok","title_de_findings":null}',
    ]
    assert json.loads(out[3])["line"] == "{broken"
    assert json.loads(out[3])["title_de_status"] == "error"


def values_of_all_kinds() -> pa.Table:
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5)
    return pa.table(
        {
            "title": pa.array([b"Chair", b"bad\xff"]).view(pa.string()),
            "made": pa.array([moment, None], pa.timestamp("ns")),
            "inner": pa.array([{"at": moment, "tags": ["x"]}, None]),
            "kind": pa.array(["a", "b"]).dictionary_encode(),
            "yes": [True, None],
            "share": [0.5, float("nan")],
            "raw": [b"\xff", b""],
        }
    )


def test_parquet_becomes_json_objects_whatever_its_types_are(tmp_path: Path) -> None:
    pq.write_table(values_of_all_kinds(), tmp_path / "shop.parquet")
    spec, parts = run(tmp_path / "shop.parquet")
    first, second = map(json.loads, b"".join(rows_as("jsonl", spec, parts)).splitlines())
    assert first == {
        "title": "Chair",
        "made": "2026-01-02 03:04:05.000000000",
        "inner": {"at": "2026-01-02 03:04:05.000000", "tags": ["x"]},
        "kind": "a",
        "yes": True,
        "share": 0.5,
        "raw": "/w==",
        "title_de": "CHAIR",
        "title_de_status": "ok",
        "title_de_findings": None,
    }
    assert (second["title"], second["share"], second["title_de_status"]) == ("bad\\xff", None, "error")


def test_parquet_becomes_csv_whatever_its_types_are(tmp_path: Path) -> None:
    pq.write_table(values_of_all_kinds(), tmp_path / "shop.parquet")
    spec, parts = run(tmp_path / "shop.parquet")
    rows = list(csv.reader(io.StringIO(b"".join(rows_as("csv", spec, parts)).decode(), newline="")))
    inner = '{"at":"2026-01-02 03:04:05.000000","tags":["x"]}'
    assert rows[1][:7] == ["Chair", "2026-01-02 03:04:05.000000000", inner, "a", "true", "0.5", "/w=="]
    assert rows[2][:7] == ["bad\\xff", "", "", "b", "", "nan", ""]


def test_parquet_becomes_one_file_with_a_row_group_for_each_part(tmp_path: Path) -> None:
    table = pa.table({"id": list(range(5)), "title": list("abcde")})
    pq.write_table(table, tmp_path / "shop.parquet")
    spec, parts = run(tmp_path / "shop.parquet")
    assert export(spec, parts, tmp_path / "out.parquet", "parquet") == 5
    out = pq.read_table(tmp_path / "out.parquet")
    assert out.select(["id", "title"]).equals(table)
    assert out.column("title_de").to_pylist() == list("ABCDE")
    assert pq.read_metadata(tmp_path / "out.parquet").num_row_groups == 3


@pytest.mark.parametrize("source", ["en", None])
def test_a_translation_memory_has_each_sound_pair_once(tmp_path: Path, source: str | None) -> None:
    data = '{"title": "a"}\n{"title": "b\\r\\n"}\n{"title": "a"}\nbroken\n{"title": ""}\n{}\n'
    spec, parts = run(shop(tmp_path, "shop.jsonl", data), source=source)
    assert export(spec, parts, tmp_path / "out.tmx", "tmx") == 6
    with (tmp_path / "out.tmx").open("rb") as file:
        entries = [entry for _, entry in read_tmx(file, Imported())]
    assert [(entry.text, str(entry.pair), entry.translation) for entry in entries] == [
        ("a", "en->de", "A"),
        ("b", "en->de", "B"),
    ]


@pytest.mark.parametrize(("name", "data"), [("shop.csv", "id,title\n"), ("shop.jsonl", ""), ("shop.parquet", None)])
@pytest.mark.parametrize("family", ["csv", "jsonl", "parquet", "tmx"])
def test_no_rows_make_a_whole_file_too(tmp_path: Path, name: str, data: str | None, family: ExportFamily) -> None:
    if data is None:
        pq.write_table(pa.table({"title": pa.array([], pa.string())}), tmp_path / name)
    else:
        shop(tmp_path, name, data)
    spec, parts = run(tmp_path / name)
    assert parts == []
    assert export(spec, parts, tmp_path / "out", family) == 0
    if family == "parquet":
        assert pq.read_schema(tmp_path / "out").names[-1] == "title_de_findings"


def test_a_damaged_part_leaves_the_export_that_was_there(tmp_path: Path) -> None:
    spec, parts = run(shop(tmp_path, "shop.csv", "id,title\n" + "1,Chair\n" * 5))
    out = shop(tmp_path, "out.csv", "before")
    parts[1].write_bytes(parts[1].read_bytes()[:-20])
    with pytest.raises(LedgerError, match=r"part-000001\.parquet .* Resume the job"):
        export(spec, parts, out, "csv")
    assert out.read_text() == "before"
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_an_export_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    spec, parts = run(shop(tmp_path, "shop.csv", "id,title\n1,Chair\n"))
    with pytest.raises(LedgerError, match="cannot be written: No such file"):
        export(spec, parts, tmp_path / "no" / "out.csv", "csv")
