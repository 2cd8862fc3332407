"""Small dialects, each under a prefix of its own: Immersive Translate, kiss-translator, DeepLX, OmegaT, Crowdin,
Apertium and MyMemory.

A dialect is data: where it is served, how a question is read, how an answer and an error are written. None of them has
a place for the error of one text among several, so the first that fails is the answer. The key is sent as
`Authorization: Bearer KEY` or `X-API-Key`, or, from clients that can set nothing but an address, as `token` in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations, starmap
from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dragoman.errors import InvalidRequest
from dragoman.server.dialects.offered import common_codes
from dragoman.server.endpoint import Endpoint, ErrorShape, Handler, json_answer
from dragoman.server.gate import native_key
from dragoman.server.heartbeat import patient
from dragoman.server.parameters import Parameters
from dragoman.server.problems import Failure
from dragoman.server.service import Service, translations_of
from dragoman.types import Format, Pair, TranslateRequest, Translation, Wishes

CROWDIN_HELD = r'<span class="notranslate">[^<]*</span>'
"""What Crowdin puts in the place of tags and placeholders."""

# Where browsers' extensions write Chinese by its country.
_BY_COUNTRY = {"zh": "zh-CN", "zh-Hans": "zh-CN", "zh-Hant": "zh-TW"}
_FORMATS: dict[str, Format] = {"": "text", "txt": "text", "text": "text", "html": "html", "xml": "xml"}


class Asked(Struct, frozen=True, kw_only=True):
    """A question in no dialect. `many` is whether a list came, so that a list has to be the answer."""

    texts: Sequence[str]
    target: str
    source: str | None = None
    format: Format = "text"
    protect: tuple[str, ...] = ()
    many: bool = False

    @property
    def wanted(self) -> TranslateRequest:
        return TranslateRequest(
            texts=tuple(self.texts),
            targets=(self.target,),
            source=self.source,
            format=self.format,
            wishes=Wishes(protect=self.protect),
        )


class Dialect(Struct, frozen=True, kw_only=True):
    """One dialect: `read` raises InvalidRequest, `write` gives what becomes the JSON of the answer."""

    paths: Sequence[str]
    method: str
    read: Callable[[Parameters], Asked]
    write: Callable[[Asked, Sequence[Translation]], Any]
    failure: ErrorShape


def routes(service: Service) -> list[Route]:
    """The routes of all small dialects."""

    async def list_pairs(request: Request) -> Response:
        """`GET /apertium/listPairs`"""
        await service.gate.admit(native_key(request) or request.query_params.get("token"))
        return json_answer(_apertium_pairs(service.translator.info.pairs))

    return [
        *(
            Route(path, Endpoint(_handler(service, dialect), dialect.failure), methods=[dialect.method])
            for dialect in DIALECTS
            for path in dialect.paths
        ),
        Route("/apertium/listPairs", Endpoint(list_pairs, _apertium_failure), methods=["GET"]),
    ]


def _handler(service: Service, dialect: Dialect) -> Handler:
    async def handle(request: Request) -> Response:
        parameters = await Parameters.read(request, service.settings.max_body_bytes)
        caller = await service.gate.admit(native_key(request) or parameters.text("token"))
        asked = dialect.read(parameters)

        async def work() -> Response:
            outcomes = await service.translate(request, asked.wanted, caller)
            return json_answer(dialect.write(asked, translations_of(outcomes)))

        return await patient(work(), request, dialect.failure)

    return handle


# Immersive Translate, custom API: https://immersivetranslate.com/docs/services/custom/


def _read_immersive(parameters: Parameters) -> Asked:
    return Asked(
        texts=_many(parameters, "text_list"),
        target=_required(parameters, "target_lang"),
        source=_source(parameters, "source_lang"),
    )


def _write_immersive(asked: Asked, done: Sequence[Translation]) -> object:
    return {"translations": [{"detected_source_lang": _source_of(asked, one), "text": one.text} for one in done]}


# kiss-translator, custom API: https://github.com/fishjar/kiss-translator


def _read_kiss(parameters: Parameters) -> Asked:
    many = "texts" in parameters
    return Asked(
        texts=_many(parameters, "texts") if many else [_one(parameters, "text")],
        target=_required(parameters, "to"),
        source=_source(parameters, "from"),
        many=many,
    )


def _write_kiss(asked: Asked, done: Sequence[Translation]) -> object:
    items = [{"text": one.text, "src": _source_of(asked, one)} for one in done]
    return {"translations": items} if asked.many else items[0]


# DeepLX: https://deeplx.owo.network


def _read_deeplx(parameters: Parameters) -> Asked:
    return Asked(
        texts=[_one(parameters, "text")],
        target=_required(parameters, "target_lang"),
        source=_source(parameters, "source_lang"),
        format=_format(parameters, "tag_handling"),
    )


def _write_deeplx(asked: Asked, done: Sequence[Translation]) -> object:
    (one,) = done
    return {
        "code": 200,
        "id": 1,
        "data": one.text,
        "alternatives": [],
        "source_lang": _source_of(asked, one).upper(),
        "target_lang": asked.target.upper(),
        "method": "Free",
    }


def _deeplx_failure(failure: Failure) -> Response:
    problem, headers = failure
    return json_answer({"code": problem.status, "message": problem.detail}, headers, problem.status)


# OmegaT, "Fake MT" plug-in: https://github.com/briacp/omegat-plugin-fake-mt


def _read_omegat(parameters: Parameters) -> Asked:
    return Asked(
        texts=[_one(parameters, "text")],
        target=_required(parameters, "target"),
        source=_source(parameters, "source"),
    )


def _write_omegat(asked: Asked, done: Sequence[Translation]) -> object:
    return {"translation": done[0].text}


# Crowdin, custom MT module: https://support.crowdin.com/developer/crowdin-apps-module-custom-mt/


def _read_crowdin(parameters: Parameters) -> Asked:
    return Asked(
        texts=_many(parameters, "strings"),
        target=_required(parameters, "target"),
        source=_source(parameters, "source"),
        protect=(CROWDIN_HELD,),
    )


def _write_crowdin(asked: Asked, done: Sequence[Translation]) -> object:
    return {"data": {"translations": [one.text for one in done]}}


def _crowdin_failure(failure: Failure) -> Response:
    problem, headers = failure
    return json_answer({"error": {"message": problem.detail}}, headers, problem.status)


# Apertium APy: https://wiki.apertium.org/wiki/Apertium-apy


def _read_apertium(parameters: Parameters) -> Asked:
    source, target = _pair(parameters)
    return Asked(texts=[_one(parameters, "q")], target=target, source=source, format=_format(parameters, "format"))


def _write_apertium(asked: Asked, done: Sequence[Translation]) -> object:
    return {"responseData": {"translatedText": done[0].text}, "responseDetails": None, "responseStatus": 200}


def _apertium_pairs(known: frozenset[Pair] | None) -> object:
    """The engine's pairs, or those of the common languages; with `_`, as Weblate compares them."""
    pairs = sorted(known, key=str) if known is not None else starmap(Pair, permutations(common_codes(), 2))
    listed = [
        {"sourceLanguage": pair.source.replace("-", "_"), "targetLanguage": pair.target.replace("-", "_")}
        for pair in pairs
    ]
    return {"responseData": listed, "responseDetails": None, "responseStatus": 200}


