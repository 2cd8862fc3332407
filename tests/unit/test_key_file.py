"""The file of keys: what it keeps of them, and what it does not."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dragoman.errors import ConfigurationError, InvalidRequest, UnknownKey
from dragoman.memory.key_file import KeyFile, KeyLimits, id_in
from dragoman.memory.usage import Used, windows_of

WINDOWS = windows_of(1_000_000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.sqlite3"


@pytest.fixture
def keys(path: Path) -> Iterator[KeyFile]:
    with closing(KeyFile(path)) as file:
        yield file


def test_a_key_is_known_again_and_no_other_is(keys: KeyFile) -> None:
    key, info = keys.add("shop", ["translate"], KeyLimits())
    other, _ = keys.add("crm", ["translate", "admin"], KeyLimits())

    known = keys.known_keys()[id_in(key)]
    assert known.info == info
    assert known.fits(key)
    assert not known.fits(other)
    assert not known.fits(key[:-1])
    assert not known.fits(f"{key}\ud800")


def test_nothing_that_opens_a_door_is_in_the_file(keys: KeyFile, path: Path) -> None:
    key, info = keys.add("shop", ["translate"], KeyLimits())
    keys.close()
    secret = key.removeprefix(f"dragoman_{info.id}_")

    assert len(secret) >= 43
    assert secret.encode() not in path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_was_set_comes_back(keys: KeyFile) -> None:
    limits = KeyLimits(requests_per_minute=3, characters_per_month=0)
    _, made = keys.add("  shop ", ["admin", "translate"], limits)

    assert keys.list_all() == [made]
    assert (made.name, sorted(made.scopes), made.limits, made.revoked_at) == (
        "shop",
        ["admin", "translate"],
        limits,
        None,
    )


def test_limits_change_one_by_one(keys: KeyFile) -> None:
    keys.add("shop", ["translate"], KeyLimits(requests_per_day=3, characters_per_day=5))

    changed = keys.limit("shop", {"requests_per_day": None, "characters_per_month": 9})

    assert changed.limits == KeyLimits(characters_per_day=5, characters_per_month=9)
    assert keys.list_all() == [changed]


def test_a_revoked_key_is_listed_and_its_name_is_free_again(keys: KeyFile) -> None:
    _, first = keys.add("shop", ["translate"], KeyLimits())
    revoked = keys.revoke("shop")
    _, second = keys.add("shop", ["translate"], KeyLimits())

    assert revoked.revoked_at is not None
    assert [info.id for info in keys.list_all()] == [first.id, second.id]
    assert keys.known_keys().keys() == {second.id}
    with pytest.raises(UnknownKey):
        keys.revoke(first.id)


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a" * 201, "shop"])
def test_a_name_is_printable_and_nobody_elses(keys: KeyFile, name: str) -> None:
    keys.add("shop", ["translate"], KeyLimits())

    with pytest.raises(InvalidRequest) as caught:
        keys.add(name, ["translate"], KeyLimits())
    assert caught.value.field == "name"


def test_a_key_opens_something(keys: KeyFile) -> None:
    with pytest.raises(InvalidRequest, match="translate, jobs, admin"):
        keys.add("shop", [], KeyLimits())


@pytest.mark.parametrize("named", ["nobody", "", "\ud800", "dragoman"])
def test_a_key_that_is_not_there_is_named(keys: KeyFile, named: str) -> None:
    with pytest.raises(UnknownKey):
        keys.limit(named, {})


def test_counts_of_two_processes_add_up(keys: KeyFile, path: Path) -> None:
    with closing(KeyFile(path)) as other:
        keys.keep({("a", WINDOWS.month): Used(1, 10)}, WINDOWS)
        held = other.keep({("a", WINDOWS.month): Used(2, 5), ("b", WINDOWS.day): Used(1, 1)}, WINDOWS)

    assert held is not None
    assert held.used == {("a", WINDOWS.month): Used(3, 15), ("b", WINDOWS.day): Used(1, 1)}
    assert keys.used(WINDOWS) == held.used


def test_only_what_is_new_is_read(keys: KeyFile, path: Path) -> None:
    assert keys.keep({}, WINDOWS) is not None
    assert keys.keep({}, WINDOWS) is None
    with closing(KeyFile(path)) as other:
        key, _ = other.add("shop", ["translate"], KeyLimits())
    held = keys.keep({}, WINDOWS)

    assert held is not None
    assert held.keys.keys() == {id_in(key)}


def test_minutes_of_yesterday_are_forgotten_and_months_are_not(keys: KeyFile, path: Path) -> None:
    keys.keep({("a", window): Used(1, 10) for window in WINDOWS}, WINDOWS)
    keys.keep({("a", windows_of(1_100_000).minute): Used(1, 1)}, windows_of(1_100_000))

    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT period, characters FROM used ORDER BY period, start").fetchall()
    assert rows == [("day", 10), ("minute", 1), ("month", 10)]


@pytest.mark.parametrize("key", ["", "dragoman", "dragoman_", "sk-123_456_789", "DeepL:fx", "dragomanx_a_b"])
def test_what_is_no_key_has_no_id(key: str) -> None:
    assert id_in(key) == ""


def test_a_file_that_cannot_be_used_is_told(path: Path) -> None:
    path.write_bytes(b"no database" * 200)
    with pytest.raises(ConfigurationError, match=r"keys\.sqlite3 cannot be opened: .* another data_dir"):
        KeyFile(path)


def test_a_file_of_another_version_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")

    with pytest.raises(ConfigurationError, match="another version"):
        KeyFile(path)
