"""Conversations over real sockets: uvicorn on one side, the `websockets` client on the other."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias, cast

import aiohttp
import msgspec
import pytest
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError

from dragoman.core.translator import Translator
from dragoman.errors import EngineUnavailable, QuotaExceeded, Unauthorized
from dragoman.listening import listen
from dragoman.memory.glossaries import Glossaries
from dragoman.server.app import create_app
from dragoman.server.conversations import connection, rooms, translations
from dragoman.server.conversations import socket as endpoint
from dragoman.server.conversations.rooms import Rooms
from dragoman.server.conversations.state import BOUNDS, Bounds
from dragoman.server.gate import Caller, Gate, OpenGate, Scope, Usage
from dragoman.server.service import Service
from dragoman.settings import Settings
from dragoman.types import Capability, EngineInfo, Lane, Pair, Term
from tests.server.scripted import ScriptedTranslator

PATIENCE_S = 10.0
INFO = EngineInfo(name="scripted", model="scripted-1", slots=2, max_segment_tokens=400)
DOWN = EngineUnavailable("The engine is restarting.", engine="scripted")

Json: TypeAlias = dict[str, Any]


class Engine(ScriptedTranslator):
    """A scripted translator that says what its engine can do."""

    info = INFO


class KnownKeys:
    """Lets in the keys a and b, counts what each is charged, and lets nobody have more than `limit`."""

    def __init__(self, limit: int = 1000) -> None:
        self.limit = limit
        self.charged: dict[str, int] = {"a": 0, "b": 0}

    async def admit(self, key: str | None, scope: Scope = "translate") -> Caller:
        if key not in self.charged:
            raise Unauthorized("No such key.")
        return Caller(key)

    async def charge(self, caller: Caller, characters: int) -> None:
        if self.charged[caller.key_id] + characters > self.limit:
            raise QuotaExceeded("The characters of this month are used up.")
        self.charged[caller.key_id] += characters

    async def charge_job(self, caller: Caller, characters: int) -> None:
        await self.charge(caller, characters)

    async def usage(self, caller: Caller) -> Usage:
        return Usage(self.charged[caller.key_id])


class Server:
    """A running server, and how a page talks to it."""

    def __init__(
        self, address: str, session: aiohttp.ClientSession, translator: Engine, glossaries: Glossaries
    ) -> None:
        self.address = address
        self.translator = translator
        self.glossaries = glossaries
        self._session = session
        self._open = AsyncExitStack()

    async def call(self, method: str, path: str, body: object = None, key: str | None = None) -> tuple[int, Json]:
        headers = {"x-api-key": key} if key else {}
        url = f"http://{self.address}/v1/conversations{path}"
        async with self._session.request(method, url, json=body, headers=headers) as answer:
            text = await answer.read()
            return answer.status, msgspec.json.decode(text) if text else {}

    async def room(self, key: str | None = None, **rules: object) -> str:
        status, shown = await self.call("POST", "", rules, key)
        assert status == 201, shown
        return str(shown["id"])

    async def invitation(self, room: str, key: str | None = None, **who: str) -> str:
        status, shown = await self.call("POST", f"/{room}/invitations", who, key)
        assert status == 201, shown
        return str(shown["token"])

    async def connect(self, room: str, **options: Any) -> Client:  # noqa: ANN401 - any option of `connect`
        url = f"ws://{self.address}/v1/conversations/{room}"
        return Client(await self._open.enter_async_context(connect(url, **options)))

    async def join(self, room: str, language: str | None = None, **join: object) -> Client:
        client = await self.connect(room)
        await client.send("join", language=language, **join)
        client.joined = await client.next("joined")
        return client

    async def close(self) -> None:
        await self._open.aclose()


class Client:
    """One participant's connection. Events of other types than those waited for are passed over."""

    def __init__(self, websocket: ClientConnection) -> None:
        self.websocket = websocket
        self.joined: Json = {}

    async def send(self, type: str, **fields: object) -> None:
        await self.websocket.send(msgspec.json.encode({"type": type, **fields}).decode())

    async def say(self, text: str, client_id: str | None = None) -> None:
        await self.send("message", client_id=client_id or text, text=text)

    async def next(self, *types: str) -> Json:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                event: Json = msgspec.json.decode(await self.websocket.recv())
                if event["type"] in types:
                    return event

    async def end(self) -> tuple[int | None, str]:
        """Read to the end: its code and reason."""
        async with asyncio.timeout(PATIENCE_S):
            with suppress(ConnectionClosedError):  # as every code but 1000 is to this library
                async for _ in self.websocket:
                    pass
        return self.websocket.close_code, self.websocket.close_reason or ""

    async def resume(self, server: Server, room: str, last_event: int) -> Client:
        return await server.join(room, token=self.joined["resume_token"], last_event=last_event)


