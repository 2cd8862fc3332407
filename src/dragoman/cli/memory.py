"""`dragoman memory`: translation memories in and out, and what the memory on disk holds. A server may run meanwhile."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dragoman.cli.flags import Commands, add_settings, settings_from
from dragoman.cli.table import columns
from dragoman.settings import DAY_S, data_path

if TYPE_CHECKING:
    from dragoman.memory.tmx import Exported, Imported
    from dragoman.memory.upkeep import Held
    from dragoman.settings import Settings
    from dragoman.types import Pair

ELSEWHERE = (
    "A running server forgets what it holds in RAM within half a minute, and Valkey what it holds when that expires."
)


def add_to(commands: Commands) -> None:
    """Declare the commands."""
    parser = commands.add_parser("memory", help="export, import, clear and look at the memory", allow_abbrev=False)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_export(actions)
    _add_import(actions)
    _add_clear(actions)
    stats = actions.add_parser("stats", help="show how much the memory on disk holds", allow_abbrev=False)
    add_settings(stats, "storage")
    stats.set_defaults(run=run_stats)


def run_export(arguments: argparse.Namespace) -> int:
    """Write the memory, or one pair of it, as a TMX file, and say how much that was."""
    path = _memory_path(settings_from(arguments))
    pair = _pair_of(*arguments.pair) if arguments.pair else None
    print(_told_export(_export(path, pair, Path(arguments.file)), arguments.file))
    return 0


def run_import(arguments: argparse.Namespace) -> int:
    """Read a TMX file into the memory, and say what came of it."""
    settings = settings_from(arguments)

    from dragoman import loop

    print(_told_import(loop.run(_import(settings, Path(arguments.file)))))
    return 0


def run_clear(arguments: argparse.Namespace) -> int:
    """Delete entries from the memory on disk, and say how many."""
    from dragoman.memory import upkeep

    path = _memory_path(settings_from(arguments))
    days = arguments.older_than_days
    deleted = upkeep.clear(path, made_before=None if days is None else int(time.time() - days * DAY_S))
    print(f"Cleared {_count(deleted, 'entry', 'entries')} from {path}\n{ELSEWHERE}")
    return 0


def run_stats(arguments: argparse.Namespace) -> int:
    """Print what the memory on disk holds, pair by pair."""
    from dragoman.memory import upkeep

    path = _memory_path(settings_from(arguments))
    print(_told_held(path, upkeep.look(path)))
    return 0


def _add_export(actions: Commands) -> None:
    parser = actions.add_parser("export", help="write the memory as a TMX file", allow_abbrev=False)
    parser.add_argument("file", metavar="FILE.tmx", help="file to write; one that is there is replaced")
    parser.add_argument("--pair", metavar="FROM:TO", type=_codes, help="only this pair, as en:de")
    add_settings(parser, "storage")
    parser.set_defaults(run=run_export)


def _add_import(actions: Commands) -> None:
    parser = actions.add_parser(
        "import", help="read a TMX file; what people translated goes before any engine", allow_abbrev=False
    )
    parser.add_argument("file", metavar="FILE.tmx", help="file to read, an export or of any other program")
    add_settings(parser, "storage", "memory")
    parser.set_defaults(run=run_import)


def _add_clear(actions: Commands) -> None:
    parser = actions.add_parser("clear", help="delete from the memory on disk", allow_abbrev=False)
    parser.add_argument("--older-than-days", metavar="N", type=_days, help="only what was made so long ago [all]")
    add_settings(parser, "storage")
    parser.set_defaults(run=run_clear)


def _export(path: Path, pair: Pair | None, target: Path) -> Exported:
    from dragoman.memory.sqlite_file import stored_items
    from dragoman.memory.tmx import write_tmx

    # Beside the target first: an export that fails leaves the one before as it was.
    part = target.with_name(f"{target.name}.part")
    try:
        with part.open("wb") as file:
            exported = write_tmx(stored_items(path, pair), file)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return exported


async def _import(settings: Settings, source: Path) -> Imported:
    from dragoman.errors import ConfigurationError
    from dragoman.memory.sqlite import open_sqlite
    from dragoman.memory.tmx import import_tmx

    if not settings.memory_disk_bytes:
        raise ConfigurationError("memory_disk_bytes is 0, so nothing is kept on disk. Set it to import translations.")
    with source.open("rb") as file:
        memory = await open_sqlite(
            _memory_path(settings), max_bytes=settings.memory_disk_bytes, max_age_days=settings.memory_max_age_days
        )
        try:
            return await import_tmx(file, memory)
        finally:
            await memory.aclose()


def _memory_path(settings: Settings) -> Path:
    from dragoman.memory.sqlite import FILE_NAME

    return data_path(settings) / FILE_NAME


def _told_export(exported: Exported, name: str) -> str:
    skipped = f"\nLeft out {exported.skipped}: they hold characters that XML cannot write" if exported.skipped else ""
    return f"Exported {_count(exported.units, 'entry', 'entries')} to {name}{skipped}"


def _told_import(imported: Imported) -> str:
    units = _count(imported.units, "unit", "units")
    lines = [f"Imported {_count(imported.entries, 'entry', 'entries')} from {units}"]
    if imported.flattened:
        lines.append(f"{_count(imported.flattened, 'text', 'texts')} lost inline tags")
    lines += [f"Left out {count}: {reason}" for reason, count in imported.skipped.items()]
    return "\n".join(lines)


def _told_held(path: Path, held: Held) -> str:
    head = f"{path}\n{_count(held.entries, 'entry', 'entries')}, {held.bytes / 1e6:.1f} MB"
    if not held.pairs:
        return head
    rows = [
        (str(one.pair), str(one.entries), str(one.by_people), time.strftime("%Y-%m-%d", time.localtime(one.oldest)))
        for one in held.pairs
    ]
    return f"{head}\n\n{columns(('PAIR', 'ENTRIES', 'BY PEOPLE', 'OLDEST'), rows)}"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _codes(words: str) -> tuple[str, str]:
    source, colon, target = words.partition(":")
    if source and colon and target:
        return source, target
    raise argparse.ArgumentTypeError(f"{words!r} is no pair; one reads like en:de")


def _pair_of(source: str, target: str) -> Pair:
    from dragoman.languages import resolve
    from dragoman.types import Pair

    return Pair(resolve(source), resolve(target))


def _days(words: str) -> float:
    try:
        days = float(words)
    except ValueError:
        days = -1.0
    if 0 <= days < 1e6:
        return days
    raise argparse.ArgumentTypeError(f"{words!r} is not a number of days of at least 0")
