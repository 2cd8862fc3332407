"""`dragoman glossary`: terms that bind translations, in and out of files. A server may run meanwhile, and sees it."""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dragoman.cli.flags import Commands, add_settings, settings_from
from dragoman.cli.table import columns
from dragoman.errors import InvalidRequest
from dragoman.settings import data_path

if TYPE_CHECKING:
    from dragoman.memory.glossary_file import GlossaryFile, GlossaryInfo
    from dragoman.memory.term_files import FileKind
    from dragoman.types import Pair

KINDS: dict[str, FileKind] = {".csv": "csv", ".tsv": "tsv", ".txt": "tsv", ".tab": "tsv", ".tmx": "tmx", ".tbx": "tbx"}


def add_to(commands: Commands) -> None:
    """Declare the commands."""
    parser = commands.add_parser("glossary", help="keep terms that bind translations", allow_abbrev=False)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_import(actions)
    _add_export(actions)
    listing = actions.add_parser("list", help="list the glossaries", allow_abbrev=False)
    listing.set_defaults(run=run_list)
    show = actions.add_parser("show", help="show a glossary and its pairs", allow_abbrev=False)
    show.set_defaults(run=run_show)
    delete = actions.add_parser("delete", help="delete a glossary", allow_abbrev=False)
    delete.set_defaults(run=run_delete)
    for action in (show, delete):
        _add_name(action)
    for action in (listing, show, delete):
        add_settings(action, "storage")


def run_import(arguments: argparse.Namespace) -> int:
    """Read terms into a glossary, a new one or one that is there, and say how many."""
    from dragoman.memory.term_files import MAX_FILE_BYTES, read_terms

    path = Path(arguments.file)
    with path.open("rb") as file:
        terms = read_terms(file.read(MAX_FILE_BYTES + 1), _kind(path), _pair(arguments))
    with _opened(arguments) as glossaries:
        known = _is_known(glossaries, arguments.name)
        info = glossaries.update(arguments.name, replaced=terms) if known else glossaries.create(arguments.name, terms)
    for pair, some in terms.items():
        print(f"Imported {len(some)} {'term' if len(some) == 1 else 'terms'} for {pair}")
    print(f"The glossary {info.name} has the id {info.id}")
    return 0


def run_export(arguments: argparse.Namespace) -> int:
    """Write the terms of one pair of a glossary as a table."""
    from dragoman.memory.term_files import write_csv, write_tsv

    path = Path(arguments.file)
    kind = _kind(path)
    if kind not in ("csv", "tsv"):
        raise InvalidRequest(f"A glossary is exported as .csv or .tsv, not as {path.suffix}.", field="file")
    with _opened(arguments) as glossaries:
        pair = _chosen(glossaries.info(arguments.name), _pair(arguments))
        terms = glossaries.terms(arguments.name)[pair]
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(write_csv(terms) if kind == "csv" else write_tsv(terms))
    print(f"Exported {len(terms)} {'term' if len(terms) == 1 else 'terms'} for {pair} to {arguments.file}")
    return 0


def run_list(arguments: argparse.Namespace) -> int:
    """Print every glossary."""
    with _opened(arguments) as glossaries:
        listed = glossaries.list_all()
    rows = [(info.id, str(sum(one.entries for one in info.dictionaries)), _pairs(info), info.name) for info in listed]
    print(columns(("ID", "TERMS", "PAIRS", "NAME"), rows) if rows else "There are no glossaries.")
    return 0


def run_show(arguments: argparse.Namespace) -> int:
    """Print what there is to say of one glossary."""
    with _opened(arguments) as glossaries:
        info = glossaries.info(arguments.name)
    changed = time.strftime("%Y-%m-%d %H:%M", time.localtime(info.updated_at))
    print(f"{info.name}\n{info.id}, changed {changed}\n")
    print(columns(("PAIR", "TERMS"), [(str(one.pair), str(one.entries)) for one in info.dictionaries]))
    return 0


def run_delete(arguments: argparse.Namespace) -> int:
    """Delete a glossary."""
    with _opened(arguments) as glossaries:
        glossaries.delete(arguments.name)
    print(f"Deleted {arguments.name}")
    return 0


def _add_import(actions: Commands) -> None:
    parser = actions.add_parser(
        "import", help="read terms from a file; a pair that is there already is replaced", allow_abbrev=False
    )
    _add_name(parser)
    parser.add_argument("file", metavar="FILE", help="CSV, TSV, TMX or TBX, by its suffix")
    _add_pair(parser, "needed where the file does not name its languages")
    add_settings(parser, "storage")
    parser.set_defaults(run=run_import)


def _add_export(actions: Commands) -> None:
    parser = actions.add_parser("export", help="write the terms of one pair as a table", allow_abbrev=False)
    _add_name(parser)
    parser.add_argument("file", metavar="FILE", help="file to write, .csv or .tsv; one that is there is replaced")
    _add_pair(parser, "needed where the glossary has several pairs")
    add_settings(parser, "storage")
    parser.set_defaults(run=run_export)


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="name or id of the glossary")


def _add_pair(parser: argparse.ArgumentParser, when: str) -> None:
    parser.add_argument("--source", metavar="CODE", help=f"language of the source terms; {when}")
    parser.add_argument("--target", metavar="CODE", help=f"language of the target terms; {when}")


@contextlib.contextmanager
def _opened(arguments: argparse.Namespace) -> Iterator[GlossaryFile]:
    from dragoman.memory.glossary_file import FILE_NAME, GlossaryFile

    with contextlib.closing(GlossaryFile(data_path(settings_from(arguments)) / FILE_NAME)) as file:
        yield file


def _is_known(glossaries: GlossaryFile, name: str) -> bool:
    from dragoman.errors import UnknownGlossary

    try:
        glossaries.info(name)
    except UnknownGlossary:
        return False
    return True


def _kind(path: Path) -> FileKind:
    if (kind := KINDS.get(path.suffix.lower())) is not None:
        return kind
    raise InvalidRequest(f"{path} has none of the suffixes {', '.join(KINDS)}.", field="file", accepted=tuple(KINDS))


def _pair(arguments: argparse.Namespace) -> Pair | None:
    from dragoman.languages import resolve
    from dragoman.types import Pair

    if arguments.source is None and arguments.target is None:
        return None
    if arguments.source is None or arguments.target is None:
        raise InvalidRequest("Give both --source and --target, or neither.", field="source")
    return Pair(resolve(arguments.source), resolve(arguments.target))


def _chosen(info: GlossaryInfo, pair: Pair | None) -> Pair:
    from dragoman.memory.glossary_file import no_such_pair

    has = [one.pair for one in info.dictionaries]
    if pair is None and len(has) == 1:
        return has[0]
    if pair is None:
        raise InvalidRequest(f"Say which pair with --source and --target; {info.name} has {_pairs(info)}.")
    if pair not in has:
        raise no_such_pair(info, pair)
    return pair


def _pairs(info: GlossaryInfo) -> str:
    return ", ".join(str(one.pair) for one in info.dictionaries) or "none"
