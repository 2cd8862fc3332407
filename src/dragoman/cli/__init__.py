"""The command `dragoman`: each command is a module that declares its arguments, calls the parts below and prints.

What is slow to import is imported inside a command's `run`, so that `--help` and `languages` are quick.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from typing import Any

from dragoman.cli import (
    chat,
    documents,
    engines,
    glossary,
    job,
    keys,
    languages,
    mcp,
    memory,
    models,
    plan,
    serve,
    simulate,
    translate,
)
from dragoman.errors import ConfigurationError, DragomanError

FAILED = 1
WRONG_CONFIGURATION = 2
INTERRUPTED = 130
BROKEN_PIPE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0 is success, 1 a failure, 2 wrong configuration or arguments, 130 Ctrl-C, 141 that the reader of the output left.
    Errors end as one line on stderr.
    """
    _never_fail_to_print()
    try:
        arguments = _parser().parse_args(argv)
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except DragomanError as error:
        print(f"dragoman: {error.message}", file=sys.stderr)
        return WRONG_CONFIGURATION if isinstance(error, ConfigurationError) else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _drop_further_output()
        return BROKEN_PIPE
    except OSError as error:  # most often a full disk below stdout
        print(f"dragoman: {error}", file=sys.stderr)
        _drop_further_output()
        return FAILED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dragoman",
        description="A self-hosted translation server, and its tools.",
        epilog="`dragoman COMMAND --help` tells more of each.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and leave")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (
        serve,
        translate,
        chat,
        documents,
        languages,
        engines,
        models,
        memory,
        glossary,
        keys,
        mcp,
        simulate,
        plan,
        job,
    ):
        command.add_to(commands)
    return parser


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:  # noqa: ANN401 - argparse's own signature
        from importlib.metadata import version

        print(f"dragoman {version('dragoman')}")
        parser.exit()


def _never_fail_to_print() -> None:
    """Letters that the terminal's encoding lacks come out as question marks, not as an exception."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _drop_further_output() -> None:
    # Python flushes stdout once more at exit, which would fail, and be told, a second time.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
