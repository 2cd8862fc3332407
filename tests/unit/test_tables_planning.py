"""What is refused before anything starts, whatever the table is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dragoman.errors import DragomanError, InvalidRequest, UnreadableTable
from dragoman.jobs.tables.planning import plan_table
from dragoman.types import Glossary, TranslateRequest, Wishes


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.csv"
    path.write_text("id,title,title_fr_status\n1,Chair,x\n")
    return path


def request(*targets: str) -> TranslateRequest:
    return TranslateRequest(texts=("x",), targets=targets, source="en")


@pytest.mark.parametrize(
    ("columns", "targets", "name", "says"),
    [
        (["title"], ["fr"], "{column}_{target}", "'title_fr_status' would stand there twice.*--name"),
        (["title"], ["de"], "title", "'title' would stand there twice"),
        (["title", "id"], ["de"], "{target}", "'de' would stand there twice"),
        (["title"], ["de", "fr"], "new", "'new' would stand there twice"),
        (["title"], ["de"], "{row}", "no other braces"),
        (["title"], ["de"], "{", "no other braces"),
        (["title", "title"], ["de"], "{column}_{target}", "named twice"),
        ([], ["de"], "{column}_{target}", "No column"),
    ],
)
def test_output_columns_have_names_of_their_own(
    shop: Path, columns: list[str], targets: list[str], name: str, says: str
) -> None:
    with pytest.raises(InvalidRequest, match=says):
        plan_table([shop], columns=columns, request=request(*targets), name=name)


def test_another_name_lets_it_through(shop: Path) -> None:
    spec, _ = plan_table([shop], columns=["title"], request=request("fr"), name="new_{column}_{target}")
    assert spec.output_column("title", "fr") == "new_title_fr"


def test_the_spec_holds_neither_texts_nor_terms(shop: Path) -> None:
    wishes = Wishes(glossaries=(Glossary("shop", {}),), strict=True)
    asked = TranslateRequest(texts=("x",), targets=("de",), wishes=wishes)
    spec, _ = plan_table([shop], columns=["title"], request=asked, glossaries=["shop"])
    assert (spec.request.texts, spec.request.wishes, spec.glossaries) == ((), Wishes(strict=True), ("shop",))


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["shop.xlsx"], r"Its name has to end in \.parquet"),
        (["a.csv", "b.jsonl"], "different kinds"),
        (["missing.csv"], "No such file"),
        (["folder.csv"], "is no file"),
        (["noise.parquet"], "no Parquet file that can be read"),
        ([], "No table is named"),
    ],
)
def test_what_is_no_table_is_told(tmp_path: Path, names: list[str], says: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "noise.parquet").write_bytes(b"noise" * 100)
    with pytest.raises(DragomanError, match=says):
        plan_table([tmp_path / name for name in names], columns=["title"], request=request("de"))


def test_the_family_can_be_given(shop: Path) -> None:
    renamed = shop.rename(shop.with_name("upload"))
    assert plan_table([renamed], columns=["title"], request=request("de"), family="csv")[0].rows == 1
    with pytest.raises(UnreadableTable):
        plan_table([renamed], columns=["title"], request=request("de"))


@pytest.mark.parametrize(("shard_rows", "limit"), [(0, None), (1, 0)])
def test_numbers_of_rows_are_positive(shop: Path, shard_rows: int, limit: int | None) -> None:
    with pytest.raises(InvalidRequest, match="at least one row"):
        plan_table([shop], columns=["title"], request=request("de"), shard_rows=shard_rows, limit=limit)


def test_without_pyarrow_the_extra_is_named() -> None:
    program = "import sys; sys.modules['pyarrow'] = None; import dragoman.jobs.tables.planning"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "MissingExtra: Jobs over tables needs the extra 'jobs': pip install 'dragoman[jobs]'" in done.stderr
