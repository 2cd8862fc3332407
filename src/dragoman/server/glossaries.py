"""The routes of stored glossaries: what goes over the wire, what each does, and what the documentation says of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from dragoman import languages
from dragoman.errors import InvalidRequest, UnknownLanguage
from dragoman.memory.glossary_file import GlossaryInfo
from dragoman.memory.term_files import FileKind, read_terms, terms_of, write_csv, write_tsv
from dragoman.server.body import LONGEST_ECHO, JsonBody, read_body
from dragoman.server.endpoint import Endpoint, json_answer, native_failure
from dragoman.server.gate import native_key
from dragoman.server.openapi import Operation
from dragoman.server.problems import UnsupportedMedia
from dragoman.server.service import Service
from dragoman.types import Pair, Term

TABLES: dict[str, FileKind] = {"text/tab-separated-values": "tsv", "text/csv": "csv"}

MAX_HYPHENS = 5
"""In a pair whose codes both have language, script and region."""

LANGUAGE = Meta(description="language code; a dictionary for `en` serves `en-GB` too")
Entries = Annotated[dict[str, str], Meta(description="source terms and what each becomes, as they are to stand")]


class NewDictionary(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The terms of one pair."""

    source: Annotated[str, LANGUAGE]
    target: Annotated[str, LANGUAGE]
    entries: Entries


