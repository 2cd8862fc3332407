"""Translation memories in and out: nothing is lost on the way, and no file can do harm."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.errors import InvalidRequest
from dragoman.memory.base import Entry, Item
from dragoman.memory.keys import KEY_BYTES, key_of_human
from dragoman.memory.sqlite import open_sqlite
from dragoman.memory.sqlite_file import stored_items
from dragoman.memory.tmx import MAX_SEGMENT_CHARACTERS, Imported, import_tmx, read_tmx, write_tmx
from dragoman.types import Pair, Segment

EN_DE = Pair("en", "de")

xml_characters = st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff").filter(
    lambda character: character >= " " or character in "\t\n\r"
)
xml_texts = st.text(xml_characters, min_size=1, max_size=30).filter(lambda text: text == text.strip() != "")
pairs = st.sampled_from([EN_DE, Pair("pt-BR", "zh-Hant"), Pair("ar", "sr-Latn"), Pair("en-GB", "en")])
machine_items = st.tuples(
    st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES),
    st.builds(Entry, xml_texts, pairs, xml_texts, xml_texts, st.integers(0, 4_000_000_000)),
)


@st.composite
def human_items(draw: st.DrawFn) -> Item:
    entry = draw(st.builds(Entry, xml_texts, pairs, xml_texts, st.none(), st.integers(0, 4_000_000_000)))
    return key_of_human(Segment(entry.text, entry.pair)), entry


def written(items: list[Item]) -> bytes:
    file = io.BytesIO()
    write_tmx(items, file)
    return file.getvalue()


def read(document: str | bytes) -> tuple[list[Item], Imported]:
    imported = Imported()
    data = document if isinstance(document, bytes) else document.encode()
    return list(read_tmx(io.BytesIO(data), imported)), imported


def tmx(units: str, srclang: str = "en") -> str:
    return f'<tmx version="1.4"><header srclang="{srclang}"/><body>{units}</body></tmx>'


def unit(source: str, target: str, attributes: str = "") -> str:
    return (
        f'<tu {attributes}><tuv xml:lang="en"><seg>{source}</seg></tuv>'
        f'<tuv xml:lang="de"><seg>{target}</seg></tuv></tu>'
    )


def human(text: str, translation: str, pair: Pair = EN_DE) -> tuple[bytes, str, str]:
    return key_of_human(Segment(text, pair)), text, translation


def found(items: list[Item]) -> list[tuple[bytes, str, str]]:
    return [(key, entry.text, entry.translation) for key, entry in items]


@given(st.lists(machine_items | human_items(), max_size=5))
def test_what_is_exported_and_imported_is_the_same_item_for_item(items: list[Item]) -> None:
    assert read(written(items))[0] == items


@pytest.mark.parametrize("text", ["a\x00b", "bell\x07", "half \ud83d", "\ufffe", "\x1b[0m"])
def test_an_entry_that_xml_cannot_write_is_skipped_and_counted(text: str) -> None:
    file = io.BytesIO()

    exported = write_tmx(
        [(b"k" * 32, Entry(text, EN_DE, "x", "m", 0)), (b"k" * 32, Entry("fine", EN_DE, "x", "m", 0))], file
    )

    assert (exported.units, exported.skipped) == (1, 1)
    assert [entry.text for _, entry in read(file.getvalue())[0]] == ["fine"]


def test_a_persons_unit_answers_for_every_engine_in_the_direction_of_the_file() -> None:
    items, imported = read(tmx(unit("Good morning.", "Guten Morgen.", 'creationdate="20200102T030405Z"')))

    assert found(items) == [human("Good morning.", "Guten Morgen.")]
    assert items[0][1].model is None
    assert items[0][1].made_at == 1_577_934_245
    assert (imported.units, imported.flattened, imported.skipped) == (1, 0, {})


def test_where_any_language_may_be_the_source_both_directions_are_taken() -> None:
    items, _ = read(tmx(unit("Yes", "Ja"), srclang="*all*"))

    assert found(items) == [human("Yes", "Ja"), human("Ja", "Yes", Pair("de", "en"))]


def test_a_unit_may_name_a_source_of_its_own() -> None:
    items, _ = read(tmx(unit("Yes", "Ja", 'srclang="de"')))

    assert found(items) == [human("Ja", "Yes", Pair("de", "en"))]


def test_codes_are_read_in_any_spelling_and_a_header_may_leave_the_region_out() -> None:
    units = (
        '<tu><tuv lang="EN_gb"><seg>Colour</seg></tuv><tuv xml:lang="DE-DE"><seg>Farbe</seg></tuv>'
        '<tuv xml:lang="de_de"><seg>second</seg></tuv></tu>'
    )

    assert found(read(tmx(units))[0]) == [human("Colour", "Farbe", Pair("en-GB", "de-DE"))]


def test_inline_tags_are_flattened_and_counted_their_codes_left_out_and_their_text_kept() -> None:
    source = 'Press <bpt i="1">&lt;b&gt;</bpt>the <hi>red</hi><ept i="1">&lt;/b&gt;<sub>not text</sub></ept> button'

    items, imported = read(tmx(unit(source, "Drücken")))

    assert found(items) == [human("Press the red button", "Drücken")]
    assert imported.flattened == 1


def test_units_that_give_no_entry_are_counted_by_reason() -> None:
    long = "x" * (MAX_SEGMENT_CHARACTERS + 1)
    units = [
        '<tu><tuv xml:lang="tlh"><seg>nuqneH</seg></tuv><tuv xml:lang="en"><seg>Hello</seg></tuv></tu>',
        unit("", "leer"),
        unit(long, "lang"),
        unit(" Good morning. ", "Guten Morgen.\n"),
    ]

    items, imported = read(tmx("".join(units)))

    assert found(items) == [human("Good morning.", "Guten Morgen.")]
    assert imported.units == 4
    assert imported.skipped == {"unknown language 'tlh'": 1, "text too long": 1, "no pair of languages": 3}


def test_a_machines_unit_whose_key_was_damaged_is_never_taken_for_a_persons() -> None:
    whole = written([(b"k" * 32, Entry("Yes", EN_DE, "Ja", "m", 0))]).decode()

    items, imported = read(whole.replace((b"k" * 32).hex(), "not a key"))

    assert items == []
    assert imported.skipped == {"damaged key": 1}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_files_may_be_in_the_encodings_that_other_programs_write(encoding: str) -> None:
    document = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>' + tmx(unit("Bye", "Tschüß"))

    assert found(read(document.encode(encoding))[0]) == [human("Bye", "Tschüß")]


BILLION_LAUGHS = """<?xml version="1.0"?><!DOCTYPE tmx [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>"""
EXTERNAL = """<?xml version="1.0"?><!DOCTYPE tmx [<!ENTITY a SYSTEM "file:///etc/passwd">]>"""


@pytest.mark.parametrize("doctype", [BILLION_LAUGHS, EXTERNAL])
def test_a_document_with_a_dtd_of_its_own_is_refused(doctype: str) -> None:
    with pytest.raises(InvalidRequest, match="DTD of its own"):
        read(doctype + tmx(unit("&a;", "x")))


def test_an_entity_that_nothing_declares_is_refused_and_not_lost() -> None:
    with pytest.raises(InvalidRequest, match="&nbsp;"):
        read('<?xml version="1.0"?><!DOCTYPE tmx SYSTEM "tmx14.dtd">' + tmx(unit("a&nbsp;b", "x")))


@pytest.mark.parametrize(
    "document",
    [
        "",
        "no xml",
        "<html></html>",
        tmx("<tu>"),
        "<tmx>",
        '<?xml version="1.0" encoding="klingon"?><tmx/>',
        "<tmx>\x00",
    ],
)
def test_what_is_no_tmx_is_refused_with_the_place(document: str) -> None:
    with pytest.raises(InvalidRequest, match="not a TMX file") as caught:
        read(document)

    assert caught.value.field == "file"


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_reader(data: bytes) -> None:
    for document in (data, tmx("<tu>").encode()[:-20] + data):
        try:
            read(document)
        except InvalidRequest:
            continue


def test_a_large_file_is_written_and_read_in_constant_memory(tmp_path: Path) -> None:
    def items() -> Iterator[Item]:
        for number in range(4_000):
            yield number.to_bytes(32, "big"), Entry(f"Sentence {number}.", EN_DE, f"Satz {number}.", "m", number)

    tracemalloc.start()
    with (tmp_path / "large.tmx").open("w+b") as file:
        write_tmx(items(), file)
        file.seek(0)
        count = sum(1 for _ in read_tmx(file, Imported()))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == 4_000
    assert peak_bytes < 600_000


async def test_an_import_is_found_in_the_durable_memory_and_an_export_gives_it_back(tmp_path: Path) -> None:
    units = "".join(unit(f"Sentence {number}.", f"Satz {number}.") for number in range(1_500))
    memory = await open_sqlite(tmp_path / "memory.sqlite3", max_bytes=10_000_000, max_age_days=1)

    imported = await import_tmx(io.BytesIO(tmx(units).encode()), memory)
    (entry,) = await memory.get_many([key_of_human(Segment("Sentence 1234.", EN_DE))])
    await memory.aclose()
    file = io.BytesIO()
    exported = write_tmx(stored_items(tmp_path / "memory.sqlite3"), file)

    assert imported.entries == exported.units == 1_500
    assert entry is not None
    assert entry.translation == "Satz 1234."
    assert found(read(file.getvalue())[0]) == found(read(tmx(units))[0])
