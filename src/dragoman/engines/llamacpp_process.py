"""Keeps one llama.cpp server alive in a child process: starts it, watches it, starts it again when it died.

The child is a process of its own because llama.cpp is native code: when it crashes, or the kernel kills it for memory,
only the requests it was working on fail.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import secrets
import sys
import time
from collections.abc import AsyncIterator

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from dragoman.engines.llamacpp_child import Ready, ServerOptions
from dragoman.errors import ConfigurationError, EngineUnavailable

COMMAND = (sys.executable, "-P", "-m", "dragoman.engines.llamacpp_child")
MAX_FAILED_STARTS = 3
START_TIMEOUT_S = 900.0
STOP_TIMEOUT_S = 2.0
STABLE_S = 30.0
FIRST_DELAY_S = 0.2
MAX_DELAY_S = 15.0
NOTICE_DEATH_S = 0.2
LOG_BYTES = 4096
LOG_LINES = 12
# What native code and the dynamic linker need; everything else, above all keys, stays out of the child.
PASSED_ON = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONPATH", "SYSTEMROOT")
PASSED_ON_PREFIXES = ("CUDA_", "GGML_", "GPU_", "HIP_", "HSA_", "NVIDIA_", "OMP_", "ROCR_", "VK_")


class Endpoint(Struct, frozen=True):
    """Where one run of the child answers. The key is new for each run."""

    address: str
    api_key: str


class FailedStart(Exception):
    """The child ended, or stayed silent, before it was ready; the message is the end of its log."""


class ServerProcess:
    """A llama.cpp server that is there again after it died. `engine` is the name that errors carry.

    Mutable state: `_endpoint` (None while there is no server to talk to), `_failure` (set for good when the server
    cannot be started), `_closed`, `_child` (the process of the current run), `_supervisor` (the task that owns it).
    `_changed` is set whenever somebody who waits has something to look at.
    """

    def __init__(self, options: ServerOptions, *, engine: str) -> None:
        self._options = options
        self._engine = engine
        self._endpoint: Endpoint | None = None
        self._failure: str | None = None
        self._closed = False
        self._child: _Child | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The child's process id, or None while there is none."""
        return self._child.pid if self._child else None

    async def endpoint(self, *, wait_s: float | None) -> Endpoint:
        """Where the server answers now; starts it when that has not happened yet.

        Waits up to `wait_s` seconds (None: as long as it takes) while it starts, then raises EngineUnavailable, as
        after `aclose`. Raises ConfigurationError for good once it died `MAX_FAILED_STARTS` times in a row at start.
        """
        if self._supervisor is None and not self._closed:
            self._supervisor = asyncio.create_task(self._supervise(), name="llamacpp-supervisor")
        try:
            async with asyncio.timeout(wait_s):
                return await self._settled()
        except TimeoutError as error:
            raise self._unavailable("is still loading its model; try again in a few seconds") from error

    async def notice_death(self) -> None:
        """Give the news that the child died a moment to arrive.

        A caller who lost the connection awaits this, so that another try meets the restart, not the dead address.
        """
        if self._child:
            await self._child.exited_within(NOTICE_DEATH_S)
            # The supervisor was woken by the same exit: let it take the endpoint away first.
            await asyncio.sleep(0)

    async def aclose(self) -> None:
        """End the child and wait until it is gone. Who waits for the endpoint gets EngineUnavailable."""
        self._closed = True
        self._set_endpoint(None)
        self._changed.set()
        if self._supervisor:
            self._supervisor.cancel()
            await asyncio.wait({self._supervisor})

    async def _settled(self) -> Endpoint:
        while True:
            if self._closed:
                raise self._unavailable("is closed")
            if self._failure is not None:
                raise ConfigurationError(self._failure)
            if self._endpoint is not None:
                return self._endpoint
            await self._changed.wait()

    async def _supervise(self) -> None:
        try:
            self._failure = await self._keep_running()
        except Exception as error:
            self._failure = f"the supervisor of llama.cpp failed: {error!r}. This is a bug."
            raise
        finally:
            self._set_endpoint(None)
            self._changed.set()

    async def _keep_running(self) -> str:
        """Run the child again and again; returns why that has become pointless."""
        deaths = failed_starts = 0
        while True:
            started = time.monotonic()
            try:
                await self._run_once()
                failed_starts = 0
            except FailedStart as error:
                failed_starts += 1
                if failed_starts == MAX_FAILED_STARTS:
                    return _why_it_cannot_start(self._options.model, str(error))
            deaths = 1 if time.monotonic() - started > STABLE_S else deaths + 1
            await asyncio.sleep(restart_delay_s(deaths, random.random()))

    async def _run_once(self) -> None:
        """Start the child, publish its endpoint, and return when it has ended."""
        options = replace(self._options, api_key=secrets.token_urlsafe(32))
        async with _running(options) as self._child:
            try:
                address = await self._child.ready()
                self._set_endpoint(Endpoint(address, options.api_key))
                await self._child.exited()
            finally:
                self._set_endpoint(None)

    def _set_endpoint(self, endpoint: Endpoint | None) -> None:
        self._endpoint = endpoint
        if endpoint is None:
            self._changed.clear()
        else:
            self._changed.set()

    def _unavailable(self, what: str) -> EngineUnavailable:
        return EngineUnavailable(f"the engine {self._engine} {what}", engine=self._engine)


