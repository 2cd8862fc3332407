"""`/v1/jobs` over real sockets: taken in, worked on, followed, fetched, ended, and gone on with after a stop."""

from __future__ import annotations

import asyncio
import csv
import io
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
from blockbuster import blockbuster_ctx

from dragoman.memory.key_file import KeyLimits
from dragoman.server.gate import KeyGate
from dragoman.server.jobs import run, store
from tests.faults.service import settles
from tests.server.job_server import SLOW, JobServer, count_texts, job_server, shop

ROWS = 60


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[JobServer]:
    async with job_server(tmp_path / "data") as server:
        yield server


def rows_of(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


class TestTheLifeOfAJob:
    async def test_a_table_is_taken_in_followed_and_fetched_in_every_format(self, server: JobServer) -> None:
        status, accepted = await server.post(shop(ROWS))
        events = await server.follow(accepted["id"])
        fetched = {name: await server.result(accepted["id"], f"?format={name}") for name in ("csv", "jsonl", "tmx")}
        answer, parquet = await server.result(accepted["id"], "?format=parquet")
        _, plain = await server.result(accepted["id"])

        assert (status, accepted) == (202, {"id": accepted["id"]})
        assert {name for name, _ in events[:-1]} == {"progress"}
        name, job = events[-1]
        assert (name, job["state"], job["rows"], job["done"], job["ok"]) == ("end", "done", ROWS, ROWS, ROWS)
        assert (job["filename"], job["columns"], job["targets"]) == ("products.csv", ["title"], ["de"])
        assert job["cells"] == job["cells_total"] == ROWS
        rows = rows_of(fetched["csv"][1])
        assert [row["sku"] for row in rows] == [f"{row:05}" for row in range(ROWS)]
        assert {row["title_de_status"] for row in rows} == {"ok"}
        assert all(row["title_de"].startswith("ⓓⓔ") for row in rows)
        assert len(fetched["jsonl"][1].splitlines()) == ROWS
        assert fetched["tmx"][1].count(b"<tu ") == ROWS
        assert pq.read_table(io.BytesIO(parquet)).column("title_de").to_pylist() == [row["title_de"] for row in rows]
        assert plain == fetched["csv"][1]
        assert answer.headers["Content-Disposition"].endswith("products.de.parquet")
        assert answer.headers["X-Job-Rows"] == f"{ROWS}/{ROWS}"

    async def test_jobs_are_listed_the_newest_first_and_deleted(self, server: JobServer) -> None:
        ids = [await server.begun(shop(3)) for _ in range(2)]
        for job_id in ids:
            await server.over(job_id)

        assert [job["id"] for job in (await server.ask("GET", ""))[1]["jobs"]] == ids[::-1]
        assert (await server.ask("DELETE", f"/{ids[0]}"))[0] == 204
        assert [job["id"] for job in (await server.ask("GET", ""))[1]["jobs"]] == ids[1:]
        for path in ("", "/events", "/result"):
            assert (await server.ask("GET", f"/{ids[0]}{path}"))[0] == 404

    async def test_a_result_is_there_when_the_job_is_done_and_before_it_in_part(self, tmp_path: Path) -> None:
        async with job_server(tmp_path, SLOW, shutdown_grace_s=0) as server:
            job_id = await server.begun(shop(5))
            await server.follow(job_id, ["running"])

            status, problem = await server.ask("GET", f"/{job_id}/result")
            answer, data = await server.result(job_id, "?partial=true")

        assert (status, problem["title"]) == (409, "The job is not ready for this")
        assert (answer.status, answer.headers["X-Job-Rows"], rows_of(data)) == (200, "0/5", [])
        assert answer.headers["Content-Disposition"].endswith("products.de.partial.csv")

    async def test_rows_that_fail_are_tried_again_when_asked(self, tmp_path: Path) -> None:
        table = shop(2) + b"3," + b"word " * 100 + b"\r\n"
        async with job_server(tmp_path, max_characters=200) as server:
            job_id = await server.begun(table)
            first = await server.over(job_id)
            status, again = await server.ask("POST", f"/{job_id}/retry-failed")
            second = await server.over(job_id)

        assert (first["state"], first["ok"], first["error"]) == ("done", 2, 1)
        assert (status, again["state"]) == (200, "planned")
        assert (second["state"], second["error"]) == ("done", 1)

    async def test_too_many_errors_pause_it_and_say_why(self, tmp_path: Path) -> None:
        async with job_server(tmp_path, max_characters=10) as server:
            job = await server.over(await server.begun(shop(400), ("max_errors", "3")))

        assert job["state"] == "paused"
        assert "more than the 3 allowed" in job["reason"]

    async def test_nothing_of_it_blocks_the_event_loop(self, server: JobServer) -> None:
        await server.over(await server.begun(shop(2)))  # loads what reads tables
        with blockbuster_ctx(scanned_modules="dragoman"):
            job_id = await server.begun(shop(ROWS))
            job = await server.over(job_id)
            answer, _ = await server.result(job_id, "?format=parquet")
            assert (await server.ask("DELETE", f"/{job_id}"))[0] == 204

        assert (job["state"], job["ok"], answer.status) == ("done", ROWS, 200)


class TestEndingAndGoingOn:
    async def test_after_a_restart_it_goes_on_and_no_text_is_sent_twice(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rows = 2_000
        sent, enough = count_texts(monkeypatch, tell=100)
        async with job_server(tmp_path) as server:
            job_id = await server.begun(shop(rows))
            await asyncio.wait_for(enough.wait(), 20)
        before = sent.total()

        async with job_server(tmp_path) as server:
            job = await server.over(job_id)
            _, data = await server.result(job_id)

        assert 100 <= before < rows
        assert (job["state"], job["ok"]) == ("done", rows)
        assert (len(sent), sent.total()) == (rows, rows)
        assert [row["sku"] for row in rows_of(data)] == [f"{row:05}" for row in range(rows)]

    async def test_a_stop_waits_no_longer_than_the_grace_for_what_hangs(self, tmp_path: Path) -> None:
        async with asyncio.timeout(10):
            async with job_server(tmp_path, SLOW, shutdown_grace_s=0.2) as server:
                job_id = await server.begun(shop(5))
                await server.follow(job_id, ["running"])

        async with job_server(tmp_path) as server:
            assert (await server.over(job_id))["state"] == "done"

    async def test_who_watches_is_let_go_when_the_server_stops(self, tmp_path: Path) -> None:
        async with job_server(tmp_path, SLOW, shutdown_grace_s=0) as server:
            job_id = await server.begun(shop(5))
            watching = asyncio.create_task(server.follow(job_id))
            await server.follow(job_id, ["running"])
            server.service.stop()
            events = await asyncio.wait_for(watching, 10)

        assert events
        assert {name for name, _ in events} == {"progress"}

    async def test_it_is_cancelled_and_can_be_resumed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        rows = 2_000
        sent, enough = count_texts(monkeypatch, tell=50)
        async with job_server(tmp_path) as server:
            job_id = await server.begun(shop(rows))
            await asyncio.wait_for(enough.wait(), 20)
            assert (await server.ask("POST", f"/{job_id}/cancel"))[0] == 200
            cancelled = await server.over(job_id)
            sent_then = sent.total()
            status, resumed = await server.ask("POST", f"/{job_id}/resume")
            done = await server.over(job_id)

        assert (cancelled["state"], cancelled["reason"]) == ("cancelled", "It was cancelled.")
        assert sent_then < rows
        assert (status, resumed["state"]) == (200, "planned")
        assert (done["state"], done["ok"], sent.total()) == ("done", rows, rows)

    async def test_one_that_waits_for_its_turn_is_planned_and_cancelled_at_once(self, tmp_path: Path) -> None:
        async with job_server(tmp_path, SLOW, jobs_at_once=1, shutdown_grace_s=0) as server:
            first = await server.begun(shop(5))
            await server.follow(first, ["running"])
            second = await server.begun(shop(5))
            waiting = await server.show(second)
            cancelled = (await server.ask("POST", f"/{second}/cancel"))[1]

        assert waiting["state"] == "planned"
        assert cancelled["state"] == "cancelled"

    async def test_one_that_is_deleted_while_it_runs_leaves_nothing(self, tmp_path: Path) -> None:
        async with job_server(tmp_path, shutdown_grace_s=0) as server:
            job_id = await server.begun(shop(2_000))
            await server.follow(job_id, ["running"])
            watching = asyncio.create_task(server.follow(job_id, ["error"]))
            await server.ask("DELETE", f"/{job_id}")
            name, problem = (await asyncio.wait_for(watching, 10))[-1]
            await settles(lambda: any((tmp_path / "jobs").iterdir()), False, within_s=10)

        assert (name, problem["status"]) == ("error", 404)

    @pytest.mark.parametrize("change", ["cancel", "resume", "retry-failed"])
    async def test_one_that_is_done_stays_as_it_is(self, server: JobServer, change: str) -> None:
        job_id = await server.begun(shop(2))
        await server.over(job_id)

        status, problem = await server.ask("POST", f"/{job_id}/{change}")

        assert (status, problem["title"]) == (409, "The job is not ready for this")
        assert (await server.show(job_id))["state"] == "done"

    async def test_a_table_that_was_changed_fails_it_and_says_so(self, tmp_path: Path) -> None:
        tables = tmp_path / "in"
        tables.mkdir()
        (tables / "a.csv").write_bytes(shop(5))
        body = {"path": "a.csv", "columns": ["title"], "source": "en", "target": ["de"]}
        async with job_server(tmp_path / "data", SLOW, jobs_input_dir=str(tables), shutdown_grace_s=0) as server:
            job_id = (await server.ask("POST", "", json=body))[1]["id"]
        (tables / "a.csv").write_bytes(shop(6))

        async with job_server(tmp_path / "data") as server:
            job = await server.over(job_id)

        assert job["state"] == "failed"
        assert "had" in job["reason"]


class TestWhoMayWhat:
    async def new_key(self, server: JobServer, *scopes: Any, **limits: int) -> tuple[str, str]:  # noqa: ANN401
        gate = server.service.gate
        assert isinstance(gate, KeyGate)
        key, info = await gate.keyring.add("-".join(scopes) + str(limits), list(scopes), KeyLimits(**limits))
        return key, info.id

    async def test_to_everybody_else_a_job_is_unknown(self, tmp_path: Path) -> None:
        async with job_server(tmp_path, keys=True) as server:
            mine, _ = await self.new_key(server, "jobs")
            other, _ = await self.new_key(server, "jobs", "translate")
            translator, _ = await self.new_key(server, "translate")
            job_id = await server.begun(shop(2), headers={"X-API-Key": mine})
            routes = [("GET", ""), ("GET", "/result"), ("GET", "/events"), ("POST", "/cancel"), ("POST", "/resume"),
                      ("POST", "/retry-failed"), ("DELETE", "")]  # fmt: skip
            found = {
                key: [
                    (await server.ask(method, f"/{job_id}{path}", headers={"X-API-Key": key}))[0]
                    for method, path in routes
                ]
                for key in (other, translator)
            }
            listed = (await server.ask("GET", "", headers={"X-API-Key": other}))[1]["jobs"]
            nobody = (await server.ask("GET", ""))[0]

        assert found == {other: [404] * 7, translator: [403] * 7}
        assert (listed, nobody) == ([], 401)

    async def test_a_job_pauses_where_its_keys_characters_of_the_month_are_used_up(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rows = 600
        sent, _ = count_texts(monkeypatch)
        monkeypatch.setattr(run, "CHARGE_EVERY_S", 0.05)
        async with job_server(tmp_path, keys=True) as server:
            gate = server.service.gate
            assert isinstance(gate, KeyGate)
            key, key_id = await self.new_key(server, "jobs", characters_per_month=1_000, characters_per_minute=100)
            server.client.headers["X-API-Key"] = key
            first = await server.over(await server.begun(shop(rows)))
            sent_then = sent.total()
            await server.ask("POST", f"/{first['id']}/resume")
            again = await server.over(first["id"])
            refused, problem = await server.post(shop(1))
            assert sent.total() == sent_then
            await gate.keyring.limit(key_id, {"characters_per_month": 100_000, "characters_per_minute": None})
            await server.ask("POST", f"/{first['id']}/resume")
            done = await server.over(first["id"])
            used = await gate.usage(await gate.admit(key, "jobs"))

        assert sent_then < rows
        for job in (first, again):
            assert job["state"] == "paused"
            assert "may have 1000 characters translated in a month" in job["reason"]
        assert (refused, problem["title"]) == (429, "The quota is used up")
        assert done["state"] == "done"
        assert used.characters == sum(len(row["title"]) for row in rows_of(shop(rows)))


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("fields", "filename", "status", "field", "words"),
        [
            ([("columns", "name")], "a.csv", 400, "columns", "There is no column 'name'. Those that can"),
            ([("target", "xx")], "a.csv", 422, "target", "Unknown language 'xx'"),
            ([("source", "xx")], "a.csv", 422, "source", "Unknown language 'xx'"),
            ([("formality", "more")], "a.csv", 400, "formality", "follows no instructions"),
            ([("protect", "(")], "a.csv", 400, "protect", ""),
            ([("glossary", "none")], "a.csv", 404, "glossary", "none"),
            ([("limit", "many")], "a.csv", 400, "limit", "whole number"),
            ([("limit", "0")], "a.csv", 400, "limit", ""),
            ([("name", "{column:>99999999}")], "a.csv", 400, "name", ""),
            ([("name", "title{column.__class__}")], "a.csv", 400, "name", ""),
            ([("colour", "red")], "a.csv", 400, "colour", "Unknown field 'colour'; known are: file, "),
            ([], "a.pdf", 422, "file", "Its name has to end in .parquet"),
            ([], "../../a", 422, "file", "a is no table"),
            ([], "a.parquet", 422, None, "a.parquet is no Parquet file"),
        ],
    )  # fmt: skip
    async def test_at_once_with_what_to_change(
        self,
        tmp_path: Path,
        fields: list[tuple[str, str]],
        filename: str,
        status: int,
        field: str | None,
        words: str,
    ) -> None:
        async with job_server(tmp_path) as server:
            answered, problem = await server.post(shop(2), *fields, filename=filename)

            assert (answered, problem.get("field")) == (status, field), problem
            assert words in problem["detail"]
            assert str(tmp_path) not in problem["detail"]
            assert list((tmp_path / "jobs").iterdir()) == []

    async def test_a_form_that_is_none(self, server: JobServer) -> None:
        head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
        for body, boundary, words in (
            (head + b"sku", "x", "breaks off"),
            (b"no form at all", "x", "cannot be read"),
            (b"--x--\r\n", "x", "There is no file"),
            (b"", "", "no boundary"),
        ):
            kind = "multipart/form-data" + (f"; boundary={boundary}" if boundary else "")
            status, problem = await server.ask("POST", "", data=body, headers={"Content-Type": kind})
            assert (status, words in problem["detail"]) == (400, True), problem

    async def test_a_table_that_is_too_large_is_not_read_to_its_end(self, tmp_path: Path) -> None:
        async def endless() -> AsyncIterator[bytes]:
            yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
            for _ in range(50):
                yield b"a" * 100_000

        async with job_server(tmp_path, max_job_bytes=500_000) as server:
            declared = await server.post(b"a" * 1_000_000)
            kind = {"Content-Type": "multipart/form-data; boundary=x"}
            streamed = await server.ask("POST", "", data=endless(), headers=kind)

        for status, problem in (declared, streamed):
            assert (status, problem["limit"], problem["field"]) == (413, 500_000, "file")

    async def test_more_than_the_disk_may_hold_until_what_is_over_is_old_enough(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with job_server(tmp_path, jobs_disk_bytes=300_000) as server:
            first = await server.begun(shop(5))
            await server.over(first)
            table = shop(5) + b"6,1\r\n" * 56_000
            refused, problem = await server.post(table)
            monkeypatch.setattr(store, "KEPT_AT_LEAST_S", -1.0)
            taken, _ = await server.post(table)
            gone = (await server.ask("GET", f"/{first}"))[0]

        assert (refused, problem["title"]) == (503, "Too much work is waiting")
        assert (taken, gone) == (202, 404)

    async def test_jobs_that_are_over_for_too_long_are_removed(self, tmp_path: Path) -> None:
        async with job_server(tmp_path) as server:
            job_id = await server.begun(shop(2))
            await server.over(job_id)

        async with job_server(tmp_path, jobs_max_age_days=1e-9) as server:
            await settles(lambda: any((tmp_path / "jobs").iterdir()), False, within_s=10)
            assert (await server.ask("GET", ""))[1] == {"jobs": []}

    def test_without_pyarrow_the_server_starts_and_says_what_to_install(self, tmp_path: Path) -> None:
        program = (
            "import sys; sys.modules['pyarrow'] = None\n"
            "import asyncio; from pathlib import Path; from tests.server.job_server import job_server\n"
            "async def main():\n"
            "    async with job_server(Path(sys.argv[1])) as server:\n"
            "        print(*await server.post(b'title'), (await server.ask('GET', ''))[0])\n"
            "asyncio.run(main())\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.stdout.startswith("501 "), done.stderr
        assert "pip install 'dragoman[jobs]'" in done.stdout
        assert done.stdout.strip().endswith("200")


class TestIdempotency:
    async def test_the_same_request_with_the_same_key_gives_the_same_job(self, server: JobServer) -> None:
        key = {"Idempotency-Key": "order-1"}
        first = await server.post(shop(3), headers=key)
        second = await server.post(shop(3), headers=key)
        others = [
            await server.post(shop(4), headers=key),
            await server.post(shop(3), ("target", "fr"), headers=key),
        ]

        assert (first[0], second[0]) == (202, 200)
        assert first[1] == second[1]
        assert [(status, problem["field"]) for status, problem in others] == [(422, "Idempotency-Key")] * 2
        assert len((await server.ask("GET", ""))[1]["jobs"]) == 1

    async def test_also_where_both_come_at_once(self, server: JobServer) -> None:
        answers = await asyncio.gather(*(server.post(shop(3), headers={"Idempotency-Key": "a"}) for _ in range(4)))

        assert sorted(status for status, _ in answers) == [200, 200, 200, 202]
        assert len({answer["id"] for _, answer in answers}) == 1

    async def test_a_key_that_is_none(self, server: JobServer) -> None:
        status, problem = await server.post(shop(3), headers={"Idempotency-Key": "a" * 256})

        assert (status, problem["field"]) == (400, "Idempotency-Key")


class TestTablesOnTheServer:
    async def test_one_in_the_open_folder_is_taken_by_its_path(self, tmp_path: Path) -> None:
        tables = tmp_path / "in"
        (tables / "deep").mkdir(parents=True)
        (tables / "deep" / "a.csv").write_bytes(shop(3))
        body = {"path": "deep/a.csv", "columns": ["title"], "source": "en", "target": ["de", "fr"], "limit": 2}
        async with job_server(tmp_path / "data", jobs_input_dir=str(tables)) as server:
            status, accepted = await server.ask("POST", "", json=body)
            job = await server.over(accepted["id"])

        assert (status, job["rows"], job["ok"], job["filename"]) == (202, 2, 2, "a.csv")
        assert (tables / "deep" / "a.csv").read_bytes() == shop(3)

    @pytest.mark.parametrize(
        "path",
        [
            "../secret.csv",
            "/etc/passwd",
            "{secret}",
            "link.csv",
            "folder/secret.csv",
            "none.csv",
            ".",
            "a\0b",
            "circle",
        ],
    )
    async def test_there_is_no_way_out_of_the_folder(self, tmp_path: Path, path: str) -> None:
        tables, secret = tmp_path / "in", tmp_path / "secret.csv"
        tables.mkdir()
        secret.write_bytes(shop(3))
        (tables / "link.csv").symlink_to(secret)
        (tables / "folder").symlink_to(tmp_path)
        (tables / "circle").symlink_to(tables / "circle")
        body = {"path": path.format(secret=secret), "columns": ["title"], "target": ["de"]}
        async with job_server(tmp_path / "data", jobs_input_dir=str(tables)) as server:
            status, problem = await server.ask("POST", "", json=body)

        assert (status, problem["field"]) == (400, "path")
        assert problem["detail"].startswith("There is no such file in the folder")

    async def test_without_a_folder_none_is_taken(self, server: JobServer) -> None:
        body = msgspec.json.encode({"path": "a.csv", "columns": ["title"], "target": ["de"]})
        status, problem = await server.ask("POST", "", data=body, headers={"Content-Type": "application/json"})

        assert (status, problem["field"]) == (400, "path")
        assert "uploads only" in problem["detail"]
