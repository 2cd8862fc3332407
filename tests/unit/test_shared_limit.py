"""What each of several processes is due of a replica's slots."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dragoman.core.shared_limit import LEAST_OF, WHOLE, EqualShares, due_part, key_of

DEMANDS = st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers(0, 100), min_size=1, max_size=8)


def parts(slots: int, *demands: int, turn: int = 0) -> list[int]:
    by_name = {f"process {number}": demand for number, demand in enumerate(demands)}
    return [due_part(slots, by_name, name, turn) for name in by_name]


class TestDueParts:
    @given(st.integers(1, 200), DEMANDS, st.integers(0, 9))
    def test_never_come_to_more_than_the_slots(self, slots: int, demands: dict[str, int], turn: int) -> None:
        assert sum(due_part(slots, demands, me, turn) for me in demands) == slots or not any(demands.values())

    @given(st.integers(1, 200), DEMANDS)
    def test_nobody_has_more_than_it_can_use_while_another_lacks(self, slots: int, demands: dict[str, int]) -> None:
        due = {me: due_part(slots, demands, me, 0) for me in demands}
        least = 1 if slots >= LEAST_OF * len(demands) else 0
        lacking = [due[me] for me in demands if due[me] < demands[me]]
        assert all(due[me] <= max(demands[me], least, min(lacking, default=slots) + 1) for me in demands)

    def test_who_is_busy_gets_what_the_idle_one_does_not_need(self) -> None:
        assert parts(8, 50, 0) == [8, 0]

    def test_among_many_slots_an_idle_one_keeps_one(self) -> None:
        assert parts(64, 500, 0) == [63, 1]

    def test_two_that_are_busy_have_half_each(self) -> None:
        assert parts(8, 9, 500) == [4, 4]

    def test_what_nobody_needs_is_split(self) -> None:
        assert parts(8, 1, 1) == [4, 4]
        assert parts(7, 0, 0) == [4, 3]

    def test_fewer_slots_than_processes_go_round(self) -> None:
        turns = [parts(1, 5, 0, 500, turn=turn) for turn in range(4)]

        assert turns == [[1, 0, 0], [0, 0, 1], [1, 0, 0], [0, 0, 1]]


class TestEqualParts:
    @given(st.integers(1, 100), st.integers(1, 20))
    def test_come_to_the_slots_but_no_worker_goes_without(self, slots: int, workers: int) -> None:
        assert sum(EqualShares(workers, worker).of(slots) for worker in range(workers)) == max(slots, workers)

    def test_the_only_process_has_all(self) -> None:
        assert WHOLE.of(64) == 64

    def test_an_engine_in_the_process_is_not_shared(self) -> None:
        shares = EqualShares(4, 0)

        assert shares.open("simulated://instant", lambda: None, lambda: None).of(8) == 8
        assert shares.open("ollama://gpu1/m", lambda: None, lambda: None).of(8) == 2


class TestKeys:
    def test_hosts_that_name_a_replica_alike_mean_the_same_one(self) -> None:
        assert key_of("ollama://gpu1:11434/m", "m") == "dragoman:1:slots:|ollama://gpu1:11434/m|m"

    def test_localhost_means_another_replica_on_each_host(self) -> None:
        names = ["ollama://localhost/m", "ollama://127.0.0.1:1/m", "ollama://[::1]:1/m"]
        assert not any(key_of(name, "m").startswith("dragoman:1:slots:|") for name in names)
