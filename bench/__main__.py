"""`python -m bench [NAME ...]`: run the named benches, or all, print what they found and keep it in RESULTS.md."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable

from bench import (
    added_latency,
    article,
    connections,
    embedded,
    engine_use,
    hot_memory,
    lanes,
    limiter,
    open_loop,
    proxy_cost,
    zipf,
)
from bench.report import Report, write

BENCHES: dict[str, Callable[[], Awaitable[Report]]] = {
    "embedded": embedded.run,
    "proxy_cost": proxy_cost.run,
    "article": article.run,
    "open_loop": open_loop.run,
    "lanes": lanes.run,
    "engine_use": engine_use.run,
    "added_latency": added_latency.run,
    "connections": connections.run,
    "zipf": zipf.run,
    "hot_memory": hot_memory.run,
    "limiter": limiter.run,
}


async def main(names: list[str]) -> None:
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        sys.exit(f"no bench is called {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    for name in names or BENCHES:
        report = await BENCHES[name]()
        print(report.markdown(), flush=True)
        write(report)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
