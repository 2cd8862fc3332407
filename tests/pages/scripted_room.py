"""A conversation whose server is played by the test, for what a real engine does too seldom."""

from __future__ import annotations

import json
import re
from typing import Any, TypeAlias

from playwright.sync_api import Page, WebSocketRoute

Json: TypeAlias = dict[str, Any]


class Script:
    """Plays the server of one conversation: the test says what it sends, and sees what it was sent. While `is_silent`
    nobody is let in.
    """

    def __init__(self, page: Page) -> None:
        self.is_silent = False
        self.heard: list[Json] = []
        self._socket: WebSocketRoute | None = None
        page.route_web_socket(re.compile("/v1/conversations/"), self._connect)

    def _connect(self, socket: WebSocketRoute) -> None:
        self._socket = socket
        socket.on_message(self._hear)

    def _hear(self, message: str | bytes) -> None:
        said = json.loads(message)
        self.heard.append(said)
        if said["type"] == "join" and not self.is_silent:
            people = [person("p1", "Me", said["language"]), person("p2", "Ana", "es")]
            joined = {"participant": "p1", "resume_token": "room.secret", "event": 0, "title": "Scripted"}
            self.tell("joined", **joined, participants=people, history=[])

    def tell(self, kind: str, **told: object) -> None:
        assert self._socket is not None
        self._socket.send(json.dumps({"type": kind, **told}))


def person(name_id: str, name: str, language: str) -> Json:
    return {"id": name_id, "name": name, "language": language, "on": True, "delivered": 0, "seen": 0}


def message(number: int, text: str, language: str = "es") -> Json:
    original = {"text": text, "language": language}
    return {"event": number, "id": f"m{number}", "from": "p2", "at": "2020-01-05T10:00:00Z", "original": original}
