"""llama.cpp's own server on the bundled model, in a child process: the real thing to test against."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dragoman.engines.bundled import bundled_model

ROOT = Path(__file__).parents[2]
SLOTS = 4
KEY = "sk-local-test"


@contextmanager
def running() -> Iterator[str]:
    """Yields `host:port`. The server wants KEY, has SLOTS slots and its metrics switched on."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", __name__, str(bundled_model(Path(folder)))]
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                address = next((line for line in process.stdout if line.startswith("http://")), "")
                assert address, "llama.cpp's server did not start"
                yield address.strip().removeprefix("http://")
            finally:
                process.kill()


def main(model: str) -> None:
    """Serve until stdin ends."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = SLOTS
    params.n_ctx = SLOTS * 2048
    params.n_threads_http = 4 * SLOTS
    params.swa_full = True
    # Two threads wait for each other in a spin, which a busy machine makes many times slower.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.api_keys = [KEY]
    params.endpoint_props = params.endpoint_metrics = True
    params.fit_params = params.ui = False
    params.verbosity = 1
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
