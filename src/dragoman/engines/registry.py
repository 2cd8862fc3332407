"""From an engine's URL to an open engine. Modules are loaded only when their scheme is asked for."""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import cast

from dragoman.engines.base import Engine
from dragoman.engines.url import EngineURL, example_for
from dragoman.errors import ConfigurationError

ENTRY_POINT_GROUP = "dragoman.engines"
BUILT_IN = {
    "llamacpp": "dragoman.engines.llamacpp:open_engine",
    "ollama": "dragoman.engines.ollama:open_engine",
    "openai+http": "dragoman.engines.openai:open_engine",
    "openai+https": "dragoman.engines.openai:open_engine",
    "simulated": "dragoman.engines.simulated:open_engine",
    "transformers": "dragoman.engines.transformers:open_engine",
}

Opener = Callable[[EngineURL, Path], Awaitable[Engine]]


async def open_engine(url: str, data_dir: Path) -> Engine:
    """Open the engine that `url` names, without waiting for it: `probe` is the first round trip.

    A scheme that is not built in is looked for among the entry points of the group `dragoman.engines`, where a
    package names its scheme and its `open_engine(url: EngineURL, data_dir: Path)`. Raises ConfigurationError.
    """
    parsed = EngineURL.parse(url)
    return await _opener(parsed.scheme)(parsed, data_dir)


def _opener(scheme: str) -> Opener:
    if scheme in BUILT_IN:
        module, _, function = BUILT_IN[scheme].partition(":")
        return cast("Opener", getattr(import_module(module), function))
    installed = _installed()
    if scheme not in installed:
        raise _unknown_scheme(scheme, sorted({*BUILT_IN, *installed}))
    return cast("Opener", installed[scheme].load())


def _installed() -> dict[str, EntryPoint]:
    return {entry_point.name: entry_point for entry_point in entry_points(group=ENTRY_POINT_GROUP)}


def _unknown_scheme(scheme: str, known: list[str]) -> ConfigurationError:
    # "http" alone is what most people try first, and is too short for a close match.
    close = difflib.get_close_matches(scheme, known, n=1) or [name for name in known if name.endswith(f"+{scheme}")]
    hint = f"did you mean {close[0]}://? " if close else ""
    example = example_for(close[0] if close else "")
    return ConfigurationError(f"no engine is called {scheme}://; {hint}known are {', '.join(known)}; {example}")
