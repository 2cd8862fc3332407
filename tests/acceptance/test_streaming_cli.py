"""`dragoman translate` where somebody looks at it: on a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path


def on_a_terminal(*arguments: str) -> tuple[int, list[str]]:
    """The status of a run, and what it wrote to a terminal, piece by piece."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "dragoman", *arguments],
        stdout=theirs,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm"},
    ) as process:
        os.close(theirs)
        pieces = []
        try:
            while piece := os.read(ours, 65_536):
                pieces.append(piece.decode())
        except OSError:  # how Linux says that the other end is closed
            pass
    os.close(ours)
    return process.returncode, pieces


def test_a_translation_is_written_as_it_is_made(tmp_path: Path) -> None:
    arguments = (
        "translate", "--engine", "simulated://ollama-1?speed=2", "--memory-bytes", "0", "--data-dir", str(tmp_path),
        "--from", "en", "--to", "de", "The train leaves at nine. Where is the station?", "Good morning.",
    )  # fmt: skip
    status, pieces = on_a_terminal(*arguments)
    plain = subprocess.run([sys.executable, "-m", "dragoman", *arguments], capture_output=True, check=True)

    assert status == 0
    assert len(pieces) > 5
    assert "".join(pieces).replace("\r\n", "\n") == plain.stdout.decode()
