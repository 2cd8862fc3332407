"""The tiny models, each saved once."""

from __future__ import annotations

from pathlib import Path

import pytest

from dragoman.engines.transformers import Source
from dragoman.engines.transformers_worker import Model, load
from tests.transformers.tiny_gemma import save_tiny_gemma


def source_of(folder: Path) -> Source:
    # A second thread gains such a small model nothing, and costs it much where the machine is busy.
    return Source(str(folder), local=True, device="cpu", dtype="auto", threads=1)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds the models."""
    folder = tmp_path_factory.mktemp("models")
    save_tiny_gemma(folder / "translategemma-tiny-it", images=True)
    save_tiny_gemma(folder / "gemma-text")
    save_tiny_gemma(folder / "translategemma-endless-it", ends=False)
    save_tiny_gemma(folder / "gemma-bare", chat_template=False, adds_bos=False)
    return folder


@pytest.fixture(scope="session")
def tiny(models: Path) -> Model:
    return load(source_of(models / "translategemma-tiny-it"))


@pytest.fixture(scope="session")
def endless(models: Path) -> Model:
    return load(source_of(models / "translategemma-endless-it"))
