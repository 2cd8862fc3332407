"""Dragoman, a self-hosted translation server; and the same as a library.

>>> async with open_translator(Settings(engine="ollama://localhost:11434/translategemma:12b")) as translator:
...     await translator.ready()
...     translation = await translator.translate_text("Good morning", source="en", target="de")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dragoman.core.translator import Translator
    from dragoman.errors import DragomanError, UnknownLanguage
    from dragoman.jobs.rows import batch_translator, translate_column, translate_table
    from dragoman.settings import Settings
    from dragoman.types import TranslateRequest, Translation
    from dragoman.wiring import SyncTranslator, open_translator

__all__ = [
    "DragomanError",
    "Settings",
    "SyncTranslator",
    "TranslateRequest",
    "Translation",
    "Translator",
    "UnknownLanguage",
    "batch_translator",
    "open_translator",
    "translate_column",
    "translate_table",
]

_HOME = {
    "DragomanError": "errors",
    "Settings": "settings",
    "SyncTranslator": "wiring",
    "TranslateRequest": "types",
    "Translation": "types",
    "Translator": "core.translator",
    "UnknownLanguage": "errors",
    "batch_translator": "jobs.rows",
    "open_translator": "wiring",
    "translate_column": "jobs.rows",
    "translate_table": "jobs.rows",
}


def __getattr__(name: str) -> object:
    """Load the front door's names when they are asked for, so that `dragoman --help` does not load a server."""
    if name not in _HOME:
        raise AttributeError(f"module 'dragoman' has no attribute {name!r}")
    return getattr(importlib.import_module(f"dragoman.{_HOME[name]}"), name)
