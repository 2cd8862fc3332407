"""`dragoman translate-file`: a document in, the same document in another language out."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dragoman.cli.flags import Commands, add_settings, settings_from
from dragoman.cli.wishes import add_wishes, wishes_from

if TYPE_CHECKING:
    from dragoman.documents.base import Document
    from dragoman.documents.translation import Progress, Translated
    from dragoman.settings import Settings
    from dragoman.types import TranslateRequest


def add_to(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "translate-file",
        help="translate a document: txt, html, md, srt, vtt, po, json",
        description="Translate the document IN and write it to OUT. Everything that is not translated stays as it is. "
        "A passage that cannot be translated stays too, is counted, and the exit code is then 1.",
        allow_abbrev=False,
    )
    parser.add_argument("file", metavar="IN", help="the document")
    parser.add_argument("out", metavar="OUT", help="file to write; one that is there is replaced")
    parser.add_argument(
        "--from", metavar="CODE", dest="source", help="language of the document; left out, it is detected"
    )
    parser.add_argument("--to", metavar="CODE", dest="target", required=True, help="language to translate into")
    parser.add_argument(
        "--format", metavar="NAME", help="what the document is, as srt; left out, as the suffix of IN says"
    )
    add_wishes(parser, strict="write nothing rather than leave a passage as it was")
    add_settings(parser, "engine", "memory", "storage", "limits")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Translate the document; 1 if a passage of it failed."""
    from dragoman import loop
    from dragoman.documents.families import family_of

    path = Path(arguments.file)
    data = path.read_bytes()
    document = family_of(path.name, data, arguments.format).read(data)
    translated = loop.run(_translated(settings_from(arguments), document, arguments))
    _write(Path(arguments.out), translated.data)
    count = len(document.passages)
    print(f"Translated {count - translated.failed} of {count} passages to {arguments.out}")
    return 1 if translated.failed else 0


async def _translated(settings: Settings, document: Document, arguments: argparse.Namespace) -> Translated:
    from dragoman.cli.session import open_ready
    from dragoman.documents.translation import request_for, translate_document

    wanted = await _wanted(settings, arguments)
    async with open_ready(settings) as translator:
        request = request_for(document, wanted, translator.info)
        return await translate_document(document, translator, request, _progress_of(document))


async def _wanted(settings: Settings, arguments: argparse.Namespace) -> TranslateRequest:
    from dragoman.types import TranslateRequest

    wishes = await wishes_from(arguments, settings)
    return TranslateRequest(texts=(), targets=(arguments.target,), source=arguments.source, wishes=wishes)


def _progress_of(document: Document) -> Progress:
    """Tells a person at a terminal how far it is; a script's log gets nothing."""
    from dragoman.documents.translation import characters_of

    whole = characters_of(document)
    done = 0

    async def tell(characters: int) -> None:
        nonlocal done
        done += characters
        if sys.stderr.isatty():
            print(f"\r{100 * done // whole} %", end="\n" if done == whole else "", file=sys.stderr, flush=True)

    return tell


def _write(path: Path, data: bytes) -> None:
    """Write the whole file or leave what is there: it takes its place when it is complete."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