Start: TypeAlias = Callable[..., Awaitable[Server]]


@asynccontextmanager
async def running(folder: Path, gate: Gate, bounds: Bounds, workers: int) -> AsyncIterator[Server]:
    settings = Settings(data_dir=str(folder), workers=workers)
    translator = Engine()
    async with (
        Glossaries(folder / "glossaries.sqlite3") as glossaries,
        Rooms(cast("Translator", translator), gate, glossaries, settings, bounds) as conversations,
        aiohttp.ClientSession() as session,
    ):
        service = Service(cast("Translator", translator), settings, gate, glossaries, None, conversations)
        uvicorn_server = uvicorn.Server(
            uvicorn.Config(
                create_app(service),
                lifespan="off",
                log_config=None,
                ws="websockets-sansio",
                ws_per_message_deflate=False,
                timeout_graceful_shutdown=1,
            )
        )
        with listen("127.0.0.1", 0) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # what a slow reader can fill
            host, port = listener.getsockname()
            serving = asyncio.create_task(uvicorn_server.serve(sockets=[listener]))
            server = Server(f"{host}:{port}", session, translator, glossaries)
            try:
                yield server
            finally:
                await server.close()
                uvicorn_server.should_exit = True
                await serving


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def start(stack: AsyncExitStack, tmp_path: Path) -> Start:
    async def starting(gate: Gate | None = None, bounds: Bounds = BOUNDS, workers: int = 1) -> Server:
        return await stack.enter_async_context(running(tmp_path, gate or OpenGate(), bounds, workers))

    return starting


@pytest.fixture
async def server(start: Start) -> Server:
    return await start()


# Two people


async def test_two_people_write_each_in_their_language_and_read_in_it(server: Server) -> None:
    room = await server.room(title="Order 4711")
    anna = await server.join(room, token=await server.invitation(room, name="Anna", language="de"))
    bob = await server.join(room, "en", token=await server.invitation(room), name="Bob")

    await anna.say("Guten Tag", "1")
    own, original, translated = await anna.next("message"), await bob.next("message"), await bob.next("translated")
    await bob.say("Hello", "1")
    back = await anna.next("translated")

    assert (own["client_id"], own["event"]) == ("1", 1)
    assert (original["from"], original["original"]) == ("p1", {"text": "Guten Tag", "language": "de"})
    assert "client_id" not in original
    assert (translated["id"], translated["text"], translated["event"]) == (original["id"], "[en] Guten Tag", 2)
    assert (back["text"], back["language"]) == ("[de] Hello", "de")
    assert [person["name"] for person in bob.joined["participants"]] == ["Anna", "Bob"]
    assert bob.joined["title"] == "Order 4711"
    assert {request.lane for request in server.translator.requests} == {Lane.INTERACTIVE}


async def test_who_shares_a_language_shares_one_translation_and_whoever_speaks_it_gets_none(server: Server) -> None:
    room = await server.room()
    anna, first, second = [await server.join(room, language) for language in ("de", "en", "en")]

    await anna.say("Hallo")
    assert (await first.next("translated"))["event"] == (await second.next("translated"))["event"]
    await first.say("Hello")
    await anna.next("translated")

    asked = [(request.texts, request.targets) for request in server.translator.requests]
    assert asked == [(("Hallo",), ("en",)), (("Hello",), ("de",))]


