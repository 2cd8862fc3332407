"""Marks of Markdown are marks in the translation too, and its words are words, whatever language they are in."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from dragoman.text.markdown import read_markdown
from dragoman.text.marks import TAGS, apart, lost, mask, restore
from dragoman.text.parts import Part, Run, as_it_was, each_run, runs_in, written
from dragoman.text.placeholders import hold
from dragoman.text.segment import cut, join
from dragoman.types import Pair

NO_WIDTH = "\u200b"


def run_in(text: str) -> Run:
    (run,) = (part for part in read_markdown(text) if isinstance(part, Run))
    return hold(run)


def back(text: str, output: str) -> str | None:
    """What an output for the only run of this document comes to, written."""
    parts = restore(mask(run_in(text), TAGS), output)
    return None if parts is None else written(parts, as_it_was)


def kinds(markdown: str) -> Counter[str]:
    """What a document is made of."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown)
    inside = [child for token in tokens for child in token.children or ()]
    return Counter(token.type for token in (*tokens, *inside) if token.type not in ("text", "text_special"))


class TestMarks:
    @pytest.mark.parametrize(
        ("text", "output", "expected"),
        [
            ("**Note:** this is", "<1>注意：</1>これは", f"**注意：{NO_WIDTH}**これは"),
            ("see **(this)** now", "見る<1>「これ」</1>を", f"見る**{NO_WIDTH}「これ」{NO_WIDTH}**を"),
            ("**Note:** this is", "<1>Hinweis:</1> das ist", "**Hinweis:** das ist"),
            ("Here _this_ is", "ここで<1>これ</1>を", "ここで*これ*を"),
            ("Here __this__ is", "ここで<1>これ</1>を", "ここで**これ**を"),
            ("Here _this_ is", "Hier ist <1>das</1>", "Hier ist _das_"),
            ("Here ~~this:~~ is", "ここで<1>これ：</1>を", f"ここで~~これ：{NO_WIDTH}~~を"),
            ("Is ***this*** it", "字<1><2>「此」</2></1>字", None),
            ("*x* y", "<1> x </1>y", "*x* y"),
            ("`a` and `b`", "<1/><2/>", "`a` `b`"),
            ("**a** and **b**", "<1>一</1><2>二</2>", f"**一**{NO_WIDTH}**二**"),
            ("**a:** and **b**", "<1>一：</1><2>二</2>", f"**一：{NO_WIDTH}**{NO_WIDTH}**二**"),
            ("Look, [here](x)", "看!<1>这里</1>", r"看\![这里](x)"),
            ("See [it] and go\n\n[it]: x", "<1/>(los)", r"[it]\(los)"),
        ],
    )
    def test_marks_are_set_apart_from_what_misleads_a_reader(
        self, text: str, output: str, expected: str | None
    ) -> None:
        found = back(text, output)

        assert found is not None
        assert expected in (None, found)
        references = text.partition("\n\n")[2]
        assert kinds(f"{found}\n\n{references}") == kinds(text)

    def test_emphasis_around_nothing_is_lost(self) -> None:
        masked = mask(run_in("**Note** this"), TAGS)

        assert restore(masked, "<1></1> das") is None
        assert [finding.kind for finding in lost(masked, "<1></1> das")] == ["placeholder"]

    @settings(max_examples=100, deadline=None)
    @given(
        words=st.lists(st.sampled_from(["字", "a", "。", "：", "「", "!", "(", "*", "_", "`", "~~", "1. ", "# ", " "]))
    )
    def test_there_is_a_translation_with_the_marks_of_its_source_or_none(self, words: list[str]) -> None:
        text = "**a** _b_ `c` [d](e) f"
        first, second, *_ = ("".join(words[at::2]) for at in range(2))

        found = back(text, f"{second}<1>{first}</1>{second}<2>{second}</2><3/>{first}<4>{first}</4>")

        assert found is None or kinds(found) == kinds(text)

    def test_words_that_are_translated_alone_touch_no_emphasis(self) -> None:
        parts = apart(run_in("これは**重要**です"))

        assert [part if isinstance(part, str) else part.text for part in parts] == [
            "これは", " ", "**", "重要", "**", " ", "です"
        ]  # fmt: skip


