"""`dragoman models` against a stand-in for the model hub that speaks its protocol on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from dragoman import models
from dragoman.errors import ConfigurationError

DRAGOMAN = Path(sys.executable).with_name("dragoman")
REPOSITORY = "mradermacher/translategemma-4b-it-GGUF"
NAME = "translategemma-4b-it.Q4_K_M.gguf"
CHUNK_BYTES = 10 * 2**20
"""What the hub's library writes at a time, and so the grain in which a broken download is kept."""
CONTENT = random.Random(4).randbytes(2 * CHUNK_BYTES + 1000)
BROKEN_AT = CHUNK_BYTES + 5000


class Hub:
    """One repository with one file, whose content comes from another host by redirect, as the hub does it."""

    def __init__(self) -> None:
        self.endpoint = ""
        self.content_address = ""
        self.content_hash = hashlib.sha256(CONTENT).hexdigest()
        self.size_bytes = len(CONTENT)
        self.refusal: tuple[int, str] | None = None
        self.content_status = 200
        self.break_at: int | None = None
        self.stall_at: int | None = None
        self.stalled = asyncio.Event()
        self.resume = asyncio.Event()
        self.requests: list[web.Request] = []
        self.ranges: list[str | None] = []
        self.content_headers: list[dict[str, str]] = []

    async def resolve(self, request: web.Request) -> web.StreamResponse:
        """Say where the file's content is, what it hashes to and how long it is."""
        self.requests.append(request)
        if self.refusal is not None:
            status, code = self.refusal
            return web.Response(status=status, headers={"X-Error-Code": code})
        if request.match_info["repository"] != REPOSITORY:
            return web.Response(status=401, headers={"X-Error-Code": "RepoNotFound"})
        if not request.match_info["name"].endswith(".gguf") or "Q9" in request.match_info["name"]:
            return web.Response(status=404, headers={"X-Error-Code": "EntryNotFound"})
        headers = {
            "X-Repo-Commit": "c0ffee",
            "X-Linked-Etag": f'"{self.content_hash}"',
            "X-Linked-Size": str(self.size_bytes),
            "Location": self.content_address,
        }
        return web.Response(status=302, headers=headers)

    async def content(self, request: web.Request) -> web.StreamResponse:
        """Send the content, or the asked range of it; once, no further than `break_at`."""
        wanted = request.headers.get("Range")
        self.ranges.append(wanted)
        self.content_headers.append(dict(request.headers))
        if self.content_status != 200:
            return web.Response(status=self.content_status)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        response = web.StreamResponse(status=206 if wanted else 200)
        response.content_length = len(CONTENT) - start
        if wanted:
            response.headers["Content-Range"] = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
        await response.prepare(request)
        await self._send(request, response, CONTENT[start:])
        return response

    async def _send(self, request: web.Request, response: web.StreamResponse, body: bytes) -> None:
        end, self.break_at = self.break_at, None
        if self.stall_at is not None:
            await response.write(body[: self.stall_at])
            self.stalled.set()
            await self.resume.wait()
            return
        await response.write(body[:end])
        if end is not None:
            self.content_status = 503
            assert request.transport is not None
            request.transport.close()


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    hub = Hub()
    app = web.Application()
    app.router.add_get(r"/{repository:[^/]+/[^/]+}/resolve/{revision}/{name:.+}", hub.resolve)
    app.router.add_get("/content", hub.content)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    hub.endpoint = f"http://127.0.0.1:{port}"
    hub.content_address = f"http://localhost:{port}/content"
    yield hub
    hub.resume.set()
    await runner.cleanup()


class Run:
    """A finished command."""

    def __init__(self, code: int | None, out: bytes, error: bytes) -> None:
        self.code = code
        self.out = out.decode()
        self.error = error.decode()


