"""DeepL's glossaries: `/v2/glossaries`, of one pair each, and `/v3/glossaries`, of several, over the same store.

A glossary that has several pairs, or none yet, is seen under v3 only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dragoman import languages
from dragoman.errors import InvalidRequest, UnknownGlossary
from dragoman.memory.glossary_file import GlossaryInfo
from dragoman.memory.term_files import read_terms, write_tsv
from dragoman.server.dialects.deepl_endpoint import admitted, route
from dragoman.server.dialects.deepl_wishes import language_of
from dragoman.server.endpoint import json_answer
from dragoman.server.parameters import Parameters
from dragoman.server.problems import UnsupportedMedia
from dragoman.server.service import Service
from dragoman.types import Pair, Term

TSV = "text/tab-separated-values"
_ANY_MEDIA = ("*/*", "text/*", TSV)


class NewDictionary(Struct, frozen=True, kw_only=True):
    """The terms of one pair, as a table of two columns."""

    source_lang: str
    target_lang: str
    entries: str
    entries_format: Literal["tsv", "csv"] | None = None


class StoredDictionary(Struct, frozen=True, kw_only=True):
    """How many terms a glossary has of one pair."""

    source_lang: str
    target_lang: str
    entry_count: int


class GlossaryOfOnePair(Struct, frozen=True, kw_only=True):
    """A glossary as v2 knows it."""

    glossary_id: str
    name: str
    ready: bool = True
    source_lang: str
    target_lang: str
    creation_time: str
    entry_count: int


class GlossaryOfPairs(Struct, frozen=True, kw_only=True):
    """A glossary as v3 knows it."""

    glossary_id: str
    name: str
    dictionaries: tuple[StoredDictionary, ...]
    creation_time: str


class OnePairHandlers:
    """The handlers of `/v2/glossaries`."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._glossaries = service.glossaries

    async def list_all(self, request: Request) -> Response:
        """`GET /v2/glossaries`"""
        _, caller = await admitted(self._service, request)
        known = await self._glossaries.list_all(caller.key_id)
        return json_answer({"glossaries": [_of_one_pair(info) for info in known if len(info.dictionaries) == 1]})

    async def create(self, request: Request) -> Response:
        """`POST /v2/glossaries`"""
        parameters, caller = await admitted(self._service, request)
        terms = await _terms_by_pair([_sent_dictionary(parameters)])
        info = await self._glossaries.create(_name_of(parameters), terms, caller.key_id)
        return json_answer(_of_one_pair(info), status=201)

    async def show(self, request: Request) -> Response:
        """`GET /v2/glossaries/{id}`"""
        info, _ = await self._found(request)
        return json_answer(_of_one_pair(info))

    async def show_entries(self, request: Request) -> Response:
        """`GET /v2/glossaries/{id}/entries`"""
        info, owner = await self._found(request)
        accept = request.headers.get("accept", "*/*").lower()
        if not any(media_type in accept for media_type in _ANY_MEDIA):
            raise UnsupportedMedia(f"Entries come as {TSV}; accept that.", field="Accept", accepted=(TSV,))
        terms = await self._glossaries.terms(info.id, info.dictionaries[0].pair, owner)
        return Response(await asyncio.to_thread(write_tsv, terms), media_type=TSV)

    async def _found(self, request: Request) -> tuple[GlossaryInfo, str]:
        _, caller = await admitted(self._service, request)
        info = await self._glossaries.info(request.path_params["id"], caller.key_id)
        if len(info.dictionaries) != 1:
            raise UnknownGlossary(
                f"The glossary {info.name!r} has {len(info.dictionaries)} pairs and not one; ask for it at "
                "/v3/glossaries.",
                field="glossary_id",
            )
        return info, caller.key_id


