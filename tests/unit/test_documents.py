"""Documents read into passages and written again: what is not translated comes back byte for byte."""

from __future__ import annotations

import codecs
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.documents import catalog, html, json_values, markdown, plain, subtitles
from dragoman.documents.base import Document
from dragoman.documents.families import FAMILIES, family_of
from dragoman.documents.lines import in_lines, on_one_line, width_of, wrapped
from dragoman.errors import InvalidRequest

ROOT = Path(__file__).parents[2]
CAFE = "Der Kellner brachte für die Gäste Kaffee, Käse und süße Brötchen.\nÜber den Dächern wurde es schön kühl.\n"


def texts(document: Document) -> list[str]:
    return [one.text for one in document.passages]


def shouted(document: Document) -> str:
    """The document with its passages in capitals, so that a test sees what was translated and what stayed."""
    return document.write([one.text.upper() for one in document.passages]).decode()


def untranslated(document: Document) -> bytes:
    return document.write([None] * len(document.passages))


class TestEveryFamily:
    @pytest.mark.parametrize("family", FAMILIES[:-1], ids=lambda family: family.name)
    @given(text=st.text(st.sampled_from("ab<>&;\"'[]()^:#*_`|- \t\n\r0123é日\u2028\x0b\x1c-->,.{}\\/=!"), max_size=200))
    def test_gives_any_text_back_byte_for_byte(self, family: object, text: str) -> None:
        for data in (text.encode(), codecs.BOM_UTF8 + text.encode(), codecs.BOM_UTF16_LE + text.encode("utf-16-le")):
            assert untranslated(family.read(data)) == data  # type: ignore[attr-defined]

    @pytest.mark.parametrize("page", ["README.md", "docs/architecture.md", "docs/fidelity.md"])
    def test_gives_our_own_pages_back(self, page: str) -> None:
        data = (ROOT / page).read_bytes()

        assert untranslated(markdown.read(data)) == untranslated(plain.read(data)) == data

    @settings(max_examples=40)
    @given(
        value=st.recursive(
            st.text(max_size=9) | st.integers(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
        )
    )
    def test_gives_any_json_back_byte_for_byte(self, value: object) -> None:
        for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent="\t")):
            assert untranslated(json_values.read(text.encode(errors="ignore"))) == text.encode(errors="ignore")

    @pytest.mark.parametrize("family", FAMILIES[:-1], ids=lambda family: family.name)
    def test_has_nothing_to_do_where_there_are_no_letters(self, family: object) -> None:
        assert texts(family.read(b"")) == texts(family.read(b"12 % \n\n -- \n")) == []  # type: ignore[attr-defined]


class TestEncodings:
    @pytest.mark.parametrize(
        ("codec", "bom"),
        [
            ("utf-8", b""),
            ("utf-8", codecs.BOM_UTF8),
            ("utf-16-le", codecs.BOM_UTF16_LE),
            ("utf-16-be", codecs.BOM_UTF16_BE),
            ("utf-32-le", codecs.BOM_UTF32_LE),
            ("utf-16-le", b""),
            ("utf-16-be", b""),
            ("cp1252", b""),
        ],
    )
    def test_an_encoding_is_kept(self, codec: str, bom: bytes) -> None:
        document = plain.read(bom + CAFE.encode(codec))

        assert texts(document) == CAFE.splitlines()
        assert document.write(["Größe", None]) == bom + f"Größe\n{CAFE.splitlines()[1]}\n".encode(codec)

    def test_letters_that_an_encoding_lacks_make_a_text_utf_8(self) -> None:
        document = plain.read(CAFE.encode("cp1252"))

        assert document.write(["日本", "語"]) == codecs.BOM_UTF8 + "日本\n語\n".encode()

    def test_letters_that_a_pages_encoding_lacks_become_references(self) -> None:
        page = '<meta charset="iso-8859-1"><p>Grüße</p>'.encode("latin-1")

        assert html.read(page).write(["日é"]) == '<meta charset="iso-8859-1"><p>&#26085;é</p>'.encode("latin-1")

    @pytest.mark.parametrize(
        "declared", ['<meta charset="%s">', '<meta http-equiv="x" content="text/html; charset=%s">']
    )
    def test_a_page_is_read_as_it_declares(self, declared: str) -> None:
        page = (declared % "windows-1251" + "<p>Привет</p>").encode("cp1251")

        assert texts(html.read(page)) == ["Привет"]

    def test_a_declaration_that_is_wrong_or_unknown_is_no_harm(self) -> None:
        for declared in ("utf-8", "klingon", "hex"):
            page = f'<meta charset="{declared}"><p>{CAFE}</p>'.encode("cp1252")
            assert untranslated(html.read(page)) == page

    @pytest.mark.parametrize(
        ("text", "codec"),
        [
            ("Le café est fermé, à bientôt.\nMerci de votre fidélité, l'équipe.\n", "latin-1"),
            ("Příliš žluťoučký kůň úpěl ďábelské ódy.\nDěkujeme za nákup v našem obchodě.\n", "cp1250"),
            ("Bu ürün çok güzel, herkese şiddetle öneririm.\nTeşekkürler, yine görüşmek üzere.\n", "cp1254"),
            ("Этот стул хорошо подходит к любому столу.\nСпасибо за покупку.\n", "cp1251"),
        ],
    )
    def test_an_encoding_that_nothing_declares_is_told_by_the_language(self, text: str, codec: str) -> None:
        assert texts(plain.read(text.encode(codec))) == text.splitlines()

    @pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"PK\x03\x04\0\0\0\0\xff\xfe\0\0\0\0\0"])
    def test_what_is_no_text_is_refused(self, data: bytes) -> None:
        with pytest.raises(InvalidRequest, match="save it as UTF-8"):
            plain.read(data)


