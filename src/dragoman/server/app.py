"""The HTTP server, built from data: a table of operations, a few pages, one middleware."""

from __future__ import annotations

from importlib.metadata import version

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from dragoman.server import openapi, pages
from dragoman.server.admin import admin_operations
from dragoman.server.cached import Cached
from dragoman.server.conversations.routes import conversation_operations, conversation_socket
from dragoman.server.cors import CORS
from dragoman.server.dialects import deepl, google, libretranslate, openai, small
from dragoman.server.document_routes import document_operations
from dragoman.server.endpoint import Endpoint, Handler, framework_failure, native_failure, simple_failure
from dragoman.server.gate import KeyGate, behind
from dragoman.server.glossaries import glossary_operations
from dragoman.server.handlers import Handlers
from dragoman.server.jobs.routes import job_operations
from dragoman.server.live.socket import translate_socket
from dragoman.server.mcp import routes as mcp
from dragoman.server.metrics import Measured, Metrics
from dragoman.server.openapi import TRANSLATE_FAILURES, Operation, takes_time
from dragoman.server.request_id import RequestId
from dragoman.server.schemas import (
    BatchAnswer,
    BatchRequest,
    Health,
    Languages,
    NativeAnswer,
    NativeRequest,
    SimpleFailure,
    SimpleRequest,
    SimpleSuccess,
)
from dragoman.server.service import Service
from dragoman.server.status.routes import status_operations, status_page
from dragoman.types import Readiness

SHARED_PATH = "/translate"
"""Asked by our own callers and by LibreTranslate's, told apart by what they send."""

DIALECTS = (deepl, libretranslate, google, small, openai, mcp)
FOR_EVERY_ORIGIN = (libretranslate, google)
"""Their clients are pages of any origin, as those of the services they were made for."""


def create_app(service: Service, metrics: Metrics | None = None) -> Starlette:
    """The ASGI app that serves a translator, and its metrics if there are any. It opens and closes nothing."""
    operations = _operations(service, metrics)
    own = [Route(one.path, one.endpoint, methods=[one.method]) for one in operations]
    dialects = {dialect: dialect.routes(service) for dialect in DIALECTS}
    translating = {one.path for one in operations if takes_time(one)}
    translating |= {route.path for routes in dialects.values() for route in routes}
    app = Starlette(
        routes=[
            *own,
            *(Route(path, Endpoint(page, native_failure), methods=["GET"]) for path, page in _pages(operations)),
            translate_socket(service),
            *([conversation_socket(service.conversations)] if service.conversations else []),
            *([_metrics_route(service, metrics), status_page()] if metrics else []),
            *(route for routes in dialects.values() for route in routes),
        ],
        middleware=[
            *([Middleware(Measured, metrics, translating)] if metrics else []),
            Middleware(RequestId),
            Middleware(
                CORS,
                origins=(service.settings.cors_origins or "").split(),
                public=[
                    *(route for dialect in FOR_EVERY_ORIGIN for route in dialects[dialect]),
                    *(route for route in own if route.path == SHARED_PATH),
                ],
            ),
        ],
        exception_handlers={HTTPException: framework_failure},
    )
    # A redirect would be made from the Host header, which anyone can set; /translate/ is simply not there.
    app.router.redirect_slashes = False
    return app


def _operations(service: Service, metrics: Metrics | None) -> list[Operation]:
    handlers = Handlers(service)
    shared = libretranslate.shared_translate(service, Endpoint(handlers.translate, simple_failure))
    documents = document_operations(service, service.documents) if service.documents else []
    conversations = conversation_operations(service, service.conversations) if service.conversations else []
    jobs = job_operations(service, service.jobs) if service.jobs else []
    admin = admin_operations(service.gate, service.settings) if isinstance(service.gate, KeyGate) else []
    status = status_operations(service, metrics) if metrics else []
    return [
        *_own_operations(handlers, shared),
        *glossary_operations(service),
        *documents,
        *conversations,
        *jobs,
        *admin,
        *status,
    ]


def _metrics_route(service: Service, metrics: Metrics) -> Route:
    scrape = behind(service.gate, "admin", metrics.scrape)
    return Route("/metrics", Endpoint(scrape, native_failure), methods=["GET"])


def _own_operations(handlers: Handlers, shared: Endpoint) -> list[Operation]:
    return [
        Operation(
            method="POST",
            path="/v1/translate",
            scope="translate",
            endpoint=Endpoint(handlers.native_translate, native_failure),
            summary="Translate texts into languages",
            description="One item for each text and target, in order. An item that failed carries its error and leaves "
            "the others alone; if all failed, the status is that of the first error and the body is still this one. "
            "With `stream` the answer is server-sent events, the last of which is `done` or `error`; "
            "`WS /v1/translate/stream` sends the same.",
            streams=True,
            request=NativeRequest,
            example={"text": ["Good morning.", "Where is the station?"], "source": "en", "target": ["de", "ja"]},
            answer=NativeAnswer,
            failures=TRANSLATE_FAILURES,
            all_failed=(500, 502, 504),
        ),
        Operation(
            method="POST",
            path=SHARED_PATH,
            scope="translate",
            endpoint=shared,
            summary="Translate one text",
            description="The simplest form: a text in, a text out. A body with a `q` in place of `text` is "
            "LibreTranslate's, and is answered as `/spec` describes.",
            request=SimpleRequest,
            example={"text": "Good morning.", "source_lang": "en", "target_lang": "de"},
            answer=SimpleSuccess,
            failure=SimpleFailure,
            failures=TRANSLATE_FAILURES,
        ),
        Operation(
            method="POST",
            path="/batch-translate",
            scope="translate",
            endpoint=Endpoint(handlers.batch_translate, simple_failure),
            summary="Translate several texts",
            description="One result for each text, in order. A text that fails leaves the others alone.",
            request=BatchRequest,
            example={"texts": ["Good morning.", "Good night."], "source_lang": "en", "target_lang": "de"},
            answer=BatchAnswer,
            failure=SimpleFailure,
            failures=TRANSLATE_FAILURES,
        ),
        Operation(
            method="GET",
            path="/v1/languages",
            endpoint=Endpoint(handlers.list_languages, native_failure),
            summary="List the languages",
            description="All codes with names, script and direction. Send the ETag back as If-None-Match to save the "
            "transfer.",
            answer=Languages,
        ),
        Operation(
            method="GET",
            path="/health",
            endpoint=Endpoint(handlers.health, native_failure),
            summary="Is the process alive?",
            description="Answers without asking the engine, also while that is saturated.",
            answer=Health,
        ),
        Operation(
            method="GET",
            path="/ready",
            endpoint=Endpoint(handlers.ready, native_failure),
            summary="Can the engine translate?",
            description="503 with the reason until the engine has answered a probe.",
            answer=Readiness,
            failure=Readiness,
            failures=(503,),
        ),
    ]


def _pages(operations: list[Operation]) -> list[tuple[str, Handler]]:
    number = version("dragoman")
    words = msgspec.json.encode({"name": "dragoman", "version": number, "docs": "/docs"})
    return [
        ("/", pages.Root(words)),
        ("/chat", Cached((pages.PAGE / "chat.html").read_bytes(), "text/html", pages.HEADERS)),
        ("/openapi.json", Cached(openapi.document(operations, number), "application/json")),
        ("/docs", Cached((pages.STATIC / "docs.html").read_bytes(), "text/html", pages.HEADERS)),
        ("/static/{path:path}", pages.Static()),
    ]
