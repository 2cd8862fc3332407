"""From settings to running objects: which engine is chosen, and the doors for programs."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

import dragoman
from dragoman import SyncTranslator, UnknownLanguage, open_translator
from dragoman.errors import ConfigurationError
from dragoman.settings import Settings
from dragoman.simulator import create_app, profile_named, running
from dragoman.types import TranslateRequest
from dragoman.wiring import choose_engine


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=str(tmp_path))


@pytest.fixture
def no_ollama(monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int) -> None:
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{unused_tcp_port}")


class TestChoosingAnEngine:
    async def test_one_that_is_named_is_taken(self, settings: Settings) -> None:
        choice = await choose_engine(structs.replace(settings, engine="simulated://instant"))

        assert choice.urls == ("simulated://instant",)

    async def test_several_that_are_named_are_replicas(self, settings: Settings) -> None:
        choice = await choose_engine(structs.replace(settings, engine="ollama://a/m  ollama://b/m"))

        assert choice.urls == ("ollama://a/m", "ollama://b/m")

    async def test_a_local_ollama_with_the_model_goes_first(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pulled_model(settings)
        async with running(create_app("ollama", profile_named("instant"))) as url:
            monkeypatch.setenv("OLLAMA_HOST", url)
            choice = await choose_engine(settings)

        assert choice.urls[0].startswith(f"ollama://{url.removeprefix('http://')}/translategemma")
        assert "Ollama" in choice.why

    @pytest.mark.usefixtures("no_ollama")
    async def test_then_a_pulled_model(self, settings: Settings) -> None:
        path = pulled_model(settings)

        choice = await choose_engine(settings)

        assert choice.urls == (f"llamacpp://{path}",)
        assert "pulled" in choice.why

    @pytest.mark.usefixtures("no_ollama")
    async def test_then_the_bundled_one_which_is_said_to_be_for_evaluation(self, settings: Settings) -> None:
        choice = await choose_engine(settings)

        assert choice.urls == ("llamacpp://bundled",)
        assert "evaluation" in choice.why


def pulled_model(settings: Settings) -> Path:
    path = Path(str(settings.data_dir), "models", "someone", "translategemma", "translategemma-4b-it.Q4_K_M.gguf")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"GGUF")
    return path


class TestDoorsForPrograms:
    async def test_a_program_with_an_event_loop(self, settings: Settings) -> None:
        async with open_translator(structs.replace(settings, engine="simulated://instant")) as translator:
            await translator.ready()
            translation = await translator.translate_text("Good morning.", source="en", target="de")

        assert translation.text.startswith("ⓓⓔ")

    def test_a_script_without_one(self, tmp_path: Path) -> None:
        with SyncTranslator("simulated://instant", data_dir=str(tmp_path)) as translator:
            texts = [translator.translate_text(text, source="en", target="de").text for text in ("One.", "Two.")]
            with pytest.raises(UnknownLanguage):
                translator.translate_text("One.", source="en", target="xx")

        assert len(set(texts)) == 2

    def test_a_script_is_told_of_a_wrong_engine(self, tmp_path: Path) -> None:
        with (
            pytest.raises(ConfigurationError, match="no model file"),
            SyncTranslator("llamacpp:///nowhere.gguf", data_dir=str(tmp_path)),
        ):
            pass

    def test_the_front_door_holds_what_it_says(self) -> None:
        assert sorted(name for name in dragoman.__all__ if getattr(dragoman, name)) == sorted(dragoman.__all__)
        with pytest.raises(AttributeError):
            _ = dragoman.nothing_of_that_name


class TestReplicas:
    async def test_work_goes_to_all_and_is_remembered_on_disk_beyond_the_process(self, settings: Settings) -> None:
        settings = structs.replace(settings, engine="simulated://instant?seed=1 simulated://instant?seed=2")
        request = TranslateRequest(texts=("One. Two. Three.",), targets=("de",), source="en")
        async with open_translator(settings) as translator:
            await translator.ready()
            names = [state.name for state in translator.pool.states()]
            (first,) = await translator.translate(request)
        async with open_translator(settings) as translator:
            (again,) = await translator.translate(request)

        assert names == ["simulated://instant#1", "simulated://instant#2"]
        assert isinstance(first, dragoman.Translation)
        assert isinstance(again, dragoman.Translation)
        assert (first.remembered, again.remembered) == (0, 3)
        assert again.text == first.text