class TestPlainText:
    def test_each_line_is_a_passage_and_line_ends_are_kept(self) -> None:
        assert shouted(plain.read(b"One.\r\nTwo.\n\n  - three\rfour")) == "ONE.\r\nTWO.\n\n  - THREE\rFOUR"

    def test_a_paragraph_broken_to_a_width_is_one_passage_and_broken_again(self) -> None:
        lines = [
            "The dragoman was an interpreter, translator and official",
            "guide between the many peoples that spoke Turkish, Arabic",
            "and Persian and the embassies of Europe.",
        ]
        document = plain.read(("\r\n".join(lines) + "\r\n\r\nThe end.").encode())

        assert texts(document) == [" ".join(lines), "The end."]
        assert document.write([" ".join(lines), "Ende."]) == ("\r\n".join(lines) + "\r\n\r\nEnde.").encode()

    @pytest.mark.parametrize(
        "text",
        [
            "Roses are red,\nviolets are blue.",
            "A sentence that takes the whole of its line, in a list of them.\nAnother one that does.",
            "A first line that is long enough to have been broken\nand a second\nand a third.",
            "- A first point that is long enough to have been broken off\n- supercalifragilistic seconds",
        ],
    )
    def test_verses_and_lists_stay_line_by_line(self, text: str) -> None:
        assert texts(plain.read(text.encode())) == text.split("\n")

    def test_an_endless_line_is_cut_into_passages_between_sentences(self) -> None:
        document = plain.read(b"This is a sentence. " * 1_000)

        assert [one.source[-3:] for one in document.passages] == ["e. "] * len(document.passages)
        assert max(map(len, texts(document))) <= plain.MOST_CHARACTERS


class TestSubtitles:
    def test_numbers_and_times_stay(self) -> None:
        film = "1\n00:00:01,000 --> 00:00:02,500 X1:40\nGood morning.\n\n2\n00:00:03,000 --> 00:00:04,000\nBye 2.\n"

        assert shouted(subtitles.read(film.encode())) == film.replace("Good morning", "GOOD MORNING").replace(
            "Bye", "BYE"
        )

    def test_two_lines_are_one_text_and_broken_again_into_lines_of_like_length(self) -> None:
        document = subtitles.read(
            b"1\r\n00:00:01,000 --> 00:00:02,000\r\nWhere were you when\r\nthe lights went out?\r\n"
        )

        assert texts(document) == ["Where were you when the lights went out?"]
        written = document.write(["Wo warst du eigentlich, als das Licht ausging?"])
        assert written.endswith(b"\r\nWo warst du eigentlich,\r\nals das Licht ausging?\r\n")

    def test_each_speaker_is_a_passage(self) -> None:
        document = subtitles.read(b"00:01.000 --> 00:02.000\n- Who is there?\n- Nobody of\nany importance.\n")

        assert texts(document) == ["- Who is there?", "- Nobody of any importance."]

    def test_only_what_is_spoken_is_translated(self) -> None:
        film = (
            "WEBVTT - Title\n\nNOTE written by hand\n\nSTYLE\n::cue { color: red }\n\nintro\n"
            "00:01.000 --> 00:02.000 align:start\n<v Mary Anne>Hello.\n\nNOTE the end\n"
        )

        assert shouted(subtitles.read(film.encode())) == film.replace("Hello", "HELLO")

    def test_words_end_at_the_next_subtitle_where_the_blank_line_is_missing(self) -> None:
        film = (
            b"1\n00:00:01,0 --> 00:00:02,0\nOne.\n2\n00:00:02,0 --> 00:00:03,0\nTwo.\n00:00:04,0 --> 00:00:05,0\nThree."
        )

        assert texts(subtitles.read(film)) == ["One.", "Two.", "Three."]