async def start(endpoint: str, home: Path, *arguments: str, **variables: str) -> asyncio.subprocess.Process:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "DRAGOMAN_"))}
    environ = {**inherited, "HF_HOME": str(home / "hf"), "HF_ENDPOINT": endpoint, **variables}
    return await asyncio.create_subprocess_exec(
        DRAGOMAN,
        "models",
        *arguments,
        "--data-dir",
        str(home / "data"),
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def run(hub: Hub | str, home: Path, *arguments: str, **variables: str) -> Run:
    process = await start(hub if isinstance(hub, str) else hub.endpoint, home, *arguments, **variables)
    out, error = await process.communicate()
    return Run(process.returncode, out, error)


def assert_one_clear_line(finished: Run, *words: str) -> None:
    assert finished.code == 2, finished.error
    (line,) = finished.error.splitlines()
    assert line.startswith("dragoman: ")
    for word in words:
        assert word in line


def model_path(home: Path, name: str = NAME) -> Path:
    return home / "data" / "models" / REPOSITORY / name


def partial_sizes(home: Path) -> list[int]:
    folder = home / "data" / "models" / ".partial"
    return [path.stat().st_size for path in folder.iterdir() if path.suffix != ".lock"]


async def test_a_known_name_is_pulled_checked_and_can_be_served(hub: Hub, tmp_path: Path) -> None:
    finished = await run(hub, tmp_path, "pull", "translategemma-4b")

    assert finished.code == 0, finished.error
    assert model_path(tmp_path).read_bytes() == CONTENT
    assert f"dragoman serve --engine llamacpp://{model_path(tmp_path)}" in finished.out
    assert models.pulled(tmp_path / "data") == [model_path(tmp_path)]
    assert partial_sizes(tmp_path) == []


async def test_what_is_there_is_not_asked_for_again(hub: Hub, tmp_path: Path) -> None:
    model_path(tmp_path).parent.mkdir(parents=True)
    model_path(tmp_path).write_bytes(b"pulled before")

    finished = await run(hub, tmp_path, "pull", "translategemma-4b")

    assert finished.code == 0
    assert hub.requests == []
    assert model_path(tmp_path).read_bytes() == b"pulled before"


async def test_a_download_that_broke_off_goes_on_in_the_next_run(hub: Hub, tmp_path: Path) -> None:
    hub.break_at = BROKEN_AT

    broken = await run(hub, tmp_path, "pull", "translategemma-4b")
    kept = partial_sizes(tmp_path)
    hub.content_status = 200
    finished = await run(hub, tmp_path, "pull", "translategemma-4b")

    assert broken.code == 2
    assert "answered with status 503" in broken.error
    assert kept == [CHUNK_BYTES]
    assert finished.code == 0, finished.error
    assert "of which 0.01 GB are here" in finished.out
    assert hub.ranges == [None, f"bytes={CHUNK_BYTES}-", f"bytes={CHUNK_BYTES}-"]
    assert model_path(tmp_path).read_bytes() == CONTENT


async def test_ctrl_c_ends_quietly_and_keeps_what_has_arrived(hub: Hub, tmp_path: Path) -> None:
    hub.stall_at = BROKEN_AT
    process = await start(hub.endpoint, tmp_path, "pull", "translategemma-4b")
    await hub.stalled.wait()
    while partial_sizes(tmp_path) != [CHUNK_BYTES]:  # noqa: ASYNC110 - another process writes it
        await asyncio.sleep(0.02)

    process.send_signal(signal.SIGINT)
    _, error = await process.communicate()

    assert process.returncode == 130
    assert b"Traceback" not in error
    assert partial_sizes(tmp_path) == [CHUNK_BYTES]
    assert models.pulled(tmp_path / "data") == []


async def test_two_pulls_of_one_file_do_not_mix(hub: Hub, tmp_path: Path) -> None:
    hub.stall_at = 0
    first = await start(hub.endpoint, tmp_path, "pull", "translategemma-4b")
    await hub.stalled.wait()

    second = await run(hub, tmp_path, "pull", "translategemma-4b")
    with contextlib.suppress(ProcessLookupError):
        first.kill()
    await first.communicate()

    assert_one_clear_line(second, "another process is pulling", NAME)


async def test_content_that_is_not_what_the_hub_promised_is_thrown_away(hub: Hub, tmp_path: Path) -> None:
    hub.content_hash = hashlib.sha256(b"something else").hexdigest()

    finished = await run(hub, tmp_path, "pull", "translategemma-4b")

    assert finished.code == 2
    assert "arrived damaged and was deleted; pull it again" in finished.error
    assert partial_sizes(tmp_path) == []
    assert models.pulled(tmp_path / "data") == []


async def test_a_file_larger_than_the_disk_is_refused_before_it_is_fetched(hub: Hub, tmp_path: Path) -> None:
    hub.size_bytes = 10**18

    finished = await run(hub, tmp_path, "pull", "translategemma-4b")

    assert_one_clear_line(finished, "1000000000.00 GB are needed", "make room", "--data-dir")
    assert hub.ranges == []


@pytest.mark.parametrize("status", [401, 403])
async def test_a_gated_repository_tells_of_the_licence_and_the_token(hub: Hub, tmp_path: Path, status: int) -> None:
    hub.refusal = (status, "GatedRepo")

    finished = await run(hub, tmp_path, "pull", "translategemma-4b")

    assert_one_clear_line(finished, "accepted its licence", f"{hub.endpoint}/{REPOSITORY}", "HF_TOKEN")


async def test_a_token_that_is_refused_is_told_as_such(hub: Hub, tmp_path: Path) -> None:
    hub.refusal = (403, "")

    finished = await run(hub, tmp_path, "pull", "translategemma-4b", HF_TOKEN="hf_worn_out")

    assert_one_clear_line(finished, "refused the token (403)", "HF_TOKEN")
    assert "hf_worn_out" not in finished.error


async def test_the_token_goes_to_the_hub_and_to_no_other_host(hub: Hub, tmp_path: Path) -> None:
    finished = await run(hub, tmp_path, "pull", "translategemma-4b", HF_TOKEN="hf_secret")

    assert finished.code == 0, finished.error
    assert [request.headers.get("Authorization") for request in hub.requests] == ["Bearer hf_secret"] * 2
    assert all("Authorization" not in headers for headers in hub.content_headers)


async def test_a_repository_that_does_not_exist_is_named(hub: Hub, tmp_path: Path) -> None:
    finished = await run(hub, tmp_path, "pull", "nobody/nothing/model.gguf")

    assert_one_clear_line(finished, "there is no repository nobody/nothing")


async def test_a_file_that_does_not_exist_is_named_with_the_page_of_those_that_do(hub: Hub, tmp_path: Path) -> None:
    finished = await run(hub, tmp_path, "pull", "translategemma-4b", "--quantization", "Q9_9")

    page = f"{hub.endpoint}/{REPOSITORY}/tree/main"
    assert_one_clear_line(finished, "has no file translategemma-4b-it.Q9_9.gguf", page)


async def test_another_quantization_is_another_file(hub: Hub, tmp_path: Path) -> None:
    finished = await run(hub, tmp_path, "pull", "translategemma-4b", "--quantization", "Q8_0")

    assert finished.code == 0, finished.error
    assert model_path(tmp_path, "translategemma-4b-it.Q8_0.gguf").read_bytes() == CONTENT


async def test_a_network_that_is_missing_is_told(unused_tcp_port: int, tmp_path: Path) -> None:
    endpoint = f"http://127.0.0.1:{unused_tcp_port}"

    finished = await run(endpoint, tmp_path, "pull", "translategemma-4b")

    assert_one_clear_line(finished, f"the connection to {endpoint} failed", "check the network")


async def test_a_folder_that_cannot_be_written_is_told(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file stands where the folder should be")

    finished = await run(hub, tmp_path, "pull", "translategemma-4b")

    assert_one_clear_line(finished, "could not be stored", "Not a directory", "--data-dir")


async def test_the_list_shows_what_can_be_pulled_and_what_was(hub: Hub, tmp_path: Path) -> None:
    before = await run(hub, tmp_path, "list")
    model_path(tmp_path).parent.mkdir(parents=True)
    model_path(tmp_path).write_bytes(b"pulled before")
    after = await run(hub, tmp_path, "list")

    assert all(name in before.out for name in models.KNOWN)
    assert "Nothing was pulled yet" in before.out
    assert str(model_path(tmp_path)) in after.out


def test_a_name_that_is_nearly_right_is_suggested() -> None:
    with pytest.raises(ConfigurationError, match="did you mean translategemma-12b"):
        models.locate("translategema-12b")


@pytest.mark.parametrize(
    "name", ["owner/model.gguf", "../../etc/x.gguf", "a/b/../c.gguf", "a//b.gguf", "a/b/c.bin", ""]
)
def test_what_is_no_file_of_the_hub_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"OWNER/REPOSITORY/FILE\.gguf"):
        models.locate(name)


def test_a_file_in_a_folder_of_a_repository_can_be_named() -> None:
    assert models.locate("a/b/c/d.gguf") == models.ModelFile("a/b", "c/d.gguf")


def test_the_latest_pull_comes_first(tmp_path: Path) -> None:
    paths = [models.path_of(models.locate(name), tmp_path) for name in ("translategemma-12b", "translategemma-4b")]
    for age_s, path in enumerate(paths):
        path.parent.mkdir(parents=True)
        path.touch()
        os.utime(path, (1e9 - age_s, 1e9 - age_s))

    assert models.pulled(tmp_path) == paths
