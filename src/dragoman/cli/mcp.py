"""`dragoman mcp`: translation as tools for an assistant on this machine."""

from __future__ import annotations

import argparse
import signal
from typing import TYPE_CHECKING

from dragoman.cli.flags import Commands, add_settings, settings_from

if TYPE_CHECKING:
    from dragoman.settings import Settings


def add_to(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "mcp",
        help="offer translation as tools to an assistant",
        description="Speak the Model Context Protocol on standard input and output, for an assistant that starts this "
        "command itself. `dragoman serve` offers the same tools to several at http://HOST:PORT/mcp.",
        allow_abbrev=False,
    )
    add_settings(parser, "engine", "memory", "storage", "limits")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Answer until standard input ends."""
    settings = settings_from(arguments)

    from dragoman import loop

    # The thread that waits for input cannot be told to stop, so that Ctrl-C would do nothing until there is some.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    loop.run(_speak(settings))
    return 0


async def _speak(settings: Settings) -> None:
    from dragoman.cli.session import open_ready
    from dragoman.memory.glossaries import Glossaries
    from dragoman.memory.glossary_file import FILE_NAME
    from dragoman.server.gate import Caller, OpenGate
    from dragoman.server.mcp.routes import load_protocol
    from dragoman.server.mcp.tools import Tools
    from dragoman.server.service import Service
    from dragoman.settings import data_path

    protocol = load_protocol()
    async with open_ready(settings) as translator, Glossaries(data_path(settings) / FILE_NAME) as glossaries:
        service = Service(translator, settings, OpenGate(), glossaries)
        await protocol.speak(Tools(service, Caller(), "stdio"))
