"""Reads what Dragoman needs of a GGUF model file's header, and refuses what is no usable model file.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (versions 2 and 3, little endian).
Model files come from strangers, so every length is checked against the file's size and a bound before it is used.
"""

from __future__ import annotations

import hashlib
import stat
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from dragoman.errors import ConfigurationError

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MAX_HEADER_BYTES = 256 * 2**20
MAX_STRING_BYTES = 8 * 2**20
MAX_ITEMS = 4_000_000
MAX_DIMENSIONS = 4
MAX_NAME_CHARACTERS = 200
SAMPLE_BYTES = 4096
DEFAULT_ALIGNMENT_BYTES = 32

STRING, ARRAY = 8, 9
NUMBER_FORMATS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}

Value = str | int | float | bool


class ModelFile(Struct, frozen=True, kw_only=True):
    """What a GGUF file says of its model.

    `sliding_window` says that some layers attend only to the last tokens, as Gemma's do. `revision` is a digest of the
    header, the size and the first 4 KiB of every tensor: the same for every copy of the file, other after any
    training or quantising, and there in milliseconds where hashing a 16 GB file takes a minute.
    """

    name: str | None
    architecture: str
    context_length: int | None
    sliding_window: bool
    has_chat_template: bool
    revision: str


def read_model_file(path: Path) -> ModelFile:
    """Read a model file's header. Blocks for up to a quarter of a second: the vocabulary has to be stepped over.

    Raises ConfigurationError for a file that is missing, unreadable, no GGUF, cut short or damaged.
    """
    try:
        size = _size_of(path)
        with path.open("rb", buffering=2**20) as file:
            return _read(_Header(file, path, size))
    except OSError as error:
        raise ConfigurationError(f"the model file {path} cannot be read: {error.strerror}") from error


def _size_of(path: Path) -> int:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ConfigurationError(f"there is no model file {path}; check the path in the engine's URL") from error
    if stat.S_ISDIR(status.st_mode):
        raise ConfigurationError(f"{path} is a directory; name the .gguf file inside it")
    if not stat.S_ISREG(status.st_mode):
        raise ConfigurationError(f"{path} is not a regular file; name a .gguf model file")
    return status.st_size


class _Header:
    """A forward reader that never reads past the file or `MAX_HEADER_BYTES`. Its state is `position`."""

    def __init__(self, file: BinaryIO, path: Path, size: int) -> None:
        self.file = file
        self.path = path
        self.size = size
        self.position = 0

    def take(self, count: int) -> bytes:
        self._advance(count)
        data = self.file.read(count)
        if len(data) < count:
            raise self.cut_short()
        return data

    def skip(self, count: int) -> None:
        self._advance(count)
        self.file.seek(count, 1)

    def number(self, form: str) -> int:
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def count(self) -> int:
        """A 64-bit count of things that each take at least a byte."""
        value = self.number("<Q")
        if value > MAX_ITEMS:
            raise self.damaged(f"it claims {value} items at byte {self.position}")
        return value

    def string(self) -> bytes:
        length = self.number("<Q")
        if length > MAX_STRING_BYTES:
            raise self.damaged(f"it claims a string of {length} bytes at byte {self.position}")
        return self.take(length)

    def cut_short(self) -> ConfigurationError:
        return ConfigurationError(
            f"the model file {self.path} ends too early ({self.size} bytes), as after a broken download; fetch it again"
        )

    def damaged(self, what: str) -> ConfigurationError:
        return ConfigurationError(f"the model file {self.path} is damaged: {what}; fetch it again")

    def _advance(self, count: int) -> None:
        self.position += count
        if self.position > self.size:
            raise self.cut_short()
        if self.position > MAX_HEADER_BYTES:
            raise self.damaged(f"its header is larger than {MAX_HEADER_BYTES} bytes")


