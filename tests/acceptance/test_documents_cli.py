"""`dragoman translate-file`: a document in, the same document in another language out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.test_cli import SIMULATED, Cli, assert_one_line

PAGE = b"\xef\xbb\xbf<!DOCTYPE html>\r\n<p>The hub of <b>Acme</b>.</p>\r\n<script>var hub;</script>\r\n"


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    cli = Cli(tmp_path)
    (cli.folder / "page.html").write_bytes(PAGE)
    (cli.folder / "empty.txt").write_bytes(b"")
    return cli


def test_a_document_is_translated_and_the_rest_of_it_stays(cli: Cli) -> None:
    finished = cli(
        "translate-file", "page.html", "seite.html", "--from", "en", "--to", "de", "--keep", "Acme", *SIMULATED
    )

    assert (finished.returncode, finished.stderr) == (0, b"")
    assert finished.stdout == b"Translated 1 of 1 passages to seite.html\n"
    written = (cli.folder / "seite.html").read_bytes()
    before, _, after = PAGE.partition(b"The hub of <b>Acme</b>.")
    assert written.startswith(before + "ⓓⓔ ".encode())
    assert written.endswith(after)
    assert b"<b>Acme</b>" in written


def test_a_document_may_take_its_own_place_and_have_no_words(cli: Cli) -> None:
    for name in ("page.html", "empty.txt"):
        assert cli("translate-file", name, name, "--to", "de", *SIMULATED).returncode == 0

    assert (cli.folder / "page.html").read_bytes() != PAGE
    assert (cli.folder / "empty.txt").read_bytes() == b""


def test_passages_that_failed_stay_as_they_were_and_the_exit_code_says_so(cli: Cli) -> None:
    (cli.folder / "a.txt").write_bytes(b"Good morning.\n" + b"word " * 30)
    limited = ("--max-characters", "100", "--from", "en", "--to", "de", *SIMULATED)

    finished = cli("translate-file", "a.txt", "b.txt", *limited)

    assert (finished.returncode, finished.stdout) == (1, b"Translated 1 of 2 passages to b.txt\n")
    assert (cli.folder / "b.txt").read_bytes().endswith(b"\n" + b"word " * 30)
    assert_one_line(cli("translate-file", "a.txt", "c.txt", "--strict", *limited), 1, "100")
    assert not (cli.folder / "c.txt").exists()


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("page.docx", "x", "--to", "de"), ("page.docx",)),
        (("page.html", "x", "--to", "de", "--format", "doc"), ("txt, html, md, srt, vtt, po, json",)),
        (("page.html", "x", "--to", "qq"), ("qq",)),
        (("page.html", "x", "--to", "de", "--glossary", "cars"), ("cars",)),
        (("page.html", "nowhere/x", "--to", "de"), ("nowhere",)),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(cli: Cli, arguments: tuple[str, ...], parts: tuple[str, ...]) -> None:
    assert_one_line(cli("translate-file", *arguments, *SIMULATED), 1, *parts)
