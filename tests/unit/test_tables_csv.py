"""CSV as shops write it: planned once by bytes, read row by row, and no row stops the others."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dragoman.errors import InputChanged, InvalidRequest, UnreadableTable
from dragoman.jobs.spec import JobSpec, Shard
from dragoman.jobs.tables.base import ShardRows
from dragoman.jobs.tables.planning import Reader, check_unchanged, plan_table
from dragoman.types import TranslateRequest

TO_GERMAN = TranslateRequest(texts=(), targets=("de",), source="en")


def plan(path: Path, *columns: str, shard_rows: int = 2, limit: int | None = None) -> tuple[JobSpec, list[Shard]]:
    return plan_table([path], columns=columns, request=TO_GERMAN, shard_rows=shard_rows, limit=limit)


def written(folder: Path, data: bytes, name: str = "shop.csv") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def read_all(spec: JobSpec, shards: Sequence[Shard]) -> list[ShardRows]:
    reader = Reader(spec)
    try:
        return [reader.read(shard) for shard in shards]
    finally:
        reader.close()


def rows_of(found: Sequence[ShardRows]) -> list[list[str | None]]:
    return [list(row.values()) for rows in found for row in rows.carried.to_pylist()]


def rows_in(folder: Path, data: bytes, column: str = "title") -> list[list[str | None]]:
    return rows_of(read_all(*plan(written(folder, data), column)))


def broken_in(found: Sequence[ShardRows], shards: Sequence[Shard]) -> dict[int, str]:
    return {
        shard.start + row: why for rows, shard in zip(found, shards, strict=True) for row, why in rows.broken.items()
    }


@pytest.mark.parametrize(
    "value",
    ["0012", "NA", "null", "2026-01-02", "true", "", "1e5", "  padded ", 'said ""yes""', "=1+1", "\0", "a\tb"],
)
def test_a_field_stays_as_it_is_written_whatever_it_looks_like(tmp_path: Path, value: str) -> None:
    data = f'id,title\n"{value}","Chair"\n"7","Table"\n'.encode()
    assert rows_in(tmp_path, data) == [[value.replace('""', '"'), "Chair"], ["7", "Table"]]


def test_a_column_of_numbers_may_hold_a_letter_far_down(tmp_path: Path) -> None:
    lines = [f"{number},Chair\n" for number in range(3000)] + ["A1,Table\n"]
    path = written(tmp_path, ("id,title\n" + "".join(lines)).encode())
    assert rows_of(read_all(*plan(path, "title", shard_rows=1000)))[-1] == ["A1", "Table"]


@pytest.mark.parametrize(
    ("delimiter", "name"), [(",", "a.csv"), (";", "a.csv"), ("\t", "a.tsv"), ("|", "a.csv"), ("\t", "a.csv")]
)
def test_the_delimiter_is_told_by_the_rows(tmp_path: Path, delimiter: str, name: str) -> None:
    rows = [["id", "title", "price"], ["1", "Oak; solid, round", "1,50"], ["2", "A|B", "2,00"]]
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    spec, shards = plan(written(tmp_path, text.getvalue().encode(), name), "title")
    assert spec.csv.delimiter == delimiter
    assert rows_of(read_all(spec, shards)) == rows[1:]


def test_one_column_needs_no_delimiter(tmp_path: Path) -> None:
    assert rows_in(tmp_path, b"title\nChair\nTable\n") == [["Chair"], ["Table"]]


FRENCH = "titre;prix\nThéière à piston;12\nCrème brûlée;3\nChaise pliante en hêtre;40\nÉtagère à épices;15\n"
CZECH = "název;cena\nDřevěná židle z masivu;12\nPříborová sada pro šest osob;3\nČajový šálek;4\nSkříň na šaty;9\n"
TURKISH = "ad;fiyat\nÇay bardağı, şık ve dayanıklı;12\nAhşap sandalye, yumuşak minderli;3\nGüneş gözlüğü;9\n"
RUSSIAN = "название;цена\nДеревянный стул;12\nСтол для кухни;3\nЛампа настольная;5\n"


@pytest.mark.parametrize(
    ("text", "written_as", "told"),
    [
        (FRENCH, "utf-8", "utf-8"),
        (FRENCH, "utf-8-sig", "utf-8"),
        (FRENCH, "latin-1", "cp1252"),
        (FRENCH, "utf-16", "utf-16-le"),
        (FRENCH, "utf-16-be", "utf-16-be"),
        (FRENCH, "utf-32", "utf-32-le"),
        (CZECH, "cp1250", "cp1250"),
        (TURKISH, "cp1254", "cp1254"),
        (RUSSIAN, "cp1251", "cp1251"),
    ],
)
def test_the_encoding_is_told(tmp_path: Path, text: str, written_as: str, told: str) -> None:
    path = written(tmp_path, text.encode(written_as))
    expected = list(csv.reader(io.StringIO(text), delimiter=";"))
    spec, shards = plan(path, expected[0][0])
    assert spec.csv.encoding == told
    assert rows_of(read_all(spec, shards)) == expected[1:]


def test_utf_16_keeps_line_breaks_in_quotes_and_letters_beyond_the_first_plane(tmp_path: Path) -> None:
    data = 'id,title\r\n1,"🪑\nਊ chair"\r\n2,Table\r\n'.encode("utf-16")
    assert rows_in(tmp_path, data) == [["1", "🪑\nਊ chair"], ["2", "Table"]]


def test_a_row_of_utf_16_with_half_a_pair_is_broken_alone(tmp_path: Path) -> None:
    data = "id,title\n1,a\ud83d\n2,b\n".encode("utf-16-le", "surrogatepass")
    spec, shards = plan(written(tmp_path, b"\xff\xfe" + data), "title")
    (rows,) = read_all(spec, shards)
    assert list(rows.broken) == [0]
    assert rows.texts["title"][1] == "b"


def test_utf_16_that_is_cut_in_a_letter_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnreadableTable, match="not whole UTF-16-LE"):
        plan(written(tmp_path, "id,title\n1,a\n".encode("utf-16")[:-1]), "title")


@pytest.mark.parametrize(
    ("row", "why", "carried"),
    [
        (b"1", "1 fields where the header has 3", ["1", None, None]),
        (b"1,a,b,c,d", "5 fields where the header has 3", ["1", "a", "b,c,d"]),
        (b"1,bad\xff,x", "not UTF-8 (invalid start byte 0xFF)", ["1", "bad\\xff", "x"]),
        (b"1,a\rb,x", "a carriage return stands outside of quotes", ["1", "a\rb", "x"]),
        (b'1,a,"x', "a quote is opened and never closed", ["1", "a", "x\n"]),
    ],
)
def test_a_broken_row_says_where_and_why_and_stops_no_other(
    tmp_path: Path, row: bytes, why: str, carried: list[str | None]
) -> None:
    data = 'id,title,note\n0,"two\nlines",Größe\n'.encode() + row + b"\n2,Table,y\n"
    spec, shards = plan(written(tmp_path, data), "title")
    found = read_all(spec, shards)
    assert broken_in(found, shards) == {1: f"shop.csv, line 4: {why}"}
    assert rows_of(found) == [["0", "two\nlines", "Größe"], carried, ["2", "Table", "y"]]


def test_a_field_of_ten_megabytes_is_a_field(tmp_path: Path) -> None:
    long = ('a"", ' * 500 + "\n") * 4_000
    found = rows_in(tmp_path, f'id,title\n1,"{long}"\n2,b\n'.encode())
    assert [row[0] for row in found] == ["1", "2"]
    assert found[0][1] == long.replace('""', '"')


def test_long_rows_close_a_shard_early(tmp_path: Path) -> None:
    data = b"id,title\n" + b"".join(b"%d,%s\n" % (number, b"x" * 9_000_000) for number in range(4))
    spec, shards = plan(written(tmp_path, data), "title", shard_rows=1000)
    assert [(shard.start, shard.first, shard.rows) for shard in shards] == [(0, 0, 2), (2, 2, 2)]
    assert spec.rows == 4


def test_quotes_that_are_never_closed_are_told_before_they_cost_hours(tmp_path: Path) -> None:
    with pytest.raises(UnreadableTable, match="quote is opened and never closed"):
        plan(written(tmp_path, b"id,title\n" + b'"1","b\n' * 500), "title")


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    assert rows_in(tmp_path, b"\nid,title\n\n1,a\n\r\n\n2,b\n\n") == [["1", "a"], ["2", "b"]]


def test_the_last_row_needs_no_line_break(tmp_path: Path) -> None:
    assert rows_in(tmp_path, b"id,title\r\n1,a\r\n2,b") == [["1", "a"], ["2", "b"]]


def test_a_table_of_names_alone_has_no_rows(tmp_path: Path) -> None:
    spec, shards = plan(written(tmp_path, b"id,title\n"), "title")
    assert (spec.rows, shards) == (0, [])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"id,id,title\n1,2,3\n", "several columns with the same name: 'id'"),
        (b"id,title\r1,a\r2,b\r", "carriage return alone"),
    ],
)
def test_what_is_no_table_is_told(tmp_path: Path, data: bytes, says: str) -> None:
    with pytest.raises(UnreadableTable, match=says):
        plan(written(tmp_path, data), "title")


def test_an_unknown_column_is_told_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"no column 'titel'.*: id, title") as caught:
        plan(written(tmp_path, b"id,title\n1,a\n"), "titel")
    assert (caught.value.field, caught.value.accepted) == ("columns", ("id", "title"))


def test_several_files_are_one_table_in_order(tmp_path: Path) -> None:
    paths = [
        written(tmp_path, f"id,title\n{first},a\n{first + 1},b\n{first + 2},c\n".encode(), f"{first}.csv")
        for first in (0, 3)
    ]
    spec, shards = plan_table(paths, columns=["title"], request=TO_GERMAN, shard_rows=2, limit=5)
    assert [row[0] for row in rows_of(read_all(spec, shards))] == ["0", "1", "2", "3", "4"]
    assert [(shard.number, shard.file, shard.start, shard.first, shard.rows) for shard in shards] == [
        (0, 0, 0, 0, 2),
        (1, 0, 2, 2, 1),
        (2, 1, 0, 3, 2),
    ]


def test_files_with_other_columns_are_told(tmp_path: Path) -> None:
    paths = [written(tmp_path, b"id,title\n1,a\n", "a.csv"), written(tmp_path, b"title,id\nb,2\n", "b.csv")]
    with pytest.raises(InvalidRequest, match=r"b\.csv is not written like"):
        plan_table(paths, columns=["title"], request=TO_GERMAN)


@pytest.mark.parametrize("left", [12, 20, 22])
def test_a_file_cut_short_after_planning_is_told(tmp_path: Path, left: int) -> None:
    path = written(tmp_path, b"id,title\n1,aaa\n2,bbb\n3,ccc\n")
    spec, shards = plan(path, "title", shard_rows=3)
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(InputChanged, match="rows 1 to 3 are not there"):
        read_all(spec, shards)


def test_other_rows_in_the_same_bytes_are_told(tmp_path: Path) -> None:
    path = written(tmp_path, b"id,title\n1,aaa\n2,bbb\n")
    spec, shards = plan(path, "title")
    path.write_bytes(b"id,title\n1,aaa,2,bbb..\n")
    with pytest.raises(InputChanged, match="rows 1 to 2"):
        read_all(spec, shards)


def test_what_changed_is_listed(tmp_path: Path) -> None:
    paths = [written(tmp_path, b"id,title\n1,a\n", f"{name}.csv") for name in "abc"]
    spec, _ = plan_table(paths, columns=["title"], request=TO_GERMAN)
    check_unchanged(spec)
    paths[0].unlink()
    paths[1].write_bytes(b"id,title\n")
    with pytest.raises(InputChanged, match=r"a\.csv cannot be read \(No such file.*b\.csv had 13 bytes and has 9"):
        check_unchanged(spec)


QUOTINGS: list[Literal[0, 1, 2]] = [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]
FIELDS = st.text(st.sampled_from("ab,;\"\n\r'é漢 \0"), max_size=8)


@st.composite
def tables(draw: st.DrawFn) -> tuple[bytes, str]:
    width = draw(st.integers(2, 4))
    rows = draw(st.lists(st.lists(FIELDS, min_size=width, max_size=width), max_size=12))
    text = io.StringIO(newline="")
    quoting = draw(st.sampled_from(QUOTINGS))
    delimiter = draw(st.sampled_from([",", ";", "\t"]))
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator="\r\n")
    writer.writerows([[f"column {number}" for number in range(width)], *rows])
    return text.getvalue().encode(), delimiter


@settings(max_examples=150, deadline=None)
@given(table=tables(), shard_rows=st.integers(1, 4))
def test_all_shards_together_are_what_python_reads_of_the_whole(table: tuple[bytes, str], shard_rows: int) -> None:
    data, delimiter = table
    expected = list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter=delimiter))
    with TemporaryDirectory() as folder:
        spec, shards = plan(written(Path(folder), data), "column 1", shard_rows=shard_rows)
        found = read_all(spec, shards)
    assume(spec.csv.delimiter == delimiter)  # a table of delimiters may look like one with another
    assert rows_of(found) == expected[1:]
    assert broken_in(found, shards) == {}


def test_any_bytes_give_as_many_rows_as_were_planned(tmp_path: Path) -> None:
    chance = random.Random(7)
    for number in range(300):
        data = b"id,title\n" + bytes(chance.choices(b'a,"\n\r;\xc3\xa9\0', k=chance.randrange(60)))
        spec, shards = plan(written(tmp_path, data, f"{number}.csv"), "title", shard_rows=2)
        assert sum(rows.carried.num_rows for rows in read_all(spec, shards)) == spec.rows
