"""`dragoman serve`: the server."""

from __future__ import annotations

import argparse

from dragoman.cli.flags import Commands, add_settings, settings_from


def add_to(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser("serve", help="run the translation server", allow_abbrev=False)
    add_settings(parser, "engine", "listening", "limits", "memory", "storage")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until told to stop."""
    settings = settings_from(arguments)

    import logging

    from dragoman import loop, serving, workers

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    loop.run(workers.serve(settings) if settings.workers > 1 else serving.serve(settings))
    return 0
