"""People who have texts translated, one at a time or three, for locust: any server with the two plain routes will do.

    python -m locust -f bench/locustfile.py --headless -u 100 -r 100 -t 30s --host http://127.0.0.1:8080

Of four requests one is a single text and three are a batch of three; between two requests a person waits for 0.1 to
0.5 s. Texts come from a list of 180 again and again, or, with `--every-text-new`, never twice.
"""

from __future__ import annotations

import random
from argparse import ArgumentParser
from typing import Any

from locust import FastHttpUser, between, events, task

from bench.open_loop_texts import new_sentences
from bench.sentences import SENTENCES

BATCH = 3
LANGUAGES = {"source_lang": "en", "target_lang": "de"}


def declare(parser: ArgumentParser, **_: Any) -> None:  # noqa: ANN401 - locust may pass more
    """Add this file's own option to locust's."""
    parser.add_argument("--every-text-new", action="store_true", help="send no text twice")


events.init_command_line_parser.add_listener(declare)  # type: ignore[no-untyped-call] # locust has no types for its hooks


class Person(FastHttpUser):
    """One person at work."""

    wait_time = between(0.1, 0.5)

    @task(1)
    def translate(self) -> None:
        (text,) = self._texts(1)
        self._post("/translate", {"text": text})

    @task(3)
    def batch_translate(self) -> None:
        self._post("/batch-translate", {"texts": self._texts(BATCH)})

    def _texts(self, count: int) -> list[str]:
        every_text_new = self.environment.parsed_options.every_text_new
        return new_sentences(count) if every_text_new else random.sample(SENTENCES, count)

    def _post(self, path: str, body: dict[str, Any]) -> None:
        """A request counts as failed unless each of its texts was translated."""
        with self.client.post(path, json=body | LANGUAGES, catch_response=True) as response:
            answer = response.json() if response.status_code == 200 else {}
            results = answer.get("results", [answer])
            if any(result.get("status") != "success" for result in results):
                response.failure(f"status {response.status_code}, or a text that was not translated")
