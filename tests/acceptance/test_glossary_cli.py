"""`dragoman glossary`: terms in and out of files, and what is told when that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.test_cli import Cli, assert_one_line


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    cli = Cli(tmp_path)
    (cli.folder / "bikes.csv").write_text("en,de,fr\nhub,Nabe,moyeu\nrim,Felge,\n")
    (cli.folder / "plain.tsv").write_text("hub\tRadnabe\n")
    return cli


def said(cli: Cli, *arguments: str) -> str:
    finished = cli("glossary", *arguments)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.decode()


def test_a_glossary_goes_in_is_looked_at_and_comes_out(cli: Cli) -> None:
    told = said(cli, "import", "bikes", "bikes.csv").splitlines()
    assert told[:2] == ["Imported 2 terms for en->de", "Imported 1 term for en->fr"]
    known = told[2].split()[-1]

    assert said(cli, "list").splitlines()[1].split() == [known, "3", "en->de,", "en->fr", "bikes"]
    assert "en->de  2" in said(cli, "show", known)

    said(cli, "import", "bikes", "plain.tsv", "--source", "EN", "--target", "ger")
    assert said(cli, "export", "bikes", "out.csv", "--source", "en", "--target", "de").startswith("Exported 1 term ")
    assert (cli.folder / "out.csv").read_bytes() == b"hub,Radnabe\r\n"

    assert said(cli, "delete", "bikes") == "Deleted bikes\n"
    assert said(cli, "list") == "There are no glossaries.\n"


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("import", "x", "plain.tsv"), ("languages", "source")),
        (("import", "x", "plain.tsv", "--source", "en"), ("--target",)),
        (("import", "x", "plain.doc"), ("plain.doc",)),
        (("import", "x", "nowhere.csv"), ("nowhere.csv",)),
        (("export", "nothing", "out.csv"), ("nothing", "glossary list")),
        (("export", "nothing", "out.tmx"), (".tmx",)),
        (("delete", "nothing"), ("nothing",)),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(cli: Cli, arguments: tuple[str, ...], parts: tuple[str, ...]) -> None:
    assert_one_line(cli("glossary", *arguments), 1, *parts)


def test_a_text_is_translated_with_a_stored_glossary_in_its_format(cli: Cli) -> None:
    said(cli, "import", "bikes", "bikes.csv")
    page = '<p translate="no">The hub</p><p>The hub of <b>Acme</b> is {count}.</p>'
    wishes = ("--format", "html", "--glossary", "bikes", "--keep", "Acme", "--strict")

    finished = cli("translate", "--engine", "simulated://instant", "--from", "en", "--to", "de", *wishes, page)

    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.decode().startswith('<p translate="no">The hub</p><p>')
    assert all(kept in finished.stdout.decode() for kept in ("Nabe", "<b>Acme</b>", "{count}"))


def test_a_glossary_that_is_not_there_is_told_before_anything_is_translated(cli: Cli) -> None:
    finished = cli("translate", "--engine", "simulated://instant", "--to", "de", "--glossary", "cars", "A hub")

    assert_one_line(finished, 1, "cars", "glossary list")
