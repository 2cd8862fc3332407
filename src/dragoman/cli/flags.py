"""The settings as flags of a command."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TypeAlias

from dragoman.settings import CONFIG_VARIABLE, TOML_NAME, Group, Setting, Settings, declared, find_toml, load

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_settings(parser: argparse.ArgumentParser, *groups: Group) -> None:
    """Give `parser` a flag for each setting of these groups, and `--config`."""
    for group in groups:
        section = parser.add_argument_group(group)
        for setting in declared():
            if setting.group == group:
                section.add_argument(setting.flag, dest=setting.name, metavar=_metavar(setting), help=_help(setting))
    parser.add_argument_group("settings file").add_argument(
        "--config", metavar="FILE", help=f"TOML file with settings [{TOML_NAME} here, if there; {CONFIG_VARIABLE}]"
    )


def settings_from(arguments: argparse.Namespace) -> Settings:
    """The settings from the flags that were given, the environment and the settings file. Raises ConfigurationError."""
    given = vars(arguments)
    flags = {setting.name: given[setting.name] for setting in declared() if given.get(setting.name) is not None}
    return load(flags, os.environ, find_toml(arguments.config, os.environ, Path()))


def _metavar(setting: Setting) -> str:
    return setting.name.rpartition("_")[2].upper()


def _help(setting: Setting) -> str:
    default = "" if setting.default is None else f"{setting.default}; "
    return f"{setting.description} [{default}{setting.variable}]".replace("%", "%%")
