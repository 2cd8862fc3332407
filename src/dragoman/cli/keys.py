"""`dragoman keys`: the API keys of a server. It may run meanwhile, and knows of every change within a second."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, get_args

from dragoman.cli.flags import Commands, add_settings, settings_from
from dragoman.cli.table import columns
from dragoman.settings import data_path

if TYPE_CHECKING:
    from dragoman.memory.key_file import KeyFile, KeyInfo, LimitName

NO_LIMIT = "none"


def add_to(commands: Commands) -> None:
    """Declare the commands."""
    parser = commands.add_parser("keys", help="make, list, limit and revoke API keys", allow_abbrev=False)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_add(actions)
    listing = actions.add_parser("list", help="list the keys and what was used with them", allow_abbrev=False)
    listing.set_defaults(run=run_list)
    limit = actions.add_parser("limit", help="change how much may be used with a key", allow_abbrev=False)
    limit.set_defaults(run=run_limit)
    revoke = actions.add_parser("revoke", help="let nobody in with a key any more", allow_abbrev=False)
    revoke.set_defaults(run=run_revoke)
    for action in (limit, revoke):
        action.add_argument("name", metavar="NAME", help="name or id of the key")
    _add_limits(limit)
    for action in (listing, limit, revoke):
        add_settings(action, "storage")


def run_add(arguments: argparse.Namespace) -> int:
    """Make a key and print it, alone on stdout."""
    from dragoman.memory.key_file import KeyLimits

    limits = {name: limit for name, limit in _limits(arguments).items() if limit is not None}
    with _opened(arguments) as keys:
        key, info = keys.add(arguments.name, arguments.scope or ["translate"], KeyLimits(**limits))
    print(key)
    print(f"This is the key of {info.name}, id {info.id}. It is not shown again.", file=sys.stderr)
    return 0


def run_list(arguments: argparse.Namespace) -> int:
    """Print every key, never its secret."""
    from dragoman.memory.usage import Used, windows_of

    windows = windows_of(time.time())
    with _opened(arguments) as keys:
        listed, used = keys.list_all(), keys.used(windows)
    if not listed:
        print("There are no keys.")
        return 0
    rows = [_row(info, used.get((info.id, windows.month), Used())) for info in listed]
    print(columns(("ID", "NAME", "SCOPES", "MADE", "REQUESTS", "CHARACTERS", "LIMITS"), rows))
    print("\nRequests and characters are those of this month (UTC).")
    return 0


def run_limit(arguments: argparse.Namespace) -> int:
    """Change limits of a key, and print those it has now."""
    with _opened(arguments) as keys:
        info = keys.limit(arguments.name, _limits(arguments))
    print(f"{info.name}: {_limits_in_words(info)}")
    return 0


def run_revoke(arguments: argparse.Namespace) -> int:
    """Revoke a key."""
    with _opened(arguments) as keys:
        info = keys.revoke(arguments.name)
    print(f"Revoked {info.name}, id {info.id}")
    return 0


def _add_add(actions: Commands) -> None:
    from dragoman.memory.key_file import SCOPES

    parser = actions.add_parser("add", help="make a key", allow_abbrev=False)
    parser.add_argument("name", metavar="NAME", help="whose it is; no two keys in use have the same")
    parser.add_argument(
        "--scope",
        metavar="SCOPE",
        action="append",
        choices=SCOPES,
        help=f"what it opens, {', '.join(SCOPES)}; may be repeated [translate]",
    )
    _add_limits(parser)
    add_settings(parser, "storage")
    parser.set_defaults(run=run_add)


def _add_limits(parser: argparse.ArgumentParser) -> None:
    from dragoman.memory.key_file import LimitName

    section = parser.add_argument_group(
        "limits", f"of calendar minutes, days and months (UTC); a number, or {NO_LIMIT} to take one away"
    )
    for name in get_args(LimitName):
        section.add_argument(f"--{name.replace('_', '-')}", metavar="N", type=_limit)


def _limit(words: str) -> int | str:
    if words == NO_LIMIT or (words.isdecimal() and int(words) <= 2**53):
        return words if words == NO_LIMIT else int(words)
    raise argparse.ArgumentTypeError(f"{words!r} is neither a whole number of at least 0 nor {NO_LIMIT}")


def _limits(arguments: argparse.Namespace) -> dict[LimitName, int | None]:
    """The limits that were given."""
    from dragoman.memory.key_file import LimitName

    given = {name: getattr(arguments, name) for name in get_args(LimitName)}
    return {name: None if limit == NO_LIMIT else limit for name, limit in given.items() if limit is not None}


@contextlib.contextmanager
def _opened(arguments: argparse.Namespace) -> Iterator[KeyFile]:
    from dragoman.memory.key_file import FILE_NAME, KeyFile

    with contextlib.closing(KeyFile(data_path(settings_from(arguments)) / FILE_NAME)) as file:
        yield file


def _row(info: KeyInfo, used: tuple[int, int]) -> tuple[str, ...]:
    limits = _limits_in_words(info) if info.revoked_at is None else f"revoked {_date(info.revoked_at)}"
    requests, characters = map(str, used)
    return info.id, info.name, ",".join(sorted(info.scopes)), _date(info.created_at), requests, characters, limits


def _limits_in_words(info: KeyInfo) -> str:
    limits = {name: getattr(info.limits, name) for name in info.limits.__struct_fields__}
    words = [f"{limit} {name.replace('_', ' ')}" for name, limit in limits.items() if limit is not None]
    return ", ".join(words) or "no limits"


def _date(second: int) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(second))
