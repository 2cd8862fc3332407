"""Names of files that outlive a power cut."""

from __future__ import annotations

import os
from pathlib import Path


def rename(temporary: Path, to: Path) -> None:
    """Give a file that is written and synced its name, and have the name stay."""
    temporary.replace(to)
    sync_folder(to.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
