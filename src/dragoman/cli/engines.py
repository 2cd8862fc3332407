"""`dragoman engines`: which engine is used and why, whether it answers, and how fast."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from dragoman.cli.flags import Commands, add_settings, settings_from

if TYPE_CHECKING:
    from dragoman.settings import Settings
    from dragoman.types import EngineInfo, Pair

SAMPLE = "Good morning."


def add_to(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "engines", help="show the engine that is used, and time one translation", allow_abbrev=False
    )
    add_settings(parser, "engine", "memory", "storage", "limits")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the choice, then what each engine answers; 1 if one does not."""
    settings = settings_from(arguments)

    from dragoman import loop

    return 0 if loop.run(_show(settings)) else 1


async def _show(settings: Settings) -> bool:
    """Print what there is; False if any of it does not answer."""
    from dragoman import models, wiring
    from dragoman.settings import data_path

    choice = await wiring.choose_engine(settings)
    _line("because", choice.why)
    for path in models.pulled(data_path(settings)):
        _line("pulled", f"llamacpp://{path}")
    return all([await _show_one(url, settings) for url in choice.urls])


async def _show_one(url: str, settings: Settings) -> bool:
    from msgspec import structs

    from dragoman.cli.session import open_ready
    from dragoman.errors import DragomanError

    _line("engine", url)
    started = time.perf_counter()
    try:
        # Without the memory: what is to be timed is the engine.
        async with open_ready(structs.replace(settings, memory_bytes=0), engines=(url,)) as translator:
            info = translator.info
            _line("ready", f"after {time.perf_counter() - started:.2f} s")
            _line("model", " ".join(filter(None, (info.model, info.revision, info.style and f"(style {info.style})"))))
            _line("slots", f"{info.slots}{'' if info.slots_known else ' to begin with; the best number is found'}")
            pair = _sample_pair(info)
            started = time.perf_counter()
            answer = await translator.translate_text(SAMPLE, source=pair.source, target=pair.target)
            _line("answers", f"{SAMPLE!r} {pair} {answer.text!r} in {(time.perf_counter() - started) * 1e3:.0f} ms")
    except DragomanError as error:
        _line("fails", error.message)
        return False
    return True


def _line(name: str, words: str) -> None:
    print(f"{name:<9}{words}", flush=True)


def _sample_pair(info: EngineInfo) -> Pair:
    from dragoman.types import Pair

    wished = Pair("en", "de")
    if info.pairs is None or wished in info.pairs:
        return wished
    return min(info.pairs, key=str)