async def test_the_others_see_who_comes_types_and_goes(server: Server) -> None:
    room = await server.room()
    anna = await server.join(room, "de", name="Anna")
    bob = await server.join(room, "en", name="Bob")

    came = await anna.next("presence")
    await bob.send("typing", on=True)
    typing = await anna.next("typing")
    await bob.send("language", language="fr")
    speaks = await anna.next("presence")
    await bob.send("leave")
    left = await anna.next("presence")

    assert (came["participant"]["name"], came["participant"]["language"], came["on"]) == ("Bob", "en", True)
    assert (typing["from"], typing["on"]) == ("p2", True)
    assert (speaks["participant"]["language"], speaks["on"]) == ("fr", True)
    assert left["on"] is False
    assert await bob.end() == (1000, "left")


async def test_the_author_is_told_that_a_message_arrived_and_was_seen(server: Server) -> None:
    room = await server.room()
    anna, bob = await server.join(room, "de"), await server.join(room, "en")

    await anna.say("Hallo")
    message = await bob.next("message")
    delivered = await anna.next("delivered")
    await bob.send("seen", event=message["event"])
    seen = await anna.next("seen")

    assert (delivered["id"], delivered["to"]) == (message["id"], "p2")
    assert (seen["id"], seen["by"]) == (message["id"], "p2")
    shown = (await server.call("GET", f"/{room}"))[1]["participants"][1]
    assert (shown["delivered"], shown["seen"]) == (1, 1)


# Connections that break


async def test_who_lost_the_connection_gets_what_they_missed_and_only_that(server: Server) -> None:
    room = await server.room()
    anna, bob = await server.join(room, "de"), await server.join(room, "en")
    await anna.say("Eins")
    known = (await bob.next("translated"))["event"]
    bob.websocket.transport.abort()
    while (await anna.next("presence"))["on"]:
        pass

    await anna.say("Zwei")
    await wait_for_event(server, room, 4)
    again = await bob.resume(server, room, known)

    assert again.joined["participant"] == "p2"
    assert [(event["type"], event["original"]["text"]) for event in again.joined["history"]] == [("message", "Zwei")]
    assert again.joined["history"][0]["translation"]["text"] == "[en] Zwei"
    assert again.joined["event"] == 4


async def wait_for_event(server: Server, room: str, event: int) -> None:
    """Until the conversation has come so far, as somebody who only looks sees it."""
    async with asyncio.timeout(PATIENCE_S):
        while (await server.call("GET", f"/{room}"))[1]["event"] < event:
            pass


async def test_a_message_that_is_sent_again_after_a_loss_is_one_message(server: Server) -> None:
    room = await server.room()
    anna, bob = await server.join(room, "de"), await server.join(room, "en")
    await anna.say("Hallo", "mine")
    await bob.next("translated")
    anna.websocket.transport.abort()

    again = await anna.resume(server, room, 0)
    await again.say("Hallo", "mine")
    confirmed = await again.next("message")
    await again.say("Noch etwas", "next")

    assert (confirmed["client_id"], confirmed["event"]) == ("mine", 1)
    assert (await bob.next("message"))["original"]["text"] == "Noch etwas"


async def test_a_second_connection_with_one_token_takes_the_place_of_the_first(server: Server) -> None:
    room = await server.room()
    first = await server.join(room, "de")

    second = await first.resume(server, room, 0)

    code, reason = await first.end()
    assert (code, "another connection" in reason) == (connection.REPLACED.code, True)
    await second.say("Hallo")
    assert (await second.next("message"))["original"]["text"] == "Hallo"


async def test_a_slow_reader_is_cut_off_so_that_it_resumes_and_holds_nobody_up(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "MAX_FRAMES", 8)
    room = await server.room()
    anna = await server.join(room, "de")
    slow = await server.connect(room, sock=small_socket(server.address))
    await slow.send("join", language="de")
    slow.joined = await slow.next("joined")
    slow.websocket.transport.pause_reading()
    assert (await anna.next("presence"))["on"] is True

    sent = 0
    while True:
        await anna.say("a" * 3_900, str(sent))
        sent += 1
        if (await anna.next("message", "presence"))["type"] == "presence":
            break
    slow.websocket.transport.resume_reading()
    assert (await slow.end())[0] == connection.TOO_SLOW.code
    again = await slow.resume(server, room, slow.joined["event"])

    assert [event["event"] for event in again.joined["history"]] == list(range(1, again.joined["event"] + 1))
    assert again.joined["event"] >= sent - 1