def restart_delay_s(deaths: int, jitter: float) -> float:
    """How long to wait before the next start, after `deaths` (1 or more) in quick succession.

    It doubles from 0.2 s up to 15 s; `jitter`, between 0 and 1, takes up to half of it away, so that the engines of a
    machine do not all load their models at the same moment.
    """
    longest = min(MAX_DELAY_S, FIRST_DELAY_S * 2.0 ** min(deaths - 1, 30))
    return longest * (1 - jitter / 2)


class _Child:
    """One run of the child process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._log = b""
        self._reader = asyncio.create_task(self._read_log(), name="llamacpp-log")
        self._exit = asyncio.create_task(process.wait(), name="llamacpp-exit")

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ready(self) -> str:
        """The server's address, once it listens. Raises FailedStart."""
        assert self._process.stdout
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                line = await self._process.stdout.readline()
        except TimeoutError as error:
            raise FailedStart(f"it was not ready after {START_TIMEOUT_S:.0f} s") from error
        if not line:
            status = await self._process.wait()
            await self._reader
            raise FailedStart(f"{self._end_of_log()}\n(exit status {status})")
        return msgspec.json.decode(line, type=Ready).address

    async def exited(self) -> None:
        await asyncio.shield(self._exit)

    async def exited_within(self, timeout_s: float) -> None:
        await asyncio.wait({self._exit}, timeout=timeout_s)

    async def stop(self) -> None:
        """End the process, gently if it listens, and wait until it and its pipes are gone."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
            await self.exited_within(STOP_TIMEOUT_S)
            self._process.kill()
        assert self._process.stdin
        self._process.stdin.close()
        await asyncio.wait({self._exit, self._reader})

    async def _read_log(self) -> None:
        assert self._process.stderr
        while chunk := await self._process.stderr.read(LOG_BYTES):
            self._log = (self._log + chunk)[-LOG_BYTES:]

    def _end_of_log(self) -> str:
        return "\n".join(self._log.decode("utf-8", "replace").splitlines()[-LOG_LINES:])


@contextlib.asynccontextmanager
async def _running(options: ServerOptions) -> AsyncIterator[_Child]:
    """A child process that has its options, and that is gone when the block ends."""
    try:
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(),
            # Ctrl-C in a terminal goes to the whole group; the child has to live until the requests are done.
            start_new_session=True,
        )
    except OSError as error:
        raise FailedStart(f"the process cannot be started: {error}") from error
    child = _Child(process)
    try:
        assert process.stdin
        process.stdin.write(msgspec.json.encode(options) + b"\n")
        yield child
    finally:
        await child.stop()


def _environment() -> dict[str, str]:
    passed_on = {
        name: value for name, value in os.environ.items() if name in PASSED_ON or name.startswith(PASSED_ON_PREFIXES)
    }
    # Spinning gains nothing on idle cores, and costs most of the speed as soon as another process, as the server in
    # front, wants one of them.
    return {"OMP_WAIT_POLICY": "passive"} | passed_on


def _why_it_cannot_start(model: str, log: str) -> str:
    return (
        f"llama.cpp cannot run the model {model}: it failed {MAX_FAILED_STARTS} times in a row. "
        f"Check that the file is whole and that the machine has the memory for it. The end of its log:\n{log}"
    )