def _apertium_failure(failure: Failure) -> Response:
    problem, headers = failure
    body = {"status": "error", "code": problem.status, "message": problem.title, "explanation": problem.detail}
    return json_answer(body, headers, problem.status)


# MyMemory: https://mymemory.translated.net/doc/spec.php


def _read_mymemory(parameters: Parameters) -> Asked:
    source, target = _pair(parameters)
    return Asked(texts=[_one(parameters, "q")], target=target, source=source)


def _write_mymemory(asked: Asked, done: Sequence[Translation]) -> object:
    return _mymemory(done[0].text, 200, "")


def _mymemory_failure(failure: Failure) -> Response:
    problem, headers = failure
    return json_answer(_mymemory("", problem.status, problem.detail), headers, problem.status)


def _mymemory(text: str, status: int, details: str) -> object:
    return {
        "responseData": {"translatedText": text, "match": 0.85},  # what MyMemory gives to all machine translations
        "quotaFinished": False,
        "responseDetails": details,
        "responseStatus": status,
        "matches": [],
    }


# What several of them have in common


def _plain_failure(failure: Failure) -> Response:
    """For those whose protocol has no form for errors."""
    problem, headers = failure
    return json_answer({"error": problem.detail}, headers, problem.status)


def _one(parameters: Parameters, name: str) -> str:
    texts = parameters.texts(name)
    if len(texts) != 1:
        raise InvalidRequest(f"Send one text in '{name}'.", field=name)
    return texts[0]


def _many(parameters: Parameters, name: str) -> list[str]:
    texts = parameters.texts(name)
    if not texts:
        raise InvalidRequest(f"Send the texts as a list in '{name}'.", field=name)
    return texts


def _required(parameters: Parameters, name: str) -> str:
    value = parameters.text(name)
    if not value:
        raise InvalidRequest(f"Say in '{name}' which language to translate into.", field=name)
    return value


def _source(parameters: Parameters, name: str) -> str | None:
    """None where the language is to be detected."""
    return _detectable(parameters.text(name))


def _detectable(code: str | None) -> str | None:
    return None if not code or code.lower() in ("auto", "autodetect") else code


def _pair(parameters: Parameters) -> tuple[str | None, str]:
    """`en|de`, or `|de` to have the source detected."""
    source, bar, target = (parameters.text("langpair") or "").partition("|")
    if not bar or not target:
        raise InvalidRequest("Send both languages in 'langpair', as en|de.", field="langpair")
    return _detectable(source), target


def _format(parameters: Parameters, name: str) -> Format:
    word = parameters.text(name) or ""
    if word not in _FORMATS:
        raise InvalidRequest(f"'{name}' has to be text, html or xml.", field=name, accepted=("text", "html", "xml"))
    return _FORMATS[word]


def _source_of(asked: Asked, done: Translation) -> str:
    """As it was asked for, or what was detected."""
    return asked.source or _BY_COUNTRY.get(done.source, done.source)


DIALECTS = (
    Dialect(paths=("/immersive",), method="POST", read=_read_immersive, write=_write_immersive, failure=_plain_failure),
    Dialect(paths=("/kiss",), method="POST", read=_read_kiss, write=_write_kiss, failure=_plain_failure),
    Dialect(
        paths=("/deeplx/translate", "/deeplx/v1/translate"),
        method="POST",
        read=_read_deeplx,
        write=_write_deeplx,
        failure=_deeplx_failure,
    ),
    Dialect(paths=("/omegat",), method="GET", read=_read_omegat, write=_write_omegat, failure=_plain_failure),
    Dialect(paths=("/crowdin",), method="POST", read=_read_crowdin, write=_write_crowdin, failure=_crowdin_failure),
    Dialect(
        paths=("/apertium/translate",),
        method="GET",
        read=_read_apertium,
        write=_write_apertium,
        failure=_apertium_failure,
    ),
    Dialect(
        paths=("/mymemory/get",), method="GET", read=_read_mymemory, write=_write_mymemory, failure=_mymemory_failure
    ),
)
