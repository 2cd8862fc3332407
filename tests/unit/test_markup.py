"""What reading HTML and XML promises: what is translated, what is held, and that nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.text.markup import read_html, read_xml
from dragoman.text.markup_tokens import html_tokens
from dragoman.text.parts import Held, Part, Run, as_it_was, escaped, runs_in, shown, written
from dragoman.types import TagRules


def texts(parts: Sequence[Part]) -> list[str]:
    """The runs' texts, with `~` for each held stretch that stands for words and `^` for each bare one."""
    return [_marked(run) for run in runs_in(parts)]


def _marked(run: Run) -> str:
    marks = ["^" if held.bare else "~" for held in run.held]
    return shown("".join(words + mark for words, mark in zip(run.stretches(), [*marks, ""], strict=True)))


def xml(text: str, **rules: frozenset[str] | bool) -> list[str]:
    return texts(read_xml(text, TagRules(**rules)))  # type: ignore[arg-type]


def upper(run: Run) -> str:
    """A translator that shouts."""
    pieces = [escaped(words.upper(), run.escaping) for words in run.stretches()]
    held = [written(one.becomes, upper) for one in run.held]
    return "".join(words + kept for words, kept in zip(pieces, [*held, ""], strict=True))


_bits = st.sampled_from(
    ["<b>", "</b>", "<p>", "</p>", "<br>", "<x id='1'/>", "<img alt=\"a 'b'\" src=x>", "<i class=notranslate>", "</i>",
     "<div translate=no>", "<p translate='yes'>", "</div>", "<script>", "</script>", "<code>", "</code>", "<!-- c -->",
     "<!", "<![CDATA[", "]]>", "<?x", "<!DOCTYPE a [", "<", ">", "&", "&amp;", "&nbsp;", "&eacute;", "&#39;", "'", '"',
     "&copy", "&foo;", "&#0;", "&#x1F600;", "—", "&mdash;", "word ", "é", "\n  ", "\t", "  ", "\u2004", "<a href=\"",
     "</", "<a title=x&y>", "<td>", "<tr>"]
)  # fmt: skip
fragments = st.lists(st.one_of(_bits, st.text(max_size=4), st.just("\ud800")), max_size=30).map("".join)
# What may come back in another way inside words: see the module.
NORMAL = str.maketrans({"'": "", "’": ""})


def same(text: str) -> str:
    for spelling in ("&#39;", "&apos;", "&rsquo;", "&#x27;"):
        text = text.replace(spelling, "")
    return text.replace("&eacute;", "é").replace("&amp;", "&").translate(NORMAL)


def tags(text: str) -> list[tuple[str, str]]:
    return [(token.kind, token.name) for token in html_tokens(text) if token.kind != "text"]


class TestTheLaw:
    @settings(max_examples=150, deadline=None)
    @given(text=fragments)
    def test_html_and_xml_written_as_they_were_are_the_text_again(self, text: str) -> None:
        for parts in (read_html(text), read_xml(text, TagRules())):
            assert same(written(parts, as_it_was)) == same(text)

    @settings(max_examples=150, deadline=None)
    @given(text=fragments)
    def test_held_stretches_are_in_order_and_apart(self, text: str) -> None:
        for run in runs_in(read_html(text)):
            places = [place for held in run.held for place in (held.start, held.end)]
            assert places == sorted(places)
            assert not places or places[-1] <= len(run.text)
            assert any(map(str.isalpha, run.words))

    @settings(max_examples=150, deadline=None)
    @given(text=fragments, words=st.sampled_from(["<b>\"'&amp;`", "</p><script>", "a='b' c=\"d\" >", "-->]]>", " x "]))
    def test_no_translation_makes_or_breaks_a_tag(self, text: str, words: str) -> None:
        def write(run: Run) -> str:
            made = [words if any(map(str.isalpha, stretch)) else stretch for stretch in run.stretches()]
            held = [written(one.becomes, write) for one in run.held]
            return "".join(escaped(now, run.escaping) + kept for now, kept in zip(made, [*held, ""], strict=True))

        assert tags(written(read_html(text), write)) == tags(text)

    @pytest.mark.parametrize(
        "text",
        [
            "<p>Fish &amp; chips &lt;3 &mdash; caf&eacute; don&apos;t &quot;so&quot;&nbsp;&hellip; &copy; &#8364;5</p>",
            "<p title='a \"b\" &amp; c' data-x=&quot;>AT&T & co</P >",
            "a < b > c <3 </ <> <1> <b",
            "<DIV CLASS=X\n ID = 'y'>One<BR/>two</div\n>",
            "<p>one\n   two\n\tthree\r\nfour</p>",
            "<td>&gt;</td><td>&#65;</td><td>\u2004 a\nb</td>",
            "<p>unclosed <b>bold <i>both</b> wrong</i> <a href='x'>end",
            "<!DOCTYPE html [<!ENTITY x 'y'>]><?xml version='1.0'?><![CDATA[<b>]]><!-- a > b --> words <!-- never",
            "",
        ],
    )
    def test_bytes_stay(self, text: str) -> None:
        assert written(read_html(text), as_it_was) == text
        assert written(read_xml(text, TagRules()), as_it_was) == text

    def test_an_apostrophe_spelled_in_two_ways_inside_words_comes_back_in_one(self) -> None:
        assert written(read_html("<p>it&#39;s, don't</p>"), as_it_was) == "<p>it's, don't</p>".replace("'", "&#39;")


