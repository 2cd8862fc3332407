"""Engine URLs: what they mean, what is refused and in which words."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.engines import registry
from dragoman.engines.registry import BUILT_IN, open_engine
from dragoman.engines.url import EXAMPLES, EngineURL
from dragoman.errors import ConfigurationError, MissingExtra


@pytest.mark.parametrize(
    ("text", "scheme", "host", "port", "path", "options"),
    [
        (
            "ollama://gpu1:11434/translategemma:27b?slots=4&style=translategemma",
            "ollama", "gpu1", 11434, "/translategemma:27b", {"slots": "4", "style": "translategemma"},
        ),
        (
            "openai+http://gpu1:8000/v1?model=google/translategemma-27b-it",
            "openai+http", "gpu1", 8000, "/v1", {"model": "google/translategemma-27b-it"},
        ),
        ("openai+https://llm.example.org", "openai+https", "llm.example.org", None, "", {}),
        ("llamacpp:///models/x.gguf?slots=8", "llamacpp", None, None, "/models/x.gguf", {"slots": "8"}),
        ("llamacpp:///models/my%20model%23.gguf", "llamacpp", None, None, "/models/my model#.gguf", {}),
        ("llamacpp://bundled", "llamacpp", "bundled", None, "", {}),
        ("SIMULATED://H100-27b?slots=64", "simulated", "H100-27b", None, "", {"slots": "64"}),
        ("ollama://[::1]:11434/m", "ollama", "::1", 11434, "/m", {}),
    ],
)  # fmt: skip
def test_a_url_is_read_into_its_parts(
    text: str, scheme: str, host: str | None, port: int | None, path: str, options: dict[str, str]
) -> None:
    url = EngineURL.parse(text)

    assert (url.scheme, url.host, url.port, url.path, dict(url.options)) == (scheme, host, port, path, options)


words = st.text(st.characters(codec="ascii", categories=["L", "N"], include_characters="._-"), min_size=1)


@given(words, st.none() | st.integers(0, 65535), st.text(), st.dictionaries(words, st.text()))
def test_a_url_written_out_reads_as_the_same_url(
    host: str, port: int | None, path: str, options: dict[str, str]
) -> None:
    named = {f"o{name}x": value for name, value in options.items()}
    url = EngineURL("ollama", host, port, f"/{path}", named)

    read = EngineURL.parse(str(url))

    assert read == url


def test_the_authority_is_fit_for_another_url() -> None:
    assert EngineURL.parse("ollama://[::1]:11434/m").authority == "[::1]:11434"
    assert EngineURL.parse("ollama://gpu1/m").authority == "gpu1"


@pytest.mark.parametrize("scheme", sorted(BUILT_IN))
def test_the_example_of_every_built_in_engine_is_a_right_url(scheme: str) -> None:
    assert EngineURL.parse(EXAMPLES[scheme]).scheme == scheme


@pytest.mark.parametrize(
    "text", ["", "translategemma", "localhost:11434", "ollama:translategemma", "ollama://", "ollama://h:99999/m"]
)
def test_what_is_no_url_is_refused_with_a_right_one(text: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(EXAMPLES["ollama"])):
        EngineURL.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "openai+https://user:hunter2@llm.example.org/v1",
        "openai+https://hunter2@llm.example.org/v1",
        "openai+https://llm.example.org/v1?api_key=hunter2",
        "openai+https://llm.example.org/v1?token=hunter2",
        "openai+https://llm.example.org/v1?Password=hunter2",
    ],
)
def test_a_secret_in_a_url_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"\?api_key_env=NAME") as caught:
        EngineURL.parse(text)

    assert "hunter2" not in caught.value.message


def test_a_secret_is_read_from_the_environment_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_KEY", " hunter2\n")
    url = EngineURL.parse("openai+https://llm.example.org/v1?api_key_env=LLM_KEY")

    assert url.secret_option("api_key_env") == "hunter2"
    assert "hunter2" not in f"{url} {url!r}"


def test_a_secret_that_is_not_set_is_the_operators_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLM_KEY", raising=False)

    assert EngineURL.parse("ollama://h/m").secret_option("api_key_env") is None
    with pytest.raises(ConfigurationError, match="'LLM_KEY'"):
        EngineURL.parse("ollama://h/m?api_key_env=LLM_KEY").secret_option("api_key_env")


def test_options_are_read_as_what_they_are() -> None:
    url = EngineURL.parse("ollama://h/m?slots=4&timeout_s=1.5&style=instruct")

    assert url.int_option("slots", 1) == 4
    assert url.float_option("timeout_s", 9.0) == 1.5
    assert url.text_option("style", None) == "instruct"


def test_options_left_out_take_the_default() -> None:
    url = EngineURL.parse("ollama://h/m")

    assert url.int_option("slots", 1) == 1
    assert url.int_option("slots", None) is None
    assert url.float_option("timeout_s", 9.0) == 9.0
    assert url.text_option("style", "instruct") == "instruct"


@pytest.mark.parametrize("value", ["", "four", "4.5", "0", "-1"])
def test_a_wrong_number_is_refused_with_what_it_has_to_be(value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"slots={re.escape(value)} .* whole number of at least 1"):
        EngineURL.parse(f"ollama://h/m?slots={value}").int_option("slots", 1)


@pytest.mark.parametrize("value", ["", "soon", "-0.1", "nan", "inf"])
def test_a_wrong_time_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationError, match=r"a number of at least 0\.0"):
        EngineURL.parse(f"ollama://h/m?timeout_s={value}").float_option("timeout_s", 1.0)


def test_a_wrong_word_is_refused_with_the_right_ones() -> None:
    url = EngineURL.parse("ollama://h/m?speak=latin&style=")

    with pytest.raises(ConfigurationError, match="one of ollama, openai"):
        url.text_option("speak", "ollama", accepted=("openai", "ollama"))
    with pytest.raises(ConfigurationError, match="not empty"):
        url.text_option("style", None)


def test_an_unknown_option_is_refused_with_the_known_ones() -> None:
    EngineURL.parse("ollama://h/m?slots=4&num_ctx=4096").check_options("num_ctx")
    with pytest.raises(ConfigurationError, match="no option slot; it takes num_ctx, slots, style"):
        EngineURL.parse("ollama://h/m?slot=4").check_options("num_ctx")


def test_an_option_given_twice_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="twice"):
        EngineURL.parse("ollama://h/m?slots=4&slots=5")


def test_a_number_sign_is_refused_with_its_escape() -> None:
    with pytest.raises(ConfigurationError, match="%23"):
        EngineURL.parse("llamacpp:///models/x#1.gguf")
    assert EngineURL.parse(f"llamacpp://{quote('/models/x#1.gguf')}").path == "/models/x#1.gguf"


# The registry


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("olama://localhost/m", "ollama"),
        ("llama.cpp://bundled", "llamacpp"),
        ("http://gpu1:8000/v1", r"openai\+http"),
        ("https://gpu1:8000/v1", r"openai\+https"),
        ("openai://gpu1:8000/v1", r"openai\+http"),
    ],
)
async def test_an_unknown_scheme_is_refused_with_the_closest_and_all_known_ones(
    url: str, meant: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=f"did you mean {meant}://\\?") as caught:
        await open_engine(url, tmp_path)

    assert all(scheme in caught.value.message for scheme in BUILT_IN)


async def test_a_scheme_like_no_other_is_refused_with_all_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"known are llamacpp, ollama") as caught:
        await open_engine("xyz://somewhere", tmp_path)

    assert "did you mean" not in caught.value.message


@pytest.mark.parametrize("scheme", sorted(BUILT_IN.keys() - {"llamacpp", "transformers"}))
async def test_an_engine_is_opened_by_its_scheme(scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_KEY", "hunter2")

    engine = await open_engine(EXAMPLES[scheme], tmp_path)

    assert engine.info.name
    await engine.aclose()


@pytest.mark.parametrize("scheme", ["llamacpp", "transformers"])
async def test_an_engine_that_runs_models_itself_names_what_is_missing(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(MissingExtra, match=r"pip install 'dragoman\["):
        await open_engine(EXAMPLES[scheme], tmp_path)


async def test_an_engine_of_another_package_is_found_by_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "more_engines-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Name: more-engines\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(f"[{registry.ENTRY_POINT_GROUP}]\nmore = more_engines:open_engine\n")
    (tmp_path / "more_engines.py").write_text("async def open_engine(url, data_dir):\n    return url.host, data_dir\n")
    monkeypatch.syspath_prepend(tmp_path)

    opened: object = await open_engine("more://there", tmp_path)

    assert opened == ("there", tmp_path)
