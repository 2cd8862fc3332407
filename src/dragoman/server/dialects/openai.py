"""OpenAI's chat completions, for tools that speak nothing else: `/v1/chat/completions` and `/v1/models`.

Nothing is guessed from a prompt. The languages are told in the model's name (`dragoman/en-de`, or `dragoman/de` to have
the source detected) or in the fields `source` and `target`, in the body or in its `metadata`. The last message has to
be the user's, and all of it is the text. System messages and earlier turns are left aside without a word: nearly every
tool sends some, and they can change nothing. Options that would promise another answer than a translation (`n`,
`response_format`) are refused, the others (`temperature`, `max_tokens`, ...) are ignored.

https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dragoman import languages
from dragoman.errors import (
    BadOutput,
    DragomanError,
    EngineRejected,
    InvalidRequest,
    OutputTruncated,
    QuotaExceeded,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unfaithful,
    UnknownLanguage,
    UnsupportedPair,
)
from dragoman.server.body import LONGEST_ECHO, JsonBody
from dragoman.server.dialects.offered import common_codes
from dragoman.server.dialects.openai_stream import ChatStream, told_beside, usage_of
from dragoman.server.endpoint import Endpoint, json_answer
from dragoman.server.gate import bearer_key
from dragoman.server.glossaries import pair_of
from dragoman.server.heartbeat import patient
from dragoman.server.live.stream import EventStream
from dragoman.server.problems import TYPES, Failure
from dragoman.server.request_id import request_id_of
from dragoman.server.service import Service
from dragoman.types import EngineInfo, TranslateRequest, Translation

PREFIX = "dragoman/"
HOW = (
    "Name the languages in the model, as 'dragoman/en-de', or 'dragoman/de' to have the source detected, or in the "
    "fields 'source' and 'target', in the body or in its 'metadata'."
)

_CODES: dict[type[DragomanError], str] = {
    Unauthorized: "invalid_api_key",
    QuotaExceeded: "insufficient_quota",
    TooManyRequests: "rate_limit_exceeded",
    TooLarge: "context_length_exceeded",
}
"""What OpenAI calls them; everything else has no code."""

_STATUSES: dict[type[DragomanError], int] = {
    TooLarge: 400,
    UnknownLanguage: 400,
    UnsupportedPair: 400,
    EngineRejected: 422,
    BadOutput: 422,
    OutputTruncated: 422,
    Unfaithful: 422,
}
"""Where OpenAI's status is not the native one: its client sends again what got 429 or 500 and up."""

_CODE_BY_TYPE = {TYPES[error]: code for error, code in _CODES.items()}
_STATUS_BY_TYPE = {TYPES[error]: status for error, status in _STATUSES.items()}


class Message(Struct, frozen=True):
    """One turn. `content` is a text or a list of parts."""

    role: str
    content: str | list[dict[str, Any]] | None = None


class StreamOptions(Struct, frozen=True):
    """How a stream is wanted."""

    include_usage: bool | None = None


class ChatRequest(Struct, frozen=True, kw_only=True):
    """The fields that mean something here. Others are ignored."""

    model: str
    messages: list[Message]
    source: str | None = None
    target: str | None = None
    metadata: dict[str, Any] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = None
    response_format: dict[str, Any] | None = None

    def wanted(self) -> TranslateRequest:
        """What is to be translated. Raises InvalidRequest that says how to ask where that is not clear."""
        self._refuse_other_answers()
        source, target = self._languages()
        return TranslateRequest(texts=(_text_of(self.messages),), targets=(target,), source=source)

    @property
    def wants_usage(self) -> bool:
        """Whether a stream is to end with the tokens that were counted."""
        return self.stream_options is not None and bool(self.stream_options.include_usage)

    def _refuse_other_answers(self) -> None:
        if self.n not in (None, 1):
            raise InvalidRequest(
                "There is one answer; leave 'n' out. POST /v1/translate has 'alternatives'.", field="n"
            )
        if self.response_format is not None and self.response_format.get("type") != "text":
            raise InvalidRequest(
                "The answer is the translation and nothing else; leave 'response_format' out.", field="response_format"
            )

    def _languages(self) -> tuple[str | None, str]:
        """Source, None to have it detected, and target: the fields go before the model's name."""
        source, target = self._field("source"), self._field("target")
        if self.model.startswith(PREFIX):
            named = languages_of(self.model.removeprefix(PREFIX))
            source, target = source or named[0], target or named[1]
        if target is None:
            raise InvalidRequest(f"It is not clear what to translate into. {HOW}", field="model")
        return (None if source is None or source.lower() == "auto" else source), target

    def _field(self, name: str) -> str | None:
        value = getattr(self, name) or (self.metadata or {}).get(name)
        if value is not None and not isinstance(value, str):
            raise InvalidRequest(f"'{name}' has to be a language code.", field=f"metadata.{name}")
        return value or None


