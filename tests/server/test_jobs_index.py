"""The list of a server's jobs: whose turn it is, who works on what, and what becomes of the jobs of a dead process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dragoman.server.documents_file import this_process
from dragoman.server.jobs.index_file import FILE_NAME, Ended, IndexFile, Plan, Row

DEAD = "1:1.00"


@pytest.fixture
def file(tmp_path: Path) -> Iterator[IndexFile]:
    file = IndexFile(tmp_path / FILE_NAME)
    yield file
    file.close()


def add(file: IndexFile, *ids: str, owner: str = "anna") -> None:
    plan = Plan(filename="a.csv", rows=1, columns=("a",), targets=("de",), digest=b"")
    for number, job_id in enumerate(ids):
        file.add(Row(id=job_id, owner=owner, created_at=float(number), idempotency_key=None, plan=plan))


def state(file: IndexFile, job_id: str) -> str:
    row = file.find(job_id)
    assert row is not None
    return row.state


def claimed(file: IndexFile, process: str, *working: str, at_once: int = 9) -> str | None:
    row = file.claim(process, working, at_once)
    return None if row is None else row.id


def test_jobs_have_their_turn_in_order_and_only_so_many_at_once(file: IndexFile) -> None:
    add(file, "1", "2", "3")
    me = this_process()

    assert [claimed(file, me, "1", at_once=2), claimed(file, me, "1", at_once=2)] == ["1", "2"]
    assert claimed(file, me, "1", "2", at_once=2) is None
    file.end("1", me, Ended("done", "", None))
    assert claimed(file, me, "2", at_once=2) == "3"


def test_who_has_many_jobs_does_not_keep_others_waiting(file: IndexFile) -> None:
    add(file, "1", "2", "3")
    add(file, "4", "5", owner="bert")
    me = this_process()

    assert [claimed(file, me, "1", "2", "3", "4", "5") for _ in range(5)] == ["1", "4", "2", "5", "3"]


def test_what_a_dead_process_worked_on_is_taken_up_and_what_a_living_one_does_is_not(file: IndexFile) -> None:
    add(file, "1", "2")
    me = this_process()
    assert (claimed(file, me), claimed(file, DEAD, "1")) == ("1", "2")

    assert (claimed(file, "2:1.00"), claimed(file, "2:1.00", "2")) == ("2", None)
    assert state(file, "1") == "running"


def test_one_that_was_to_be_cancelled_by_a_dead_process_is(file: IndexFile) -> None:
    add(file, "1")
    claimed(file, DEAD)
    file.ask("1", "cancel")

    assert claimed(file, this_process()) is None
    assert state(file, "1") == "cancelled"


def test_one_whose_end_could_not_be_written_is_worked_on_again(file: IndexFile) -> None:
    add(file, "1")
    me = this_process()

    assert (claimed(file, me), claimed(file, me, "1"), claimed(file, me)) == ("1", None, "1")


def test_a_process_that_leaves_leaves_its_jobs_to_others(file: IndexFile) -> None:
    add(file, "1")
    claimed(file, DEAD)
    file.leave(DEAD)

    assert state(file, "1") == "planned"


def test_nobody_ends_what_another_process_works_on(file: IndexFile) -> None:
    add(file, "1")
    me = this_process()
    claimed(file, me)

    assert not file.end("1", "", Ended("cancelled", "", None))
    assert not file.end("1", DEAD, Ended("done", "", None))
    assert file.end("1", me, Ended("done", "", None))


def test_a_deleted_one_is_unknown_at_once_and_its_files_go_when_nobody_works_on_it(file: IndexFile) -> None:
    add(file, "1")
    me = this_process()
    claimed(file, me)
    file.ask("1", "delete")
    file.ask("1", "cancel")

    assert (file.find("1"), file.of("anna"), file.asked_of(me), file.deleted()) == (None, [], ["1"], [])
    file.end("1", me, Ended("cancelled", "", None))
    assert (file.deleted(), file.over(before=1e12)) == (["1"], [])
    file.forget("1")
    assert file.ids() == set()
