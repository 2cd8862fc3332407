"""CPU per proxied request to an engine that takes 50 ms, against a bare Starlette + aiohttp proxy in the same run.

The engine is a plain server that answers every completion after 50 ms. 100 callers keep it busy; what counts is the CPU
time that the process in the middle used for each request, which does not change with the machine's load.
"""

from __future__ import annotations

import statistics
import sys
import tempfile

import aiohttp

from bench.load import closed_loop
from bench.open_loop_texts import new_sentences
from bench.processes import ServerProcess, free_port, started
from bench.report import Report

CALLERS = 100
REQUESTS = 3_000
ROUNDS = 3
SLOTS = 200


async def run() -> Report:
    """Measure for about a minute."""
    upstream_port, bare_port, port = free_port(), free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        upstream = ["-m", "bench.proxy_cost_servers", "upstream", str(upstream_port)]
        bare = ["-m", "bench.proxy_cost_servers", "bare", str(bare_port), str(upstream_port)]
        engine = f"openai+http://127.0.0.1:{upstream_port}/v1?model=translategemma-27b-it&slots={SLOTS}"
        ours = ["-m", "dragoman", "serve", "--engine", engine, "--port", str(port), "--data-dir", folder]
        async with (
            started(upstream, upstream_port, ready_path="/v1/models"),
            started(bare, bare_port, ready_path="/ready") as proxy,
            started(ours, port, ready_path="/ready") as dragoman,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        ):
            costs = [(await _cost_ms(proxy, session), await _cost_ms(dragoman, session)) for _ in range(ROUNDS)]
    bare_ms, dragoman_ms = (statistics.median(column) for column in zip(*costs, strict=True))
    return Report(
        name="proxy_cost",
        title="CPU per proxied request to a 50 ms engine",
        columns=("bare Starlette + aiohttp, ms", "dragoman, ms (reach 0.45)", "dragoman / bare"),
        rows=[(f"{bare_ms:.3f}", f"{dragoman_ms:.3f}", f"{dragoman_ms / bare_ms:.2f}")],
        notes=(
            f"{CALLERS} callers, {REQUESTS} requests of one sentence, {ROUNDS} rounds of both in turn, medians.",
            "bare forwards the body and streams the answer back unread; dragoman decodes, cuts, renders the prompt, "
            "schedules, reads the streamed answer and joins.",
        ),
    )


async def _cost_ms(server: ServerProcess, session: aiohttp.ClientSession) -> float:
    async def send(sentence: str) -> None:
        body = {"text": sentence, "source": "en", "target": "de"}
        async with session.post(f"{server.url}/v1/translate", json=body) as answer:
            assert answer.status == 200, await answer.text()

    await closed_loop(new_sentences(2 * CALLERS), CALLERS, send)
    before_s = server.cpu_s()
    load = await closed_loop(new_sentences(REQUESTS), CALLERS, send)
    return (server.cpu_s() - before_s) / load.count * 1e3


if __name__ == "__main__":
    sys.exit("run `python -m bench proxy_cost`")
