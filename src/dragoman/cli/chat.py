"""`dragoman chat`: two people at one terminal, each in their language."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from dragoman.cli.flags import Commands, add_settings, settings_from
from dragoman.cli.wishes import add_wishes, wishes_from
from dragoman.errors import ConfigurationError, DragomanError, InvalidRequest

if TYPE_CHECKING:
    from dragoman.cli.lines import Line
    from dragoman.core.translator import Translator
    from dragoman.settings import Settings
    from dragoman.types import Wishes

HELP = """\
Write a line in either language, and its translation follows. Which language it is in is detected; where that is unsure
it is that of the line before. To say it yourself, begin the line with the language, as in {first}: or {second}:
  /swap     the next line is the other person's
  /history  all that was said
  /quit     leave; so does the end of the input"""
SURE = 0.5
"""Below this a language is only guessed at."""
CONTEXT_TURNS = 3


def add_to(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "chat",
        help="talk in two languages at one terminal",
        description="A conversation of two people at one terminal: each line in one of the two languages is followed "
        "by its translation into the other. Reads lines from a pipe just as well. The exit code is 1 if a line failed.",
        allow_abbrev=False,
    )
    parser.add_argument("--from", metavar="CODE", dest="first", required=True, help="language of who begins")
    parser.add_argument("--to", metavar="CODE", dest="second", required=True, help="language of the other one")
    add_wishes(parser, strict="fail a line rather than print it with a fault")
    add_settings(parser, "engine", "memory", "storage", "limits")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Talk until the end of the input; 1 if anything failed."""
    from dragoman import languages, loop

    first, second = languages.resolve(arguments.first), languages.resolve(arguments.second)
    if first == second:
        raise ConfigurationError(f"--from and --to are both {first}; a conversation needs two languages")
    return loop.run(_talk(Talk(first, second), arguments, settings_from(arguments)))


class Turn(Struct, frozen=True):
    """A line that was said, and its translation."""

    language: str
    text: str
    other: str
    translation: str


class Talk:
    """Who says what, in plain code. Mutable state: the turns so far, whose the last line was, and whether the next
    one is said to be the other's.
    """

    def __init__(self, first: str, second: str) -> None:
        self.languages = (first, second)
        self.turns: list[Turn] = []
        self._last = first
        self._is_swapped = False

    def heard(self, line: str) -> tuple[str, str]:
        """The language of a line and its words, without what named the language."""
        named, colon, words = line.partition(":")
        if colon and named.strip().lower() in map(str.lower, self.languages):
            language = next(one for one in self.languages if one.lower() == named.strip().lower())
            text = words.strip()
        else:
            language, text = self._language_of(line), line.strip()
        self._last, self._is_swapped = language, False
        return language, text

    def swap(self) -> str:
        """The next line is the other person's; their language."""
        self._is_swapped = True
        return self.other(self._last)

    def other(self, language: str) -> str:
        """The other one of the two languages."""
        first, second = self.languages
        return second if language == first else first

    def context(self) -> str:
        """The last lines, for engines that follow instructions."""
        return "\n".join(turn.text for turn in self.turns[-CONTEXT_TURNS:])

    def _language_of(self, line: str) -> str:
        from dragoman.text.detect import detect

        if self._is_swapped:
            return self.other(self._last)
        try:
            found = detect(line, self.languages)
        except InvalidRequest:  # it has no letters
            return self._last
        return found.language if found.confidence >= SURE else self._last


async def _talk(talk: Talk, arguments: argparse.Namespace, settings: Settings) -> int:
    from dragoman.cli.lines import from_thread
    from dragoman.cli.session import open_ready

    wishes = await wishes_from(arguments, settings)
    prompt = "> " if sys.stdin.isatty() and sys.stdout.isatty() else ""
    failed = False
    async with open_ready(settings) as translator:
        if prompt:
            print(HELP.format(first=talk.languages[0], second=talk.languages[1]))
        print(prompt, end="", flush=True)
        async for line in from_thread(_lines()):
            words = line.raw.decode(errors="replace").strip()
            if words == "/quit":
                break
            failed |= not await _answered(talk, translator, wishes, line, words)
            print(prompt, end="", flush=True)
    return 1 if failed else 0


def _lines() -> Iterator[Line]:
    from dragoman.cli.lines import read_lines

    # A file object of its own: sys.stdin's lock would be held by the reading thread when Python ends.
    return read_lines(open(sys.stdin.fileno(), "rb", closefd=False))


async def _answered(talk: Talk, translator: Translator, wishes: Wishes, line: Line, words: str) -> bool:
    """Answer a line; False where it failed."""
    try:
        for answer in _obeyed(talk, words) if words.startswith("/") else await _said(talk, translator, wishes, words):
            print(answer)
    except DragomanError as error:
        print(f"dragoman: {line.place}: {error.message}", file=sys.stderr, flush=True)
        return False
    return True


async def _said(talk: Talk, translator: Translator, wishes: Wishes, words: str) -> Sequence[str]:
    """The translation of a line, nothing for an empty one. Raises what went wrong."""
    from dragoman.types import TranslateRequest

    language, text = talk.heard(words)
    if not text:
        return []
    other = talk.other(language)
    asked = structs.replace(wishes, context=talk.context())
    (outcome,) = await translator.translate(
        TranslateRequest(texts=(text,), targets=(other,), source=language, wishes=asked)
    )
    if isinstance(outcome, DragomanError):
        raise outcome
    turn = Turn(language, text, other, outcome.text)
    talk.turns.append(turn)
    return _shown(turn)[1:]


def _obeyed(talk: Talk, command: str) -> Sequence[str]:
    """What a command prints. Raises InvalidRequest for one that there is not."""
    match command:
        case "/swap":
            return [f"The next line is taken as {talk.swap()}."]
        case "/history":
            return [line for turn in talk.turns for line in _shown(turn)]
        case "/help":
            return [HELP.format(first=talk.languages[0], second=talk.languages[1])]
    raise InvalidRequest(f"There is no command {command}; there are /swap, /history, /help and /quit.")


def _shown(turn: Turn) -> tuple[str, str]:
    return f"{turn.language}: {turn.text}", f"{turn.other}: {turn.translation}"
