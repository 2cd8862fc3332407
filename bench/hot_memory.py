"""Which library cache holds the hot memory: hit rate and cost of every candidate, on the same looks in the same run.

Segments of real traffic are popular by Zipf's law: the looks are drawn with exponent 1.0 from a million keys, and the
cache holds 50,000. A miss is followed by a put, as in the real tier. Three traces:

- steady: popularity never changes;
- shifting: all ranks are dealt anew again and again, as when tomorrow's news replaces today's, so that a policy that
  never forgets old favourites shows it;
- beside a job: every second look is for a key that never comes again, as from a bulk job; only the others count.
"""

from __future__ import annotations

import gc
import importlib
import itertools
import random
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from types import ModuleType
from typing import NamedTuple

from bench.report import Report
from dragoman.memory.hot import SegmentedLRU

KEYS = 1_000_000
ENTRIES = 50_000
LOOKS = 800_000
SHIFTS = 4
ENTRY_BYTES = 300
SEED = 20
VALUE = bytes(ENTRY_BYTES)

Get = Callable[[bytes], object]
Put = Callable[[bytes, object], object]


class Candidate(NamedTuple):
    """A policy of a library; `open` gives a fresh cache of ENTRIES entries as its two functions."""

    package: str
    policy: str
    bound: str
    open: Callable[[ModuleType], tuple[Get, Put]]


def _size_of(_: bytes, value: object) -> int:
    assert isinstance(value, bytes)
    return len(value)


def _cachebox(policy: str) -> Callable[[ModuleType], tuple[Get, Put]]:
    def open_cache(module: ModuleType) -> tuple[Get, Put]:
        cache = getattr(module, policy)(ENTRIES * ENTRY_BYTES, getsizeof=_size_of)
        return cache.get, cache.insert

    return open_cache


def _moka(module: ModuleType) -> tuple[Get, Put]:
    cache = module.Moka(ENTRIES * ENTRY_BYTES, policy="tiny_lfu", weigher=_size_of)
    return cache.get, cache.set


def _theine(module: ModuleType) -> tuple[Get, Put]:
    cache = module.Cache(ENTRIES, nolock=True)
    return lambda key: cache.get(key)[0], cache.set


def _hot_tier(_: ModuleType) -> tuple[Get, Put]:
    cache: SegmentedLRU[object] = SegmentedLRU(ENTRIES * ENTRY_BYTES, _size_of)
    return cache.get, cache.put


def _cachetools(module: ModuleType) -> tuple[Get, Put]:
    cache = module.LRUCache(ENTRIES * ENTRY_BYTES, getsizeof=len)
    return cache.get, cache.__setitem__


def _s3fifo(module: ModuleType) -> tuple[Get, Put]:
    cache = module.Cache(ENTRIES)
    return cache.get, cache.put


CANDIDATES = (
    Candidate("cachebox", "two LRUs, as in the hot tier", "bytes", _hot_tier),
    Candidate("cachebox", "LRU", "bytes", _cachebox("LRUCache")),
    Candidate("cachebox", "LFU", "bytes", _cachebox("LFUCache")),
    Candidate("moka-py", "W-TinyLFU", "bytes", _moka),
    Candidate("theine", "W-TinyLFU", "entries", _theine),
    Candidate("s3fifo-cache", "S3-FIFO", "entries", _s3fifo),
    Candidate("cachetools", "LRU", "bytes", _cachetools),
)
MODULES = {"moka-py": "moka_py", "s3fifo-cache": "s3fifo"}
"""Where a package's module has another name."""


