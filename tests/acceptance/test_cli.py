"""The installed command `dragoman`, as a person or a script meets it."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.cli import lines
from dragoman.cli.lines import from_thread, in_order, read_lines
from dragoman.settings import declared

DRAGOMAN = Path(sys.executable).with_name("dragoman")
SIMULATED = ("--engine", "simulated://instant")
ENDLESS_BYTES = 2_000_000
"""More than the pipes (64 KiB each) and the lines read ahead and worked on hold together."""


class Cli:
    """Runs the installed command in a folder of its own, without settings from outside."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        outer = {name: value for name, value in os.environ.items() if not name.startswith("DRAGOMAN_")}
        self.environ = {**outer, "DRAGOMAN_DATA_DIR": str(folder / "data")}

    def __call__(self, *arguments: str, stdin: bytes = b"", **variables: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [DRAGOMAN, *arguments],
            input=stdin,
            capture_output=True,
            cwd=self.folder,
            env={**self.environ, **variables},
            timeout=60,
            check=False,
        )

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """The command with all three streams as pipes, unbuffered; killed at the end if it still runs."""
        command = [str(DRAGOMAN), *arguments]
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=self.folder, env=self.environ, bufsize=0
        ) as process:
            try:
                yield process
            finally:
                process.kill()


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


def words(stream: bytes) -> list[str]:
    return stream.decode().splitlines()


def objects(stream: bytes) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.splitlines()]


def assert_one_line(finished: subprocess.CompletedProcess[bytes], code: int, *parts: str) -> None:
    """The command said what is wrong in one line on stderr, and nothing on stdout."""
    assert (finished.returncode, finished.stdout) == (code, b"")
    (line,) = words(finished.stderr)
    assert line.startswith("dragoman: ")
    for part in parts:
        assert part in line


# translate: texts


@pytest.mark.parametrize("targets", [("--to", "de", "--to", "fr"), ("--to", "de,fr")])
def test_each_text_gives_a_line_for_each_target_in_order(cli: Cli, targets: tuple[str, ...]) -> None:
    flags = ("--from", "en", *targets)

    finished = cli("translate", *SIMULATED, *flags, "Room 1 is free.", "Where is room 2?")

    answers = words(finished.stdout)
    assert finished.returncode == 0, finished.stderr
    assert [re.findall(r"\d", answer) for answer in answers] == [["1"], ["1"], ["2"], ["2"]]
    assert [answer[:2] for answer in answers] == ["ⓓⓔ", "ⓕⓡ"] * 2


def test_the_bundled_model_speaks_german(cli: Cli) -> None:
    finished = cli("translate", "--engine", "llamacpp://bundled", "--from", "en", "--to", "de", "Good morning.")

    assert finished.returncode == 0, finished.stderr
    assert "Guten" in finished.stdout.decode()


def test_json_of_a_text_tells_the_detected_language(cli: Cli) -> None:
    finished = cli("translate", *SIMULATED, "--to", "de", "--json", "This is a sentence in the English language.")

    (answer,) = objects(finished.stdout)
    assert list(answer) == ["text", "source", "translations"]
    assert answer["source"] == "en"


# translate: lines


def test_a_pipe_keeps_order_and_number_of_lines_and_the_empty_ones(cli: Cli) -> None:
    texts = [f"Room {number} is free." * (number % 7) for number in range(300)]

    finished = cli("translate", *SIMULATED, "--from", "en", "--to", "de", stdin="\r\n".join(texts).encode())

    answers = words(finished.stdout)
    assert finished.returncode == 0, finished.stderr
    assert [bool(answer) for answer in answers] == [bool(text) for text in texts]
    assert [re.findall(r"\d+", answer) for answer in answers] == [re.findall(r"\d+", text) for text in texts]


def test_a_line_is_answered_before_the_next_is_written(cli: Cli) -> None:
    with cli.running("translate", *SIMULATED, "--from", "en", "--to", "de") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in (b"1", b"2"):
            process.stdin.write(b"Room " + number + b" is free.\n")
            assert number in process.stdout.readline()
        process.stdin.close()
        assert process.wait(10) == 0


def test_files_are_translated_one_after_the_other(cli: Cli) -> None:
    (cli.folder / "a").write_text("Room 1 is free.\n")
    (cli.folder / "b").write_bytes(b"\xff\nRoom 2 is free.")

    finished = cli("translate", *SIMULATED, "--from", "en", "--to", "de", "--file", "a", "--file", "b")

    first, second, third = words(finished.stdout)
    assert ("1" in first, second, "2" in third) == (True, "", True)
    assert finished.returncode == 1
    assert words(finished.stderr)[0].startswith("dragoman: b, line 1: not UTF-8")