class TestWords:
    @pytest.mark.parametrize(
        ("output", "expected"),
        [
            ("1. Januar ist frei", r"1\. Januar ist frei"),
            ("12) Gebote", r"12\) Gebote"),
            ("# Text", r"\# Text"),
            ("- Text", r"\- Text"),
            ("+ Text", r"\+ Text"),
            ("> Text", r"\> Text"),
            ("===", r"\==="),
            ("---", r"\---"),
            ("~~~", r"\~~~"),
            ("    Text", "Text"),
            ("Text\n\nmehr", "Text mehr"),
            ("~~Text~~", r"\~\~Text\~\~"),
            ("1.5 Liter", "1.5 Liter"),
            ("#eins", "#eins"),
            ("-1 Grad", "-1 Grad"),
        ],
    )
    def test_words_begin_no_block(self, output: str, expected: str) -> None:
        for text in ("Words", "> Words", "- Words", "Words\n---"):
            found = back(text, output)

            assert found == expected
            assert kinds(text.replace("Words", expected)) == kinds(text)

    def test_nor_do_those_of_a_row_that_begins_without_a_pipe(self) -> None:
        first, second = (part for part in read_markdown("One | Two\n-|-\n") if isinstance(part, Run))

        assert restore(mask(first, TAGS), "1. Teil") == ("1\\. Teil",)
        assert restore(mask(second, TAGS), "2. Teil") == ("2. Teil",)

    @pytest.mark.parametrize("text", ["# Words", "| Words |\n|-|"])
    def test_where_no_block_can_begin_words_are_as_they_are(self, text: str) -> None:
        assert back(text, "1. Januar") == "1. Januar"

    def test_a_line_that_begins_inside_a_sentence_is_one_of_words_too(self) -> None:
        assert back("> one  \n> two", "eins<1/># zwei") == "eins  \n> \\# zwei"

    def test_what_the_source_begins_with_is_written_as_there(self) -> None:
        run = run_in("See it. 3. Now\n")
        sentence = Run("3. Now", (), run.escaping)

        assert restore(mask(sentence, TAGS), "3. Jetzt") == ("3. Jetzt",)

    def test_marks_that_stand_for_themselves_in_the_source_make_none_in_the_translation(self) -> None:
        assert back("2 * 3 is 6", "2 * 3 ist 6") == "2 * 3 ist 6"
        assert back("2 * 3 is 6", "*2* mal 3") == r"\*2\* mal 3"


class TestSentences:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("**Note.** Words.", "**句。** 句。"),
            ("One. *Two.*\nThree.", "句。 *句。*\n句。"),
            ("One. Two.", "句。句。"),
        ],
    )
    def test_a_space_stays_beside_marks_that_end_or_begin_between_sentences(self, text: str, expected: str) -> None:
        parts: tuple[Part, ...] = each_run(read_markdown(text), lambda run: cut(run, "en"))
        marked = join(parts, lambda _: "句。", Pair("en", "zh"))

        assert marked == expected
        assert kinds(marked) == kinds(text)


@pytest.mark.parametrize("unit", ["*", "_a", "`", "[", "1. ", "<1>", "~", "\\"])
def test_hostile_output_takes_time_that_grows_with_its_length(unit: str) -> None:
    masked = mask(run_in("**a** b"), TAGS)

    def seconds(length: int) -> float:
        start = time.process_time()
        restore(masked, "<1>a</1> " + (unit * length)[:length])
        return time.process_time() - start

    assert seconds(64_000) < 32 * max(seconds(8_000), 0.02)  # squared it would be 64


def test_every_readme_sentence_that_comes_back_unchanged_is_written_as_it_was() -> None:
    text = "See **this:** _now_, `x` and [it](y 'z') \\* 1\\. **[b](c)**!\n\n- 2 * 3 `a` ***b***\n\n|a|\n|-|\n|*b*|\n"
    for run in runs_in(each_run(read_markdown(text), lambda run: (hold(run),))):
        masked = mask(run, TAGS)
        parts = restore(masked, masked.text)

        assert parts is not None
        assert written(parts, as_it_was) == as_it_was(run)