def small_socket(address: str) -> socket.socket:
    """A connected socket that takes little before its reader reads."""
    host, _, port = address.partition(":")
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect((host, int(port)))
    return sock


async def test_an_open_conversation_survives_a_restart(start: Start, stack: AsyncExitStack, tmp_path: Path) -> None:
    async with running(tmp_path, OpenGate(), BOUNDS, 1) as server:
        room = await server.room(title="Order 4711")
        anna = await server.join(room, token=await server.invitation(room, language="de", name="Anna"))
        unused = await server.invitation(room, language="en")
        await anna.say("Eins", "1")
        await anna.next("message")
        bob = await server.join(room, "en")
        server.translator.held = True
        await anna.say("Zwei", "2")
        await bob.next("message")
    server = await start()

    again = await bob.resume(server, room, 2)
    translated = again.joined["history"] or [await again.next("translated")]
    anna_again = await anna.resume(server, room, 0)
    await anna_again.say("Zwei", "2")
    await anna_again.next("message")
    third = await server.join(room, token=unused)

    assert [event["text"] for event in translated] == ["[en] Zwei"]
    assert [event["original"]["text"] for event in anna_again.joined["history"]] == ["Eins", "Zwei"]
    assert anna_again.joined["title"] == "Order 4711"
    assert third.joined["participant"] == "p3"


