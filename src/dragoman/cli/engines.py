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
    """Print the choice, then what the engine answers."""
    settings = settings_from(arguments)

    from dragoman import wiring

    wiring.run(_show(settings))
    return 0


async def _show(settings: Settings) -> None:
    from dragoman import models, wiring
    from dragoman.cli.session import open_ready
    from dragoman.settings import data_path

    choice = await wiring.choose_engine(settings)
    _line("engine", " ".join(choice.urls))
    _line("because", choice.why)
    for path in models.pulled(data_path(settings)):
        _line("pulled", f"llamacpp://{path}")
    started = time.perf_counter()
    async with open_ready(settings, engines=choice.urls) as translator:
        info = translator.info
        _line("ready", f"after {time.perf_counter() - started:.2f} s")
        _line("model", " ".join(filter(None, (info.model, info.revision, info.style and f"(style {info.style})"))))
        _line("slots", str(info.slots))
        pair = _sample_pair(info)
        started = time.perf_counter()
        answer = await translator.translate_text(SAMPLE, source=pair.source, target=pair.target)
        _line("answers", f"{SAMPLE!r} {pair} {answer.text!r} in {(time.perf_counter() - started) * 1e3:.0f} ms")


def _line(name: str, words: str) -> None:
    print(f"{name:<9}{words}", flush=True)


def _sample_pair(info: EngineInfo) -> Pair:
    from dragoman.types import Pair

    wished = Pair("en", "de")
    if info.pairs is None or wished in info.pairs:
        return wished
    return min(info.pairs, key=str)
