"""Model files from the Hugging Face Hub, kept under `data_dir/models/OWNER/REPOSITORY/`.

The hub's library asks for a file's size and hash and moves its bytes; what `hf_hub_download` of version 2.4 does not
do is go on where an earlier run broke off (it deletes what had arrived), so partial files are kept here, by their hash.
"""

from __future__ import annotations

import difflib
import errno
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from dragoman.errors import ConfigurationError, MissingExtra

QUANTIZATION = "Q4_K_M"
KNOWN = {f"translategemma-{size}": f"mradermacher/translategemma-{size}-it-GGUF" for size in ("4b", "12b", "27b")}

_PATH_PART = re.compile(r"\w[\w.-]*", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")


class ModelFile(Struct, frozen=True):
    """A file in a repository of the hub."""

    repository: str
    name: str

    def __str__(self) -> str:
        return f"{self.repository}/{self.name}"


class Remote(Struct, frozen=True):
    """A file as the hub offers it now. `content_hash` is the SHA-256 of a large file; `size_bytes` may be unknown."""

    url: str
    headers: dict[str, str]
    content_hash: str
    size_bytes: int | None


def locate(name: str, quantization: str = QUANTIZATION) -> ModelFile:
    """The file that a known name (`translategemma-4b`) or `OWNER/REPOSITORY/FILE.gguf` means.

    `quantization` chooses among the files of a known name. Raises ConfigurationError for any other name.
    """
    if name in KNOWN:
        return ModelFile(KNOWN[name], f"{name}-it.{quantization}.gguf")
    parts = name.split("/")
    if len(parts) >= 3 and name.endswith(".gguf") and all(map(_PATH_PART.fullmatch, parts)):
        return ModelFile("/".join(parts[:2]), "/".join(parts[2:]))
    close = difflib.get_close_matches(name, KNOWN, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    raise ConfigurationError(
        f"no model is called {name!r}; {hint}known are {', '.join(KNOWN)}, "
        "and any OWNER/REPOSITORY/FILE.gguf of the hub"
    )


def path_of(model: ModelFile, data_dir: Path) -> Path:
    """Where the file lies once it is pulled."""
    return _folder(data_dir) / model.repository / model.name


def pulled(data_dir: Path) -> list[Path]:
    """The model files that were pulled whole, the latest first."""
    files = [path for path in _folder(data_dir).glob("*/*/**/*.gguf") if path.is_file()]
    return sorted(files, key=lambda path: (-path.stat().st_mtime, path))


def pull(model: ModelFile, data_dir: Path, announce: Callable[[str], None] = print) -> Path:
    """Download the file, unless it is there, and return where it lies. Shows a progress bar on stderr.

    What an earlier run fetched is not fetched again. The content is checked against the hub's hash before the file
    gets its name, so a file that is there is whole. Raises ConfigurationError with what to do, MissingExtra.
    """
    path = path_of(model, data_dir)
    if path.is_file():
        return path
    _import_hub()
    with _explained(model, path):
        remote = _ask(model)
        path.parent.mkdir(parents=True, exist_ok=True)
        with _partial_file(remote, data_dir, model) as partial:
            _refuse_without_room(remote, partial)
            announce(_plan(model, remote, partial))
            _download(remote, partial, path.name)
            announce("Checking the file ...")
            _check(remote, partial, model)
            partial.replace(path)
    return path


def _folder(data_dir: Path) -> Path:
    return data_dir / "models"


def _import_hub() -> None:
    # The hub's library would tell which other packages are installed; a self-hosted server keeps that to itself.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import huggingface_hub  # noqa: F401
    except ImportError as error:
        raise MissingExtra("Downloading models", extra="embedded") from error


def _ask(model: ModelFile) -> Remote:
    from huggingface_hub import get_hf_file_metadata, get_token, hf_hub_url

    token = get_token()
    found = get_hf_file_metadata(hf_hub_url(model.repository, model.name), token=token, library_name="dragoman")
    if found.etag is None or found.commit_hash is None:
        raise ConfigurationError(f"{_hub()} does not answer as a model hub does; check HF_ENDPOINT and your proxy")
    url = hf_hub_url(model.repository, model.name, revision=found.commit_hash)
    headers = {"user-agent": "dragoman", **({"authorization": f"Bearer {token}"} if token else {})}
    return Remote(url, headers, found.etag, found.size)


@contextmanager
def _partial_file(remote: Remote, data_dir: Path, model: ModelFile) -> Iterator[Path]:
    """The file to collect the content in, for this process alone: two appending to one would spoil it."""
    from filelock import FileLock, Timeout

    folder = _folder(data_dir) / ".partial"
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / re.sub(r"\W", "_", remote.content_hash)
    try:
        with FileLock(partial.with_suffix(".lock"), timeout=0):
            partial.touch()
            yield partial
    except Timeout as error:
        raise ConfigurationError(f"another process is pulling {model} now; wait for it, or stop it") from error


def _refuse_without_room(remote: Remote, partial: Path) -> None:
    missing_bytes = (remote.size_bytes or 0) - partial.stat().st_size
    free_bytes = shutil.disk_usage(partial.parent).free
    if missing_bytes > free_bytes:
        raise OSError(errno.ENOSPC, f"{_gigabytes(missing_bytes)} are needed and {_gigabytes(free_bytes)} are free")


def _plan(model: ModelFile, remote: Remote, partial: Path) -> str:
    size = "" if remote.size_bytes is None else f" ({_gigabytes(remote.size_bytes)})"
    had_bytes = partial.stat().st_size
    return f"Pulling {model}{size}" + (f", of which {_gigabytes(had_bytes)} are here" if had_bytes else "")


def _download(remote: Remote, partial: Path, displayed_name: str) -> None:
    from huggingface_hub.file_download import http_get

    with partial.open("ab") as file:
        http_get(
            remote.url,
            file,
            resume_size=file.tell(),
            headers=remote.headers,
            expected_size=remote.size_bytes,
            displayed_filename=displayed_name,
        )


def _check(remote: Remote, partial: Path, model: ModelFile) -> None:
    if not _SHA256.fullmatch(remote.content_hash):
        return  # a small file that the hub keeps in git, under another kind of hash
    with partial.open("rb") as file:
        actual_hash = hashlib.file_digest(file, "sha256").hexdigest()
    if actual_hash != remote.content_hash:
        partial.unlink()
        raise ConfigurationError(f"{model} arrived damaged and was deleted; pull it again")


@contextmanager
def _explained(model: ModelFile, path: Path) -> Iterator[None]:
    """Turn what the hub's library and the disk raise into words that say what to do."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    kept = "what has arrived is kept, and the next pull goes on from there"
    try:
        yield
    except HfHubHTTPError as error:
        raise ConfigurationError(_refusal(error, model)) from error
    except HFValidationError as error:
        raise ConfigurationError(f"{model.repository} cannot be the name of a repository: {error}") from error
    except OfflineModeIsEnabled as error:
        raise ConfigurationError("HF_HUB_OFFLINE is set; unset it to download models") from error
    except httpx2.HTTPError as error:
        raise ConfigurationError(
            f"the connection to {_hub()} failed ({str(error) or type(error).__name__}); check the network, the proxy "
            f"settings and HF_ENDPOINT, and pull again: {kept}"
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"{model} could not be stored as {path}: {error.strerror or error}; make room there or choose another "
            f"folder with --data-dir, and pull again: {kept}"
        ) from error


def _refusal(error: Exception, model: ModelFile) -> str:
    """What the hub's HTTP error means for who wanted `model`."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        RemoteEntryNotFoundError,
        RepositoryNotFoundError,
    )

    assert isinstance(error, HfHubHTTPError)
    page = f"{_hub()}/{model.repository}"
    match error:
        case GatedRepoError():
            return (
                f"{model.repository} is given only to who accepted its licence: accept it at {page}, make a token that "
                "may read it, set HF_TOKEN to the token, and pull again"
            )
        case RemoteEntryNotFoundError():
            return f"{model.repository} has no file {model.name}; see {page}/tree/main for those it has"
        case RepositoryNotFoundError():
            return f"there is no repository {model.repository}, or it is private and HF_TOKEN does not open it"
    status = error.response.status_code
    if status in (401, 403):
        return f"{_hub()} refused the token ({status}); set HF_TOKEN to one that may read {page}, or unset it"
    return f"{_hub()} answered with status {status} for {model}; pull again later"


def _hub() -> str:
    from huggingface_hub import constants

    return constants.ENDPOINT


def _gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.2f} GB"