class TestPages:
    def test_blocks_and_attributes_that_people_read_are_passages(self) -> None:
        page = b'<h1>Hi <b>you</b></h1><script>var words;</script><img alt="a &quot;b&quot;"><p translate="no">no</p>'

        assert texts(html.read(page)) == ["Hi <b>you</b>", "a &quot;b&quot;"]

    def test_a_quote_in_a_translated_attribute_does_not_end_it(self) -> None:
        page = b"<p title=\"Hello\">12</p><p title='Hello'>12</p>"

        written = html.read(page).write(['"It\'s"'] * 2).decode()

        assert written.startswith('<p title="&quot;It')
        assert written.endswith("&#39;s\"'>12</p>")

    def test_blocks_of_markdown_are_passages_and_front_matter_none(self) -> None:
        page = b"---\ntitle: x\n---\n# Title\n\nA paragraph\nof two lines.\n\n    code\n\n* * *\n\n- one\n- two\n"

        assert texts(markdown.read(page)) == ["# Title", "A paragraph\nof two lines.", "- one\n- two"]

    def test_a_block_knows_the_references_of_its_page_and_comes_back_without_them(self) -> None:
        page = b"See [the book][Book].\n\n# Links\n\n[book]: https://example.org\n"
        passage, _ = markdown.read(page).passages

        assert passage.text == "See [the book][Book].\n\n[Book]: #"
        assert passage.put(passage.text.replace("See", "Siehe")) == "Siehe [the book][Book]."

    def test_a_footnote_is_translated_where_it_stands_and_not_where_it_is_called(self) -> None:
        page = b"A claim.[^1]\n\nMore.\n\n[^1]: The proof.\n"
        document = markdown.read(page)

        assert texts(document) == ["A claim.[^1]\n\n[^1]: 0", "More.", "[^1]: The proof.\n\n[^1]"]
        assert untranslated(document) == document.write(texts(document)) == page


class TestCatalogues:
    def test_entries_without_a_translation_are_passages_and_all_else_stays(self) -> None:
        catalogue = (
            'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n\n'
            '#: a.py:1\n#, python-format\nmsgctxt "verb"\nmsgid "Open %s"\nmsgstr ""\n\n'
            'msgid "Close"\nmsgstr "Schließen"\n\n#~ msgid "old"\n#~ msgstr ""\n'
        )

        assert texts(catalog.read(catalogue.encode())) == ["Open %s"]
        assert shouted(catalog.read(catalogue.encode())) == catalogue.replace('s"\nmsgstr ""', 's"\nmsgstr "OPEN %S"')

    def test_a_plural_gets_all_its_forms(self) -> None:
        catalogue = b'msgid "%d file"\nmsgid_plural "%d files"\nmsgstr[0] ""\nmsgstr[1] ""\nmsgstr[2] ""\n'

        assert texts(catalog.read(catalogue)) == ["%d file", "%d files", "%d files"]

    def test_lines_and_quotes_are_written_as_gettext_does(self) -> None:
        catalogue = b'msgid ""\r\n"A \\"word\\"\\n"\r\n"and \\\\ more"\r\nmsgstr ""\r\n'
        document = catalog.read(catalogue)

        assert texts(document) == ['A "word"\nand \\ more']
        assert document.write(['Ein "Wort"\nund \\ mehr']) == catalogue.replace(
            b'msgstr ""', b'msgstr ""\r\n"Ein \\"Wort\\"\\n"\r\n"und \\\\ mehr"'
        )


