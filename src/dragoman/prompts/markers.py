"""Control tokens in text: made harmless on the way to a model, and taken out of what comes back.

A tokenizer or server that reads `<end_of_turn>` in a user's text as the token of that name lets the text end its own
turn and begin another. A word joiner (U+2060, no width) after the first character keeps the text readable and breaks
the token. `clean` takes one joiner out again, so users get the characters they wrote:
`clean(neutralise(text)) == text` for any text without outer white space.
"""

from __future__ import annotations

import re

_JOINER = "\u2060"

# What some model's tokenizer or some server reads as control, without its first character.
_AFTER_ANGLE = r"""
    bos> | eos> | pad> | unk> | mask>                                     # Gemma
  | (?:start|end)_of_(?:turn|image|audio)> | (?:image|audio)_soft_token> | unused\d{1,4}>
  | __(?:media|image)\w{0,20}__>                                          # llama.cpp's place of an image
  | \|[^|<>\s]{1,26}\|?> | [^|<>\s]{1,26}\|>                              # ChatML, Llama 3, Phi, GLM, GPT-OSS, Gemma 4
  | ｜[^｜<>\s]{1,26}｜>                                                  # DeepSeek
  | /?s> | <SYS>> | </SYS>>                                               # Llama 2, Mistral
  | <<(?:source|target|text|image|custom)>>>                              # delimiters of TranslateGemma's vLLM port
"""
_AFTER_BRACKET = r"multimodal\] | /?INST\] | /?SYSTEM_PROMPT\]"
_MARKER = re.compile(
    rf"(?P<first> < (?={_JOINER}*(?:{_AFTER_ANGLE})) | \[ (?={_JOINER}*(?:{_AFTER_BRACKET})) ) (?P<joiners>{_JOINER}*)",
    re.VERBOSE,
)
# Seen in models' answers, where only a control token can be meant. The others are also HTML, SVG or plain words.
_STRAY = re.compile(
    r"<(?:bos|eos|pad|(?:start|end)_of_turn"
    r"|\|(?:file_separator|file_ref|im_start|im_end|eot_id|end_of_text|endoftext|end)\|)>"
)
_LONE_SURROGATES = re.compile(r"[\ud800-\udfff]")  # no Unicode, so no request can carry them
_LINE_BREAKS = re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")


def neutralise(text: str) -> str:
    """The text with every control token broken by a word joiner; `clean` undoes it."""
    return _MARKER.sub(rf"\g<first>{_JOINER}\g<joiners>", text)


def clean(output: str) -> str:
    """The translation in a model's answer: stray control tokens and outer white space removed, joiners taken back."""
    return _MARKER.sub(_without_one_joiner, _STRAY.sub("", output)).strip()


def as_one_line(text: str) -> str:
    """The text as prompts hold it: neutralised, trimmed, on one line even if a caller broke that rule, and Unicode."""
    return neutralise(_LONE_SURROGATES.sub("\ufffd", _LINE_BREAKS.sub(" ", text.strip())))


def _without_one_joiner(marker: re.Match[str]) -> str:
    return marker["first"] + marker["joiners"][1:]
