"""`dragoman models pull` and `dragoman models list`: model files for the embedded engine."""

from __future__ import annotations

import argparse

from dragoman import models
from dragoman.cli.flags import Commands, add_settings, settings_from
from dragoman.cli.table import columns
from dragoman.settings import data_path


def add_to(commands: Commands) -> None:
    """Declare the commands."""
    parser = commands.add_parser("models", help="download model files and list them", allow_abbrev=False)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_pull(actions)
    listing = actions.add_parser("list", help="list the known models and the files that are here", allow_abbrev=False)
    add_settings(listing, "storage")
    listing.set_defaults(run=run_list)


def run_pull(arguments: argparse.Namespace) -> int:
    """Download a model and say how to serve it."""
    data_dir = data_path(settings_from(arguments))
    path = models.pull(models.locate(arguments.name, arguments.quantization), data_dir)
    print(f"It lies at {path}\nServe it with\n  dragoman serve --engine llamacpp://{path.absolute()}")
    return 0


def run_list(arguments: argparse.Namespace) -> int:
    """Print the names that can be pulled, and the files that were."""
    data_dir = data_path(settings_from(arguments))
    print(columns(("NAME", "REPOSITORY"), list(models.KNOWN.items())))
    files = [(f"{path.stat().st_size / 1e9:.2f} GB", str(path)) for path in models.pulled(data_dir)]
    print(f"\n{columns(('SIZE', 'PULLED'), files)}" if files else f"\nNothing was pulled yet to {data_dir}")
    return 0


def _add_pull(actions: Commands) -> None:
    parser = actions.add_parser("pull", help="download a model file; goes on where it broke off", allow_abbrev=False)
    parser.add_argument("name", metavar="NAME", help=f"{', '.join(models.KNOWN)}, or OWNER/REPOSITORY/FILE.gguf")
    parser.add_argument(
        "--quantization",
        metavar="KIND",
        default=models.QUANTIZATION,
        help=f"which file of a known model: Q8_0 is larger and closer to the original [{models.QUANTIZATION}]",
    )
    add_settings(parser, "storage")
    parser.set_defaults(run=run_pull)
