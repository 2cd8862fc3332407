"""Terms in and out of files, and what is said of a file with a fault."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.errors import InvalidRequest, TooLarge
from dragoman.memory import term_files
from dragoman.memory.term_files import FileKind, read_terms, terms_of, write_csv, write_tsv
from dragoman.types import Pair, Term

EN_DE = Pair("en", "de")

TMX = """<tmx version="1.4"><header srclang="en"/><body>
<tu><tuv xml:lang="en"><seg>hub</seg></tuv><tuv xml:lang="de"><seg>Nabe</seg></tuv>
<tuv xml:lang="fr"><seg>moyeu</seg></tuv></tu></body></tmx>"""

TBX_2008 = """<?xml version="1.0"?><!DOCTYPE martif SYSTEM "TBXBasiccoreStructV02.dtd">
<martif type="TBX-Basic" xml:lang="en"><text><body>
<termEntry id="1"><descrip type="definition">Middle of a wheel</descrip>
<langSet xml:lang="de-DE"><tig><term>Nabe</term></tig><tig><term>Radnabe</term></tig></langSet>
<langSet xml:lang="en-US"><tig><term>hub</term><note>plain</note></tig><tig><term>wheel hub</term></tig></langSet>
<langSet xml:lang="xx"><tig><term>?</term></tig></langSet>
</termEntry>
<termEntry id="2"><langSet xml:lang="en"><tig><term>alone</term></tig></langSet></termEntry>
</body></text></martif>"""

TBX_2019 = """<tbx type="TBX-Basic" xml:lang="en" xmlns="urn:iso:std:iso:30042:ed-2"><text><body>
<conceptEntry id="1"><langSec xml:lang="en"><termSec><term>hub</term></termSec></langSec>
<langSec xml:lang="de"><termSec><term>Nabe</term></termSec></langSec></conceptEntry></body></text></tbx>"""


def read(words: str, kind: FileKind, pair: Pair | None = EN_DE) -> dict[str, dict[str, str]]:
    dictionaries = read_terms(words.encode(), kind, pair)
    return {str(of): {term.source: term.target for term in terms} for of, terms in dictionaries.items()}


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("hub,Nabe\nrim,Felge\n", "csv"),
        ("hub;Nabe\r\nrim;Felge", "csv"),
        ('"hub","Nabe"\n\n rim , Felge \n', "csv"),
        ("\ufeffSource,Target\nhub,Nabe\nrim,Felge\n", "csv"),
        ("term;translation\nhub;Nabe\nrim;Felge\n", "csv"),
        ("en,de\nhub,Nabe\nrim,Felge\n", "csv"),
        ("fr;DE;en-US\nmoyeu;Nabe;hub\njante;Felge;rim\nfourche;;fork", "csv"),
        ("hub,Nabe,EN,DE\nrim,Felge,EN,DE\nhub,moyeu,EN,FR\n", "csv"),
        ("hub\tNabe\nrim\tFelge", "tsv"),
        ("hub\tNabe\nrim\tFelge\nhub\tNabe\n", "tsv"),
        ("en\tde\nhub\tNabe\nrim\tFelge\n", "tsv"),
    ],
)
def test_tables_of_many_shapes_are_read(words: str, kind: FileKind) -> None:
    assert read(words, kind) == {"en->de": {"hub": "Nabe", "rim": "Felge"}}


def test_a_spreadsheets_unicode_text_is_read() -> None:
    assert read_terms("hub\tNabe\n".encode("utf-16"), "tsv", EN_DE) == {EN_DE: (Term("hub", "Nabe"),)}


def test_quoted_cells_may_hold_the_delimiter_and_quotes_but_tabs_need_none() -> None:
    assert read('"one, two","eins, ""zwei"""\n', "csv") == {"en->de": {"one, two": 'eins, "zwei"'}}
    assert read('"one" \teins, zwei\n', "tsv") == {"en->de": {'"one"': "eins, zwei"}}


def test_a_semicolon_divides_where_a_comma_would_divide_fewer_lines() -> None:
    assert read("Hello, world;Hallo, Welt\ncat;Katze\n", "csv") == {"en->de": {"Hello, world": "Hallo, Welt", "cat": "Katze"}}  # fmt: skip  # noqa: E501


def test_a_table_that_names_its_languages_is_read_for_all_of_them() -> None:
    assert read("en,de,pt-BR\nbus,Bus,ônibus\ntrain,Zug,\n", "csv", None) == {
        "en->de": {"bus": "Bus", "train": "Zug"},
        "en->pt-BR": {"bus": "ônibus"},
    }


def test_a_first_row_of_words_that_are_codes_too_is_a_row_where_the_pair_is_known() -> None:
    assert read("no,is\nhub,Nabe\n", "csv") == {"en->de": {"no": "is", "hub": "Nabe"}}


@pytest.mark.parametrize(
    ("words", "kind", "expected"),
    [
        (TMX, "tmx", {"en->de": {"hub": "Nabe"}, "en->fr": {"hub": "moyeu"}}),
        (TBX_2008, "tbx", {"en->de-DE": {"hub": "Nabe", "wheel hub": "Nabe"}}),
        (TBX_2019, "tbx", {"en->de": {"hub": "Nabe"}}),
    ],
)
def test_xml_names_its_languages_and_near_ones_serve_where_a_pair_is_asked_for(
    words: str, kind: FileKind, expected: dict[str, dict[str, str]]
) -> None:
    assert read(words, kind, None) == expected
    assert read(words, kind, EN_DE) == {"en->de": next(iter(expected.values()))}