class NewGlossary(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A glossary to keep: terms of one pair or of several."""

    name: str
    dictionaries: list[NewDictionary] = []


class ChangedGlossary(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new name, and terms to add; where a source is there already, it gets the new target."""

    name: str | None = None
    dictionaries: list[NewDictionary] = []


class NewEntries(Struct, frozen=True, forbid_unknown_fields=True):
    """All terms of one pair."""

    entries: Entries


class StoredDictionary(Struct, frozen=True, kw_only=True):
    """How many terms a glossary has of one pair."""

    source: str
    target: str
    entry_count: int


class StoredGlossary(Struct, frozen=True, kw_only=True):
    """A glossary without its terms. Times are ISO 8601, in UTC."""

    id: str
    name: str
    created_at: datetime
    updated_at: datetime
    dictionaries: tuple[StoredDictionary, ...]


class StoredGlossaries(Struct, frozen=True):
    """All glossaries, by name."""

    glossaries: Sequence[StoredGlossary]


class StoredEntries(Struct, frozen=True, kw_only=True):
    """The terms a glossary has of one pair."""

    source: str
    target: str
    entries: Entries


class GlossaryHandlers:
    """The handlers of `/v1/glossaries`. A glossary is named by its id or, where no other has it, by its name.

    Each key has glossaries of its own, and sees no others.
    """

    def __init__(self, service: Service) -> None:
        self._gate = service.gate
        self._glossaries = service.glossaries
        self._max_body_bytes = service.settings.max_body_bytes
        self._new = JsonBody(NewGlossary, service.settings.max_body_bytes)
        self._changed = JsonBody(ChangedGlossary, service.settings.max_body_bytes)
        self._entries = JsonBody(NewEntries, service.settings.max_body_bytes)

    async def list_all(self, request: Request) -> Response:
        """`GET /v1/glossaries`"""
        infos = await self._glossaries.list_all(await self._owner(request))
        return json_answer(StoredGlossaries([_stored(info) for info in infos]))

    async def create(self, request: Request) -> Response:
        """`POST /v1/glossaries`"""
        owner = await self._owner(request)
        asked = await self._new.read(request)
        terms = await asyncio.to_thread(_terms_by_pair, asked.dictionaries)
        info = await self._glossaries.create(asked.name, terms, owner)
        return json_answer(_stored(info), {"Location": f"/v1/glossaries/{info.id}"}, 201)

    async def show(self, request: Request) -> Response:
        """`GET /v1/glossaries/{id}`"""
        owner = await self._owner(request)
        return json_answer(_stored(await self._glossaries.info(request.path_params["id"], owner)))

    async def change(self, request: Request) -> Response:
        """`PATCH /v1/glossaries/{id}`"""
        owner = await self._owner(request)
        asked = await self._changed.read(request)
        added = await asyncio.to_thread(_terms_by_pair, asked.dictionaries)
        info = await self._glossaries.update(request.path_params["id"], name=asked.name, added=added, owner=owner)
        return json_answer(_stored(info))

    async def delete(self, request: Request) -> Response:
        """`DELETE /v1/glossaries/{id}`"""
        owner = await self._owner(request)
        await self._glossaries.delete(request.path_params["id"], owner)
        return Response(status_code=204)

    async def show_entries(self, request: Request) -> Response:
        """`GET /v1/glossaries/{id}/{pair}`"""
        owner, pair = await self._owner(request), _pair_in_path(request)
        terms = await self._glossaries.terms(request.path_params["id"], pair, owner)
        return await asyncio.to_thread(_answer_of_terms, pair, terms, request.headers.get("accept", ""))

    async def put_entries(self, request: Request) -> Response:
        """`PUT /v1/glossaries/{id}/{pair}`"""
        owner, pair = await self._owner(request), _pair_in_path(request)
        terms = await self._read_entries(request, pair)
        await self._glossaries.update(request.path_params["id"], replaced={pair: terms}, owner=owner)
        return json_answer(StoredDictionary(source=pair.source, target=pair.target, entry_count=len(terms)))

    async def delete_entries(self, request: Request) -> Response:
        """`DELETE /v1/glossaries/{id}/{pair}`"""
        owner, pair = await self._owner(request), _pair_in_path(request)
        await self._glossaries.delete_pair(request.path_params["id"], pair, owner)
        return Response(status_code=204)

    async def _owner(self, request: Request) -> str:
        return (await self._gate.admit(native_key(request))).key_id

    async def _read_entries(self, request: Request, pair: Pair) -> Sequence[Term]:
        media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if media_type == "application/json":
            return await asyncio.to_thread(terms_of, (await self._entries.read(request)).entries)
        if media_type not in TABLES:
            accepted = ("application/json", *TABLES)
            raise UnsupportedMedia(
                f"Send the entries as one of {', '.join(accepted)}.", field="Content-Type", accepted=accepted
            )
        body = await read_body(request, self._max_body_bytes)
        return (await asyncio.to_thread(read_terms, body, TABLES[media_type], pair))[pair]


def glossary_operations(service: Service) -> list[Operation]:
    """The routes, for the table of the app."""
    handlers = GlossaryHandlers(service)
    dictionary = {"source": "en", "target": "de", "entries": {"hub": "Nabe"}}
    return [
        Operation(
            method="GET",
            path="/v1/glossaries",
            scope="translate",
            endpoint=Endpoint(handlers.list_all, native_failure),
            summary="List the glossaries",
            description="Name, pairs and number of terms of each.",
            answer=StoredGlossaries,
        ),
        Operation(
            method="POST",
            path="/v1/glossaries",
            scope="translate",
            endpoint=Endpoint(handlers.create, native_failure),
            summary="Keep a glossary",
            description="Name its id in `glossary` of a translation to have its terms bound.",
            request=NewGlossary,
            example={"name": "bicycles", "dictionaries": [dictionary]},
            answer=StoredGlossary,
            status=201,
            failures=(400, 413, 415, 422),
        ),
        Operation(
            method="GET",
            path="/v1/glossaries/{id}",
            scope="translate",
            endpoint=Endpoint(handlers.show, native_failure),
            summary="Show a glossary",
            description="What it is called, and which pairs it has.",
            answer=StoredGlossary,
            failures=(400, 404),
        ),
        Operation(
            method="PATCH",
            path="/v1/glossaries/{id}",
            scope="translate",
            endpoint=Endpoint(handlers.change, native_failure),
            summary="Rename a glossary or add terms to it",
            description="Terms are added to those of their pair; a source that is there already gets the new target.",
            request=ChangedGlossary,
            example={"name": "bicycles and parts", "dictionaries": [dictionary]},
            answer=StoredGlossary,
            failures=(400, 404, 413, 415, 422),
        ),
        Operation(
            method="DELETE",
            path="/v1/glossaries/{id}",
            scope="translate",
            endpoint=Endpoint(handlers.delete, native_failure),
            summary="Delete a glossary",
            description="Translations under way keep to it to their end.",
            answer=None,
            status=204,
            failures=(400, 404),
        ),
        *_entry_operations(handlers),
    ]


def _entry_operations(handlers: GlossaryHandlers) -> list[Operation]:
    path = "/v1/glossaries/{id}/{pair}"
    return [
        Operation(
            method="GET",
            path=path,
            scope="translate",
            endpoint=Endpoint(handlers.show_entries, native_failure),
            summary="Show the terms of one pair",
            description="The pair is written `en-de`, a region of one of its languages as in `en-pt_BR`. `Accept` "
            "chooses between JSON, tab-separated values and CSV.",
            answer=StoredEntries,
            also=tuple(TABLES),
            failures=(400, 404, 422),
        ),
        Operation(
            method="PUT",
            path=path,
            scope="translate",
            endpoint=Endpoint(handlers.put_entries, native_failure),
            summary="Replace the terms of one pair",
            description="Takes JSON, tab-separated values or CSV. Of a table of several languages, this pair is read.",
            request=NewEntries,
            example={"entries": {"hub": "Nabe", "spoke": "Speiche"}},
            also=tuple(TABLES),
            answer=StoredDictionary,
            failures=(400, 404, 413, 415, 422),
        ),
        Operation(
            method="DELETE",
            path=path,
            scope="translate",
            endpoint=Endpoint(handlers.delete_entries, native_failure),
            summary="Delete the terms of one pair",
            description="The glossary and its other pairs stay.",
            answer=None,
            status=204,
            failures=(400, 404, 422),
        ),
    ]


def pair_of(words: str) -> Pair:
    """The pair that stands in a path as `en-de`.

    A hyphen may be part of a code as well: `en-pt-BR` is read as the two codes that are spelled just so, and in
    `en_NL-be` there is no doubt. Raises InvalidRequest where it may be read in two ways, and UnknownLanguage.
    """
    hyphens = [index for index, letter in enumerate(words) if letter == "-"]
    if not 0 < len(hyphens) <= MAX_HYPHENS:
        raise InvalidRequest(f"{words[:LONGEST_ECHO]!r} is no pair; one reads like en-de.", field="pair")
    splits = [(words[:index], words[index + 1 :]) for index in hyphens]
    spelled = [split for split in splits if all(map(_is_spelled_so, split))]
    exact = spelled or [split for split in splits if all(map(_is_code, split))]
    if len(exact) > 1:
        raise InvalidRequest(
            f"{words!r} may be read in several ways; write a region with _ and capitals, as in en-nl_BE.", field="pair"
        )
    source, target = (exact or splits)[0]
    return Pair(languages.resolve(source), languages.resolve(target))


def _is_spelled_so(code: str) -> bool:
    return _resolved(code) == code.replace("_", "-")


def _is_code(code: str) -> bool:
    return _resolved(code).lower() == code.replace("_", "-").lower()


def _resolved(code: str) -> str:
    try:
        return languages.resolve(code)
    except UnknownLanguage:
        return ""


def _pair_in_path(request: Request) -> Pair:
    return pair_of(request.path_params["pair"])


def _terms_by_pair(dictionaries: Sequence[NewDictionary]) -> dict[Pair, Sequence[Term]]:
    found: dict[Pair, Sequence[Term]] = {}
    for one in dictionaries:
        pair = Pair(languages.resolve(one.source), languages.resolve(one.target))
        if pair in found:
            raise InvalidRequest(f"There are two dictionaries for {pair}; make one of them.", field="dictionaries")
        found[pair] = terms_of(one.entries)
    return found


def _answer_of_terms(pair: Pair, terms: Sequence[Term], accept: str) -> Response:
    wanted = next((media_type for media_type in TABLES if media_type in accept.lower()), None)
    if wanted is not None:
        write = write_tsv if TABLES[wanted] == "tsv" else write_csv
        return Response(write(terms), media_type=wanted)
    entries = {term.source: term.target for term in terms}
    return json_answer(StoredEntries(source=pair.source, target=pair.target, entries=entries))


def _stored(info: GlossaryInfo) -> StoredGlossary:
    return StoredGlossary(
        id=info.id,
        name=info.name,
        created_at=datetime.fromtimestamp(info.created_at, UTC),
        updated_at=datetime.fromtimestamp(info.updated_at, UTC),
        dictionaries=tuple(
            StoredDictionary(source=one.pair.source, target=one.pair.target, entry_count=one.entries)
            for one in info.dictionaries
        ),
    )