class TestJSON:
    def test_values_are_passages_and_keys_and_layout_stay(self) -> None:
        words = b'{ "title":"Say \\"hi\\"" ,\n  "more" : ["one\\ntwo", 3, null, "4"] }\n'

        assert texts(json_values.read(words)) == ['Say "hi"', "one\ntwo"]
        assert shouted(json_values.read(words)).encode() == words.replace(b"Say", b"SAY").replace(b"hi", b"HI").replace(
            b"one\\ntwo", b"ONE\\nTWO"
        )

    @pytest.mark.parametrize(("word", "written"), [(b'"caf\\u00e9"', rb'"\u65e5"'), (b'"word"', '"日"'.encode())])
    def test_letters_are_spelled_as_the_file_spells_them(self, word: bytes, written: bytes) -> None:
        assert json_values.read(word).write(["日"]) == written

    def test_what_is_no_json_is_refused(self) -> None:
        for data in (b"", b"{'a': 1}", b"[" * 100_000):
            with pytest.raises(InvalidRequest, match="not JSON"):
                json_values.read(data)


class TestFamilies:
    @pytest.mark.parametrize(
        ("filename", "data", "name"),
        [
            ("a.TXT", b"<html>", "txt"),
            ("a.b.htm", b"", "html"),
            ("film.srt", b"", "srt"),
            ("film.vtt", b"", "vtt"),
            ("README.markdown", b"", "md"),
            ("file", b"\xef\xbb\xbfWEBVTT\n", "vtt"),
            ("file", b"\r\n1\r\n00:00:01,000 --> 00:00:02,000\r\nHi.", "srt"),
            ("", b"<!-- x -->\n<!DOCTYPE html>", "html"),
            ("file", b"Anything else", "txt"),
        ],
    )
    def test_a_file_is_known_by_its_suffix_or_else_by_what_it_holds(
        self, filename: str, data: bytes, name: str
    ) -> None:
        assert family_of(filename, data).name == name

    def test_the_name_of_a_family_goes_before_a_suffix(self) -> None:
        assert family_of("a.txt", b"", "SRT").name == "srt"

    @pytest.mark.parametrize(("filename", "named", "field"), [("a.exe", None, "file"), ("a.txt", "doc", "format")])
    def test_what_is_not_known_is_refused_with_what_is(self, filename: str, named: str | None, field: str) -> None:
        with pytest.raises(InvalidRequest) as refused:
            family_of(filename, b"", named)

        assert (refused.value.field, refused.value.accepted) == (
            field,
            ("txt", "html", "md", "srt", "vtt", "po", "json"),
        )


class TestLines:
    def test_wide_letters_take_two_columns_and_tags_and_marks_none(self) -> None:
        assert [width_of(words) for words in ("abc", "<i>abc</i>", "日本", "e\u0301")] == [3, 3, 4, 1]

    def test_words_are_set_in_lines_of_a_width(self) -> None:
        assert wrapped("one two  three incomprehensibilities four", 9) == [
            "one two",
            "three",
            "incomprehensibilities",
            "four",
        ]

    def test_no_line_begins_with_a_full_stop(self) -> None:
        assert wrapped("日本語。日本語です。", 6) == ["日本", "語。日", "本語で", "す。"]

    @given(
        words=st.lists(st.text("abcdefg", min_size=1, max_size=12), min_size=1, max_size=20), count=st.integers(1, 4)
    )
    def test_no_words_are_lost_and_the_lines_are_no_more_than_wanted(self, words: list[str], count: int) -> None:
        lines = in_lines(" ".join(words), count)

        assert len(lines) <= count
        assert " ".join(lines).split() == words

    def test_a_tag_is_never_broken(self) -> None:
        assert in_lines('<font color="red">Red words</font> <i>here too</i>', 2) == [
            '<font color="red">Red words</font>',
            "<i>here too</i>",
        ]

    def test_lines_are_joined_as_their_script_does(self) -> None:
        assert on_one_line(["one ", " two"]) == "one two"
        assert on_one_line(["今日は", "晴れ"]) == "今日は晴れ"
        assert on_one_line(["今日は", "OK"]) == "今日は OK"
