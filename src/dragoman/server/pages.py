"""The page: static files that use only the public API, with no build step and no request to another host."""

from __future__ import annotations

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from dragoman.server.cached import Cached

STATIC = Path(__file__).parent / "static"
PAGE = STATIC / "page"

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
"""What goes with each HTML page: it may load from, and talk to, its own server only."""

MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".json": "application/json", ".svg": "image/svg+xml"}


class Root:
    """`/`: the page for a browser, a few words in JSON for a program."""

    def __init__(self, words: bytes) -> None:
        varies = {"Vary": "Accept"}
        self._page = Cached((PAGE / "index.html").read_bytes(), "text/html", HEADERS | varies)
        self._words = Cached(words, "application/json", varies)

    async def __call__(self, request: Request) -> Response:
        wants_page = "text/html" in request.headers.get("accept", "")
        return await (self._page if wants_page else self._words)(request)


class Static:
    """`/static/{path}`: the files that the pages load, read once. 404 for any other."""

    def __init__(self) -> None:
        files = sorted(file for file in STATIC.rglob("*") if file.suffix in MEDIA_TYPES)
        self._files = {file.relative_to(STATIC).as_posix(): _cached(file) for file in files}

    async def __call__(self, request: Request) -> Response:
        file = self._files.get(request.path_params["path"])
        if file is None:
            raise HTTPException(404)
        return await file(request)


def _cached(file: Path) -> Cached:
    # An SVG that is opened by itself is a document, and so it gets a document's headers.
    return Cached(file.read_bytes(), MEDIA_TYPES[file.suffix], HEADERS if file.suffix == ".svg" else None)
