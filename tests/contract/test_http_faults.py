"""The upstream client against servers that misbehave, over real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from dragoman.engines.http import (
    MAX_ANSWER_BYTES,
    MAX_LINE_BYTES,
    Events,
    Framing,
    Lines,
    Timeouts,
    UpstreamClient,
)
from dragoman.errors import (
    BadOutput,
    ConfigurationError,
    EngineError,
    EngineRejected,
    EngineTimeout,
    EngineUnavailable,
    StatusRejected,
)
from tests.contract.fault_server import (
    LAST_CHUNK,
    Connection,
    Handler,
    Hangup,
    Request,
    answer,
    chunk,
    chunked,
    serving,
)

KEY = "sk-very-secret-1234"


class Ask(Struct):
    text: str = "Grüße"


class Told(Struct):
    n: int


@asynccontextmanager
async def client_of(
    handler: Handler, *, api_key: str | None = None, timeouts: Timeouts | None = None
) -> AsyncIterator[UpstreamClient]:
    async with serving(handler) as address, connected(address, api_key=api_key, timeouts=timeouts) as client:
        yield client


@asynccontextmanager
async def connected(
    address: str, *, api_key: str | None = None, timeouts: Timeouts | None = None
) -> AsyncIterator[UpstreamClient]:
    client = UpstreamClient(f"http://{address}", engine="far", limit=4, api_key=api_key, timeouts=timeouts)
    try:
        yield client
    finally:
        await client.aclose()


async def post(client: UpstreamClient, framing: Framing | None = None) -> list[bytes]:
    async with aclosing(client.stream("/generate", Ask(), framing or Lines())) as messages:
        return [message async for message in messages]


def always(data: bytes, *, hang_up: bool = False) -> Handler:
    async def handler(connection: Connection, request: Request) -> None:
        await connection.send(data)
        if hang_up:
            raise Hangup

    return handler


# What is sent


async def test_a_request_carries_our_headers_and_nothing_else() -> None:
    seen: list[Request] = []

    async def handler(connection: Connection, request: Request) -> None:
        seen.append(request)
        await connection.send(answer(b"{}", extra="Set-Cookie: track=me\r\n"))

    async with client_of(handler, api_key=KEY) as client:
        await post(client)
        await post(client)

    assert seen[0] == seen[1]
    assert seen[0].body == '{"text":"Grüße"}'.encode()
    assert (seen[0].method, seen[0].path) == ("POST", "/generate")
    assert set(seen[0].headers) == {
        "host", "accept", "accept-encoding", "authorization", "content-length", "content-type", "user-agent",
    }  # fmt: skip
    assert seen[0].headers["authorization"] == f"Bearer {KEY}"
    assert seen[0].headers["accept-encoding"] == "identity"


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")

    async with client_of(always(answer(b'{"n":1}'))) as client:
        assert await client.get_json("/n", Told) == Told(1)


@pytest.mark.parametrize("address", ["http://", "http://[::1"])
async def test_an_impossible_address_is_the_operators_mistake(address: str) -> None:
    with pytest.raises(ConfigurationError):
        UpstreamClient(address, engine="far", limit=1)


# Connections


async def test_a_connection_is_used_again_after_an_answer_was_read_to_its_end() -> None:
    connections: set[int] = set()

    async def handler(connection: Connection, request: Request) -> None:
        connections.add(connection.number)
        await connection.send(chunked() + chunk(b'{"n":1}\n') + LAST_CHUNK)

    async with client_of(handler) as client:
        for _ in range(3):
            assert await post(client) == [b'{"n":1}']

    assert connections == {1}


async def test_a_kept_connection_that_the_server_closed_is_no_error() -> None:
    connections: list[int] = []

    async def handler(connection: Connection, request: Request) -> None:
        connections.append(connection.number)
        if connection.served == 2:
            raise Hangup
        await connection.send(answer(b'{"n":1}\n'))

    async with client_of(handler) as client:
        assert await post(client) == [b'{"n":1}']
        assert await post(client) == [b'{"n":1}']

    assert connections == [1, 1, 2]


async def test_a_server_that_never_answers_a_byte_is_asked_twice_and_no_more() -> None:
    asked = 0

    async def handler(connection: Connection, request: Request) -> None:
        nonlocal asked
        asked += 1
        raise Hangup

    async with client_of(handler) as client:
        with pytest.raises(EngineUnavailable):
            await post(client)

    assert asked == 2


async def test_nothing_is_asked_again_once_a_byte_of_the_answer_came() -> None:
    asked = 0

    async def handler(connection: Connection, request: Request) -> None:
        nonlocal asked
        asked += 1
        await connection.send(chunked() + chunk(b'{"n":1}\n'))
        raise Hangup

    async with client_of(handler) as client:
        with pytest.raises(EngineUnavailable, match="before its answer was complete"):
            await post(client)

    assert asked == 1


@pytest.mark.parametrize("sent", [b"", chunked() + chunk(b'{"n":1}\n')], ids=["before the answer", "in the answer"])
async def test_cancelling_a_call_closes_its_connection_at_once(sent: bytes) -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    async def handler(connection: Connection, request: Request) -> None:
        await connection.send(sent)
        asked.set()
        await connection.closed_by_client()
        left.set()
        raise Hangup

    async with client_of(handler) as client:
        call = asyncio.create_task(post(client))
        await asked.wait()
        await asyncio.sleep(0.01)
        call.cancel()
        async with asyncio.timeout(0.5):
            await left.wait()
        assert call.cancelled()


async def test_leaving_a_stream_early_closes_its_connection_at_once() -> None:
    left = asyncio.Event()

    async def handler(connection: Connection, request: Request) -> None:
        await connection.send(chunked() + chunk(b'{"n":1}\n'))
        await connection.closed_by_client()
        left.set()
        raise Hangup

    async with client_of(handler) as client:
        async with aclosing(client.stream("/generate", Ask(), Lines())) as messages:
            async for _ in messages:
                break
        async with asyncio.timeout(0.5):
            await left.wait()


async def test_closing_the_client_ends_calls_under_way_and_refuses_new_ones() -> None:
    asked = asyncio.Event()

    async def handler(connection: Connection, request: Request) -> None:
        asked.set()
        await connection.closed_by_client()
        raise Hangup

    async with client_of(handler) as client:
        call = asyncio.create_task(post(client))
        await asked.wait()
        await client.aclose()
        async with asyncio.timeout(0.5):
            with pytest.raises(EngineUnavailable):
                await call
        with pytest.raises(EngineUnavailable, match="was closed"):
            await post(client)


# Faults


async def test_a_server_that_is_down_is_unavailable_and_its_address_is_not_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with connected(f"127.0.0.1:{port}") as client:
        with pytest.raises(EngineUnavailable, match="Connection refused") as caught:
            await post(client)

    assert str(port) not in caught.value.message
    assert caught.value.engine == "far"


async def test_a_host_name_that_nobody_knows_is_unavailable() -> None:
    async with connected("no-such-host.invalid") as client:
        with pytest.raises(EngineUnavailable, match="host name"):
            await post(client)


async def test_a_host_that_does_not_take_connections_is_unavailable_after_the_connect_timeout() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        with socket.create_connection(address):  # takes the only place in the queue
            async with connected(f"127.0.0.1:{address[1]}", timeouts=Timeouts(connect_s=0.1)) as client:
                with pytest.raises(EngineUnavailable, match="no connection in time"):
                    await post(client)


async def test_a_black_hole_is_a_timeout() -> None:
    async def handler(connection: Connection, request: Request) -> None:
        await connection.closed_by_client()
        raise Hangup

    async with client_of(handler, timeouts=Timeouts(read_s=0.1)) as client:
        with pytest.raises(EngineTimeout):
            await post(client)


async def test_a_stream_that_falls_silent_is_a_timeout() -> None:
    async def handler(connection: Connection, request: Request) -> None:
        await connection.send(chunked() + chunk(b'{"n":1}\n'))
        await connection.closed_by_client()
        raise Hangup

    async with client_of(handler, timeouts=Timeouts(read_s=0.1)) as client:
        with pytest.raises(EngineTimeout):
            await post(client)


async def test_a_server_that_drips_for_ever_is_a_timeout() -> None:
    async def handler(connection: Connection, request: Request) -> None:
        await connection.send(chunked())
        while True:
            await connection.send(chunk(b" "))
            await asyncio.sleep(0.02)

    async with client_of(handler, timeouts=Timeouts(read_s=0.1, total_s=0.3)) as client:
        with pytest.raises(EngineTimeout):
            await post(client)


async def test_a_reset_in_the_middle_of_an_answer_is_unavailable() -> None:
    async def handler(connection: Connection, request: Request) -> None:
        await connection.send(chunked() + chunk(b'{"n":1}\n'))
        await asyncio.sleep(0.02)
        connection.reset()
        raise Hangup

    async with client_of(handler) as client:
        with pytest.raises(EngineUnavailable):
            await post(client)


async def test_an_answer_cut_short_is_noticed() -> None:
    whole = answer(b'{"n":1234567}')
    async with client_of(always(whole[:-4], hang_up=True)) as client:
        with pytest.raises(EngineUnavailable):
            await client.get_json("/n", Told)


async def test_json_cut_short_is_bad_output() -> None:
    async with client_of(always(answer(b'{"n":12'))) as client:
        with pytest.raises(BadOutput):
            await client.get_json("/n", Told)


async def test_a_web_page_is_bad_output() -> None:
    page = answer(b"<html>Welcome to the router</html>", content_type="text/html; charset=utf-8")
    async with client_of(always(page)) as client:
        with pytest.raises(BadOutput, match="web page"):
            await post(client)
        with pytest.raises(BadOutput, match="web page"):
            await client.get_json("/n", Told)


async def test_what_is_not_http_is_bad_output() -> None:
    async with client_of(always(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", hang_up=True)) as client:
        with pytest.raises(BadOutput, match="not HTTP"):
            await post(client)


async def test_an_answer_without_end_is_refused() -> None:
    line = b" " * 65_000 + b"\n"

    async def handler(connection: Connection, request: Request) -> None:
        await connection.send(chunked())
        for _ in range(100_000_000 // len(line)):
            await connection.send(chunk(line))

    async with client_of(handler) as client:
        with pytest.raises(BadOutput, match=str(MAX_ANSWER_BYTES)):
            await post(client)
        with pytest.raises(BadOutput, match=str(MAX_ANSWER_BYTES)):
            await client.get_json("/n", Told)


@pytest.mark.parametrize(("framing", "start"), [(Lines, b""), (Events, b"data: ")])
async def test_a_message_without_end_is_refused(framing: Callable[[], Framing], start: bytes) -> None:
    async with client_of(always(answer(start + b"x" * (MAX_LINE_BYTES + 1)))) as client:
        with pytest.raises(BadOutput, match=str(MAX_LINE_BYTES)):
            await post(client, framing())


# Refusals


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, EngineRejected),
        (400, EngineRejected),
        (401, EngineRejected),
        (404, EngineRejected),
        (408, EngineTimeout),
        (422, EngineRejected),
        (429, EngineUnavailable),
        (500, EngineUnavailable),
        (501, EngineRejected),
        (502, EngineUnavailable),
        (503, EngineUnavailable),
        (504, EngineTimeout),
    ],
)
async def test_a_status_becomes_the_error_that_says_whether_another_try_helps(
    status: int, kind: type[EngineError]
) -> None:
    refusal = answer(b'{"error":"server busy, please try again."}', status, extra="Location: http://127.0.0.1:9/\r\n")
    async with client_of(always(refusal)) as client:
        with pytest.raises(kind, match=f"far answered {status}: server busy") as caught:
            await post(client)

    assert type(caught.value) in {kind, StatusRejected}
    assert getattr(caught.value, "status", status) == status


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"error":{"message":"no such\\n model","type":"x"}}', "far answered 404: no such model"),
        (b'{"detail":"Not Found"}', "far answered 404: Not Found"),
        (b'{"error":{"code":5}}', "far answered 404"),
        (b"[1,2]", "far answered 404"),
        (b"<html>nginx at 10.0.0.7</html>", "far answered 404"),
        (b"\xff\xfe", "far answered 404"),
        (b'{"error":"' + b"a" * 500 + b'"}', f"far answered 404: {'a' * 199}…"),
        (b'{"error":"Incorrect key: ' + KEY.encode() + b'"}', "far answered 404: Incorrect key: ***"),
    ],
)
async def test_only_a_json_errors_words_are_shown_short_and_without_the_key(body: bytes, shown: str) -> None:
    async with client_of(always(answer(body, 404)), api_key=KEY) as client:
        with pytest.raises(StatusRejected) as caught:
            await post(client)

    assert caught.value.message == shown


# Slices


async def test_answers_arrive_whole_when_the_network_brings_single_bytes() -> None:
    async def handler(connection: Connection, request: Request) -> None:
        events = request.path == "/events"
        text = 'data: {"t":"ü"}\n\ndata: [DONE]\n\n' if events else '{"t":"ü"}\n{"t":"語"}\n'
        for byte in answer(text.encode()):
            await connection.send(bytes([byte]))
            await asyncio.sleep(0)

    async with client_of(handler) as client:
        assert await post(client) == ['{"t":"ü"}'.encode(), '{"t":"語"}'.encode()]
        async with aclosing(client.stream("/events", Ask(), Events())) as messages:
            assert [message async for message in messages] == ['{"t":"ü"}'.encode(), b"[DONE]"]


def slices_of(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def read(framing: Framing, slices: list[bytes]) -> list[bytes]:
    return [message for piece in slices for message in framing.feed(piece)] + framing.end()


messages = st.lists(st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), min_size=1).map(str.encode))
cuts = st.lists(st.integers(min_value=0, max_value=1000))


@given(messages, cuts, st.sampled_from([b"\n", b"\r\n", b"\n\n"]), st.booleans())
def test_lines_are_the_same_however_they_are_sliced(
    lines: list[bytes], cuts: list[int], end: bytes, last_ends: bool
) -> None:
    data = end.join(lines) + (end if last_ends else b"")

    assert read(Lines(), slices_of(data, cuts)) == [line.strip() for line in lines if line.strip()]


@given(messages, cuts, st.sampled_from([b"\n", b"\r\n"]), st.sampled_from([b"", b": ping", b"event: chunk"]))
def test_events_are_the_same_however_they_are_sliced(
    events: list[bytes], cuts: list[int], end: bytes, other: bytes
) -> None:
    data = b"".join((other + end if other else b"") + b"data: " + event + end + end for event in events)

    assert read(Events(), slices_of(data, cuts)) == events


def test_an_event_may_have_several_lines_and_one_that_breaks_off_is_none() -> None:
    assert read(Events(), [b"data: {\ndata:}\n\ndata: half\n"]) == [b"{\n}"]
