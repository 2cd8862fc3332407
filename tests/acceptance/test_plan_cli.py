"""`dragoman plan`, and every figure that docs/scale.md says it prints."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from dragoman.cli import main
from dragoman.cli.plan import rounded
from dragoman.engines.simulated_profiles import PROFILES
from tests.acceptance.test_cli import Cli, assert_one_line

CATALOGUE = ("plan", "--rows", "2000000", "--chars", "120", "--profile", "h100-27b")
SCALE = (Path(__file__).parents[2] / "docs" / "scale.md").read_text()
COMMANDS = re.findall(r"^dragoman (plan .*)", SCALE, re.MULTILINE)
TABLED = re.findall(r"^ *\| `dragoman (plan [^`]+)` \| ([\d,]+) \| ([\d.,]+) \|", SCALE, re.MULTILINE)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


def test_the_report_has_every_figure_and_what_it_rests_on(cli: Cli) -> None:
    finished = cli(*CATALOGUE, "--gpu-price", "2.5", "--currency", "EUR")
    said, _, assumed = finished.stdout.decode().partition("\nAssumed:\n")
    labels = [re.split(r"\s{2,}", line)[0] for line in said.splitlines()[2:] if line]

    assert finished.returncode == 0, finished.stderr
    assert said.startswith("2,000,000 rows of 120 characters into 1 language on h100-27b\n")
    assert labels == [
        "machines",
        "hours",
        "tokens in",
        "tokens out",
        "segments",
        "rows/s",
        "segments/s",
        "segments/s a machine",
        "tokens/s a machine",
        "Dragoman processes",
        "cost",
    ]
    assert re.search(r"^cost +36\.\d EUR$", said, re.MULTILINE)
    for named in ("characters are a token", "prompt has 75 tokens", "64 are cached", "57 of 64 slots", "duplicates"):
        assert named in assumed


def test_a_script_gets_the_same_as_json(cli: Cli) -> None:
    finished = cli(*CATALOGUE, "--hours", "8", "--duplicates", "0.3", "--gpu-price", "2.5", "--json")
    said = json.loads(finished.stdout)

    assert said["machines"] == 2
    assert said["hours"] < 8
    assert said["cost"] == pytest.approx(2 * said["hours"] * 2.5)
    assert said["segments"] == pytest.approx(0.7 * json.loads(cli(*CATALOGUE, "--json").stdout)["segments"])


def test_without_a_price_there_is_no_cost(capsys: pytest.CaptureFixture[str]) -> None:
    main([*CATALOGUE])
    assert "cost " not in capsys.readouterr().out.partition("Assumed")[0]
    main([*CATALOGUE, "--json"])
    assert json.loads(capsys.readouterr().out)["cost"] is None


def test_an_unknown_profile_lists_those_there_are(cli: Cli) -> None:
    finished = cli("plan", "--rows", "1", "--chars", "1", "--profile", "h100-27")

    assert_one_line(finished, 2, "did you mean h100-27b?", *PROFILES)


def test_a_profile_that_takes_no_time_is_refused(cli: Cli) -> None:
    finished = cli("plan", "--rows", "1", "--chars", "1", "--profile", "instant")

    assert_one_line(finished, 2, "instant takes no time")


@pytest.mark.parametrize(
    "wrong",
    [
        ("--rows", "0"),
        ("--rows", "1.5"),
        ("--rows", "9" * 400),
        ("--rows", "0" * 20 + "9" * 400),
        ("--chars", "0"),
        ("--chars", "nan"),
        ("--chars", "1e300"),
        ("--hours", "-1"),
        ("--hours", "1e-300"),
        ("--duplicates", "1"),
        ("--duplicates", "30"),
        ("--machines", "many"),
        ("--gpu-price", "free"),
        ("--hours", "8", "--machines", "2"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_name(
    wrong: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([*CATALOGUE, *wrong])

    assert f"argument {wrong[-2]}: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "words"),
    [(14.687, "14.7"), (0.00123, "0.00123"), (2_371_541.5, "2,370,000"), (100, "100"), (9.996, "10.00"), (0, "0")],
)
def test_three_digits_count(number: float, words: str) -> None:
    assert rounded(number) == words


@pytest.mark.parametrize(("command", "machines", "hours"), TABLED, ids=[command for command, _, _ in TABLED])
def test_the_document_says_what_the_command_prints(
    command: str, machines: str, hours: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(shlex.split(command)) == 0
    said = capsys.readouterr().out

    assert re.search(rf"^machines +{machines}$", said, re.MULTILINE), said
    assert re.search(rf"^hours +{re.escape(hours)}$", said, re.MULTILINE), said


@pytest.mark.parametrize("command", COMMANDS)
def test_the_document_s_other_commands_run(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(shlex.split(command)) == 0
    assert "characters are a token" in capsys.readouterr().out


def test_the_document_has_commands_to_check() -> None:
    assert len(TABLED) == SCALE.count("| `dragoman plan ") > 10
    assert COMMANDS
