"""What runs in the child process of the engine `llamacpp`: llama.cpp's own HTTP server, and nothing else.

Run as `python -m dragoman.engines.llamacpp_child`. It reads one line of JSON (`ServerOptions`) from stdin, so that the
key appears in no process list, writes one line (`Ready`) to stdout when it listens, and ends when stdin does, that is
when its parent is gone. Everything llama.cpp has to say goes to stderr.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, BinaryIO

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    import xllamacpp

LOG_ERRORS = 1


class ServerOptions(Struct, frozen=True, kw_only=True):
    """How llama.cpp's server is set up.

    `slots` requests of up to `context_tokens` each are worked on at once, and `connections` may be open. `gpu_layers`
    None lets llama.cpp put as many layers on the GPU as fit. `swa_full` keeps the whole cache of models with
    sliding-window attention: without it they compute the shared beginning of every prompt anew. `cache_ram_mib` bounds
    the prompts it remembers beyond its slots. `api_key` is made anew for each start.
    """

    model: str
    slots: int
    context_tokens: int
    connections: int
    threads: int
    gpu_layers: int | None = None
    swa_full: bool = False
    cache_ram_mib: int
    batch_tokens: int
    micro_batch_tokens: int
    api_key: str = ""


class Ready(Struct, frozen=True):
    """The server's address, as `http://127.0.0.1:40000`."""

    address: str


def main() -> None:
    """Serve until stdin ends; exit with status 1 if the model cannot be loaded."""
    stdout = _claim_stdout()
    options = msgspec.json.decode(sys.stdin.buffer.readline(), type=ServerOptions)
    server = _serve(options)
    with stdout:
        stdout.write(msgspec.json.encode(Ready(server.listening_address)) + b"\n")
    sys.stdin.buffer.read()
    # llama.cpp's own shutdown waits for requests; nobody is left to read their answers.
    os._exit(0)


def _claim_stdout() -> BinaryIO:
    """Stdout for us alone: what native code prints there goes to stderr from now on."""
    own = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(own, "wb")


def _serve(options: ServerOptions) -> xllamacpp.Server:
    # Imported late throughout: the parent imports this module for its types and must not load native code.
    import xllamacpp

    try:
        return xllamacpp.Server(_parameters(options))
    except RuntimeError as error:
        # The reason stands in llama.cpp's log, just above.
        sys.exit(f"llama.cpp could not start: {error}")


def _parameters(options: ServerOptions) -> xllamacpp.CommonParams:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = options.model
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    # One thread holds each connection, also an idle one: more connections than threads would have to wait for seconds.
    params.n_threads_http = options.connections + 1
    params.api_keys = [options.api_key]
    params.ui = False
    params.verbosity = LOG_ERRORS
    params.n_parallel = options.slots
    params.n_ctx = options.slots * options.context_tokens
    params.swa_full = options.swa_full
    params.cache_ram_mib = options.cache_ram_mib
    params.n_batch = options.batch_tokens
    params.n_ubatch = options.micro_batch_tokens
    params.cpuparams.n_threads = options.threads
    params.cpuparams_batch.n_threads = options.threads
    _place_layers(params, options.gpu_layers)
    return params


def _place_layers(params: xllamacpp.CommonParams, gpu_layers: int | None) -> None:
    import xllamacpp

    cpu = xllamacpp.ggml_backend_dev_type.GGML_BACKEND_DEVICE_TYPE_CPU
    has_gpu = any(device["type"] != cpu for device in xllamacpp.get_device_info())
    # Fitting layers to the GPU's memory loads the model twice, for nothing where there is no GPU.
    params.fit_params = has_gpu and gpu_layers is None
    if gpu_layers is not None:
        params.n_gpu_layers = gpu_layers


if __name__ == "__main__":
    main()
