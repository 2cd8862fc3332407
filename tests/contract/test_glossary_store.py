"""The store of glossaries: what was put comes back, owners do not meet, and other processes are seen."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from dragoman.errors import ConfigurationError, InvalidRequest, TooLarge, UnknownGlossary
from dragoman.memory import glossary_file
from dragoman.memory.glossaries import Glossaries
from dragoman.memory.glossary_file import FILE_NAME, DictionaryInfo, GlossaryFile
from dragoman.types import Glossary, Pair, Term

EN_DE, EN_FR = Pair("en", "de"), Pair("en", "fr")
HUB, RIM = Term("hub", "Nabe"), Term("rim", "Felge")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / FILE_NAME


@pytest.fixture
async def glossaries(path: Path) -> AsyncIterator[Glossaries]:
    async with Glossaries(path) as opened:
        yield opened


async def test_what_was_put_comes_back_by_id_and_by_name(glossaries: Glossaries) -> None:
    made = await glossaries.create(" bikes ", {EN_DE: (RIM, HUB), EN_FR: (Term("hub", "moyeu"),)})

    assert made.dictionaries == (DictionaryInfo(EN_DE, 2), DictionaryInfo(EN_FR, 1))
    assert await glossaries.info(made.id) == made == await glossaries.info("bikes")
    assert await glossaries.terms(made.id, EN_DE) == (RIM, HUB)
    assert await glossaries.load("bikes") == Glossary("bikes", {EN_DE: (RIM, HUB), EN_FR: (Term("hub", "moyeu"),)})


async def test_it_outlives_the_process(path: Path) -> None:
    async with Glossaries(path) as first:
        made = await first.create("bikes", {EN_DE: (HUB,)})
    async with Glossaries(path) as second:
        assert await second.list_all() == [made]


async def test_nothing_is_written_before_it_is_used(path: Path) -> None:
    async with Glossaries(path):
        pass

    assert not path.parent.exists()


async def test_an_update_renames_replaces_and_adds(glossaries: Glossaries) -> None:
    made = await glossaries.create("bikes", {EN_DE: (HUB, RIM)})

    added = await glossaries.update(
        made.id, name="parts", added={EN_DE: (Term("hub", "Radnabe"), Term("fork", "Gabel"))}
    )
    assert (added.name, added.version) == ("parts", made.version + 1)
    assert await glossaries.terms(made.id, EN_DE) == (Term("hub", "Radnabe"), RIM, Term("fork", "Gabel"))

    await glossaries.update(made.id, replaced={EN_DE: (HUB,), EN_FR: ()})
    assert (await glossaries.load(made.id)).terms == {EN_DE: (HUB,), EN_FR: ()}


async def test_an_update_that_fails_changes_nothing(glossaries: Glossaries, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await glossaries.create("bikes", {EN_DE: (HUB,)})
    monkeypatch.setattr(glossary_file, "MAX_TERMS", 1)

    with pytest.raises(TooLarge):
        await glossaries.update(made.id, name="parts", added={EN_FR: (HUB,), EN_DE: (RIM,)})

    assert await glossaries.list_all() == [made]


async def test_a_pair_and_a_glossary_can_be_deleted(glossaries: Glossaries, path: Path) -> None:
    made = await glossaries.create("bikes", {EN_DE: (HUB,), EN_FR: (HUB,)})

    await glossaries.delete_pair(made.id, EN_DE)
    with pytest.raises(UnknownGlossary, match="no terms for en->de; it has en->fr"):
        await glossaries.terms(made.id, EN_DE)
    with pytest.raises(UnknownGlossary, match="no terms for en->de"):
        await glossaries.delete_pair(made.id, EN_DE)

    await glossaries.delete(made.id)
    assert await glossaries.list_all() == []
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM dictionary").fetchone() == (0,)


async def test_what_nobody_owns_everybody_may_read_and_only_nobody_change(glossaries: Glossaries) -> None:
    shared = await glossaries.create("bikes", {EN_DE: (HUB,)})

    assert (await glossaries.info("bikes", owner="her key")).id == shared.id
    assert (await glossaries.load(shared.id, owner="her key")).terms == {EN_DE: (HUB,)}
    assert [info.id for info in await glossaries.list_all("her key")] == [shared.id]
    with pytest.raises(UnknownGlossary):
        await glossaries.delete("bikes", owner="her key")

    hers = await glossaries.create("bikes", {}, owner="her key")
    assert (await glossaries.info("bikes", owner="her key")).id == hers.id, "one's own goes before"


async def test_one_owner_does_not_meet_anothers(glossaries: Glossaries) -> None:
    hers = await glossaries.create("bikes", {EN_DE: (HUB,)}, owner="her key")

    assert await glossaries.list_all("his key") == []
    for named in (hers.id, "bikes"):
        with pytest.raises(UnknownGlossary):
            await glossaries.load(named, "his key")
        with pytest.raises(UnknownGlossary):
            await glossaries.delete(named)
    assert (await glossaries.load("bikes", "her key")).terms == {EN_DE: (HUB,)}


@pytest.mark.parametrize("named", ["", "bikes", "\ud800", "x" * 10_000, "' OR 1=1 --"])
async def test_what_is_not_there_is_told(glossaries: Glossaries, named: str) -> None:
    with pytest.raises(UnknownGlossary, match="There is no glossary"):
        await glossaries.load(named)


async def test_a_name_that_several_have_must_give_way_to_an_id(glossaries: Glossaries) -> None:
    ids = {(await glossaries.create("bikes", {})).id for _ in range(2)}

    with pytest.raises(InvalidRequest, match="Several") as refused:
        await glossaries.info("bikes")

    assert set(refused.value.accepted) == ids


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "\ud800", "x" * 1025])
async def test_a_name_must_be_a_name(glossaries: Glossaries, name: str) -> None:
    with pytest.raises(InvalidRequest, match="name"):
        await glossaries.create(name, {})


async def test_what_is_loaded_stays_the_same_object_until_someone_changes_it(
    glossaries: Glossaries, path: Path
) -> None:
    made = await glossaries.create("bikes", {EN_DE: (HUB,)})
    first = await glossaries.load(made.id)
    assert await glossaries.load("bikes") is first

    with closing(GlossaryFile(path)) as another_process:
        another_process.update(made.id, replaced={EN_DE: (RIM,)})

    assert (await glossaries.load(made.id)).terms == {EN_DE: (RIM,)}


async def test_two_processes_add_at_once_and_nothing_is_lost(path: Path) -> None:
    async with Glossaries(path) as one, Glossaries(path) as other:
        made = await one.create("bikes", {})
        await asyncio.gather(
            *(store.update(made.id, added={EN_DE: (Term(f"{store is one} {number}", "x"),)})
              for number in range(5) for store in (one, other))
        )  # fmt: skip

        assert (await other.info(made.id)).dictionaries == (DictionaryInfo(EN_DE, 10),)


async def test_the_loop_goes_on_while_the_file_is_locked(path: Path, glossaries: Glossaries) -> None:
    made = await glossaries.create("bikes", {})
    with closing(sqlite3.connect(path, isolation_level=None)) as another_process:
        another_process.execute("BEGIN IMMEDIATE")
        renaming = asyncio.create_task(glossaries.update(made.id, name="parts"))
        await asyncio.sleep(0.05)
        assert not renaming.done()
        another_process.execute("COMMIT")

    assert (await renaming).name == "parts"


def test_a_damaged_file_is_told_of_and_left_as_it_is(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this was never a database " * 100)

    with pytest.raises(ConfigurationError, match="cannot be opened"):
        GlossaryFile(path)

    assert path.read_bytes().startswith(b"this was never")


def test_a_file_of_another_version_is_left_alone(path: Path) -> None:
    GlossaryFile(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")

    with pytest.raises(ConfigurationError, match="another version"):
        GlossaryFile(path)
