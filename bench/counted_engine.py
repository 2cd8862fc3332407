"""An Ollama that tells, at the moment they come, which texts it is asked for: `python -m bench.counted_engine`.

It prints its address, and then a line for each request: `>` and the text when it arrives, `<` and the text when its
answer is sent; and `=` with how many connections are open whenever that changes. What it says is `pseudo_translate`,
and it takes the time of its one argument, in seconds. It ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import os
import sys

import msgspec

from dragoman.engines.simulated_text import pseudo_translate
from dragoman.simulator.reading import read_prompt

MODEL = "translategemma:4b"
_TAGS = msgspec.json.encode({"models": [{"name": MODEL, "digest": "a" * 64, "size": 1}]})
_PAGES = {b"/api/tags": _TAGS, b"/api/version": b'{"version":"0.12.11"}'}


async def main(takes_s: float) -> None:
    """Serve on a free loopback port."""
    connections: set[asyncio.StreamWriter] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(writer)
        _tell(f"={len(connections)}")
        try:
            while True:
                path, body = await _request(reader)
                writer.write(_whole(_PAGES[path] if path in _PAGES else await _translated(body, takes_s)))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
        connections.remove(writer)
        _tell(f"={len(connections)}")

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    _tell("{}:{}".format(*server.sockets[0].getsockname()))
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), os._exit, 0)
    await server.serve_forever()


async def _request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), b":0")
    return head.split(b" ", 2)[1], await reader.readexactly(int(length.partition(b":")[2]))


async def _translated(body: bytes, takes_s: float) -> bytes:
    work = read_prompt(msgspec.json.decode(body)["prompt"])
    _tell(f">{work.text}")
    await asyncio.sleep(takes_s)
    said = {"response": pseudo_translate(work.text, work.pair), "done": True, "done_reason": "stop"}
    _tell(f"<{work.text}")
    return msgspec.json.encode(said | {"prompt_eval_count": 80, "eval_count": 20}) + b"\n"


def _whole(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def _tell(line: str) -> None:
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