async def test_a_second_server_on_the_same_folder_goes_without_the_first_ones_conversations(
    server: Server, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    room = await server.room()
    await server.join(room, "de")

    with caplog.at_level(logging.ERROR):
        second = await start()
        status, _ = await second.call("GET", f"/{room}")

    assert status == 404
    assert "in memory only" in caplog.text
    mine = await second.room()
    await second.join(mine, "de")


# Engines and glossaries


async def test_while_the_engine_is_away_messages_go_through_and_translations_follow(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(translations, "FIRST_RETRY_S", 0.02)
    room = await server.room()
    anna, bob = await server.join(room, "de"), await server.join(room, "en")
    server.translator.refusal = DOWN

    await anna.say("Hallo")
    at_once, failed = await bob.next("message"), await bob.next("translation_failed")
    server.translator.refusal = None
    followed = await bob.next("translated")

    assert at_once["original"]["text"] == "Hallo"
    assert (failed["retrying"], failed["error"]["status"], failed["language"]) == (True, 502, "en")
    assert followed["text"] == "[en] Hallo"


async def test_a_translation_that_failed_for_good_can_be_asked_for_again(server: Server) -> None:
    room = await server.room()
    anna, bob = await server.join(room, "de"), await server.join(room, "en")
    server.translator.outcomes["Hallo"] = QuotaExceeded("The characters of this month are used up.")

    await anna.say("Hallo")
    failed = await bob.next("translation_failed")
    server.translator.outcomes.clear()
    await bob.send("again", id=failed["id"])

    assert (failed["retrying"], failed["error"]["title"]) == (False, "The quota is used up")
    assert (await bob.next("translated"))["text"] == "[en] Hallo"


async def test_a_bug_in_a_translation_is_told_without_its_words_and_ends_nothing(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    room = await server.room()
    anna, bob = await server.join(room, "de"), await server.join(room, "en")
    server.translator.refusal = ValueError("secret words")

    await anna.say("Hallo")
    failed = await bob.next("translation_failed")
    server.translator.refusal = None
    await anna.say("Nochmal")

    assert failed["error"]["status"] == 500
    assert (await bob.next("translated"))["text"] == "[en] Nochmal"
    assert "This is a bug: ValueError" in caplog.text
    assert "secret words" not in caplog.text


@pytest.mark.parametrize(("can", "context"), [({"instructions"}, "Anna: Eins"), (set(), "")])
async def test_engines_that_follow_instructions_are_given_the_turns_before(
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    can: set[Capability],
    context: str,
) -> None:
    monkeypatch.setattr(Engine, "info", msgspec.structs.replace(INFO, can=frozenset(can)))
    room = await server.room()
    anna, bob = await server.join(room, "de", name="Anna"), await server.join(room, "en")

    for text in ("Eins", "Zwei"):
        await anna.say(text)
        await bob.next("translated")

    assert [request.wishes.context for request in server.translator.requests] == ["", context]


async def test_the_rules_of_a_conversation_hold_for_each_message(server: Server) -> None:
    pair = Pair("de", "en")
    await server.glossaries.create("wheels", {pair: (Term("Nabe", "hub"),)})
    room = await server.room(glossary="wheels", formality="prefer_less", no_store=True)
    anna, bob = await server.join(room, "de"), await server.join(room, "en")

    await anna.say("Die Nabe")
    await bob.next("translated")

    (request,) = server.translator.requests
    assert [glossary.name for glossary in request.wishes.glossaries] == ["wheels"]
    assert (request.wishes.formality, request.wishes.formality_preferred, request.no_store) == ("less", True, True)


# Who may


async def test_the_owner_sees_and_joins_all_of_their_conversations_and_nobody_elses(start: Start) -> None:
    server = await start(KnownKeys())
    mine, other, theirs = await server.room("a", title="1"), await server.room("a", title="2"), await server.room("b")

    desk = [await server.join(room, "en", key="a", name="desk") for room in (mine, other)]
    guest = await server.join(mine, "de", token=await server.invitation(mine, "a"))
    await guest.say("Hilfe")

    assert (await desk[0].next("translated"))["text"] == "[en] Hilfe"
    listed = (await server.call("GET", "", key="a"))[1]["conversations"]
    assert [(one["id"], one["title"]) for one in listed] == [(other, "2"), (mine, "1")]
    for method, path in (("GET", f"/{theirs}"), ("DELETE", f"/{theirs}"), ("POST", f"/{theirs}/invitations")):
        assert (await server.call(method, path, {}, "a"))[0] == 404
    assert (await server.call("GET", "", key="nobody"))[0] == 401


@pytest.mark.parametrize(
    ("join", "code"),
    [
        ({"language": "en"}, 4401),
        ({"language": "en", "key": "nobody"}, 4401),
        ({"language": "en", "key": "b"}, 4404),
        ({"language": "en", "token": "made up"}, 4404),
        ({"key": "a"}, 4400),
        ({"language": "klingon", "key": "a"}, 4422),
        ({"language": "en", "key": "a", "last_event": 7}, 4400),
        ({"language": "en", "key": "a", "last_event": -1}, 4400),
    ],
)
async def test_who_is_not_let_in_is_told_why(start: Start, join: Json, code: int) -> None:
    server = await start(KnownKeys())
    client = await server.connect(await server.room("a"))

    await client.send("join", **join)

    assert (await client.next("error"))["error"]["status"] == code - endpoint.REFUSED
    assert (await client.end())[0] == code


async def test_an_invitation_is_for_one(server: Server) -> None:
    room = await server.room()
    token = await server.invitation(room, language="de")

    first, second = await server.join(room, token=token), await server.join(room, token=token)

    assert first.joined["participant"] == second.joined["participant"] == "p1"
    assert second.joined["resume_token"] == token
    assert token.partition(".")[0] == room
    assert await first.end() == (connection.REPLACED.code, connection.REPLACED.reason)


async def test_the_owner_is_charged_for_each_translation_and_past_the_quota_originals_still_go_through(
    start: Start,
) -> None:
    gate = KnownKeys(limit=12)
    server = await start(gate)
    room = await server.room("a")
    anna, bob, zoe = [
        await server.join(room, language, token=await server.invitation(room, "a")) for language in ("de", "en", "fr")
    ]

    await anna.say("Hallo")
    await bob.next("translated")
    await zoe.next("translated")
    await anna.say("Danke")

    assert (await bob.next("message"))["original"]["text"] == "Danke"
    assert (await bob.next("translation_failed"))["error"]["status"] == 429
    assert gate.charged == {"a": 10, "b": 0}


# What is refused, and what ends


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ("no JSON", None),
        ('{"type":"message","client_id":"1"}', None),
        ('{"type":"message","client_id":"1","text":" "}', "text"),
        ('{"type":"message","client_id":"","text":"a"}', None),
        ('{"type":"dance"}', None),
        ('{"type":"join","language":"en"}', None),
        ('{"type":"again","id":"m99"}', "id"),
        ('{"type":"language","language":"klingon"}', None),
        (b"{}", None),
    ],
)
async def test_what_cannot_be_understood_is_told_and_the_conversation_goes_on(
    server: Server, sent: str | bytes, field: str | None
) -> None:
    anna = await server.join(await server.room(), "de")

    await anna.websocket.send(sent)
    error = (await anna.next("error"))["error"]
    await anna.say("Hallo")

    assert 400 <= error["status"] < 500
    assert error.get("field") == field
    assert (await anna.next("message"))["original"]["text"] == "Hallo"


async def test_a_ping_is_answered_to_whoever_asks_and_told_to_nobody_else(server: Server) -> None:
    room = await server.room()
    anna, bob = await server.join(room, "de"), await server.join(room, "en")

    await bob.send("ping")
    await bob.send("typing", on=True)

    assert await bob.next("pong") == {"type": "pong"}
    assert (await anna.next("pong", "typing"))["type"] == "typing"


async def test_a_refused_message_is_named_so_that_it_is_not_sent_again(server: Server) -> None:
    anna = await server.join(await server.room(), "de")

    await anna.say("a" * 4001, "long")

    error = await anna.next("error")
    assert (error["client_id"], error["error"]["status"], error["error"]["limit"]) == ("long", 413, 4000)


async def test_a_connection_that_says_nothing_is_closed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "JOIN_TIMEOUT_S", 0.05)

    client = await server.connect(await server.room())

    assert (await client.end())[0] == 4400


