"""Control tokens are harmless in what a model is shown, and absent from what it says."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.prompts.markers import as_one_line, clean, neutralise

JOINER = "\u2060"
GEMMA = (
    *("<bos>", "<eos>", "<pad>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>"),
    *("<start_of_image>", "<end_of_image>", "<image_soft_token>", "<start_of_audio>", "<end_of_audio>"),
    *("<audio_soft_token>", "[multimodal]", "<unused0>", "<unused53>", "<unused6241>", "<|turn>", "<turn|>"),
)
SERVERS = ("<__media__>", "<__image__>", "<__media_x4Fq__>", "<<<source>>>", "<<<target>>>", "<<<custom>>>")
OTHER_FAMILIES = (
    *("<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|begin_of_text|>", "<|start_header_id|>", "<|endoftext|>"),
    *("<|reserved_special_token_123|>", "<|channel|>", "<|file_separator|>", "<|file_ref|>"),
    *("<｜begin▁of▁sentence｜>", "<｜User｜>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<s>", "</s>"),
)
MARKERS = (*GEMMA, *SERVERS, *OTHER_FAMILIES)
STRAY = ("<end_of_turn>", "<start_of_turn>", "<eos>", "<|file_separator|>", "<|file_ref|>", "<|im_end|>", "<|eot_id|>")

any_text = st.lists(
    st.sampled_from((*MARKERS, JOINER, "<", "[", "<|", "|>", ">", "]", " ", "<" + JOINER, "end_of_turn>"))
    | st.text(max_size=5)
).map(lambda parts: "".join(parts).strip())


@given(any_text)
def test_no_control_token_survives_neutralising(text: str) -> None:
    neutral = neutralise(text)

    assert [marker for marker in MARKERS if marker in neutral] == []


@given(any_text)
def test_cleaning_gives_the_users_own_characters_back(text: str) -> None:
    assert clean(neutralise(text)) == text


@given(any_text)
def test_neutralising_adds_word_joiners_and_nothing_else(text: str) -> None:
    assert neutralise(text).replace(JOINER, "") == text.replace(JOINER, "")


@pytest.mark.parametrize("marker", MARKERS)
def test_each_known_control_token_is_broken_after_its_first_character(marker: str) -> None:
    assert neutralise(f"a{marker}b") == f"a{marker[0]}{JOINER}{marker[1:]}b"


@pytest.mark.parametrize(
    "text",
    [
        "a < b > c",
        "<b>bold</b>",
        "x <= 3 and y >= 4",
        "[1] see <https://example.org>",
        "List<int>",
        "a |> f",
        "[INSTANCE]",
    ],
)
def test_ordinary_angle_brackets_and_markup_are_left_alone(text: str) -> None:
    assert neutralise(text) == text


def test_a_joiner_that_the_user_wrote_inside_a_token_is_kept() -> None:
    text = f"<{JOINER}end_of_turn>"

    assert neutralise(text) == f"<{JOINER}{JOINER}end_of_turn>"
    assert clean(neutralise(text)) == text


@pytest.mark.parametrize("marker", STRAY)
def test_control_tokens_that_models_let_slip_are_stripped(marker: str) -> None:
    assert clean(f" Guten {marker}Morgen. {marker}\n") == "Guten Morgen."


@pytest.mark.parametrize("output", ["<s>alt</s> neu", "<mask id='m'>", "a <b>b</b>", "[INST] heißt Anweisung", "<unk>"])
def test_what_may_be_the_translations_own_words_is_not_stripped(output: str) -> None:
    assert clean(output) == output


def test_no_marker_is_longer_than_what_streaming_engines_hold_back() -> None:
    assert max(len(neutralise(marker)) for marker in MARKERS) <= 32


@given(st.text())
def test_a_prompt_holds_a_text_on_one_line_whatever_breaks_it(text: str) -> None:
    line = as_one_line(text)

    assert len(line.splitlines()) <= 1
    assert clean(line).split() == text.split()


@given(st.text(st.characters(categories=["Cs", "Ll", "Zl"])))
def test_a_prompts_line_can_be_sent_even_if_the_text_was_no_unicode(text: str) -> None:
    line = as_one_line(text)

    assert json.loads(json.dumps(line, ensure_ascii=False).encode()) == line
    assert len(line) <= len(text)