class GlossaryHandlers:
    """The handlers of `/v3/glossaries`."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._glossaries = service.glossaries

    async def list_all(self, request: Request) -> Response:
        """`GET /v3/glossaries`"""
        _, caller = await admitted(self._service, request)
        return json_answer({"glossaries": [_of_pairs(one) for one in await self._glossaries.list_all(caller.key_id)]})

    async def create(self, request: Request) -> Response:
        """`POST /v3/glossaries`"""
        parameters, caller = await admitted(self._service, request)
        terms = await _terms_by_pair(_sent_dictionaries(parameters))
        info = await self._glossaries.create(_name_of(parameters), terms, caller.key_id)
        return json_answer(_of_pairs(info), status=201)

    async def show(self, request: Request) -> Response:
        """`GET /v3/glossaries/{id}`"""
        _, caller = await admitted(self._service, request)
        return json_answer(_of_pairs(await self._glossaries.info(request.path_params["id"], caller.key_id)))

    async def change(self, request: Request) -> Response:
        """`PATCH /v3/glossaries/{id}`: a new name, and terms to add to those that are there."""
        parameters, caller = await admitted(self._service, request)
        info = await self._glossaries.update(
            request.path_params["id"],
            name=parameters.text("name"),
            added=await _terms_by_pair(_sent_dictionaries(parameters)),
            owner=caller.key_id,
        )
        return json_answer(_of_pairs(info))

    async def delete(self, request: Request) -> Response:
        """`DELETE /v3/glossaries/{id}`, and of v2."""
        _, caller = await admitted(self._service, request)
        await self._glossaries.delete(request.path_params["id"], caller.key_id)
        return Response(status_code=204)

    async def show_entries(self, request: Request) -> Response:
        """`GET /v3/glossaries/{id}/entries`"""
        parameters, caller = await admitted(self._service, request)
        pair = _pair_of(parameters)
        terms = await self._glossaries.terms(request.path_params["id"], pair, caller.key_id)
        entries = await asyncio.to_thread(write_tsv, terms)
        shown = NewDictionary(
            source_lang=pair.source.lower(), target_lang=pair.target.lower(), entries=entries, entries_format="tsv"
        )
        return json_answer({"dictionaries": [shown]})

    async def put_dictionary(self, request: Request) -> Response:
        """`PUT /v3/glossaries/{id}/dictionaries`: all terms of one pair."""
        parameters, caller = await admitted(self._service, request)
        replaced = await _terms_by_pair([_sent_dictionary(parameters)])
        await self._glossaries.update(request.path_params["id"], replaced=replaced, owner=caller.key_id)
        ((pair, terms),) = replaced.items()
        return json_answer(_stored(pair, len(terms)))

    async def delete_dictionary(self, request: Request) -> Response:
        """`DELETE /v3/glossaries/{id}/dictionaries`"""
        parameters, caller = await admitted(self._service, request)
        await self._glossaries.delete_pair(request.path_params["id"], _pair_of(parameters), caller.key_id)
        return Response(status_code=204)


def glossary_routes(service: Service) -> list[Route]:
    """The routes of glossaries."""
    of_one, of_many = OnePairHandlers(service), GlossaryHandlers(service)
    return [
        route("/v2/glossaries", GET=of_one.list_all, POST=of_one.create),
        route("/v2/glossaries/{id}", GET=of_one.show, DELETE=of_many.delete),
        route("/v2/glossaries/{id}/entries", GET=of_one.show_entries),
        route("/v3/glossaries", GET=of_many.list_all, POST=of_many.create),
        route("/v3/glossaries/{id}", GET=of_many.show, PATCH=of_many.change, DELETE=of_many.delete),
        route("/v3/glossaries/{id}/entries", GET=of_many.show_entries),
        route("/v3/glossaries/{id}/dictionaries", PUT=of_many.put_dictionary, DELETE=of_many.delete_dictionary),
    ]


# What is sent


def _name_of(parameters: Parameters) -> str:
    name = parameters.text("name")
    if name is None:
        raise InvalidRequest("'name' is missing: say what the glossary is called.", field="name")
    return name


def _pair_of(parameters: Parameters) -> Pair:
    return Pair(language_of(parameters, "source_lang"), language_of(parameters, "target_lang"))


def _sent_dictionary(parameters: Parameters) -> NewDictionary:
    """The one that stands in the request itself."""
    return _dictionary({name: parameters.value(name) for name in NewDictionary.__struct_fields__ if name in parameters})


def _sent_dictionaries(parameters: Parameters) -> list[NewDictionary]:
    return [_dictionary(one) for one in parameters.values("dictionaries")]


def _dictionary(values: object) -> NewDictionary:
    try:
        return msgspec.convert(values, NewDictionary)
    except msgspec.ValidationError as error:
        raise InvalidRequest(
            "A dictionary has 'source_lang', 'target_lang', 'entries' and 'entries_format', which is tsv or csv: "
            f"{error}.",
            field="dictionaries",
        ) from None


async def _terms_by_pair(dictionaries: Sequence[NewDictionary]) -> dict[Pair, Sequence[Term]]:
    return await asyncio.to_thread(_read_dictionaries, dictionaries)


def _read_dictionaries(dictionaries: Sequence[NewDictionary]) -> dict[Pair, Sequence[Term]]:
    found: dict[Pair, Sequence[Term]] = {}
    for one in dictionaries:
        pair = Pair(languages.resolve(one.source_lang), languages.resolve(one.target_lang))
        if pair in found:
            raise InvalidRequest(f"There are two dictionaries for {pair}; make one of them.", field="dictionaries")
        found[pair] = read_terms(one.entries.encode(errors="surrogatepass"), one.entries_format or "tsv", pair)[pair]
    return found


# What is answered


def _of_one_pair(info: GlossaryInfo) -> GlossaryOfOnePair:
    (dictionary,) = info.dictionaries
    return GlossaryOfOnePair(
        glossary_id=info.id,
        name=info.name,
        source_lang=dictionary.pair.source.lower(),
        target_lang=dictionary.pair.target.lower(),
        creation_time=_creation_time(info),
        entry_count=dictionary.entries,
    )


def _of_pairs(info: GlossaryInfo) -> GlossaryOfPairs:
    return GlossaryOfPairs(
        glossary_id=info.id,
        name=info.name,
        dictionaries=tuple(_stored(one.pair, one.entries) for one in info.dictionaries),
        creation_time=_creation_time(info),
    )


def _stored(pair: Pair, entries: int) -> StoredDictionary:
    return StoredDictionary(source_lang=pair.source.lower(), target_lang=pair.target.lower(), entry_count=entries)


def _creation_time(info: GlossaryInfo) -> str:
    """DeepL's client reads no time without fractions of a second and an offset."""
    return datetime.fromtimestamp(info.created_at, UTC).isoformat(timespec="milliseconds")
