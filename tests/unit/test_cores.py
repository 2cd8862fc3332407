"""Threads are counted by what the machine and the container give, not by what the processor has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dragoman.engines.cores import usable_cores


@pytest.fixture
def four_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3}, raising=False)


def siblings(root: Path, *cores: str) -> None:
    for cpu, core in enumerate(cores):
        folder = root / f"sys/devices/system/cpu/cpu{cpu}/topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{core}\n", encoding="ascii")


def quota(root: Path, words: str) -> None:
    (root / "sys/fs/cgroup").mkdir(parents=True)
    (root / "sys/fs/cgroup/cpu.max").write_text(f"{words}\n", encoding="ascii")


@pytest.mark.usefixtures("four_cpus")
class TestUsableCores:
    def test_every_cpu_counts_where_the_system_does_not_say_more(self, tmp_path: Path) -> None:
        assert usable_cores(tmp_path) == 4

    def test_two_threads_of_one_core_count_once(self, tmp_path: Path) -> None:
        siblings(tmp_path, "0,2", "1,3", "0,2", "1,3")

        assert usable_cores(tmp_path) == 2

    def test_a_containers_quota_is_the_limit(self, tmp_path: Path) -> None:
        quota(tmp_path, "250000 100000")

        assert usable_cores(tmp_path) == 2

    def test_no_quota_is_no_limit(self, tmp_path: Path) -> None:
        quota(tmp_path, "max 100000")

        assert usable_cores(tmp_path) == 4

    def test_a_quota_below_one_cpu_still_leaves_one_thread(self, tmp_path: Path) -> None:
        quota(tmp_path, "50000 100000")

        assert usable_cores(tmp_path) == 1
