"""Which prompt style a model gets."""

from __future__ import annotations

import re

from dragoman.errors import ConfigurationError
from dragoman.prompts.base import PromptStyle
from dragoman.prompts.exemplar import Exemplar
from dragoman.prompts.instruct import Instruct
from dragoman.prompts.translategemma import TranslateGemma

_TRANSLATEGEMMA = TranslateGemma()
_INSTRUCT = Instruct()
_EXEMPLAR = Exemplar()
STYLES: dict[str, PromptStyle] = {style.name: style for style in (_TRANSLATEGEMMA, _INSTRUCT, _EXEMPLAR)}

_INSTRUCT_WORDS = {"it", "instruct", "instruction", "chat"}
_BASE_WORDS = {"base", "pt", "pretrained"}  # Gemma calls its base models "pt"


def style_named(name: str) -> PromptStyle:
    """The style that a `?style=` option names. Raises ConfigurationError listing the names."""
    if name not in STYLES:
        raise ConfigurationError(f"There is no prompt style {name!r}; use style={', style='.join(STYLES)}.")
    return STYLES[name]


def style_for(model: str, *, instruct: bool | None = None) -> PromptStyle:
    """The style for a model by its name, as `google/gemma-3-4b-it` or `translategemma:12b`.

    `instruct` is what the model's metadata says, such as a chat template being there; None if it is not known. The
    name counts for more, because base models often carry their family's chat template. A model of which nothing is
    known is taken for a chat model: nearly all that Ollama, vLLM and LM Studio serve are.
    """
    file_name = model.lower().rpartition("/")[2]
    words = set(re.split(r"[^a-z0-9]+", file_name))
    if "translategemma" in re.sub(r"[^a-z0-9]", "", file_name):
        return _TRANSLATEGEMMA
    if words & _INSTRUCT_WORDS:
        return _INSTRUCT
    if words & _BASE_WORDS or instruct is False:
        return _EXEMPLAR
    return _INSTRUCT
