"""`dragoman simulate`: a stand-in for an engine's server, to try things out without a GPU."""

from __future__ import annotations

import argparse

from dragoman.cli.flags import Commands


def add_to(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser("simulate", help="run a stand-in for an engine's server", allow_abbrev=False)
    parser.add_argument("--speak", choices=("ollama", "openai"), default="ollama", help="the protocol [%(default)s]")
    parser.add_argument("--profile", metavar="NAME", default="instant", help="how fast it is [%(default)s]")
    parser.add_argument("--host", metavar="HOST", default="127.0.0.1", help="address to listen on [%(default)s]")
    parser.add_argument("--port", metavar="PORT", type=_port, default=11434, help="port to listen on [%(default)s]")
    parser.add_argument(
        "--mischief", metavar="RATE", default="0", help="share of wrong outputs, or FAULT:RATE,… [%(default)s]"
    )
    parser.add_argument("--list", action="store_true", help="list the profiles and leave")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Simulate until told to stop, or list the profiles."""
    if arguments.list:
        print(_profiles())
        return 0

    from dragoman import loop, simulator

    profile = simulator.profile_named(arguments.profile)
    faults = simulator.Faults(mischief=simulator.read_mischief(arguments.mischief))
    loop.run(simulator.serve(arguments.speak, profile, arguments.host, arguments.port, faults=faults))
    return 0


def _port(words: str) -> int:
    if words.isdecimal() and int(words) <= 65535:
        return int(words)
    raise argparse.ArgumentTypeError(f"{words!r} is not a whole number from 0 to 65535")


def _profiles() -> str:
    from dragoman.cli.table import columns
    from dragoman.simulator import PROFILES

    rows = [
        (profile.name, profile.model_size, profile.weights, str(profile.slots), f"{profile.step_s * 1e3:.1f}")
        for profile in PROFILES.values()
    ]
    return columns(("PROFILE", "MODEL", "WEIGHTS", "SLOTS", "MS A TOKEN"), rows)
