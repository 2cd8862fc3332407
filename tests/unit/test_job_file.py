"""The file of a job: what it keeps, and which steps of a shard it allows."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from dragoman.errors import JobNotReady, LedgerError, UnknownJob
from dragoman.jobs.job_file import KEYS_AT_ONCE, JobFile, Part, Planned, remedy
from dragoman.jobs.spec import Cell, Counts, Fingerprint, InputFile, JobSpec, Receipt, Shard
from dragoman.types import TagRules, Tokens, TranslateRequest, Wishes

SHARD_ROWS = 10
NO_TOKENS = Tokens()
SPEC = JobSpec(
    inputs=(InputFile("/data/products.csv", 1_234, 5_678, 30),),
    family="csv",
    columns=("title", "description.short"),
    request=TranslateRequest(
        texts=(), targets=("de", "fr"), wishes=Wishes(keep=("Acme",), tags=TagRules(ignored=frozenset({"code"})))
    ),
    glossaries=("shop",),
    rows=30,
)
FINGERPRINT = Fingerprint(
    engine="llama.cpp", model="translategemma-4b", revision=None, style="translategemma", prompts="3",
    glossaries={"shop": "ab12"},
)  # fmt: skip
OK = Cell("ok", "Guten Morgen.", ("number: 3 became 4",), 0.75, "en")
FAILED = Cell("error", None, ("truncated: it ends too soon.",))


def planned_shards(count: int = 3) -> list[Shard]:
    starts = [number * SHARD_ROWS for number in range(count)]
    return [Shard(number=i, file=0, start=at, first=at, rows=SHARD_ROWS, end=at + 9) for i, at in enumerate(starts)]


def receipt_of(shard: Shard, *, error: int = 0, characters: int = 0, tokens: Tokens = NO_TOKENS) -> Receipt:
    return Receipt(
        shard=shard.number,
        generation=shard.generation,
        part=f"part-{shard.number:06}.{shard.generation}.tmp",
        sha256=f"{shard.number:064x}",
        counts=Counts(rows=SHARD_ROWS, ok=SHARD_ROWS - error - 1, passthrough=1, error=error),
        characters=characters,
        tokens=tokens,
    )


def work_on(file: JobFile, shard: Shard, receipt: Receipt) -> None:
    assert file.seal(Part(receipt, 100))
    assert file.done(shard.number, shard.generation)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "job" / "job.sqlite3"


@pytest.fixture
def file(path: Path) -> Iterator[JobFile]:
    with closing(JobFile(path)) as opened:
        opened.create(Planned(SPEC, FINGERPRINT, 1_000), planned_shards())
        yield opened


def test_a_plan_comes_back_as_it_was_stored(file: JobFile, path: Path) -> None:
    with closing(JobFile(path)) as again:
        assert again.planned() == Planned(SPEC, FINGERPRINT, 1_000)
        assert [replace(shard, generation=0) for shard in again.lease(9, "me")] == planned_shards()


def test_a_job_is_planned_once(file: JobFile) -> None:
    with pytest.raises(JobNotReady, match="choose another folder"):
        file.create(Planned(SPEC, FINGERPRINT, 2_000), planned_shards(9))

    assert sum(file.totals().shards.values()) == 3


def test_a_file_without_a_plan_has_no_job(path: Path) -> None:
    with closing(JobFile(path)) as file, pytest.raises(UnknownJob, match="There is no job"):
        file.planned()


def test_what_is_committed_outlives_a_power_cut_and_others_read_meanwhile(file: JobFile) -> None:
    pragmas = ("journal_mode", "synchronous", "cache_size", "temp_store")
    assert [file._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas] == ["wal", 2, -65_536, 2]


def test_the_state_and_the_progress_are_what_was_set_last(file: JobFile) -> None:
    before = file.state(), file.noted()
    file.set_state("paused", "The disk is full.")
    file.note(b"\x00half")

    assert before == (("planned", ""), b"")
    assert file.state() == ("paused", "The disk is full.")
    assert file.noted() == b"\x00half"


def test_shards_are_leased_in_their_order_each_time_with_a_new_generation(file: JobFile) -> None:
    first, second = file.lease(2, "one")
    file.give_back([first])
    again, third = file.lease(9, "two")

    assert [(shard.number, shard.generation) for shard in (first, second, again, third)] == [
        (0, 1), (1, 1), (0, 2), (2, 1),
    ]  # fmt: skip
    assert file.lease(9, "three") == []


LATE_STEPS: dict[str, Callable[[JobFile, Shard], bool]] = {
    "seal": lambda file, shard: file.seal(Part(receipt_of(shard), 100)),
    "done": lambda file, shard: file.done(shard.number, shard.generation),
    "stick": lambda file, shard: file.stick(shard.number, shard.generation, "unreadable"),
    "reopen": lambda file, shard: file.reopen(shard.number, shard.generation),
}


@pytest.mark.parametrize("step", LATE_STEPS.values(), ids=LATE_STEPS)
def test_who_lost_the_lease_changes_nothing(file: JobFile, step: Callable[[JobFile, Shard], bool]) -> None:
    (late,) = file.lease(1, "one")
    file.release_leases()
    (now,) = file.lease(1, "two")

    assert not step(file, late)
    file.give_back([late])

    assert file.totals().shards == {"leased": 1, "pending": 2}
    work_on(file, now, receipt_of(now))


def test_a_part_is_told_as_it_was_sealed(file: JobFile) -> None:
    (shard,) = file.lease(1, "me")
    part = Part(receipt_of(shard, error=2, characters=300, tokens=Tokens(30, 10, 40)), 4_321)

    assert file.seal(part)
    assert (file.parts("sealed"), file.parts("done")) == ([part], [])
    assert file.done(shard.number, shard.generation)
    assert (file.parts("sealed"), file.parts("done")) == ([], [part])


def test_the_totals_count_the_rows_of_done_shards_and_the_cost_of_all_calls(file: JobFile) -> None:
    one, two, three = file.lease(3, "me")
    work_on(file, one, receipt_of(one, error=2, characters=300, tokens=Tokens(30, 10, 40)))
    file.seal(Part(receipt_of(two, characters=20, tokens=Tokens(2, 1, 3)), 50))
    file.stick(three.number, three.generation, "a corrupt page")

    totals = file.totals()

    assert totals.shards == {"done": 1, "sealed": 1, "stuck": 1}
    assert totals.counts == Counts(rows=10, ok=7, passthrough=1, error=2)
    assert (totals.characters, totals.tokens) == (320, Tokens(32, 11, 43))
    assert file.stuck() == {2: "a corrupt page"}


def test_a_shard_that_is_built_again_has_cost_both_times(file: JobFile) -> None:
    (first,) = file.lease(1, "me")
    work_on(file, first, receipt_of(first, characters=300, tokens=Tokens(30, 10, 40)))
    assert file.reopen(first.number, first.generation)
    (again,) = file.lease(1, "me")
    work_on(file, again, receipt_of(again, characters=5, tokens=Tokens(1, 0, 1)))

    totals = file.totals()
    assert (totals.counts.rows, totals.characters, totals.tokens) == (10, 305, Tokens(31, 10, 41))


def test_to_retry_what_failed_forgets_errors_and_reopens_only_shards_that_have_some(file: JobFile) -> None:
    sound, with_errors, unreadable = file.lease(3, "me")
    work_on(file, sound, receipt_of(sound))
    work_on(file, with_errors, receipt_of(with_errors, error=2))
    file.stick(unreadable.number, unreadable.generation, "a corrupt page")
    file.keep([(b"good", OK), (b"bad", FAILED)])
    file.set_state("failed", "One shard is stuck.")

    assert file.retry_failed() == 2 + SHARD_ROWS

    assert file.state() == ("planned", "")
    assert file.find([b"good", b"bad"]) == [OK, None]
    assert file.stuck() == {}
    assert [shard.number for shard in file.lease(9, "me")] == [1, 2]


def test_to_retry_a_job_without_errors_leaves_it_done(file: JobFile) -> None:
    for shard in file.lease(3, "me"):
        work_on(file, shard, receipt_of(shard))
    file.set_state("done", "")

    assert file.retry_failed() == 0
    assert file.state() == ("done", "")


@pytest.mark.parametrize("first", [OK, FAILED], ids=["ok", "error"])
@pytest.mark.parametrize(
    "second", [Cell("ok", "Moin."), Cell("error", None, ("empty: nothing.",))], ids=["ok", "error"]
)
def test_the_first_answer_of_a_key_wins_an_error_too(file: JobFile, first: Cell, second: Cell) -> None:
    assert file.keep([(b"key", first)]) == [first]
    assert file.keep([(b"key", second), (b"other", second)]) == [first, second]
    assert file.find([b"other", b"unknown", b"key"]) == [second, None, first]


def test_a_key_that_comes_twice_at_once_has_one_answer(file: JobFile) -> None:
    assert file.keep([(b"key", OK), (b"key", Cell("ok", "Moin."))]) == [OK, OK]


def test_more_keys_are_found_than_fit_into_one_statement(file: JobFile) -> None:
    keys = [number.to_bytes(16) for number in range(2 * KEYS_AT_ONCE + 1)]
    cells = [Cell("ok", f"{number} äöü\x00日本") for number in range(len(keys))]
    for start in range(0, len(keys), KEYS_AT_ONCE):
        file.keep(list(zip(keys, cells, strict=True))[start : start + KEYS_AT_ONCE])

    assert file.find([*reversed(keys), b"\x00"]) == [*reversed(cells), None]
    assert file.find([]) == []


def test_half_of_a_surrogate_pair_cannot_be_stored_and_is_replaced(file: JobFile) -> None:
    stored = Cell("ok", "a\ufffdb😀", ("echo: \ufffd",))

    assert file.keep([(b"key", Cell("ok", "a\ud800b\ud83d\ude00", ("echo: \udc80",)))]) == [stored]
    assert file.find([b"key"]) == [stored]


def test_a_file_of_another_version_is_left_alone(path: Path) -> None:
    JobFile(path).close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 99")

    with pytest.raises(LedgerError, match="another version of Dragoman"):
        JobFile(path)


def test_an_answer_that_cannot_be_decoded_is_damage(file: JobFile) -> None:
    file._connection.execute("INSERT INTO memo VALUES (?, ?)", (b"key", b"\xc1"))

    with pytest.raises(LedgerError, match="The file is damaged"):
        file.find([b"key"])


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(28, "No space left on device"), "Make room"),
        (OSError(27, "File too large"), "Make room"),
        (OSError(30, "Read-only file system"), "writable"),
        (PermissionError(13, "Permission denied"), "writable"),
        (sqlite3.ProgrammingError("no code"), "Resume the job"),
    ],
)
def test_errors_say_what_to_do(error: sqlite3.Error | OSError, says: str) -> None:
    assert says in remedy(error)


class Shards(RuleBasedStateMachine):
    """Any steps in any order, by holders old and new: the file agrees with a plain model, and no late step counts."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.file = JobFile(Path(self.folder.name) / "job.sqlite3")
        self.file.create(Planned(SPEC, FINGERPRINT, 0), planned_shards())
        self.states = ["pending"] * 3
        self.generations = [0] * 3
        self.held: list[Shard] = []

    def step(self, shard: Shard, before: tuple[str, ...], after: str, changed: bool) -> None:
        number = shard.number
        allowed = self.states[number] in before and self.generations[number] == shard.generation
        assert changed == allowed
        if allowed:
            self.states[number] = after

    @rule(count=st.integers(1, 2))
    def lease(self, count: int) -> None:
        shards = self.file.lease(count, "me")
        assert [shard.number for shard in shards] == [n for n in range(3) if self.states[n] == "pending"][:count]
        for shard in shards:
            self.states[shard.number] = "leased"
            self.generations[shard.number] += 1
            assert shard.generation == self.generations[shard.number]
        self.held += shards

    @precondition(lambda self: self.held)
    @rule(data=st.data(), step=st.sampled_from(["seal", "done", "stick", "reopen"]))
    def take_a_step(self, data: st.DataObject, step: str) -> None:
        shard = data.draw(st.sampled_from(self.held))
        number, generation = shard.number, shard.generation
        if step == "seal":
            self.step(shard, ("leased",), "sealed", self.file.seal(Part(receipt_of(shard), 1)))
        elif step == "done":
            self.step(shard, ("sealed",), "done", self.file.done(number, generation))
        elif step == "stick":
            self.step(shard, ("leased",), "stuck", self.file.stick(number, generation, "torn"))
        else:
            self.step(shard, ("sealed", "done"), "pending", self.file.reopen(number, generation))

    @rule()
    def start_anew(self) -> None:
        self.file.release_leases()
        self.states = ["pending" if state == "leased" else state for state in self.states]

    @rule()
    def retry_failed(self) -> None:
        assert self.file.retry_failed() == SHARD_ROWS * self.states.count("stuck")
        self.states = ["pending" if state == "stuck" else state for state in self.states]

    @invariant()
    def the_totals_agree(self) -> None:
        totals = self.file.totals()
        assert totals.shards == {state: self.states.count(state) for state in self.states}
        assert totals.counts.rows == SHARD_ROWS * self.states.count("done")

    def teardown(self) -> None:
        self.file.close()
        self.folder.cleanup()


TestShards = Shards.TestCase
TestShards.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
