"""Several processes that serve one address: a parent that binds the socket and keeps the workers alive.

Each worker is `python -m dragoman.workers` with the listening socket inherited and a pipe to its parent as stdin. The
first line there is what it is to do; the end of the pipe tells it to stop, whether the parent closed it or died.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress

import msgspec
from msgspec import Struct

from dragoman import loop
from dragoman.core.shared_limit import LOAD_A_MODEL, EqualShares
from dragoman.errors import ConfigurationError, DragomanError
from dragoman.listening import address_of
from dragoman.serving import listen_as_set, serve_on
from dragoman.settings import Settings
from dragoman.wiring import EngineChoice, choose_engine

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-P", "-m", "dragoman.workers")
FIRST_DELAY_S, MAX_DELAY_S = 0.2, 15.0
STABLE_S = 30.0
"""A worker that lived so long died of something new: it is started again at once."""
STOP_TIMEOUT_S = 5.0
"""How long a worker may take to close everything after the grace."""
MAX_LINE_BYTES = 2**20


class Orders(Struct, frozen=True):
    """What a worker is told at its start; `listener` is the number of the inherited socket."""

    settings: Settings
    choice: EngineChoice
    part: EqualShares
    listener: int


class Word(Struct, frozen=True):
    """One line of a worker to its parent: something for the operator, or why it can never serve."""

    words: str
    is_fatal: bool = False


async def serve(settings: Settings, announce: Callable[[str], None] = print) -> None:
    """Serve with `settings.workers` processes until SIGTERM, or cancelled as by Ctrl-C; running requests get the grace.

    Raises ConfigurationError for what keeps them from starting.
    """
    choice = await choose_engine(settings)
    _refuse_engines_of_ours(choice, settings.workers)
    with listen_as_set(settings) as listener:
        announce(f"Starting {settings.workers} workers on {address_of(listener)}")
        parts = [EqualShares(settings.workers, number) for number in range(settings.workers)]
        workers = [_Worker(Orders(settings, choice, part, listener.fileno()), announce) for part in parts]
        tasks = [asyncio.create_task(worker.keep_running(), name=f"worker {n}") for n, worker in enumerate(workers)]
        stopped = asyncio.create_task(_told_to_stop(), name="stop signal")
        try:
            done, _ = await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*tasks, stopped):
                task.cancel()
            await asyncio.gather(*tasks, stopped, return_exceptions=True)
        for task in done:
            task.result()  # raises why a worker can never serve


def _refuse_engines_of_ours(choice: EngineChoice, workers: int) -> None:
    """An engine in the process would load its model once for each worker."""
    ours = [url for url in choice.urls if url.partition("://")[0].lower() in LOAD_A_MODEL]
    if ours:
        raise ConfigurationError(
            f"{ours[0]} runs inside the server's own process, and {workers} workers would load it {workers} times. "
            "Serve it with --workers 1, or run it as a server of its own that all workers use: start llama.cpp's "
            "llama-server and name it with --engine 'openai+http://localhost:8080/v1?model=NAME'."
        )


async def _told_to_stop() -> None:
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, told.set)
    try:
        await told.wait()
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


class _Worker:
    """Keeps one worker running: starts it, and starts it again with back-off when it died."""

    def __init__(self, orders: Orders, announce: Callable[[str], None]) -> None:
        self._orders = orders
        # What one says of the engine holds for all.
        self._announce = announce if orders.part.worker == 0 else log.debug

    async def keep_running(self) -> None:
        """Return never; raises ConfigurationError when the worker says that it can never serve."""
        loop = asyncio.get_running_loop()
        delay_s = FIRST_DELAY_S
        while True:
            started = loop.time()
            code = await self._run()
            if loop.time() - started > STABLE_S:
                delay_s = FIRST_DELAY_S
            log.error("Worker %d ended with code %d; it is started again.", self._orders.part.worker, code)
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, MAX_DELAY_S)

    async def _run(self) -> int:
        """One life of the process: its exit code. Cancelled, it is stopped first."""
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=[self._orders.listener],
            start_new_session=True,  # Ctrl-C reaches the parent alone, which tells the workers
            limit=MAX_LINE_BYTES,
        )
        try:
            assert process.stdin is not None
            process.stdin.write(msgspec.json.encode(self._orders) + b"\n")
            await self._listen_to(process)
            return await process.wait()
        finally:
            await _stop(process, self._orders.settings.shutdown_grace_s + STOP_TIMEOUT_S)

    async def _listen_to(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            word = msgspec.json.decode(line, type=Word)
            if word.is_fatal:
                raise ConfigurationError(word.words)
            self._announce(word.words)


async def _stop(process: asyncio.subprocess.Process, timeout_s: float) -> None:
    if process.returncode is not None:
        return
    assert process.stdin is not None
    process.stdin.close()
    try:
        async with asyncio.timeout(timeout_s):
            await process.wait()
    except TimeoutError:
        log.error("Worker process %d did not stop in time and is killed.", process.pid)
        process.kill()
        await process.wait()


def main() -> int:
    """Work as one of several, as the line on stdin says, until that ends."""
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s %(levelname)s [{os.getpid()}] %(name)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    orders = msgspec.json.decode(sys.stdin.buffer.readline(), type=Orders)
    try:
        loop.run(_work(orders))
    except ConfigurationError as error:
        _tell(error.message, is_fatal=True)
    except DragomanError as error:
        log.error("%s", error.message)
        return 1
    return 0


async def _work(orders: Orders) -> None:
    with socket.socket(fileno=orders.listener) as listener:
        serving = asyncio.create_task(
            serve_on(listener, orders.choice, orders.settings, _tell, orders.part), name="serve"
        )
        _at_end_of_stdin(serving.cancel)
        with suppress(asyncio.CancelledError):
            await serving


def _at_end_of_stdin(stop: Callable[[], object]) -> None:
    loop, stdin = asyncio.get_running_loop(), sys.stdin.fileno()

    def ended() -> None:
        loop.remove_reader(stdin)  # it stays readable, and one cancellation is enough
        stop()

    loop.add_reader(stdin, ended)  # nothing comes but the end


def _tell(words: str, *, is_fatal: bool = False) -> None:
    with suppress(BrokenPipeError):  # the parent died, which stdin tells too
        sys.stdout.buffer.write(msgspec.json.encode(Word(words, is_fatal)) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
