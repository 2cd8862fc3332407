"""`dragoman translate`: texts from the command line, from files or through a pipe."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO

from dragoman.cli.flags import Commands, add_settings, settings_from
from dragoman.cli.wishes import add_targets, add_wishes, wishes_from
from dragoman.errors import ConfigurationError, DragomanError, Overloaded

if TYPE_CHECKING:
    from dragoman.cli.lines import Line
    from dragoman.cli.records import Answer, Records, Results
    from dragoman.core.translator import Translator
    from dragoman.settings import Settings
    from dragoman.types import TranslateRequest


def add_to(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "translate",
        help="translate texts, files, or lines from a pipe",
        description="Translate the TEXTs, or each line of the files, or else each line of standard input, in order. "
        "A line that fails is reported, and the exit code is 1 at the end. On a terminal TEXTs are written as they are "
        "translated.",
        allow_abbrev=False,
    )
    parser.add_argument("texts", metavar="TEXT", nargs="*", help="a text to translate")
    parser.add_argument("--file", metavar="FILE", action="append", default=[], help="a file of lines; may be repeated")
    parser.add_argument("--from", metavar="CODE", dest="source", help="language of the texts; left out, it is detected")
    add_targets(parser, "one line each")
    parser.add_argument(
        "--json",
        action="store_true",
        help='read and write one JSON object a line: {"text": …}, "source" and "target" if wanted, others are kept',
    )
    parser.add_argument(
        "--format", choices=("text", "html", "xml", "markdown"), default="text", help="what each text is written in"
    )
    add_wishes(parser, strict="fail a text rather than print it with a fault")
    add_settings(parser, "engine", "memory", "storage", "limits")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Translate all there is; 1 if anything failed."""
    _refuse_what_does_not_fit(arguments)
    settings = settings_from(arguments)

    from dragoman import loop

    lines = _lines(arguments)
    if arguments.json:
        lines = (line for line in lines if line.raw.strip())
    failed_count = loop.run(_translate_all(settings, lines, arguments))
    if failed_count:
        print(f"dragoman: {failed_count} failed", file=sys.stderr)
    return 1 if failed_count else 0


def _refuse_what_does_not_fit(arguments: argparse.Namespace) -> None:
    """Raise for what would fail every line."""
    if arguments.texts and arguments.file:
        raise ConfigurationError("give either TEXTs or --file, not both")
    if not arguments.targets and (arguments.texts or not arguments.json):
        raise ConfigurationError("into which language? name it with --to, as in --to de")

    from dragoman import languages

    for code in filter(None, (arguments.source, *arguments.targets)):
        languages.resolve(code)


async def _records(arguments: argparse.Namespace, settings: Settings) -> Records:
    from dragoman.cli.records import JSONObjects, JSONTexts, Texts
    from dragoman.types import TranslateRequest

    asked = TranslateRequest(
        texts=(),
        targets=tuple(arguments.targets),
        source=arguments.source,
        format=arguments.format,
        wishes=await wishes_from(arguments, settings),
    )
    if not arguments.json:
        return Texts(asked)
    return JSONTexts(asked) if arguments.texts else JSONObjects(asked)


def _lines(arguments: argparse.Namespace) -> Iterator[Line]:
    from dragoman.cli.lines import Line, read_lines

    if arguments.texts:
        raws = (text.encode(errors="surrogateescape") for text in arguments.texts)
        return (Line(f"text {number}", raw) for number, raw in enumerate(raws, 1))
    if arguments.file:
        files = [(_open(path), f"{path}, ") for path in arguments.file]
        return chain.from_iterable(read_lines(file, name) for file, name in files)
    # A file object of its own: sys.stdin's lock would be held by the reading thread when Python ends.
    return read_lines(open(sys.stdin.fileno(), "rb", closefd=False))


def _open(path: str) -> BinaryIO:
    try:
        return open(path, "rb")
    except OSError as error:
        raise ConfigurationError(f"--file {path}: {error.strerror}") from error


async def _translate_all(settings: Settings, lines: Iterator[Line], arguments: argparse.Namespace) -> int:
    """Translate every line; how many failed."""
    import asyncio

    from dragoman.cli import terminal
    from dragoman.cli.lines import from_thread, in_order
    from dragoman.cli.session import open_ready

    failed_count = 0
    records = await _records(arguments, settings)

    async def put(answer: Answer) -> None:
        nonlocal failed_count
        failed_count += answer.failed
        # In a thread: a reader that pauses, as a pager does, must not stop the event loop.
        await asyncio.to_thread(_write, answer)

    async with open_ready(settings) as translator:
        if arguments.texts and not arguments.json and terminal.is_watched():
            for line in lines:
                await put(await terminal.stream(translator, records, line))
            return failed_count

        async def work(line: Line) -> Answer:
            return await _answer(translator, records, line)

        # As many again as the engine works on, so that it has more to do while a slow line holds up the output.
        await in_order(from_thread(lines), work, put, window=2 * translator.info.slots)
    return failed_count


def _write(answer: Answer) -> None:
    for report in answer.reports:
        print(f"dragoman: {report}", file=sys.stderr)
    sys.stdout.buffer.write(answer.output)
    sys.stdout.buffer.flush()


async def _answer(translator: Translator, records: Records, line: Line) -> Answer:
    try:
        request = records.parse(line)
        results = await _translate(translator, request)
    except DragomanError as error:
        return records.refused(line, error)
    return records.translated(line, request, results)


async def _translate(translator: Translator, request: TranslateRequest) -> Results:
    import asyncio

    while True:
        try:
            return await translator.translate(request)
        except Overloaded as busy:  # by our own lines alone, so waiting always helps
            await asyncio.sleep(busy.retry_after_s)
