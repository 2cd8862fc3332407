"""The simulator as an ASGI app, and as a running server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import uvicorn
from starlette.applications import Starlette

from dragoman.engines.simulated import NO_FAULTS, Faults, SimulatedModel
from dragoman.engines.simulated_profiles import Profile
from dragoman.listening import BACKLOG, address_of, listen
from dragoman.simulator import ollama, openai
from dragoman.simulator.serving import Served

Speech = Literal["ollama", "openai"]

_ROUTES = {"ollama": ollama.routes, "openai": openai.routes}
_MODEL_NAMES = {"ollama": "ollama_model", "openai": "hub_model"}


def create_app(
    speak: Speech, profile: Profile, *, speed: float = 1.0, faults: Faults = NO_FAULTS, max_queue: int | None = None
) -> Starlette:
    """Return the app. It serves one model, whose size the profile says: `translategemma:27b` to those who speak Ollama,
    `google/translategemma-27b-it` to the others.

    The queue behind the slots has no bound, as in the real servers; `max_queue` gives it one, and what is above gets
    503 as from an Ollama that is busy loading. `app.state.model` tells how many requests run and wait.
    """
    model = SimulatedModel(profile, speed=speed, faults=faults)
    served = Served(profile, getattr(profile, _MODEL_NAMES[speak]), model, max_queue)
    app = Starlette(routes=_ROUTES[speak](served))
    app.state.model = model
    return app


async def serve(
    speak: Speech, profile: Profile, host: str, port: int, *, speed: float = 1.0, faults: Faults = NO_FAULTS
) -> None:
    """Run the simulator until the process is told to stop; port 0 takes a free one. Prints one line when it listens.

    Raises ConfigurationError when the address cannot be had.
    """
    model = getattr(profile, _MODEL_NAMES[speak])
    slots = "1 slot" if profile.slots == 1 else f"{profile.slots} slots"
    with listen(host, port) as listener:
        print(f"{address_of(listener)} speaks {speak} and plays {profile.name}: {model}, {slots}", flush=True)
        await _server(create_app(speak, profile, speed=speed, faults=faults)).serve(sockets=[listener])


@asynccontextmanager
async def running(app: Starlette, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Run an app in this event loop and yield its URL, for tests and benches."""
    server = _server(app)
    with listen(host, port) as listener:
        task = asyncio.create_task(server.serve(sockets=[listener]), name="simulator")
        try:
            yield address_of(listener)
        finally:
            server.should_exit = True
            await task


def _server(app: Starlette) -> uvicorn.Server:
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="off", backlog=BACKLOG, timeout_graceful_shutdown=1
    )
    return uvicorn.Server(config)
