"""JSON Lines: every line that is not blank is a row, and what is broken in one stays in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from dragoman.errors import InputChanged, InvalidRequest, UnreadableTable
from dragoman.jobs.spec import JobSpec, Shard
from dragoman.jobs.tables.base import ShardRows
from dragoman.jobs.tables.planning import Reader, plan_table
from dragoman.types import TranslateRequest

TO_GERMAN = TranslateRequest(texts=(), targets=("de",), source="en")
CHAIR = b'{"title": "Chair"}\n'


def plan(
    folder: Path, data: bytes, *columns: str, shard_rows: int = 2, limit: int | None = None
) -> tuple[JobSpec, list[Shard]]:
    path = folder / "shop.jsonl"
    path.write_bytes(data)
    return plan_table([path], columns=columns, request=TO_GERMAN, shard_rows=shard_rows, limit=limit)


def read_all(spec: JobSpec, shards: Sequence[Shard]) -> list[ShardRows]:
    reader = Reader(spec)
    try:
        return [reader.read(shard) for shard in shards]
    finally:
        reader.close()


def texts_in(folder: Path, data: bytes, column: str = "title") -> list[str | None]:
    return [text for rows in read_all(*plan(folder, data, column)) for text in rows.texts[column]]


def lines_of(found: Sequence[ShardRows]) -> list[str]:
    return [line for rows in found for line in rows.carried.column("line").to_pylist()]


@pytest.mark.parametrize("text", ["2026-01-02", "0012", "NA", "true", "", "two\nlines", "🪑", "a\u2028b", "\0"])
def test_a_text_stays_what_it_is_whatever_it_looks_like(tmp_path: Path, text: str) -> None:
    assert texts_in(tmp_path, json.dumps({"title": text}).encode() + b"\n" + CHAIR) == [text, "Chair"]


@pytest.mark.parametrize("line", ['{"title": null}', '{"other": "x"}', "{}", '{"title": "x", "price": NaN}'])
def test_a_text_may_be_missing(tmp_path: Path, line: str) -> None:
    expected = "x" if "NaN" in line else None
    assert texts_in(tmp_path, line.encode() + b"\n" + CHAIR) == [expected, "Chair"]


def test_of_two_fields_with_one_name_the_last_counts_and_both_are_carried(tmp_path: Path) -> None:
    line = b'{"title": "a", "title": "b" }'
    (rows,) = read_all(*plan(tmp_path, line, "title"))
    assert rows.texts["title"] == ["b"]
    assert lines_of([rows]) == [line.decode()]


@pytest.mark.parametrize(
    ("line", "why", "carried"),
    [
        (b'{"title": "a', "not JSON: ", '{"title": "a'),
        (b'["a"]', "not a JSON object but an array", '["a"]'),
        (b"7", "not a JSON object but a number", "7"),
        (b"null", "not a JSON object but null", "null"),
        (b'{"title": "a"} {"title": "b"}', "not JSON: ", '{"title": "a"} {"title": "b"}'),
        (b'{"title": "a\xff"}', "not UTF-8 (invalid start byte at byte 12)", '{"title": "a\\xff"}'),
        (rb'{"title": "a\ud800"}', "title holds half of a surrogate pair at character 1", r'{"title": "a\ud800"}'),
        (b'{"title": ["a"]}', "title is no text but an array", '{"title": ["a"]}'),
        (b'{"title": 7}', "title is no text but a number", '{"title": 7}'),
        (b'{"title_de": "Stuhl", "title": "a"}', "it has a field 'title_de' already", None),
        (b'{"title": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deep", None),
    ],
)
def test_a_broken_line_says_where_and_why_and_stops_no_other(
    tmp_path: Path, line: bytes, why: str, carried: str | None
) -> None:
    data = CHAIR * 150 + b"\n" + line + b"\n" + CHAIR
    spec, shards = plan(tmp_path, data, "title", shard_rows=152)
    (rows,) = read_all(spec, shards)
    assert list(rows.broken) == [150]
    assert rows.broken[150].startswith("shop.jsonl, line 152: ")
    assert why in rows.broken[150]
    assert rows.texts["title"][150:] == [None, "Chair"]
    assert lines_of([rows])[150] == (carried or line.decode())


def test_an_object_may_be_nested_deep(tmp_path: Path) -> None:
    deep = '{"a":' * 600 + '"x"' + "}" * 600
    assert texts_in(tmp_path, f'{{"title": "a", "deep": {deep}}}\n'.encode()) == ["a"]


def test_half_a_pair_in_a_field_that_is_not_translated_does_no_harm(tmp_path: Path) -> None:
    assert texts_in(tmp_path, rb'{"title": "a", "note": "\ud800"}') == ["a"]


def test_blank_lines_are_no_rows_and_places_still_count_them(tmp_path: Path) -> None:
    spec, shards = plan(tmp_path, b"\n" + CHAIR + b"\r\n  \n" + CHAIR + b"\nbroken\r\n\n", "title")
    found = read_all(spec, shards)
    assert spec.rows == 3
    assert [list(rows.broken.values()) for rows in found] == [
        [],
        ["shop.jsonl, line 7: not JSON: Expecting value: line 1 column 1 (char 0)"],
    ]


def test_a_byte_order_mark_is_not_part_of_the_first_line(tmp_path: Path) -> None:
    assert texts_in(tmp_path, b"\xef\xbb\xbf" + CHAIR) == ["Chair"]


def test_utf_16_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnreadableTable, match="JSON Lines are UTF-8"):
        plan(tmp_path, CHAIR.decode().encode("utf-16"), "title")


@pytest.mark.parametrize(
    ("line", "column", "text"),
    [
        ('{"d": {"short": "a"}}', "d.short", "a"),
        ('{"d.short": "b", "d": {"short": "a"}}', "d.short", "b"),
        ('{"d": {"e.f": "c"}}', "d.e.f", "c"),
        ('{"d": null, "x": "y"}', "d.short", None),
    ],
)
def test_a_path_leads_into_objects_and_a_name_with_dots_goes_first(
    tmp_path: Path, line: str, column: str, text: str | None
) -> None:
    known = json.dumps({column: "known"})
    assert texts_in(tmp_path, f"{line}\n{known}\n".encode(), column) == [text, "known"]


def test_a_column_may_appear_late(tmp_path: Path) -> None:
    texts = texts_in(tmp_path, CHAIR * 500 + b'{"subtitle": "late"}\n', "subtitle")
    assert texts == [None] * 500 + ["late"]


@pytest.mark.parametrize(
    ("column", "says"),
    [
        ("titel", r"no column 'titel'.*: d\.short, title"),
        ("price", r"'price' holds no text but a number.*: d\.short, title"),
        ("d", r"'d' holds no text but an object"),
    ],
)
def test_a_column_without_texts_is_told_with_those_there_are(tmp_path: Path, column: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says) as caught:
        plan(tmp_path, b'{"title": "a", "price": 7, "d": {"short": "b"}}\n', column)
    assert caught.value.field == "columns"


def test_shards_follow_each_other_and_the_limit_ends_them(tmp_path: Path) -> None:
    data = b"".join(b'{"title": "%d"}\n' % number for number in range(9))
    spec, shards = plan(tmp_path, data, "title", limit=7)
    texts = [text for rows in read_all(spec, shards) for text in rows.texts["title"]]
    assert texts == [str(number) for number in range(7)]
    assert [shard.rows for shard in shards] == [2, 2, 2, 1]


def test_shards_can_be_read_in_any_order(tmp_path: Path) -> None:
    data = b"".join(b'{"title": "%d"}\n' % number for number in range(5)) + b"broken\n"
    spec, shards = plan(tmp_path, data, "title")
    found = read_all(spec, shards[::-1])
    assert [rows.texts["title"] for rows in found] == [["4", None], ["2", "3"], ["0", "1"]]
    assert found[0].broken[1].startswith("shop.jsonl, line 6:")


def test_a_line_that_was_taken_away_after_planning_is_told(tmp_path: Path) -> None:
    spec, shards = plan(tmp_path, CHAIR * 4, "title")
    Path(spec.inputs[0].path).write_bytes(CHAIR * 3)
    with pytest.raises(InputChanged, match="rows 3 to 4"):
        read_all(spec, shards)