def test_a_failing_line_is_reported_with_its_number_and_leaves_its_place_empty(cli: Cli) -> None:
    finished = cli(
        "translate", *SIMULATED, "--from", "en", "--to", "de", "--to", "fr", "--max-characters", "30",
        stdin=b"Good morning.\nThis line is longer than it may be.\nGood night.\n",
    )  # fmt: skip

    assert finished.returncode == 1
    assert [bool(line) for line in words(finished.stdout)] == [True, True, False, False, True, True]
    report, total = words(finished.stderr)
    assert report.startswith("dragoman: line 2: ")
    assert total == "dragoman: 1 failed"


def test_json_lines_keep_their_other_fields_as_they_were_written(cli: Cli) -> None:
    line = b'{"id": 12345678901234567890, "text": "Good day", "price": 1.50, "tags": ["\\u00e4", null]}'

    finished = cli("translate", *SIMULATED, "--from", "en", "--to", "de", "--json", stdin=line)

    start = b'{"id":12345678901234567890,"text":"Good day","price":1.50,"tags":["\\u00e4", null],"translations":{"de":"'
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.startswith(start)


def test_json_lines_may_name_their_own_languages(cli: Cli) -> None:
    lines_in = [{"text": "Good day"}, {"text": "Bonjour", "source": "fr"}, {"text": "Good day", "target": "it"}]

    finished = cli(
        "translate", *SIMULATED, "--from", "en", "--to", "de", "--json",
        stdin="\n\n".join(map(json.dumps, lines_in)).encode(),
    )  # fmt: skip

    answers = objects(finished.stdout)
    assert [answer.get("source") for answer in answers] == [None, "fr", None]
    assert [list(answer["translations"]) for answer in answers] == [["de"], ["de"], ["it"]]  # type: ignore[call-overload]


def test_a_failing_json_line_comes_back_with_its_error(cli: Cli) -> None:
    lines_in = [
        '{"text": "Good day", "target": "de"}',
        '{"text": "Good day", "target": "xx", "id": 2}',
        "no object",
        '{"text": 4, "target": "de"}',
        '{"id": 5}',
        '{"id": 6, "text": "Good day"}',
    ]

    finished = cli("translate", *SIMULATED, "--from", "en", "--json", stdin="\n".join(lines_in).encode())

    first, *failed = objects(finished.stdout)
    assert finished.returncode == 1
    assert "error" not in first
    assert [next(iter(answer.items())) for answer in failed] == [
        ("text", "Good day"),
        ("line", "no object"),
        ("text", 4),
        ("id", 5),
        ("id", 6),
    ]
    for answer, part in zip(failed, ["xx", "JSON object", '"text"', '"text"', "--to"], strict=True):
        assert part in str(answer["error"])
    assert words(finished.stderr) == ["dragoman: 5 failed"]


def test_where_all_items_fail_in_the_engine_each_says_so(cli: Cli) -> None:
    finished = cli(
        "translate", "--engine", "simulated://instant?failure_rate=1", "--from", "en", "--to", "de", "--to", "fr",
        "--json", "Good morning.",
    )  # fmt: skip

    (answer,) = objects(finished.stdout)
    assert finished.returncode == 1
    assert answer["translations"] == {}
    assert re.fullmatch("de: .+; fr: .+", str(answer["error"]))


def test_a_reader_that_leaves_ends_the_command_quietly(cli: Cli) -> None:
    with cli.running("translate", *SIMULATED, "--from", "en", "--to", "de") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.write(b"Good morning.\n" * 100)
        assert process.wait(10) == 141
        assert process.stderr.read() == b""


def test_ctrl_c_while_waiting_for_a_line_ends_the_command_quietly(cli: Cli) -> None:
    with cli.running("translate", *SIMULATED, "--from", "en", "--to", "de") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b"Good morning.\n")
        assert process.stdout.read(1)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert process.stderr.read() == b""


def test_a_writer_is_held_back_while_nobody_reads(cli: Cli) -> None:
    """Endless input must not pile up in memory: the pipes and the window are all that is taken."""
    line = b"Good morning to all of you. " * 30 + b"\n"
    with cli.running("translate", *SIMULATED, "--from", "en", "--to", "de") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line)
        assert process.stdout.read(1)
        os.set_blocking(process.stdin.fileno(), False)
        taken_bytes, quiet_since = 0, time.monotonic()
        while time.monotonic() - quiet_since < 0.5 and taken_bytes < ENDLESS_BYTES:
            if written := process.stdin.write(line):
                taken_bytes, quiet_since = taken_bytes + written, time.monotonic()
            else:
                time.sleep(0.01)
        assert taken_bytes < ENDLESS_BYTES


