"""`dragoman memory`: what was translated can be taken out, brought in, looked at and cleared, also under a server."""

from __future__ import annotations

import json
import re
import shutil
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.test_cli import SIMULATED, Cli, address_in, assert_one_line

TMX = """<tmx version="1.4"><header srclang="en"/><body>
<tu creationdate="20200101T000000Z"><tuv xml:lang="en"><seg>Good morning.</seg></tuv>
<tuv xml:lang="de"><seg>Moin!</seg></tuv></tu>
<tu><tuv xml:lang="en"><seg>Good <bpt>b</bpt>night.</seg></tuv><tuv xml:lang="fr"><seg>Bonne nuit.</seg></tuv></tu>
<tu><tuv xml:lang="en"><seg>Yes</seg></tuv><tuv xml:lang="qq"><seg>?</seg></tuv></tu>
</body></tmx>"""


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


@pytest.fixture(scope="module")
def filled_once(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    cli = Cli(tmp_path_factory.mktemp("filled"))
    translated = cli("translate", *SIMULATED, "--from", "en", "--to", "de,fr", "Room 1 is free.")
    assert translated.returncode == 0, translated.stderr
    (cli.folder / "people.tmx").write_text(TMX)
    assert cli("memory", "import", "people.tmx").returncode == 0
    return cli


@pytest.fixture
def filled(filled_once: Cli, cli: Cli) -> Cli:
    """A memory with two translations of an engine and two of people."""
    shutil.copytree(filled_once.folder, cli.folder, dirs_exist_ok=True)
    return cli


def said(cli: Cli, *arguments: str) -> str:
    finished = cli("memory", *arguments)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.decode()


def test_an_import_tells_what_came_of_it(cli: Cli) -> None:
    (cli.folder / "people.tmx").write_text(TMX)

    told = said(cli, "import", "people.tmx").splitlines()

    assert told[0] == "Imported 2 entries from 3 units"
    assert told[1] == "1 text lost inline tags"
    assert any(line.startswith("Left out 1: ") and "qq" in line for line in told[2:])


def test_stats_count_each_pair_and_what_people_wrote(filled: Cli) -> None:
    told = said(filled, "stats").splitlines()

    assert told[1].startswith("4 entries")
    assert [line.split() for line in told[4:]] == [
        ["en->de", "2", "1", "2020-01-01"],
        ["en->fr", "2", "1", told[5].split()[-1]],
    ]


def test_an_export_read_back_elsewhere_answers_the_same(filled: Cli, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert said(filled, "export", "all.tmx") == "Exported 4 entries to all.tmx\n"
    elsewhere = Cli(tmp_path_factory.mktemp("elsewhere"))

    assert said(elsewhere, "import", str(filled.folder / "all.tmx")) == "Imported 4 entries from 4 units\n"
    answer = elsewhere("translate", *SIMULATED, "--from", "en", "--to", "de", "Good morning.")
    assert answer.stdout.decode() == "Moin!\n"


def test_one_pair_can_be_exported_under_any_name_of_its_languages(filled: Cli) -> None:
    assert said(filled, "export", "some.tmx", "--pair", "EN:ger") == "Exported 2 entries to some.tmx\n"
    assert "Bonne" not in (filled.folder / "some.tmx").read_text()


def test_an_export_that_fails_leaves_the_one_before(cli: Cli) -> None:
    (cli.folder / "all.tmx").write_text("before")

    assert_one_line(cli("memory", "export", "all.tmx"), 2, "no memory", "data_dir")

    assert (cli.folder / "all.tmx").read_text() == "before"
    assert not list(cli.folder.glob("*.part"))


def test_clear_takes_what_is_old_or_everything(filled: Cli) -> None:
    assert said(filled, "clear", "--older-than-days", "365").startswith("Cleared 1 entry ")
    assert said(filled, "clear").startswith("Cleared 3 entries ")
    assert said(filled, "stats").splitlines()[1].startswith("0 entries, 0.0 MB")


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (("export", "x.tmx", "--pair", "en:xx"), 1, "xx"),
        (("import", "nowhere.tmx"), 1, "nowhere.tmx"),
        (("import", "text.tmx"), 1, "not a TMX file"),
        (("stats",), 2, "no memory"),
        (("clear",), 2, "no memory"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(cli: Cli, arguments: tuple[str, ...], code: int, part: str) -> None:
    (cli.folder / "text.tmx").write_text("Just words.")

    assert_one_line(cli("memory", *arguments), code, part)


@pytest.mark.parametrize("arguments", [("export", "x", "--pair", "en"), ("clear", "--older-than-days", "-1")])
def test_wrong_arguments_are_told(cli: Cli, arguments: tuple[str, ...]) -> None:
    finished = cli("memory", *arguments)

    assert finished.returncode == 2
    assert arguments[-1] in finished.stderr.decode()


def test_all_of_it_works_while_a_server_runs(cli: Cli) -> None:
    (cli.folder / "people.tmx").write_text(TMX)
    with serving(cli) as address:
        first = translation(address, "Room 1 is free.")
        assert translation(address, "Good morning.") != "Moin!"
        said(cli, "import", "people.tmx")

        until(lambda: translation(address, "Good morning.") == "Moin!", within_s=3)
        assert re.search(r"Exported [34] entries", said(cli, "export", "all.tmx"))
        assert said(cli, "clear").startswith("Cleared ")
        assert translation(address, "Room 1 is free.") == first


def until(happened: Callable[[], bool], within_s: float) -> None:
    end = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


@contextmanager
def serving(cli: Cli) -> Iterator[str]:
    with cli.running("serve", *SIMULATED, "--port", "0") as process:
        assert process.stdout is not None
        yield address_in(next(line for line in process.stdout if b"http://" in line))


def translation(address: str, text: str) -> object:
    body = json.dumps({"text": text, "source_lang": "en", "target_lang": "de"}).encode()
    request = urllib.request.Request(f"{address}/translate", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["translation"]