class TestBlocks:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("<h1>Title</h1><p>One.</p><p>Two.</p>", ["Title", "One.", "Two."]),
            ("<ul><li>One<li>Two</ul>", ["One", "Two"]),
            ("<table><tr><td>A<td>B</table>", ["A", "B"]),
            ("Hello,<br>world", ["Hello,", "world"]),
            ("<p>Press <b>Continue</b> now.</p>", ["Press ^Continue^ now."]),
            ("<p>Found <x id='1'/> files</p>", ["Found ~ files"]),
            ("<p>Open the <my-menu>File</my-menu> menu</p>", ["Open the ^File^ menu"]),
            ("<p>See <i class=icon></i> here</p>", ["See ^ here"]),
            ("<p>one\n  two</p>", ["one two"]),
            ("<p>  12 <b>34</b> </p>", []),
            ("<select><option>Red<option>Blue</select>", ["Red", "Blue"]),
        ],
    )
    def test_blocks_are_runs_and_inline_tags_are_held(self, text: str, expected: list[str]) -> None:
        assert texts(read_html(text)) == expected

    def test_the_ends_of_an_element_are_twins(self) -> None:
        (run,) = runs_in(read_html("<p>A <b>very <i>big</i></b> dog</b></p>"))

        assert [(held.becomes, held.twin) for held in run.held] == [
            (("<b>",), 2), (("<i>",), 1), (("</i>",), 1), (("</b>",), 2), (("</b>",), None)
        ]  # fmt: skip

    def test_twins_are_of_one_run(self) -> None:
        first, second = runs_in(read_html("<b>one<br>two</b>"))

        assert [held.twin for held in first.held + second.held] == [None, None]


class TestWhatIsLeftAlone:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("<p>Run <code>ls <b>-l</b></code> now</p>", ["Run ~ now"]),
            ("<p>Press <kbd>Ctrl</kbd>+<kbd>C</kbd> now</p>", ["Press ~+~ now"]),
            ("<p>a <!-- note --> b</p>", ["a ^ b"]),
            ("<p>one<script>if (a < b) { say('<p>hi</p>') }</script> two</p>", ["one^ two"]),
            ("<style>p { color: red }</style><pre>code <b>x</b></pre><textarea>typed <b></textarea>", []),
            ("<svg><title>No</title><text>no</text></svg>yes", ["^yes"]),
            ("<p>Click <svg><title>No</title></svg> now</p>", ["Click ^ now"]),
            ("<p translate=no>No <b>no</b></p><p>Yes</p>", ["Yes"]),
            ("<div translate='no'>No <p translate=yes>Yes <b translate=no>no</b></p> no</div> Yes", ["Yes ~", " Yes"]),
            ("<p>By <span class='x notranslate'>Acme Inc</span> itself</p>", ["By ~ itself"]),
            ("<span translate=no>Acme <b translate=yes>tools</b></span> work", ["~^tools^~ work"]),
            ("<p translate=no>No <p>Yes", ["Yes"]),
            ("<script>never closed <p>no", []),
        ],
    )
    def test_code_and_what_says_so_is_not_translated(self, text: str, expected: list[str]) -> None:
        assert texts(read_html(text)) == expected

    def test_one_stretch_of_code_is_one_held_stretch(self) -> None:
        (run,) = runs_in(read_html("Run <code>ls <b>-l</b></code>."))

        assert run.held == (Held(4, 29, "code", ("<code>ls <b>-l</b></code>",)),)


class TestAttributes:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ('<p>See <img src=a.png alt="A cat"> here</p>', ["See ^ here", "A cat"]),
            ("<input placeholder='Your name' value=secret name=Title>", ["Your name"]),
            ("<input type=Submit value='Send it'>", ["Send it"]),
            ("<button aria-label=Close title='Close it'>x</button>", ["^x^", "Close", "Close it"]),
            ("<meta name=description content='About us'><meta name=viewport content='width'>", ["About us"]),
            ("<meta property='og:title' content='A title'>", ["A title"]),
            ("<option label='One'>1</option>", ["One"]),
            ("<textarea placeholder='Say it'>typed</textarea>", ["Say it"]),
            ("<img translate=no alt='Acme'><p class=notranslate title='no'>no</p>", []),
        ],
    )
    def test_those_that_people_read_are_runs_of_their_own(self, text: str, expected: list[str]) -> None:
        assert texts(read_html(text)) == expected

    @pytest.mark.parametrize(
        ("text", "translated", "expected"),
        [
            ('<img alt="a">', 'l\'un "deux" & <trois>', '<img alt="l\'un &quot;deux&quot; &amp; &lt;trois>">'),
            ("<img alt='a'>", "l'un", "<img alt='l&#39;un'>"),
            ("<img alt=a>", "a > b", "<img alt=a&#32;&gt;&#32;b>"),
        ],
    )
    def test_a_translated_value_stays_within_its_quotes(self, text: str, translated: str, expected: str) -> None:
        assert written(read_html(text), lambda run: escaped(translated, run.escaping)) == expected


