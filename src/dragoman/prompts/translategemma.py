"""TranslateGemma's own prompt, byte for byte as its chat template renders it, for a raw completion endpoint.

Names carry no region (`pt-BR` and `pt-PT` both read "Portuguese"); the code in brackets tells the model the variant.
The model card is held to 2K tokens in all, which no server enforces:

   112   the prompt around the text and <bos>: 74 counted for en to de, 102 for the longest names
   128   the text
  1808   the translation
  2048

128 is far less than would fit. The model stops early on long text: reports begin at some 130 Chinese characters (70
tokens) of several sentences in one prompt, and at 512 tokens for other languages. Nearly every single sentence is
shorter than 128 tokens (about 600 English or 240 Chinese characters), so only very long ones are cut inside.
"""

from __future__ import annotations

from dragoman.languages import english_name
from dragoman.prompts.base import GREEDY, Decoding, Prompt
from dragoman.prompts.limits import output_tokens
from dragoman.prompts.markers import as_one_line, clean
from dragoman.types import Capability, Pair, Segment

CONTEXT_TOKENS = 2048
SCAFFOLD_TOKENS = 112
MAX_SEGMENT_TOKENS = 128
MAX_OUTPUT_TOKENS = CONTEXT_TOKENS - SCAFFOLD_TOKENS - MAX_SEGMENT_TOKENS

_STOP = ("<end_of_turn>",)
_STOP_TOKEN_IDS = (1, 106)  # <eos> and <end_of_turn>; with <eos> alone the model runs on


class TranslateGemma:
    """The style of google/translategemma-{4b,12b,27b}-it and its quantised copies."""

    name = "translategemma"
    max_segment_tokens = MAX_SEGMENT_TOKENS
    can: frozenset[Capability] = frozenset()  # it was not trained to follow any, and does not

    def render(self, segment: Segment) -> Prompt:
        text = as_one_line(segment.text)
        user_turn = _opening(segment.pair) + _text_task(segment.pair) + text
        return _prompt(user_turn, output_tokens(text, MAX_OUTPUT_TOKENS), Decoding.of(segment.asking))

    def clean(self, output: str) -> str:
        return clean(output)


def render_image(pair: Pair) -> Prompt:
    """Ask for the translation of the text in one picture, for engines that can take images.

    `<start_of_image>` stands where the picture goes. It costs 256 tokens; a server with a marker of its own (llama.cpp:
    `<__media__>`) needs that one put in its place.
    """
    return _prompt(_opening(pair) + _image_task(pair) + "<start_of_image>", MAX_OUTPUT_TOKENS - 256)


def _prompt(user_turn: str, max_tokens: int, decoding: Decoding = GREEDY) -> Prompt:
    return Prompt(
        raw=f"<start_of_turn>user\n{user_turn}<end_of_turn>\n<start_of_turn>model\n",
        chat=user_turn,
        stop=_STOP,
        stop_token_ids=_STOP_TOKEN_IDS,
        max_tokens=max_tokens,
        decoding=decoding,
    )


def _opening(pair: Pair) -> str:
    source, target = english_name(pair.source), english_name(pair.target)
    return (
        f"You are a professional {source} ({pair.source}) to {target} ({pair.target}) translator. "
        f"Your goal is to accurately convey the meaning and nuances of the original {source} text "
        f"while adhering to {target} grammar, vocabulary, and cultural sensitivities.\n"
    )


def _text_task(pair: Pair) -> str:
    source, target = english_name(pair.source), english_name(pair.target)
    return (
        f"Produce only the {target} translation, without any additional explanations or commentary. "
        f"Please translate the following {source} text into {target}:\n\n\n"
    )


def _image_task(pair: Pair) -> str:
    source, target = english_name(pair.source), english_name(pair.target)
    return (
        f"Please translate the {source} text in the provided image into {target}. "
        f"Produce only the {target} translation, without any additional explanations, alternatives or commentary. "
        "Focus only on the text, do not output where the text is located, surrounding objects or any other explanation "
        "about the picture. Ignore symbols, pictogram, and arrows!\n\n\n"
    )