class OpenAIHandlers:
    """The handlers of the dialect."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._body = JsonBody(ChatRequest, service.settings.max_body_bytes)

    async def complete(self, request: Request) -> Response:
        """`POST /v1/chat/completions`"""
        caller = await self._service.gate.admit(bearer_key(request))
        asked = await self._body.read(request)
        wanted = asked.wanted()

        async def work() -> Response:
            (outcome,) = await self._service.translate(request, wanted, caller)
            if isinstance(outcome, DragomanError):
                raise outcome
            return _answer(asked, outcome, request_id_of(request.scope))

        if asked.stream:
            return EventStream(self._service.stream(wanted, caller), _wording(asked, request), openai_failure)
        return await patient(work(), request, openai_failure)

    async def list_models(self, request: Request) -> Response:
        """`GET /v1/models`"""
        await self._service.gate.admit(bearer_key(request))
        names = _model_names(self._service.translator.info)
        return json_answer({"object": "list", "data": [_model(name) for name in names]})

    async def show_model(self, request: Request) -> Response:
        """`GET /v1/models/{model}`: also those that the list leaves out for their number."""
        await self._service.gate.admit(bearer_key(request))
        name = request.path_params["model"]
        if name.startswith(PREFIX) and _is_clear(name.removeprefix(PREFIX)):
            return json_answer(_model(name))
        message = f"There is no model {name[:LONGEST_ECHO]!r}. {HOW}"
        return _error(404, message, param="model", code="model_not_found")


def routes(service: Service) -> list[Route]:
    """The routes of the dialect."""
    handlers = OpenAIHandlers(service)
    return [
        Route("/v1/chat/completions", Endpoint(handlers.complete, openai_failure), methods=["POST"]),
        Route("/v1/models", Endpoint(handlers.list_models, openai_failure), methods=["GET"]),
        Route("/v1/models/{model:path}", Endpoint(handlers.show_model, openai_failure), methods=["GET"]),
    ]


def openai_failure(failure: Failure) -> Response:
    """An error in OpenAI's form."""
    problem, headers = failure
    status = _STATUS_BY_TYPE.get(problem.type, problem.status)
    code = _CODE_BY_TYPE.get(problem.type)
    if problem.type == TYPES[QuotaExceeded]:  # 429, but of no use to send again
        headers = {**headers, "X-Should-Retry": "false"}
    return _error(status, problem.detail, param=problem.field, code=code, headers=headers)


def languages_of(words: str) -> tuple[str | None, str]:
    """Source, None to have it detected, and target of a model's name: `en-de`, `auto-de` or `de`.

    After a hyphen a language is written small and a region large: `en-pt_BR` is a pair and `pt-BR` one language, as is
    all that has no hyphen (`es_AR`). Raises UnknownLanguage, and InvalidRequest for what is easily meant otherwise:
    `pt-br` would be into Breton, `en-DE` the English of Germany.
    """
    source, _, rest = words.partition("-")
    if not rest:
        return None, languages.resolve(words)
    if source.lower() == "auto":
        return None, languages.resolve(rest)
    is_common = words.lower() in _COMMON
    if _TAG.fullmatch(words):
        if not is_common and _is_pair(words):
            raise _unclear(words)
        return None, languages.resolve(words)
    if is_common:
        raise _unclear(words)
    pair = pair_of(words)
    return pair.source, pair.target


_TAG = re.compile("[a-z]{2,3}(-[A-Za-z]{4})?(-([A-Z]{2}|[0-9]{3}))?")
"""A language with a script or a region, spelled as BCP 47 recommends; a script may be small, it is no language."""

_COMMON = frozenset(locale.lower() for locale in languages.EVALUATED_LOCALES)
"""Regional forms that are asked for so often that they are meant where they are spelled as one."""


def _is_pair(words: str) -> bool:
    try:
        pair_of(words)
    except UnknownLanguage:
        return False
    return True


def _unclear(words: str) -> InvalidRequest:
    one = words.replace("-", "_")
    return InvalidRequest(
        f"'{words}' may be one language, then write '{PREFIX}{one}', or a pair, then use the fields 'source' and "
        "'target'.",
        field="model",
        accepted=(PREFIX + one,),
    )


def _text_of(messages: Sequence[Message]) -> str:
    """The last message, which has to be the user's; several parts of text stand on lines of their own."""
    if not messages or messages[-1].role != "user":
        raise InvalidRequest(
            "The last message has to be of the role 'user': all of it is the text to translate.", field="messages"
        )
    content = messages[-1].content
    if isinstance(content, str):
        return content
    texts = [part.get("text") for part in content or [] if part.get("type") == "text"]
    if not texts or len(texts) != len(content or []) or not all(isinstance(text, str) for text in texts):
        raise InvalidRequest(
            "The last message has to be text: a string, or parts of the type 'text'.", field="messages"
        )
    return "\n".join(map(str, texts))


def _wording(asked: ChatRequest, request: Request) -> ChatStream:
    request_id = request_id_of(request.scope)
    return ChatStream(_common(asked, request_id), openai_failure, request_id, wants_usage=asked.wants_usage)


def _common(asked: ChatRequest, request_id: str) -> dict[str, Any]:
    """What answers and chunks of answers both begin with."""
    return {"id": f"chatcmpl-{request_id}", "created": int(time.time()), "model": asked.model}


def _answer(asked: ChatRequest, done: Translation, request_id: str) -> Response:
    message = {"role": "assistant", "content": done.text, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    body = {**_common(asked, request_id), "object": "chat.completion", "choices": [choice], "usage": usage_of(done)}
    return json_answer({**body, "dragoman": told_beside(done)})


def _model_names(info: EngineInfo) -> list[str]:
    """The pairs of an engine that has only some, else the languages most asked for, to be chosen from a list."""
    if info.pairs is not None:
        pairs = sorted(f"{_joined(pair.source)}-{_joined(pair.target)}" for pair in info.pairs)
        return [PREFIX + pair for pair in pairs if _is_clear(pair)]
    return [PREFIX + code for code in common_codes()]


def _is_clear(words: str) -> bool:
    try:
        languages_of(words)
    except InvalidRequest:
        return False
    return True


def _joined(code: str) -> str:
    """So that the hyphen between the two languages is the only one."""
    return code.replace("-", "_")


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "dragoman"}


def _error(
    status: int, message: str, *, param: str | None, code: str | None, headers: dict[str, str] | None = None
) -> Response:
    kind = "server_error" if status >= 500 else "rate_limit_error" if status == 429 else "invalid_request_error"
    return json_answer({"error": {"message": message, "type": kind, "param": param, "code": code}}, headers, status)
