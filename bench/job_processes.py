"""Jobs in processes that can be killed at any moment, and an engine in another that counts what it is asked.

`python -m bench.job_processes` is the nursery: it imports Dragoman once and forks a process for each command that it
reads, because 20 restarts would else be 20 times two seconds of imports.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from bench.counted_engine import MODEL

PR_SET_PDEATHSIG = 1
"""Of `prctl` in Linux's headers."""
PATIENCE_S = 60.0
"""Longer than anything here is silent."""


class Command(Struct, frozen=True):
    """A `dragoman` command, the Python code to run before it, and the file for what it prints."""

    arguments: tuple[str, ...]
    first: str
    log: str


class Engine:
    """The counting engine. The mutable state is what it told: `asked` are the texts that arrived, `answered` those
    whose answer was sent, `connections` how many are open.
    """

    def __init__(self, process: subprocess.Popen[bytes], slots: int) -> None:
        assert process.stdout is not None
        self._pipe = process.stdout.fileno()
        self._rest = b""
        self.asked: list[str] = []
        self.answered: list[str] = []
        self.connections = 0
        address = process.stdout.readline().decode().strip()
        self.url = f"ollama://{address}/{MODEL}?slots={slots}"

    def read(self, *others: int, for_s: float = PATIENCE_S) -> bool:
        """Take in what is told next. False where there was nothing in this time, or one of `others` became ready."""
        ready, _, _ = select.select([self._pipe, *others], [], [], for_s)
        if self._pipe in ready:
            *lines, self._rest = (self._rest + os.read(self._pipe, 65_536)).split(b"\n")
            for line in lines:
                self._hear(line.decode())
        return self._pipe in ready and not set(others) & set(ready)

    def read_for(self, seconds: float) -> None:
        """Take in what is told from now on."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.read(for_s=left)

    def settle(self) -> None:
        """Take in all that those who are gone have sent still."""
        while self.connections and self.read():
            pass

    def forget(self) -> None:
        """Begin to count anew."""
        self.asked, self.answered = [], []

    def _hear(self, line: str) -> None:
        match line[0], line[1:]:
            case ">", text:
                self.asked.append(text)
            case "<", text:
                self.answered.append(text)
            case _, number:
                self.connections = int(number)


class Child:
    """A command that runs. It is the leader of its process group, and `ended` becomes readable when it is over."""

    def __init__(self, pid: int, nursery: subprocess.Popen[bytes], log: Path) -> None:
        self.pid = pid
        self.ended = os.pidfd_open(pid)
        self.over = False
        self._nursery = nursery
        self._log = log

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to its whole group."""
        os.killpg(self.pid, number)

    def code(self) -> int:
        """Its exit code when it is over, negative for a signal."""
        assert self._nursery.stdout is not None
        code = int(self._nursery.stdout.readline())
        os.close(self.ended)
        self.over = True
        return code

    def told(self) -> str:
        """What it has printed."""
        return self._log.read_text(errors="replace")


class Nursery:
    """Starts commands, one at a time; the mutable state is the last one."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self._process = process
        self._log = folder / "command.log"
        self._child: Child | None = None

    def start(self, *arguments: str, first: str = "") -> Child:
        """Have `dragoman` run with these arguments, after the code `first`."""
        self.end()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        command = Command(arguments, first, str(self._log))
        self._process.stdin.write(msgspec.json.encode(command) + b"\n")
        self._process.stdin.flush()
        self._child = Child(int(self._process.stdout.readline()), self._process, self._log)
        return self._child

    def end(self) -> None:
        """Kill what runs still."""
        if self._child is not None and not self._child.over:
            with suppress(ProcessLookupError):
                self._child.kill()
            self._child.code()


@contextmanager
def counting_engine(*, slots: int, takes_s: float) -> Iterator[Engine]:
    """The engine, as long as this is open."""
    with _running("bench.counted_engine", str(takes_s)) as process:
        yield Engine(process, slots)


@contextmanager
def nursery(folder: Path) -> Iterator[Nursery]:
    """The nursery, as long as this is open; what commands print goes to a file in `folder`."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("DRAGOMAN_")}
    with _running("bench.job_processes", environ=environ | {"DRAGOMAN_DATA_DIR": str(folder / "data")}) as process:
        home = Nursery(process, folder)
        try:
            yield home
        finally:
            home.end()


@contextmanager
def _running(module: str, *arguments: str, environ: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", module, *arguments]
    root = Path(__file__).parent.parent
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd=root, env=environ, start_new_session=True) as process:
        try:
            yield process
        finally:
            process.kill()


def repeats(asked: Sequence[str], starts: Sequence[int]) -> Counter[int]:
    """How many texts were asked for again because of each kill. Run n has asked from `starts[n]` on, and kill n ended
    it; a text that comes again is laid to the run that asked for it last.
    """
    runs: dict[str, int] = {}
    again: Counter[int] = Counter()
    run = 0
    for place, text in enumerate(asked):
        while run + 1 < len(starts) and place >= starts[run + 1]:
            run += 1
        if text in runs:
            again[runs[text]] += 1
        runs[text] = run
    return again


def _serve() -> None:
    _end_with_parent()
    _import_all()
    for line in sys.stdin.buffer:
        command = msgspec.json.decode(line, type=Command)
        pid = os.fork()
        if not pid:
            os._exit(_work(command))
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _end_with_parent() -> None:
    """A test run that is killed leaves no job behind that waits for its engine for ever."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _import_all() -> None:
    """What every command needs."""
    import dragoman.cli.job_work
    import dragoman.jobs.tables.planning
    import dragoman.wiring  # noqa: F401
    from dragoman.languages import all_languages
    from dragoman.text.detect import detect

    detect("Which language is this?")
    all_languages()


def _work(command: Command) -> int:
    from dragoman.cli import main

    _end_with_parent()
    os.setsid()
    log = os.open(command.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(log, stream.fileno())
    exec(command.first, {})
    return main(command.arguments)


if __name__ == "__main__":
    _serve()