# translate: the parts


LINE_BYTES = st.binary().map(lambda raw: raw.replace(b"\n", b"").rstrip(b"\r"))


@given(st.lists(st.tuples(LINE_BYTES, st.sampled_from([b"\n", b"\r\n"]))))
def test_lines_are_what_stands_between_line_ends(parts: list[tuple[bytes, bytes]]) -> None:
    content = b"".join(raw + end for raw, end in parts)

    read = list(read_lines(io.BytesIO(content), "notes.txt, "))

    assert [line.raw for line in read] == [raw for raw, _ in parts]
    assert [line.place for line in read] == [f"notes.txt, line {number}" for number in range(1, len(parts) + 1)]


def test_of_a_line_that_is_too_long_only_the_beginning_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 4)

    read = list(read_lines(io.BytesIO(b"1234\n123456789\n12345\n1")))

    assert [line.raw for line in read] == [b"1234", b"12345", b"12345", b"1"]


@given(st.lists(st.integers(0, 3), max_size=30), st.integers(1, 5))
def test_results_come_in_order_with_a_bounded_number_under_way(delays: list[int], window: int) -> None:
    under_way, most_under_way = 0, 0
    results: list[tuple[int, int]] = []

    async def work(item: tuple[int, int]) -> tuple[int, int]:
        nonlocal under_way, most_under_way
        under_way += 1
        most_under_way = max(most_under_way, under_way)
        for _ in range(item[1]):
            await asyncio.sleep(0)
        under_way -= 1
        return item

    async def put(result: tuple[int, int]) -> None:
        results.append(result)

    asyncio.run(in_order(each(list(enumerate(delays))), work, put, window=window))

    assert results == list(enumerate(delays))
    assert most_under_way <= window


async def each(items: Sequence[tuple[int, int]]) -> AsyncIterator[tuple[int, int]]:
    for item in items:
        yield item


async def test_an_error_while_reading_is_raised_after_what_was_read() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    source = from_thread(items())

    assert await anext(source) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        await anext(source)


async def test_a_thread_reads_only_a_little_ahead() -> None:
    taken = 0
    far_enough = threading.Event()

    def items() -> Iterator[int]:
        nonlocal taken
        for taken in range(1, 10_000):
            far_enough.set()
            yield taken

    source = from_thread(items())
    assert await anext(source) == 1
    await asyncio.to_thread(far_enough.wait)
    await asyncio.sleep(0.05)

    assert taken <= lines.READ_AHEAD + 2
    await source.aclose()  # type: ignore[attr-defined] # it is an async generator


# what goes wrong


def test_what_is_wrong_is_said_in_one_line(cli: Cli, unused_tcp_port: int) -> None:
    german = ("translate", "--to", "de", "Hello")
    dead = f"ollama://127.0.0.1:{unused_tcp_port}/translategemma:4b"

    assert_one_line(cli("translate", "Hello"), 2, "--to de")
    assert_one_line(cli("translate", *SIMULATED, "--to", "xx", "Hello"), 1, "'xx'", "dragoman languages")
    assert_one_line(cli(*german, "--file", "a"), 2, "not both")
    assert_one_line(cli("translate", "--to", "de", "--file", "gone"), 2, "--file gone: No such file")
    assert_one_line(cli(*german, "--engine", "olama://x"), 2, "did you mean ollama://")
    assert_one_line(cli(*german, "--engine", dead), 1, "ollama")
    assert_one_line(cli(*german, DRAGOMAN_PORT="eighty"), 2, "DRAGOMAN_PORT: 'eighty'", "at most 65535")
    assert_one_line(cli("serve", "--port", "eighty"), 2, "--port: 'eighty'", "at most 65535")
    assert_one_line(cli("serve", "--config", "gone.toml"), 2, "--config: there is no file 'gone.toml'")
    assert_one_line(cli("simulate", "--profile", "h10-27b"), 2, "did you mean h100-27b")
    assert_one_line(cli("simulate", "--mischief", "lop:0.1"), 2, "there are the faults", "loop")


def test_the_settings_file_of_the_folder_is_read(cli: Cli) -> None:
    (cli.folder / "dragoman.toml").write_text("engine = 'simulated://instant'\nmax_characters = 3\n")

    finished = cli("translate", "--to", "de", "Good morning.")

    assert finished.returncode == 1
    assert "more than the 3" in finished.stderr.decode()


