"""Tables and columns from Python, over the same cells as a job."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dragoman import batch_translator, translate_column, translate_table
from dragoman.core.plan import Limits
from dragoman.core.pool import Pool
from dragoman.core.scheduler import Scheduling
from dragoman.core.translator import Translator
from dragoman.errors import BadOutput, EngineRejected, InvalidRequest
from dragoman.types import Segment
from tests.spoken_engine import SpokenEngine

GERMAN = {"Red hat": "Roter Hut", "Blue coat": "Blauer Mantel", "A warm coat": "Ein warmer Mantel"}


def speak(segment: Segment) -> str | EngineRejected:
    return GERMAN.get(segment.text) or EngineRejected("This text is refused.", engine="spoken")


@pytest.fixture
def engine() -> SpokenEngine:
    return SpokenEngine(speak)


@pytest.fixture
async def translator(engine: SpokenEngine) -> AsyncIterator[Translator]:
    limits = Limits(max_texts=100, max_characters=100_000, timeout_s=10, max_timeout_s=60)
    queue = Scheduling(segments=10_000, tokens=1_000_000)
    async with Pool() as pool, Translator(pool, None, limits, queue) as translator:
        pool.add("one", engine)
        await translator.ready()
        yield translator


Row = Mapping[str, object]

ROWS: list[Row] = [{"sku": "01", "title": "Red hat"}, {"sku": "02", "title": "Blue coat"}, {"sku": "03", "title": None}]


def a_csv(folder: Path) -> Path:
    (folder / "in.csv").write_text("sku,title\n01,Red hat\n02,Blue coat\n03,\n")
    return folder / "in.csv"


def json_lines(folder: Path) -> Path:
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return folder / "in.jsonl"


def parquet(folder: Path) -> Path:
    pq.write_table(pa.Table.from_pylist(ROWS), folder / "in.parquet")
    return folder / "in.parquet"


@pytest.mark.parametrize(
    "write", [a_csv, json_lines, parquet, lambda folder: ROWS], ids=["csv", "jsonl", "parquet", "rows"]
)
async def test_each_row_comes_in_order_with_its_translations(
    write: Callable[[Path], Path | Iterable[Row]], tmp_path: Path, translator: Translator
) -> None:
    table = write(tmp_path)
    found = [row async for row in translate_table(table, translator, columns=["title"], targets=["de"], source="en")]

    assert [row["sku"] for row in found] == ["01", "02", "03"]
    assert [row["title_de"] or None for row in found] == ["Roter Hut", "Blauer Mantel", None]
    assert [row["title_de_status"] for row in found] == ["ok", "ok", "passthrough"]


async def test_a_text_that_fails_leaves_its_row_and_the_others_alone(translator: Translator) -> None:
    table = [{"title": "Red hat"}, {"title": "Something else"}]
    one, other = [
        row async for row in translate_table(table, translator, columns=["title"], targets=["de"], source="en")
    ]

    assert one["title_de"] == "Roter Hut"
    assert (other["title_de"], other["title_de_status"]) == (None, "error")
    assert other["title_de_findings"] == ["engine_rejected: This text is refused."]


async def test_a_nested_field_and_a_text_that_comes_again_in_a_later_chunk(
    engine: SpokenEngine, translator: Translator
) -> None:
    table = ({"about": {"short": "A warm coat"}} for _ in range(2_000))
    found = [
        row
        async for row in translate_table(
            table, translator, columns=["about.short"], targets=["de"], source="en", name="german"
        )
    ]

    assert [row["german"] for row in found] == ["Ein warmer Mantel"] * 2_000
    assert len(engine.asked) == 1


async def test_who_leaves_early_leaves_nothing_running(translator: Translator) -> None:
    rows = translate_table(ROWS * 1_000, translator, columns=["title"], targets=["de"], source="en")
    assert (await anext(rows))["title_de"] == "Roter Hut"
    await rows.aclose()
    await translator.scheduler.drained()


async def test_a_column_of_each_library_comes_back_as_what_it_was(translator: Translator) -> None:
    texts = ["Red hat", None, "Blue coat"]
    german = ["Roter Hut", None, "Blauer Mantel"]
    series = pd.Series(texts, index=[5, 6, 7], name="title")

    pandas_column = await translate_column(series, translator, target="de", source="en")
    assert list(pandas_column.index) == [5, 6, 7]
    assert [None if pd.isna(text) else text for text in pandas_column] == german
    polars_column = await translate_column(pl.Series("title", texts), translator, target="de", source="en")
    assert (polars_column.name, polars_column.to_list()) == ("title", german)
    arrow = await translate_column(pa.chunked_array([texts]), translator, target="de", source="en")
    assert arrow.to_pylist() == german
    assert await translate_column(texts, translator, target="de", source="en") == german


async def test_a_column_with_a_text_that_fails_or_with_numbers_says_so(translator: Translator) -> None:
    with pytest.raises(BadOutput, match="Text 2: engine_rejected"):
        await translate_column(["Red hat", "Something else"], translator, target="de", source="en")
    with pytest.raises(InvalidRequest, match="holds int"):
        await translate_column(["Red hat", 5], translator, target="de", source="en")


async def test_a_batch_of_columns_gives_the_new_columns(translator: Translator) -> None:
    translate = batch_translator(translator, columns=["title"], targets=["de"], source="en")

    assert await translate({"title": ["Red hat", "Blue coat"]}) == {"title_de": ["Roter Hut", "Blauer Mantel"]}
