"""`dragoman languages`: the languages there are."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from dragoman.cli.flags import Commands
from dragoman.cli.table import columns

if TYPE_CHECKING:
    from dragoman.languages import Language


def add_to(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser("languages", help="list the languages", allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="print a JSON array with all that is known of each")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the languages, as a table or as JSON."""
    from dragoman.languages import all_languages

    languages = all_languages()
    print(_json(languages) if arguments.json else _table(languages))
    return 0


def _json(languages: tuple[Language, ...]) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(languages)).decode()


def _table(languages: tuple[Language, ...]) -> str:
    rows = [
        (language.code, "*" if language.evaluated else "", language.display_name, language.native_name)
        for language in languages
    ]
    count = sum(language.evaluated for language in languages)
    table = columns(("CODE", "", "LANGUAGE", "ITS OWN NAME"), rows)
    return f"{table}\n\n* one of the {count} that TranslateGemma was evaluated on"