class TestReferences:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("caf&eacute; &amp; bar", "café & bar"),
            ("don&apos;t &quot;go&quot; &hellip;", 'don\'t "go" …'),
            ("10&nbsp;km", "10^km"),
            ("so&shy;gar a&#8205;b&#9;c", "so^gar a^b^c"),
            ("a &unknown; b", "a ~ b"),
            ("AT&T &copy 2024", "AT&T ~ 2024"),
            ("Tom & Jerry", "Tom & Jerry"),
        ],
    )
    def test_a_model_sees_characters_and_what_cannot_be_seen_is_held(self, text: str, expected: str) -> None:
        assert texts(read_html(text)) == [expected]

    def test_a_translation_is_spelled_as_its_source(self) -> None:
        (run,) = runs_in(read_html("Wait&hellip; &mdash; &copy; R&D > it"))

        assert escaped("© <Wart> & so — weiter…", run.escaping) == "&copy; &lt;Wart> & so &mdash; weiter&hellip;"

    def test_words_that_look_like_a_reference_stay_words(self) -> None:
        (run,) = runs_in(read_html("Write &amp;lt; & more"))

        assert escaped("&lt; <b>", run.escaping) == "&amp;lt; &lt;b&gt;"
        assert as_it_was(run) == "Write &amp;lt; & more"

    def test_text_cannot_become_a_tag(self) -> None:
        assert written(read_html("&lt;b>a &lt; <3 b"), upper) == "&lt;B>A &lt; <3 B"


class TestXml:
    DOCUMENT = "<doc><meta><title>A title</title></meta><par>One <b>two</b>.</par>\n<par>Three.</par></doc>"

    def test_the_outline_is_found_from_where_text_stands(self) -> None:
        assert xml(self.DOCUMENT) == ["A title", "One ^two^.", "Three."]

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("Press <b>Continue</b> to go.", ["Press ^Continue^ to go."]),
            ("<p>Hi <b><i>you</i></b> there</p>", ["Hi ^^you^^ there"]),
            ("<d>Intro <s><p>One.</p><p>Two.</p></s></d>", ["Intro ", "One.", "Two."]),
            ("<a>x <p:b>y</p:b> <b>z</b></a>", ["x ^y^ ^z^"]),
            ("<a>one<b/>two <c></c></a>", ["one~two ^"]),
            ("<a>x <![CDATA[<b>no</b>]]> y<?pi z?></a>", ["x ~ y^"]),
            ("<a>I don&apos;t &ent; <P>é</P></a>", ["I don't ~ ^é^"]),
        ],
    )
    def test_what_stands_beside_text_is_inline(self, text: str, expected: list[str]) -> None:
        assert xml(text) == expected

    def test_without_outline_only_splitting_tags_end_a_sentence(self) -> None:
        assert xml("<a>One <p>two</p></a> <b>three</b>", outline=False) == ["^One ^two^^ ^three^"]
        assert xml(self.DOCUMENT, outline=False, splitting=frozenset({"par", "title"})) == [
            "A title", "One ^two^.", "Three."
        ]  # fmt: skip

    def test_splitting_and_non_splitting_tags_have_the_last_word(self) -> None:
        assert xml("Beside <p>text</p> here", splitting=frozenset({"p"})) == ["Beside ", "text", " here"]
        assert xml("<d><p>One half</p> <p>and another</p></d>", non_splitting=frozenset({"p"})) == [
            "^One half^ ^and another^"
        ]

    def test_ignored_tags_are_held_with_all_that_is_in_them(self) -> None:
        assert xml("Open <k>File <b>now</b></k> please", ignored=frozenset({"k"})) == ["Open ~ please"]

    def test_no_attribute_is_translated(self) -> None:
        assert xml("<a title='x'>Some <b alt='y'>words</b></a>") == ["Some ^words^"]


class TestHostileInput:
    @pytest.mark.parametrize(
        "text",
        [
            "<b>" * 15_000 + "x" + "</b>" * 15_000,
            "<div>" * 15_000 + "</b>" * 15_000,
            "<a b='" * 20_000,
            "<!-- <![CDATA[ <!DOCTYPE[ <? </ " * 8_000,
            "a\n b\n  " * 15_000,
            "&" * 60_000,
        ],
    )
    @pytest.mark.parametrize("read", [read_html, lambda text: read_xml(text, TagRules())])
    def test_time_grows_with_the_text_and_nothing_recurses(
        self, text: str, read: Callable[[str], tuple[Part, ...]]
    ) -> None:
        start = time.process_time()
        assert written(read(text), as_it_was) == text
        assert time.process_time() - start < 3