def test_a_wrong_flag_shows_the_usage(cli: Cli) -> None:
    finished = cli("translate", "--too", "de", "Hello")

    assert finished.returncode == 2
    assert finished.stderr.startswith(b"usage: dragoman")


def test_a_full_disk_below_the_output_is_told(cli: Cli) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with open("/dev/full", "wb") as full:
        finished = subprocess.run(
            [DRAGOMAN, "languages"], stdout=full, stderr=subprocess.PIPE, env=cli.environ, check=False
        )

    assert finished.returncode == 1
    assert words(finished.stderr) == ["dragoman: [Errno 28] No space left on device"]


# the other commands


def test_help_names_every_setting_with_its_variable_and_default(cli: Cli) -> None:
    text = " ".join(cli("serve", "--help").stdout.decode().split())

    for setting in declared():
        assert setting.flag in text
        assert setting.variable in text
        assert setting.default is None or f"[{setting.default}; {setting.variable}]" in text


def test_the_table_of_languages_marks_the_55(cli: Cli) -> None:
    table = words(cli("languages").stdout)

    assert sum(" * " in row for row in table) == 55
    assert any(re.match(r"de-DE +\* +German \(Germany\) +Deutsch", row) for row in table)


def test_languages_as_json_tell_all_of_each(cli: Cli) -> None:
    languages = json.loads(cli("languages", "--json").stdout)

    assert sum(language["evaluated"] for language in languages) == 55
    (arabic,) = (language for language in languages if language["code"] == "ar")
    assert (arabic["name"], arabic["script"], arabic["direction"]) == ("Arabic", "Arab", "rtl")


def test_letters_the_terminal_lacks_do_not_stop_a_table(cli: Cli) -> None:
    finished = cli("languages", PYTHONIOENCODING="ascii")

    assert finished.returncode == 0
    assert b"German" in finished.stdout


def test_engines_shows_the_choice_its_reason_and_a_timed_translation(cli: Cli) -> None:
    finished = cli("engines", *SIMULATED)

    shown = dict(row.split(maxsplit=1) for row in words(finished.stdout))
    assert finished.returncode == 0, finished.stderr
    assert shown["engine"] == "simulated://instant"
    assert shown["because"] == "it was named"
    assert shown["slots"] == "64"
    assert re.fullmatch(r"'Good morning\.' en->de '.+' in \d+ ms", shown["answers"])


def test_engines_shows_every_replica_also_one_that_does_not_answer(cli: Cli, unused_tcp_port: int) -> None:
    url = f"ollama://127.0.0.1:{unused_tcp_port}/translategemma:4b"

    finished = cli("engines", "--engine", f"{url} simulated://instant")

    shown = [row.split(maxsplit=1) for row in words(finished.stdout)]
    assert finished.returncode == 1
    assert [row[1] for row in shown if row[0] == "engine"] == [url, "simulated://instant"]
    assert [row[0] for row in shown].count("fails") == 1
    assert [row[0] for row in shown].count("answers") == 1


def test_simulate_lists_its_profiles(cli: Cli) -> None:
    assert any(row.startswith("h100-27b ") for row in words(cli("simulate", "--list").stdout))


def test_simulate_runs_a_server_until_ctrl_c(cli: Cli) -> None:
    with cli.running("simulate", "--speak", "ollama", "--profile", "instant", "--port", "0") as process:
        assert process.stdout is not None
        address = address_in(process.stdout.readline())
        with urllib.request.urlopen(f"{address}/api/version") as answer:
            assert "version" in json.load(answer)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130


def test_serve_translates_until_ctrl_c(cli: Cli) -> None:
    with cli.running("serve", *SIMULATED, "--port", "0") as process:
        assert process.stdout is not None
        address = address_in(next(line for line in process.stdout if b"http://" in line))
        body = b'{"text": "Good morning.", "source_lang": "en", "target_lang": "de"}'
        request = urllib.request.Request(f"{address}/translate", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130


def test_a_port_in_use_is_told_in_one_line(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        assert_one_line(cli("serve", *SIMULATED, "--port", port), 2, port, "--port")
        assert_one_line(cli("simulate", "--port", port), 2, port, "--port")


def address_in(line: bytes) -> str:
    found = re.search(r"http://[\w.]+:\d+", line.decode())
    assert found, line
    return found.group()


def test_the_module_is_the_command(cli: Cli) -> None:
    by_module = subprocess.run(
        [sys.executable, "-m", "dragoman", "--version"], capture_output=True, env=cli.environ, check=True
    )

    assert by_module.stdout == cli("--version").stdout
    assert re.fullmatch(rb"dragoman \d+\.\d+\.\d+\n", by_module.stdout)
