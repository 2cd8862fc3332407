"""Model files: what is read from a header, and that a file which is none ends in a clear error, however hostile."""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dragoman.engines.gguf import ModelFile, read_model_file
from dragoman.errors import ConfigurationError

Value = str | int | bool | list[str] | list[float]

GEMMA: Mapping[str, Value] = {
    "general.architecture": "gemma3",
    "general.name": "Translategemma 4b It",
    "gemma3.context_length": 131072,
    "gemma3.attention.sliding_window": 1024,
    "tokenizer.ggml.tokens": ["<pad>", "<eos>", "<bos>"],
    "tokenizer.ggml.scores": [0.0, -1.0, -2.0],
    "tokenizer.ggml.add_bos_token": True,
    "tokenizer.chat_template": "{{ messages }}",
}
TENSORS = {"token_embd.weight": b"\x01" * 64, "output_norm.weight": b"\x02" * 64}


def string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def value(content: Value) -> bytes:
    match content:
        case str():
            return struct.pack("<I", 8) + string(content)
        case bool():
            return struct.pack("<I?", 7, content)
        case int():
            return struct.pack("<II", 4, content)
        case [str(), *_]:
            return struct.pack("<IIQ", 9, 8, len(content)) + b"".join(string(str(item)) for item in content)
        case _:
            return struct.pack(f"<IIQ{len(content)}f", 9, 6, len(content), *content)


def gguf(metadata: Mapping[str, Value], tensors: Mapping[str, bytes], version: int = 3) -> bytes:
    entries = b"".join(string(key) + value(content) for key, content in metadata.items())
    infos, data = b"", b""
    for name, content in tensors.items():
        infos += string(name) + struct.pack("<IQIQ", 1, len(content) // 4, 0, len(data))
        data += content
    header = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata)) + entries + infos
    return header + b"\0" * (-len(header) % 32) + data


def read(folder: Path, data: bytes) -> ModelFile:
    path = folder / "model.gguf"
    path.write_bytes(data)
    return read_model_file(path)


def test_a_header_tells_what_the_engine_needs_to_know(tmp_path: Path) -> None:
    model = read(tmp_path, gguf(GEMMA, TENSORS))

    assert model == ModelFile(
        name="Translategemma 4b It",
        architecture="gemma3",
        context_length=131072,
        sliding_window=True,
        has_chat_template=True,
        revision=model.revision,
    )


def test_what_a_header_does_not_say_is_left_open(tmp_path: Path) -> None:
    model = read(tmp_path, gguf({"general.architecture": "llama"}, {}))

    assert (model.name, model.context_length) == (None, None)
    assert not model.sliding_window
    assert not model.has_chat_template


def test_a_name_is_one_short_line(tmp_path: Path) -> None:
    model = read(tmp_path, gguf({"general.name": "two\nlines " + "x" * 1000}, {}))

    assert model.name is not None
    assert model.name.startswith("two lines x")
    assert len(model.name) == 200


def test_a_value_of_the_wrong_type_counts_as_not_said(tmp_path: Path) -> None:
    odd: dict[str, Value] = {**GEMMA, "gemma3.context_length": "long", "general.alignment": "wide"}

    assert read(tmp_path, gguf(odd, TENSORS)).context_length is None


def test_the_revision_is_that_of_the_content_not_of_the_place(tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    data = gguf(GEMMA, TENSORS)

    assert read(tmp_path, data).revision == read(tmp_path / "copy", data).revision


@pytest.mark.parametrize(
    "data",
    [
        gguf({**GEMMA, "general.name": "Another"}, TENSORS),
        gguf(GEMMA, {**TENSORS, "output_norm.weight": b"\x03" * 64}),
        gguf(GEMMA, TENSORS) + b"\0",
    ],
    ids=["metadata", "weights", "size"],
)
def test_the_revision_changes_with_the_file(tmp_path: Path, data: bytes) -> None:
    assert read(tmp_path, gguf(GEMMA, TENSORS)).revision != read(tmp_path, data).revision


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no model file"):
        read_model_file(tmp_path / "none.gguf")


def test_a_path_through_a_file_is_said_to_be_missing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigurationError, match="there is no model file"):
        read_model_file(tmp_path / "file" / "none.gguf")


def test_a_directory_is_no_model_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"is a directory; name the \.gguf file inside it"):
        read_model_file(tmp_path)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")

    with pytest.raises(ConfigurationError, match="not a regular file"):
        read_model_file(tmp_path / "pipe.gguf")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_said_to_be_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "secret.gguf"
    path.write_bytes(gguf(GEMMA, TENSORS))
    path.chmod(0)

    with pytest.raises(ConfigurationError, match="cannot be read: Permission denied"):
        read_model_file(path)


@pytest.mark.parametrize("data", [b"", b"GG", b"PK\x03\x04" + b"\0" * 100, b"<!DOCTYPE html>"])
def test_another_kind_of_file_is_said_to_be_no_gguf(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ConfigurationError, match="is no GGUF file"):
        read(tmp_path, data)


@pytest.mark.parametrize("version", [1, 4, 0x03000000])
def test_another_version_is_refused_by_its_number(tmp_path: Path, version: int) -> None:
    with pytest.raises(ConfigurationError, match=f"is GGUF version {version},"):
        read(tmp_path, gguf(GEMMA, TENSORS, version))


@pytest.mark.parametrize(
    "claim",
    [
        struct.pack("<QQ", 2**60, 0),
        struct.pack("<QQ", 0, 2**60),
        struct.pack("<QQQ", 0, 1, 2**60),
        struct.pack("<QQ", 0, 1) + string("a") + struct.pack("<IIQ", 9, 8, 2**60),
        struct.pack("<QQ", 0, 1) + string("a") + struct.pack("<IIQ", 9, 9, 1),
        struct.pack("<QQ", 0, 1) + string("a") + struct.pack("<I", 99),
        struct.pack("<QQ", 1, 0) + string("a") + struct.pack("<I", 2**31),
    ],
    ids=["tensors", "entries", "string", "array", "nested array", "type", "dimensions"],
)
def test_a_claim_that_cannot_be_true_is_damage(tmp_path: Path, claim: bytes) -> None:
    with pytest.raises(ConfigurationError, match=r"is damaged: .*; fetch it again"):
        read(tmp_path, b"GGUF\x03\0\0\0" + claim + b"\0" * 64)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(length=st.integers(5, len(gguf(GEMMA, TENSORS)) - 65))
def test_a_file_cut_short_anywhere_before_its_last_tensor_is_noticed(tmp_path: Path, length: int) -> None:
    with pytest.raises(ConfigurationError, match="ends too early"):
        read(tmp_path, gguf(GEMMA, TENSORS)[:length])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(position=st.integers(4, len(gguf(GEMMA, TENSORS)) - 1), noise=st.binary(min_size=1, max_size=16))
def test_noise_anywhere_is_read_or_refused_but_never_a_crash(tmp_path: Path, position: int, noise: bytes) -> None:
    data = gguf(GEMMA, TENSORS)

    with contextlib.suppress(ConfigurationError):
        assert read(tmp_path, data[:position] + noise + data[position + len(noise) :]).revision