def _read(header: _Header) -> ModelFile:
    tensors, entries = _read_preamble(header)
    metadata = _read_metadata(header, entries)
    offsets = _read_tensor_offsets(header, tensors)
    architecture = _text(metadata, "general.architecture")
    return ModelFile(
        name=_text(metadata, "general.name") or None,
        architecture=architecture,
        context_length=_whole_number(metadata, f"{architecture}.context_length") or None,
        sliding_window=_whole_number(metadata, f"{architecture}.attention.sliding_window") > 0,
        has_chat_template="tokenizer.chat_template" in metadata,
        revision=_revision(header, _tensor_positions(header, metadata, offsets)),
    )


def _text(metadata: Mapping[str, Value], key: str) -> str:
    """A name on one line and of bounded length; empty where there is none."""
    return " ".join(str(metadata.get(key, "")).split())[:MAX_NAME_CHARACTERS]


def _whole_number(metadata: Mapping[str, Value], key: str) -> int:
    """A number of at least 0; 0 where there is none."""
    value = metadata.get(key)
    return max(0, value) if isinstance(value, int) else 0


def _read_preamble(header: _Header) -> tuple[int, int]:
    """The number of tensors and of metadata entries."""
    if header.size < len(MAGIC) or header.take(len(MAGIC)) != MAGIC:
        raise ConfigurationError(f"{header.path} is no GGUF file; llama.cpp needs a model in the GGUF format")
    version = header.number("<I")
    if version not in VERSIONS:
        raise ConfigurationError(
            f"{header.path} is GGUF version {version}, but version 2 or 3 is needed; fetch or convert a newer file"
        )
    return header.count(), header.count()


def _read_metadata(header: _Header, entries: int) -> dict[str, Value]:
    metadata: dict[str, Value] = {}
    for _ in range(entries):
        key = header.string().decode("utf-8", "replace")
        value = _read_value(header, header.number("<I"))
        if value is not None:
            metadata[key] = value
    return metadata


def _read_value(header: _Header, kind: int) -> Value | None:
    """One value; None for an array, which is stepped over."""
    if kind == STRING:
        return header.string().decode("utf-8", "replace")
    if kind == ARRAY:
        _skip_array(header)
        return None
    form = _number_format(header, kind)
    return struct.unpack(form, header.take(struct.calcsize(form)))[0]  # type: ignore[no-any-return]


def _skip_array(header: _Header) -> None:
    kind, length = header.number("<I"), header.count()
    if kind != STRING:
        header.skip(length * struct.calcsize(_number_format(header, kind)))
        return
    for _ in range(length):
        header.string()


def _number_format(header: _Header, kind: int) -> str:
    form = NUMBER_FORMATS.get(kind)
    if form is None:
        raise header.damaged(f"it holds a value of unknown type {kind} at byte {header.position}")
    return form


def _read_tensor_offsets(header: _Header, tensors: int) -> list[int]:
    """Where each tensor begins, counted from the beginning of the data."""
    offsets: list[int] = []
    for _ in range(tensors):
        header.string()
        dimensions = header.number("<I")
        if dimensions > MAX_DIMENSIONS:
            raise header.damaged(f"it claims a tensor of {dimensions} dimensions at byte {header.position}")
        header.skip(8 * dimensions + 4)
        offsets.append(header.number("<Q"))
    return offsets


def _tensor_positions(header: _Header, metadata: Mapping[str, Value], offsets: list[int]) -> list[int]:
    """Where each tensor begins in the file. A file that ends before its last tensor begins is cut short."""
    alignment = _whole_number(metadata, "general.alignment") or DEFAULT_ALIGNMENT_BYTES
    start = -(-header.position // alignment) * alignment
    positions = [start + offset for offset in offsets]
    if positions and max(positions) >= header.size:
        raise header.cut_short()
    return positions


def _revision(header: _Header, positions: list[int]) -> str:
    digest = hashlib.sha256(header.size.to_bytes(8, "little"))
    header.file.seek(0)
    digest.update(header.file.read(header.position))
    for position in sorted(positions):
        header.file.seek(position)
        digest.update(header.file.read(SAMPLE_BYTES))
    return digest.hexdigest()[:16]
