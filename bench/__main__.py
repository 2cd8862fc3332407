"""`python -m bench [NAME ...]`: run the named benches, or all, print what they found and keep it in RESULTS.md.

`fidelity` stands for all whose names begin with it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable

from bench import (
    added_latency,
    affinity,
    article,
    connections,
    conversations,
    embedded,
    engine_use,
    fidelity,
    hot_memory,
    job_crash,
    job_lanes,
    job_night,
    job_real,
    job_runners,
    jobs,
    lanes,
    limiter,
    open_loop,
    proxy_cost,
    sizing,
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
    "affinity": affinity.run,
    "connections": connections.run,
    "conversations": conversations.run,
    "zipf": zipf.run,
    "hot_memory": hot_memory.run,
    "limiter": limiter.run,
    "jobs": jobs.run,
    "job_night": job_night.run,
    "job_lanes": job_lanes.run,
    "job_crash": job_crash.run,
    "job_runners": job_runners.run,
    "job_real": job_real.run,
    "sizing": sizing.run,
    **fidelity.BENCHES,
}


async def main(names: list[str]) -> None:
    unknown = [name for name in names if not _called(name)]
    if unknown:
        sys.exit(f"no bench is called {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    for bench in [bench for name in names for bench in _called(name)] or BENCHES:
        report = await BENCHES[bench]()
        print(report.markdown(), flush=True)
        write(report)


def _called(name: str) -> list[str]:
    return [name] if name in BENCHES else [bench for bench in BENCHES if bench.startswith(f"{name}_")]


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
