"""The server as vLLM and its like: completions, chat, models, with vLLM's gauges and llama-server's `/props`."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any, Literal

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Send

from dragoman.engines.simulated import Generation, Said, Work
from dragoman.simulator.reading import attempt_of, read_prompt
from dragoman.simulator.serving import Endpoint, Refusal, Served, json_page, send_answer, send_pieces

_SSE = b"text/event-stream; charset=utf-8"
_DONE = b"data: [DONE]\n\n"
_CONTEXT_TOKENS = 131_072
_ERROR_TYPES = {
    400: "BadRequestError",
    404: "NotFoundError",
    500: "InternalServerError",
    503: "ServiceUnavailableError",
}

_numbers = itertools.count(1)


class StreamOptions(Struct):
    include_usage: bool = False


class _Sampling(Struct, kw_only=True):
    """Fields that change the answer; the others, such as `top_p`, change nothing here and are let through.

    `logprobs` is a number of tokens for completions and a yes for chat; how many others were likely is not told here.
    """

    model: str
    stream: bool = False
    stream_options: StreamOptions | None = None
    stop: str | list[str] | None = None
    temperature: float = 1.0
    seed: int | None = None
    logprobs: int | bool | None = None

    @property
    def wants_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage

    def asked(self, prompt: str, max_tokens: int | None) -> Work:
        """What is to be done for this prompt, or turn of the user."""
        stop = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
        attempt = attempt_of(self.temperature, self.seed)
        return read_prompt(prompt, max_tokens=max_tokens, stop=stop, attempt=attempt, logprob=bool(self.logprobs))


class CompletionRequest(_Sampling, kw_only=True):
    """`max_tokens` is 16 where it is left out, as the protocol has it. Token ids cannot be read back here."""

    prompt: str
    max_tokens: int = 16


class Message(Struct):
    role: Literal["system", "user", "assistant"]
    content: str


class ChatRequest(_Sampling, kw_only=True):
    messages: list[Message]
    max_tokens: int | None = None
    max_completion_tokens: int | None = None


class _Form(Struct, frozen=True):
    """How one of the two routes words its answers: the object names, and where text and log-probabilities go."""

    id_prefix: str
    whole_object: str
    piece_object: str
    whole: Callable[[str], dict[str, Any]]
    piece: Callable[[str], dict[str, Any]]
    logprobs: Callable[[tuple[float, ...]], dict[str, Any]]

    def told(self, logprobs: tuple[float, ...]) -> dict[str, Any] | None:
        return self.logprobs(logprobs) if logprobs else None


_COMPLETION = _Form(
    "cmpl",
    "text_completion",
    "text_completion",
    lambda text: {"text": text},
    lambda text: {"text": text},
    lambda logprobs: {"token_logprobs": logprobs},
)
_CHAT = _Form(
    "chatcmpl",
    "chat.completion",
    "chat.completion.chunk",
    lambda text: {"message": {"role": "assistant", "content": text}},
    lambda text: {"delta": {"role": "assistant", "content": text}},
    lambda logprobs: {"content": [{"token": "", "logprob": logprob} for logprob in logprobs]},
)


def routes(served: Served) -> list[Route]:
    server = _OpenAI(served)
    return [
        Route("/v1/completions", Endpoint(CompletionRequest, server.complete, _error), methods=["POST"]),
        Route("/v1/chat/completions", Endpoint(ChatRequest, server.chat, _error), methods=["POST"]),
        Route("/v1/models", json_page(server.models)),
        Route("/health", lambda _: Response()),
        Route("/props", json_page(server.props)),
        Route("/metrics", server.metrics),
    ]


class _OpenAI:
    def __init__(self, served: Served) -> None:
        self._served = served

    async def complete(self, request: CompletionRequest, receive: Receive, send: Send) -> None:
        self._check(request.model, request.max_tokens)
        work = request.asked(request.prompt, request.max_tokens)
        await self._answer(_COMPLETION, request, work, receive, send)

    async def chat(self, request: ChatRequest, receive: Receive, send: Send) -> None:
        limit = request.max_tokens if request.max_completion_tokens is None else request.max_completion_tokens
        self._check(request.model, limit)
        turns = [message.content for message in request.messages if message.role == "user"]
        if not turns:
            raise Refusal(400, "messages holds no turn of the user")
        work = request.asked(turns[-1], limit)
        await self._answer(_CHAT, request, work, receive, send)

    def models(self) -> object:
        model = {"id": self._served.model_name, "object": "model", "owned_by": "simulator", "created": 0}
        return {"object": "list", "data": [model | {"max_model_len": _CONTEXT_TOKENS}]}

    def props(self) -> object:
        return {"total_slots": self._served.profile.slots, "model_path": self._served.model_name}

    def metrics(self, _request: Request) -> Response:
        label = f'{{model_name="{self._served.model_name}"}}'
        running, waiting = self._served.model.running, self._served.model.waiting
        return Response(
            "# TYPE vllm:num_requests_running gauge\n"
            f"vllm:num_requests_running{label} {running:.1f}\n"
            "# TYPE vllm:num_requests_waiting gauge\n"
            f"vllm:num_requests_waiting{label} {waiting:.1f}\n",
            media_type="text/plain; version=0.0.4",
        )

    async def _answer(self, form: _Form, request: _Sampling, work: Work, receive: Receive, send: Send) -> None:
        generation = self._served.generation(work)
        head = {"id": f"{form.id_prefix}-{next(_numbers)}", "created": int(time.time()), "model": request.model}

        def chunk(piece: Said) -> bytes:
            choice = _choice(form.piece(piece.text), form.told(piece.logprobs), None)
            return _event(head | {"object": form.piece_object, "choices": [choice]})

        def last() -> bytes:
            usage = head | {"object": form.piece_object, "choices": [], "usage": _usage(generation)}
            end = head | {"object": form.piece_object, "choices": [_choice(form.piece(""), None, generation)]}
            return _event(end) + (_event(usage) if request.wants_usage else b"") + _DONE

        def whole() -> object:
            choices = [_choice(form.whole(generation.text), form.told(generation.logprobs), generation)]
            return head | {"object": form.whole_object, "choices": choices, "usage": _usage(generation)}

        if request.stream:
            await send_pieces(receive, send, generation, _SSE, chunk, last)
        else:
            await send_answer(receive, send, generation, whole)

    def _check(self, model: str, max_tokens: int | None) -> None:
        if model != self._served.model_name:
            raise Refusal(404, f"The model `{model}` does not exist.")
        if max_tokens is not None and max_tokens < 1:
            raise Refusal(400, f"max_tokens must be at least 1, got {max_tokens}.")


def _choice(content: dict[str, Any], logprobs: dict[str, Any] | None, finished: Generation | None) -> dict[str, Any]:
    reason = None if finished is None else "length" if finished.truncated else "stop"
    return {"index": 0, **content, "logprobs": logprobs, "finish_reason": reason}


def _usage(generation: Generation) -> dict[str, Any]:
    tokens = generation.tokens
    return {
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.prompt + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cached},
    }


def _error(status: int, message: str) -> object:
    return {"error": {"message": message, "type": _ERROR_TYPES[status], "param": None, "code": status}}


def _event(value: object) -> bytes:
    return b"data: " + msgspec.json.encode(value) + b"\n\n"