def test_a_termbase_is_read_in_either_direction() -> None:
    assert read(TBX_2008, "tbx", Pair("de", "en")) == {"de->en": {"Nabe": "hub", "Radnabe": "hub"}}


@pytest.mark.parametrize(
    ("words", "kind", "message"),
    [
        ("hub,Nabe\nrim,\n", "csv", "Line 2: the target is empty"),
        ("hub,Nabe\n ,Felge\n", "csv", "Line 2: the source is empty"),
        ("hub,Nabe\n\nhub,Knoten\n", "csv", "Line 3: 'hub' becomes 'Nabe' already, and here 'Knoten'"),
        ("hub\tNa\x07be\n", "tsv", "Line 1: the target 'Na\\x07be' holds the character U+0007"),
        ('hub,"Na\nbe"\nrim,\n', "csv", "Line 1: the target"),
        (f"rim,Felge\n{'x' * 1025},y\n", "csv", "Line 2: the source 'x"),
        (f"{'é' * 513},y\n", "csv", "longer than 1024 bytes"),
        ("hub,Nabe\nalone\n", "csv", "Line 2 has 1 column and not 2"),
        ("a\tb\tc\n", "tsv", "Line 1 has 3 columns"),
        ("en,de\na,b,c\n", "csv", "Line 2 has 3 columns, and the first 2"),
        ('hub,Nabe\n"rim"x,Felge\n', "csv", "Line 2 is not CSV"),
        ('hub,"Nabe\n', "csv", "Line 1 is not CSV"),
        ("", "csv", "no terms"),
        ("\n \n", "tsv", "no terms"),
        ("en,fr\nhub,moyeu\nrim,jante\n", "tmx", "not a TMX file"),
        (TMX.replace('"de"', '"it"'), "tmx", "no terms for en->de; it has en->it, en->fr"),
        ("<tmx/>", "tbx", "begins with <tmx>"),
        ("<tbx>", "tbx", "not a TBX file"),
        ("<!DOCTYPE tbx [<!ENTITY a 'b'>]><tbx/>", "tbx", "DTD of its own"),
    ],
)
def test_a_fault_is_told_with_its_place(words: str, kind: FileKind, message: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(words, kind)

    assert message in refused.value.message


def test_a_line_that_is_not_utf8_is_named() -> None:
    with pytest.raises(InvalidRequest, match="Line 2 is not UTF-8"):
        read_terms(b"hub,Nabe\nGr\xfc\xdfe,x\n", "csv", EN_DE)


def test_without_a_pair_a_table_must_name_its_languages() -> None:
    with pytest.raises(InvalidRequest, match="does not say its languages"):
        read("hub,Nabe\n", "csv", None)


def test_there_is_a_most_of_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(term_files, "MAX_TERMS", 2)
    monkeypatch.setattr(term_files, "MAX_FILE_BYTES", 40)

    with pytest.raises(TooLarge, match="Line 3"):
        read("a\tb\nc\td\ne\tf\n", "tsv")
    with pytest.raises(TooLarge, match="40 bytes"):
        read("x" * 41, "tsv")


def test_entries_of_a_json_object_are_checked_alike() -> None:
    assert terms_of({" hub ": "Nabe"}) == (Term("hub", "Nabe"),)
    with pytest.raises(InvalidRequest, match="Entry 2: the source is empty"):
        terms_of({"hub": "Nabe", " ": "x"})
    with pytest.raises(InvalidRequest, match=r"U\+D800"):
        terms_of({"hub": "\ud800"})


@settings(max_examples=50)
@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=9).map(str.strip).filter(bool),
        st.text("aé\"',;猫 ", max_size=9).map(str.strip).filter(bool),
        min_size=1,
    )
)
def test_what_is_written_is_read_back(entries: dict[str, str]) -> None:
    terms = terms_of(entries)

    assert read_terms(write_csv(terms).encode(), "csv", Pair("am", "zu")) == {Pair("am", "zu"): terms}
    assert read_terms(write_tsv(terms).encode(), "tsv", Pair("am", "zu")) == {Pair("am", "zu"): terms}


@settings(max_examples=60)
@given(st.binary(max_size=200), st.sampled_from(["csv", "tsv", "tmx", "tbx"]), st.sampled_from([None, EN_DE]))
def test_no_file_is_worse_than_invalid(data: bytes, kind: FileKind, pair: Pair | None) -> None:
    with contextlib.suppress(InvalidRequest):
        assert read_terms(data, kind, pair)


@pytest.mark.parametrize("data", [b'",' * 400_000, b"x," * 400_000, b'"' * 100_000, b"\t" * 800_000 + b"x"])
def test_a_hostile_file_is_refused_as_fast_as_another(data: bytes) -> None:
    started = time.process_time()

    for kind in ("csv", "tsv"):
        with pytest.raises(InvalidRequest):
            read_terms(data, kind, EN_DE)

    assert time.process_time() - started < 2
