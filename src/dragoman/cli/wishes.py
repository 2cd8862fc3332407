"""What may be asked of a translation, as flags that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dragoman.settings import Settings
    from dragoman.types import Glossary, Wishes


def add_targets(parser: argparse.ArgumentParser, what: str, *, required: bool = False) -> None:
    """Give `parser` the flag `--to` for several languages, as `targets`; `what` begins its help."""
    parser.add_argument(
        "--to",
        metavar="CODE[,CODE]",
        dest="targets",
        type=lambda codes: codes.split(","),
        action="extend",
        default=None if required else [],
        required=required,
        help=f"languages to translate into, {what}; may be repeated",
    )


def add_wishes(parser: argparse.ArgumentParser, *, strict: str) -> None:
    """Give `parser` the flags `--keep`, `--glossary` and `--strict`, the last with this help."""
    parser.add_argument(
        "--keep", metavar="WORDS", action="append", default=[], help="not to translate; may be repeated"
    )
    parser.add_argument(
        "--glossary", metavar="NAME", action="append", default=[], help="a stored glossary to follow; may be repeated"
    )
    parser.add_argument("--strict", action="store_true", help=strict)


async def wishes_from(arguments: argparse.Namespace, settings: Settings) -> Wishes:
    """The wishes that the flags of `add_wishes` tell. Raises UnknownGlossary."""
    from dragoman.types import Wishes

    glossaries = await load_glossaries(settings, arguments.glossary)
    return Wishes(keep=tuple(arguments.keep), glossaries=glossaries, strict=arguments.strict)


async def load_glossaries(settings: Settings, names: Sequence[str]) -> tuple[Glossary, ...]:
    """The stored glossaries of these names or ids. Raises UnknownGlossary."""
    from dragoman.memory.glossaries import Glossaries
    from dragoman.memory.glossary_file import FILE_NAME
    from dragoman.settings import data_path

    async with Glossaries(data_path(settings) / FILE_NAME) as stored:
        return tuple([await stored.load(name) for name in names])