async def test_a_conversation_that_its_owner_ends_ends_for_everybody(server: Server) -> None:
    room = await server.room()
    anna = await server.join(room, "de")

    status, _ = await server.call("DELETE", f"/{room}")

    assert status == 204
    assert (await anna.next("closed"))["reason"] == "deleted"
    assert (await anna.end())[0] == 1000
    assert (await server.call("GET", f"/{room}"))[0] == 404
    assert (await server.call("GET", ""))[1]["conversations"] == []


async def test_a_conversation_ends_with_its_time_and_nothing_of_it_stays_on_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(rooms, "LOOK_EVERY_S", 0.05)
    async with running(tmp_path, OpenGate(), BOUNDS, 1) as server:
        room = await server.room(ttl_s=0.5)
        anna = await server.join(room, "de")
        await anna.say("Geheimnis")
        await anna.next("message")
        kept = on_disk(tmp_path)

        assert (await anna.next("closed"))["reason"] == "expired"
        assert (await server.call("GET", f"/{room}"))[0] == 404

    assert b"Geheimnis" in kept
    assert b"Geheimnis" not in on_disk(tmp_path)


def on_disk(folder: Path) -> bytes:
    """All that is kept of conversations, SQLite's log too."""
    return b"".join(path.read_bytes() for path in folder.glob("conversations.sqlite3*"))


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"ttl_s": 0}, 400, "ttl_s"),
        ({"ttl_s": 10**9}, 400, "ttl_s"),
        ({"formality": "more"}, 400, "formality"),
        ({"formality": "most"}, 400, "formality"),
        ({"glossary": "nowhere"}, 404, "glossary"),
        ({"colour": "red"}, 400, "colour"),
    ],
)
async def test_a_conversation_that_could_not_work_is_not_opened(
    server: Server, body: Json, status: int, field: str | None
) -> None:
    answered, problem = await server.call("POST", "", body)

    assert (answered, problem.get("field")) == (status, field), problem
    assert (await server.call("GET", ""))[1]["conversations"] == []


async def test_one_owner_has_so_many_conversations_at_most(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "MAX_ROOMS_OF_ONE", 1)
    await server.room()

    status, problem = await server.call("POST", "", {})

    assert (status, "delete those that are done" in problem["detail"]) == (429, True)


async def test_a_server_of_several_processes_says_that_it_has_no_conversations(start: Start) -> None:
    server = await start(workers=4)

    status, problem = await server.call("POST", "", {})

    assert (status, "--workers 1" in problem["detail"]) == (404, True)
