"""`dragoman chat`: two people at one terminal, or two scripts at one pipe."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest

from dragoman.cli.chat import Talk, Turn
from tests.acceptance.test_cli import DRAGOMAN, SIMULATED, Cli, assert_one_line, words

CHAT = ("chat", *SIMULATED, "--from", "de", "--to", "en")


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


def test_each_line_is_followed_by_its_translation_into_the_other_language(cli: Cli) -> None:
    said = "Guten Morgen, wie geht es Ihnen heute?\n\nI am very well, thank you.\n42\n"

    finished = cli(*CHAT, stdin=said.encode())

    answers = words(finished.stdout)
    assert finished.returncode == 0, finished.stderr
    assert [answer[:4] for answer in answers] == ["en: ", "de: ", "de: "]
    assert answers[0].startswith("en: ⓔⓝ")
    assert answers[2] == "de: 42"


def test_the_history_tells_both_sides_and_after_quit_nothing_is_read(cli: Cli) -> None:
    finished = cli(*CHAT, stdin=b"de: Eins.\nen: Two.\n/history\n/quit\nnever read\n")

    first, second, *history = words(finished.stdout)
    assert finished.returncode == 0, finished.stderr
    assert history == ["de: Eins.", first, "en: Two.", second]


def test_a_line_that_fails_is_told_and_the_talk_goes_on(cli: Cli) -> None:
    finished = cli(*CHAT, "--max-characters", "20", stdin=f"de: {'lang ' * 20}\n/dance\nde: Kurz.\n".encode())

    assert (finished.returncode, len(words(finished.stdout))) == (1, 1)
    too_long, unknown = words(finished.stderr)
    assert too_long.startswith("dragoman: line 1: 99 characters")
    assert unknown.startswith("dragoman: line 2: There is no command /dance")


@pytest.mark.parametrize(
    ("flags", "code", "part"),
    [(("--from", "de", "--to", "ger"), 2, "two languages"), (("--from", "de", "--to", "klingon"), 1, "klingon")],
)
def test_it_takes_two_languages(cli: Cli, flags: tuple[str, ...], code: int, part: str) -> None:
    assert_one_line(cli("chat", *SIMULATED, *flags), code, part)


def test_on_a_terminal_it_explains_itself_and_asks_for_each_line(cli: Cli) -> None:
    ours, theirs = pty.openpty()
    command: list[str] = [str(DRAGOMAN), *CHAT]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, cwd=cli.folder, env=cli.environ) as process:
        os.close(theirs)
        greeting = read_until(ours, b"> ")
        os.write(ours, b"de: Hallo.\n")
        answer = read_until(ours, b"\n> ")
        os.write(ours, b"/quit\n")
        assert process.wait(timeout=30) == 0
    os.close(ours)

    assert b"/swap" in greeting
    assert "en: ⓔⓝ" in answer.decode()


def read_until(terminal: int, end: bytes) -> bytes:
    read = b""
    while not read.endswith(end):
        read += os.read(terminal, 1024)
    return read


# Who speaks


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["Guten Morgen, wie geht es Ihnen?", "Fine, and how are you today?"], ["de", "en"]),
        (["42"], ["de"]),
        (["That is a very good question.", "42"], ["en", "en"]),
        (["EN: Auf Wiedersehen"], ["en"]),
        (["note: this is an English sentence"], ["en"]),
    ],
)
def test_the_language_of_a_line_is_detected_named_or_that_of_the_line_before(
    lines: list[str], expected: list[str]
) -> None:
    talk = Talk("de", "en")

    assert [talk.heard(line)[0] for line in lines] == expected


def test_after_a_swap_the_next_line_is_the_other_persons_whatever_it_looks_like() -> None:
    talk = Talk("de", "en")

    assert talk.swap() == "en"
    assert talk.heard("Guten Morgen, wie geht es Ihnen?")[0] == "en"
    assert talk.heard("Guten Morgen, wie geht es Ihnen?")[0] == "de"


def test_the_last_turns_are_the_context_of_the_next() -> None:
    talk = Talk("de", "en")
    talk.turns = [Turn("de", text, "en", "") for text in ("Eins", "Zwei", "Drei", "Vier")]

    assert talk.context() == "Zwei\nDrei\nVier"