async def run() -> Report:
    """Measure for some five minutes. A candidate that is not installed is left out, and the notes say so."""
    modules = {package: _imported(package) for package in dict.fromkeys(candidate.package for candidate in CANDIDATES)}
    traces = _traces(random.Random(SEED))
    rows = [_row(candidate, module, traces) for candidate in CANDIDATES if (module := modules[candidate.package])]
    missing = [package for package, module in modules.items() if module is None]
    return Report(
        name="hot_memory",
        title="Caches for the hot memory",
        columns=(
            "cache",
            "bound",
            *(f"hit rate, {name}" for name in traces),
            "CPU µs of a hit",
            "of a miss and its put",
        ),
        rows=rows,
        notes=(
            f"Zipf 1.0 over {KEYS:,} keys, {ENTRIES:,} entries; {LOOKS:,} looks to warm up, then as many counted. "
            f"Shifting deals all ranks anew {SHIFTS} times in all.",
            *([f"Not measured, as not installed: {', '.join(missing)}."] if missing else []),
        ),
    )


def _imported(package: str) -> ModuleType | None:
    try:
        return importlib.import_module(MODULES.get(package, package))
    except ImportError:
        return None


class Trace(NamedTuple):
    """Keys in the order they are looked up; where `one_off` is not empty, one of those comes after each."""

    keys: Sequence[bytes]
    one_off: Sequence[bytes] = ()


def _traces(rng: random.Random) -> dict[str, Trace]:
    weights = list(itertools.accumulate(1 / rank for rank in range(1, KEYS + 1)))
    ranks = rng.choices(range(KEYS), cum_weights=weights, k=2 * LOOKS)
    steady = _dealt(ranks, rng, deals=1)
    never_again = [_key(KEYS + number) for number in range(2 * LOOKS)]
    return {
        "steady": Trace(steady),
        "shifting": Trace(_dealt(ranks, rng, deals=SHIFTS)),
        "beside a job": Trace(steady, never_again),
    }


def _key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _dealt(ranks: Sequence[int], rng: random.Random, *, deals: int) -> list[bytes]:
    """Replace ranks by keys: one dealing of keys to ranks for each equal share of the looks."""
    share = len(ranks) // deals
    keys = [_key(number) for number in range(KEYS)]
    dealt = []
    for start in range(0, len(ranks), share):
        rng.shuffle(keys)
        dealt += [keys[rank] for rank in ranks[start : start + share]]
    return dealt


def _row(candidate: Candidate, module: ModuleType, traces: dict[str, Trace]) -> tuple[str, ...]:
    hit_rates = [_hit_rate(*candidate.open(module), trace) for trace in traces.values()]
    hit_us, miss_us = _costs_us(*candidate.open(module), traces["steady"].keys)
    return (
        f"{candidate.package} {version(candidate.package)} {candidate.policy}",
        candidate.bound,
        *(f"{rate:.3f}" for rate in hit_rates),
        f"{hit_us:.2f}",
        f"{miss_us:.2f}",
    )


def _hit_rate(get: Get, put: Put, trace: Trace) -> float:
    """Share of `trace.keys` that were found, over the second half of the trace."""
    hits = 0
    for number, (key, one_off) in enumerate(itertools.zip_longest(trace.keys, trace.one_off)):
        found = _looked(get, put, key)
        hits += found and number >= LOOKS
        if one_off is not None:
            _looked(get, put, one_off)
    return hits / LOOKS


def _looked(get: Get, put: Put, key: bytes) -> bool:
    if get(key) is not None:
        return True
    put(key, VALUE)
    return False


def _costs_us(get: Get, put: Put, keys: Sequence[bytes]) -> tuple[float, float]:
    """CPU time of a get that hits, and of one that misses together with the put that has to evict for it."""
    for key in keys:
        _looked(get, put, key)
    present = [key for key in keys if get(key) is not None][: LOOKS // 4]
    absent = [_key(3 * KEYS + number) for number in range(LOOKS // 4)]
    gc.collect()
    hit_s = _cpu_s(lambda: [get(key) for key in present]) / len(present)
    miss_s = _cpu_s(lambda: [_looked(get, put, key) for key in absent]) / len(absent)
    return hit_s * 1e6, miss_s * 1e6


def _cpu_s(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return time.thread_time() - began
