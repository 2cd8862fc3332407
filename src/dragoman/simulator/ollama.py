"""The server as Ollama: `docs/api.md` of the ollama project, as far as translating asks for it.

A loaded model's queue is unbounded there too: only a request that needs a model to be loaded can meet a full one.
"""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Send

from dragoman.engines.simulated import Generation, Said, Work
from dragoman.simulator.reading import attempt_of, read_prompt
from dragoman.simulator.serving import Endpoint, Refusal, Served, json_endpoint, json_page, send_answer, send_pieces

_NDJSON = b"application/x-ndjson"
_BYTES_PER_WEIGHT = {"bf16": 2.0, "q4": 0.6}
_QUANTIZATION = {"bf16": "BF16", "q4": "Q4_K_M"}
_CONTEXT_TOKENS = 131_072
_VERSION = "0.12.11"
"""The first that tells log-probabilities."""
_START = datetime.now(UTC).isoformat()


class Options(Struct, frozen=True):
    """Options that change the answer; the others, such as `top_p`, change nothing here and are let through."""

    num_predict: int = -1
    stop: tuple[str, ...] = ()
    temperature: float = 0.8
    seed: int | None = None


class GenerateRequest(Struct):
    model: str
    prompt: str = ""
    stream: bool = True
    raw: bool = False
    logprobs: bool = False
    options: Options = Options()


class ShowRequest(Struct):
    model: str = ""
    name: str = ""


def routes(served: Served) -> list[Route]:
    server = _Ollama(served)
    return [
        Route("/api/generate", Endpoint(GenerateRequest, server.generate, _error), methods=["POST"]),
        Route("/api/show", json_endpoint(ShowRequest, server.show, _error), methods=["POST"]),
        Route("/api/tags", json_page(server.tags)),
        Route("/api/ps", json_page(server.loaded)),
        Route("/api/version", json_page(lambda: {"version": _VERSION})),
        Route("/", lambda _: Response("Ollama is running")),
    ]


class _Ollama:
    def __init__(self, served: Served) -> None:
        self._served = served
        self._names = {served.model_name}
        if served.profile.model_size == "4b":  # the library's bare name is its smallest model
            self._names |= {"translategemma", "translategemma:latest"}

    async def generate(self, request: GenerateRequest, receive: Receive, send: Send) -> None:
        self._check_model(request.model)
        generation = self._served.generation(_work(request))
        started_ns = time.monotonic_ns()

        def chunk(piece: Said) -> bytes:
            head = {"model": request.model, "created_at": _now(), "response": piece.text, "done": False}
            return _line(head | _logprobs(piece.logprobs))

        def last() -> bytes:
            return _line(_summary(request.model, "", generation, started_ns))

        def whole() -> object:
            summary = _summary(request.model, generation.text, generation, started_ns)
            return summary | _logprobs(generation.logprobs)

        if request.stream:
            await send_pieces(receive, send, generation, _NDJSON, chunk, last)
        else:
            await send_answer(receive, send, generation, whole)

    def show(self, request: ShowRequest) -> object:
        self._check_model(request.model or request.name)
        return {
            "details": self._details(),
            "model_info": {"general.architecture": "gemma3", "gemma3.context_length": _CONTEXT_TOKENS},
            "capabilities": ["completion"],
        }

    def tags(self) -> object:
        return {"models": [self._listed(name) | {"modified_at": _START} for name in sorted(self._names)]}

    def loaded(self) -> object:
        size = {"size_vram": self._weight_bytes(), "context_length": 4096, "expires_at": _now()}
        return {"models": [self._listed(self._served.model_name) | size]}

    def _listed(self, name: str) -> dict[str, Any]:
        digest = hashlib.sha256(self._served.model_name.encode()).hexdigest()
        size = self._weight_bytes()
        return {"name": name, "model": name, "size": size, "digest": digest, "details": self._details()}

    def _details(self) -> dict[str, Any]:
        profile = self._served.profile
        size, quantization = profile.model_size.upper(), _QUANTIZATION[profile.weights]
        return {"format": "gguf", "family": "gemma3", "parameter_size": size, "quantization_level": quantization}

    def _weight_bytes(self) -> int:
        profile = self._served.profile
        return int(int(profile.model_size[:-1]) * 1e9 * _BYTES_PER_WEIGHT[profile.weights])

    def _check_model(self, name: str) -> None:
        if name not in self._names:
            raise Refusal(404, f"model '{name}' not found")


def _work(request: GenerateRequest) -> Work:
    options = request.options
    return read_prompt(
        request.prompt,
        max_tokens=options.num_predict if options.num_predict > 0 else None,
        stop=options.stop,
        attempt=attempt_of(options.temperature, options.seed),
        logprob=request.logprobs,
    )


def _logprobs(logprobs: tuple[float, ...]) -> dict[str, Any]:
    return {"logprobs": [{"token": "", "logprob": logprob} for logprob in logprobs]} if logprobs else {}


def _summary(model: str, text: str, generation: Generation, started_ns: int) -> dict[str, Any]:
    """The closing object; durations are in nanoseconds."""
    prefill_s, decode_s = generation.durations_s
    return {
        "model": model,
        "created_at": _now(),
        "response": text,
        "done": True,
        "done_reason": "length" if generation.truncated else "stop",
        "total_duration": time.monotonic_ns() - started_ns,
        "load_duration": 0,
        "prompt_eval_count": generation.tokens.prompt,
        "prompt_eval_duration": int(prefill_s * 1e9),
        "eval_count": generation.tokens.output,
        "eval_duration": int(decode_s * 1e9),
    }


def _error(_status: int, message: str) -> object:
    return {"error": message}


def _line(value: object) -> bytes:
    return msgspec.json.encode(value) + b"\n"


def _now() -> str:
    return datetime.now(UTC).isoformat()
