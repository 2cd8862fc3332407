"""What the operator sets, and how a mistake in it is told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.errors import ConfigurationError
from dragoman.settings import Settings, data_path, declared, find_toml, load


def toml(folder: Path, content: str) -> Path:
    path = folder / "dragoman.toml"
    path.write_text(content, encoding="utf-8")
    return path


def mistake(flags: Mapping[str, str], environ: Mapping[str, str], toml_path: Path | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(flags, environ, toml_path)
    return caught.value.message


def test_without_sources_every_setting_has_its_default() -> None:
    assert load({}, {}, None) == Settings()


def test_a_flag_wins_over_the_environment_over_the_file_over_the_default(tmp_path: Path) -> None:
    path = toml(tmp_path, "port = 1\nmax_texts = 1\nmax_characters = 1\n")

    settings = load({"port": "3"}, {"DRAGOMAN_PORT": "2", "DRAGOMAN_MAX_TEXTS": "2"}, path)

    assert (settings.port, settings.max_texts, settings.max_characters) == (3, 2, 1)
    assert settings.max_timeout_s == Settings().max_timeout_s


def test_every_field_has_a_flag_a_variable_a_group_and_a_help() -> None:
    names = [field.name for field in msgspec.structs.fields(Settings)]

    assert [setting.name for setting in declared()] == names
    for setting in declared():
        assert setting.flag == "--" + setting.name.replace("_", "-")
        assert setting.variable == "DRAGOMAN_" + setting.name.upper()
        assert setting.description
        assert setting.default == getattr(Settings(), setting.name)


@given(st.integers(0, 65535), st.floats(0, 86_400, exclude_min=True))
def test_a_value_reads_the_same_from_a_flag_and_from_the_environment(port: int, timeout_s: float) -> None:
    from_flags = load({"port": str(port), "timeout_s": repr(timeout_s)}, {}, None)
    from_environment = load({}, {"DRAGOMAN_PORT": str(port), "DRAGOMAN_TIMEOUT_S": repr(timeout_s)}, None)

    assert from_flags == from_environment == Settings(port=port, timeout_s=timeout_s)


@given(st.text())
def test_words_that_are_no_number_are_a_mistake_that_shows_them(words: str) -> None:
    assert mistake({"max_texts": f"{words}x"}, {}).startswith(f"--max-texts: {f'{words}x'!r} is not accepted")


@pytest.mark.parametrize("words", ["eighty", "70000", "-1", "80.5", "true"])
def test_a_wrong_number_names_its_source_and_what_is_accepted(words: str, tmp_path: Path) -> None:
    accepted = "is not accepted; it takes a whole number of at least 0 and at most 65535"
    path = toml(tmp_path, f"port = '{words}'\n")

    assert mistake({"port": words}, {}).startswith(f"--port: {words!r} {accepted}")
    assert mistake({}, {"DRAGOMAN_PORT": words}).startswith(f"DRAGOMAN_PORT: {words!r} {accepted}")
    assert mistake({}, {}, path).startswith(f"{path}: port: {words!r} {accepted}")


@pytest.mark.parametrize("words", ["0", "inf", "nan", "86401", "soon"])
def test_a_time_is_finite_and_more_than_nothing(words: str) -> None:
    assert "a number greater than 0 and at most 86400" in mistake({"timeout_s": words}, {})


def test_a_switch_is_true_or_false() -> None:
    assert load({"keys": "true"}, {"DRAGOMAN_OPEN_TO_ALL": "1"}, None) == Settings(keys=True, open_to_all=True)
    assert "it takes true or false" in mistake({"keys": "maybe"}, {})


def test_a_toml_value_of_another_type_is_a_mistake(tmp_path: Path) -> None:
    assert "host: 5 is not accepted; it takes a text" in mistake({}, {}, toml(tmp_path, "host = 5\n"))
    assert "max_texts: [1] is not accepted" in mistake({}, {}, toml(tmp_path, "max_texts = [1]\n"))


def test_an_unknown_key_in_the_file_names_close_ones(tmp_path: Path) -> None:
    path = toml(tmp_path, "prot = 80\n")

    assert mistake({}, {}, path) == f"{path}: no setting is called 'prot'; did you mean port?"


def test_a_key_like_no_other_lists_all(tmp_path: Path) -> None:
    message = mistake({}, {}, toml(tmp_path, "[zzz]\nport = 80\n"))

    assert all(setting.name in message for setting in declared())


def test_an_unknown_variable_names_close_ones() -> None:
    message = mistake({}, {"DRAGOMAN_TIMEOUT": "3", "PATH": "/bin"})

    assert message.startswith("DRAGOMAN_TIMEOUT: no setting has this environment variable; did you mean DRAGOMAN_TIME")


def test_an_empty_variable_counts_as_not_set() -> None:
    assert load({}, {"DRAGOMAN_ENGINE": "", "DRAGOMAN_PORT": ""}, None) == Settings()


def test_an_empty_flag_is_a_mistake() -> None:
    assert mistake({"host": ""}, {}).startswith("--host: '' is not accepted; it takes a text that is not empty")


@pytest.mark.parametrize("content", [b"port = \n", b"host = '\xff'\n"])
def test_a_file_that_is_no_toml_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "dragoman.toml"
    path.write_bytes(content)

    assert mistake({}, {}, path).startswith(f"{path} is not valid TOML: ")


def test_the_named_file_wins_over_the_variables_over_the_one_in_the_folder(tmp_path: Path) -> None:
    here = toml(tmp_path, "")
    flag, variable = tmp_path / "flag.toml", tmp_path / "variable.toml"
    flag.touch()
    variable.touch()
    environ = {"DRAGOMAN_CONFIG": str(variable)}

    assert find_toml(str(flag), environ, tmp_path) == flag
    assert find_toml(None, environ, tmp_path) == variable
    assert find_toml(None, {}, tmp_path) == here
    assert find_toml(None, {}, tmp_path / "elsewhere") is None
    assert load({}, environ, variable) == Settings()


def test_a_named_file_that_is_missing_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^--config: there is no file 'gone\.toml'$"):
        find_toml("gone.toml", {}, tmp_path)
    with pytest.raises(ConfigurationError, match=r"^DRAGOMAN_CONFIG: there is no file 'gone\.toml'$"):
        find_toml(None, {"DRAGOMAN_CONFIG": "gone.toml"}, tmp_path)


def test_the_data_folder_is_the_set_one_or_the_platforms(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)

    assert data_path(Settings(data_dir="~/translations")) == tmp_path / "translations"
    assert data_path(Settings()).name == "dragoman"
    assert data_path(Settings()).is_relative_to(tmp_path)
