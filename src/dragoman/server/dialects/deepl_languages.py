"""DeepL's lists of languages: `/v2/languages`, `/v3/languages` and `/v2/glossary-language-pairs`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

from msgspec import UNSET, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dragoman import languages
from dragoman.errors import InvalidRequest
from dragoman.server.dialects.deepl_endpoint import admitted, choice, route
from dragoman.server.dialects.deepl_wishes import has_formality
from dragoman.server.dialects.offered import offered
from dragoman.server.endpoint import json_answer
from dragoman.server.service import Service
from dragoman.types import EngineInfo, Pair

_VARIANTS = {
    "en-GB": "English (British)",
    "en-US": "English (American)",
    "es-419": "Spanish (Latin American)",
    "pt-BR": "Portuguese (Brazilian)",
    "pt-PT": "Portuguese (European)",
    "zh-Hans": "Chinese (simplified)",
    "zh-Hant": "Chinese (traditional)",
}
"""The targets that DeepL tells apart within a language."""

_NOT_LISTED = frozenset({"en", "pt"})
"""Taken as targets, but not listed as such: DeepL's clients refuse both and ask for one of the variants."""

_STABLE = {"status": "stable"}

_RESOURCES: dict[str, dict[str, tuple[bool, bool]]] = {
    "translate_text": {
        "formality": (False, True),
        "tag_handling": (True, True),
        "glossary": (True, True),
        "auto_detection": (True, False),
    },
    "translate_document": {"formality": (False, True), "glossary": (True, True), "auto_detection": (True, False)},
    "glossary": {},
    "voice": {},
    "write": {},
    "style_rules": {},
    "translation_memory": {},
}
"""What DeepL offers, and for each feature whether it depends on the source and on the target."""

_OFFERED_RESOURCES = ("translate_text", "translate_document", "glossary")


class Spoken(Struct, frozen=True):
    """A language as DeepL's clients know it; `code` is a BCP 47 tag."""

    code: str
    name: str
    is_source: bool
    is_target: bool


class ListedLanguage(Struct, frozen=True):
    """An entry of `/v2/languages`; formality is said of targets only."""

    language: str
    name: str
    supports_formality: bool | UnsetType = UNSET


class LanguageHandlers:
    """The handlers of the lists."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def list_v2(self, request: Request) -> Response:
        """`GET /v2/languages`"""
        parameters, _ = await admitted(self._service, request)
        listed = _LISTS[choice(parameters, "type", _LISTS, "source")]
        return json_answer(listed(self._service.translator.info))

    async def list_v3(self, request: Request) -> Response:
        """`GET /v3/languages`"""
        parameters, _ = await admitted(self._service, request)
        if not parameters.text("resource"):
            raise InvalidRequest(f"'resource' is missing; it is one of: {', '.join(_RESOURCES)}.", field="resource")
        resource = choice(parameters, "resource", _RESOURCES, "")
        info = self._service.translator.info
        known = spoken(info.pairs) if resource in _OFFERED_RESOURCES else ()
        return json_answer(
            [_described(one, resource, info) for one in known if resource != "glossary" or one.code not in _VARIANTS]
        )

    async def list_resources(self, request: Request) -> Response:
        """`GET /v3/languages/resources`"""
        await admitted(self._service, request)
        return json_answer([_resource(name) for name in _OFFERED_RESOURCES])

    async def list_glossary_pairs(self, request: Request) -> Response:
        """`GET /v2/glossary-language-pairs`"""
        await admitted(self._service, request)
        table = offered(self._service.translator.info.pairs, languages.base)
        pairs = [{"source_lang": source, "target_lang": target} for source in table for target in table[source]]
        return json_answer({"supported_languages": pairs})


def language_routes(service: Service) -> list[Route]:
    """The routes of the lists."""
    handlers = LanguageHandlers(service)
    return [
        route("/v2/languages", GET=handlers.list_v2, POST=handlers.list_v2),
        route("/v2/glossary-language-pairs", GET=handlers.list_glossary_pairs),
        route("/v3/languages", GET=handlers.list_v3),
        route("/v3/languages/resources", GET=handlers.list_resources),
    ]


def spoken(pairs: frozenset[Pair] | None) -> tuple[Spoken, ...]:
    """The languages that an engine with these pairs translates, without regions, then DeepL's variants of them."""
    table = offered(pairs, languages.base)
    targets = frozenset(chain.from_iterable(table.values()))
    plain = [
        Spoken(code, languages.english_name(code), code in table, code in targets)
        for code in sorted(targets.union(table))
    ]
    variants = [Spoken(code, name, False, True) for code, name in _VARIANTS.items() if languages.base(code) in targets]
    return (*plain, *variants)


def _sources(info: EngineInfo) -> list[ListedLanguage]:
    return [ListedLanguage(one.code.upper(), one.name) for one in spoken(info.pairs) if one.is_source]


def _targets(info: EngineInfo) -> list[ListedLanguage]:
    return [
        ListedLanguage(one.code.upper(), one.name, has_formality(one.code, info))
        for one in spoken(info.pairs)
        if one.is_target and one.code not in _NOT_LISTED
    ]


_LISTS: dict[str, Callable[[EngineInfo], list[ListedLanguage]]] = {"source": _sources, "target": _targets}


def _described(one: Spoken, resource: str, info: EngineInfo) -> dict[str, object]:
    features = dict(_RESOURCES[resource])
    if not (one.is_target and has_formality(one.code, info)):
        features.pop("formality", None)
    return {
        "lang": one.code,
        "name": one.name,
        "usable_as_source": one.is_source,
        "usable_as_target": one.is_target and (resource == "glossary" or one.code not in _NOT_LISTED),
        "status": "stable",
        "features": dict.fromkeys(features, _STABLE),
    }


def _resource(name: str) -> dict[str, object]:
    features = [
        {"name": feature, "needs_source_support": source, "needs_target_support": target}
        for feature, (source, target) in _RESOURCES[name].items()
    ]
    return {"name": name, "features": features}
