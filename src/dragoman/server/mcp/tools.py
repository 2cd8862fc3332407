"""What assistants can call: each tool a type for its arguments, a type for its answer, and what it does.

This knows nothing of the protocol that carries it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from dragoman import languages
from dragoman.errors import UnknownGlossary
from dragoman.languages import Language
from dragoman.memory.term_files import terms_of
from dragoman.server.body import JsonBody
from dragoman.server.gate import Caller
from dragoman.server.glossaries import StoredDictionary
from dragoman.server.service import Service, translations_of
from dragoman.types import Finding, Format, Pair, TranslateRequest, Wishes

MOST_TERMS = 500
"""Terms in one answer: an assistant reads all of it."""

Text = Annotated[str | list[str], Meta(description="one text, or a list of texts")]
GlossaryName = Annotated[str, Meta(description="its name, or its id where several have that name")]
SourceCode = Annotated[str, Meta(description="language code of the source terms")]
TargetCode = Annotated[str, Meta(description="language code of the target terms")]


class Translate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of `translate`."""

    text: Text
    target: Annotated[str, Meta(description="language code to translate into, as de, pt-BR or zh-Hant")]
    source: Annotated[
        str | None, Meta(description="language code of the text; left out, it is detected for each text")
    ] = None
    format: Annotated[Format, Meta(description="what the text is written in; its markup comes back as it was")] = "text"
    glossary: Annotated[str | None, Meta(description="name of a stored glossary whose terms have to be used")] = None
    keep: Annotated[list[str], Meta(description="names and words that are not to be translated")] = []


class Translated(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One text in the target language. `findings` say what may be wrong with it."""

    text: str
    source: str
    target: str
    findings: tuple[Finding, ...] = ()


class Translations(Struct, frozen=True):
    """One for each text, in order."""

    translations: Sequence[Translated]


class Detect(Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of `detect`."""

    text: Text


class DetectedLanguage(Struct, frozen=True):
    """The language of a text with a confidence of 0 to 1; null and 0 where none can be told."""

    language: str | None
    name: str | None
    confidence: float


class DetectedLanguages(Struct, frozen=True):
    """One for each text, in order."""

    detected: Sequence[DetectedLanguage]


class FindLanguages(Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of `languages`."""

    search: Annotated[str, Meta(description="part of a name or the beginning of a code; left out, the common ones")] = (
        ""
    )


class NamedLanguage(Struct, frozen=True):
    """A language code and what it is called in English and in itself."""

    code: str
    name: str
    native_name: str


class NamedLanguages(Struct, frozen=True):
    """Languages by code."""

    languages: Sequence[NamedLanguage]


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """No arguments."""


class GlossarySummary(Struct, frozen=True):
    """A stored glossary without its terms."""

    id: str
    name: str
    dictionaries: Sequence[StoredDictionary]


class GlossarySummaries(Struct, frozen=True):
    """All glossaries, by name."""

    glossaries: Sequence[GlossarySummary]


class FindTerms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of `glossary_terms`."""

    glossary: GlossaryName
    source: SourceCode
    target: TargetCode
    search: Annotated[str, Meta(description="part of a source or target term; left out, the first terms")] = ""


class FoundTerms(Struct, frozen=True):
    """Source terms and what each becomes. `total` is how many there are, also beyond those listed."""

    entries: Mapping[str, str]
    total: int


class AddTerms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of `add_glossary_terms`."""

    glossary: Annotated[str, Meta(description="name of the glossary; a new one is made where there is none")]
    source: SourceCode
    target: TargetCode
    entries: Annotated[
        dict[str, str], Meta(min_length=1, description="source terms and what each becomes, as they are to stand")
    ]


class Tools:
    """The tools on behalf of one caller. `request_id` is what the log calls this use of them."""

    def __init__(self, service: Service, caller: Caller, request_id: str) -> None:
        self._service = service
        self._caller = caller
        self.request_id = request_id

    async def call(self, tool: Tool, arguments: Mapping[str, Any]) -> Struct:
        """Run a tool. Raises InvalidRequest for arguments that do not fit, and what the tool raises."""
        return await tool.run(self, _reader(tool.arguments).decode(msgspec.json.encode(arguments)))

    async def translate(self, asked: Translate) -> Translations:
        """Translate texts. Raises the error of the first that failed."""
        glossary = asked.glossary and await self._service.glossaries.load(asked.glossary, self._caller.key_id)
        wanted = TranslateRequest(
            texts=_texts(asked.text),
            targets=(asked.target,),
            source=None if asked.source == "auto" else asked.source,
            format=asked.format,
            wishes=Wishes(keep=tuple(asked.keep), glossaries=(glossary,) if glossary else ()),
        )
        done = translations_of(await self._service.run(wanted, self._caller))
        return Translations(
            [Translated(text=one.text, source=one.source, target=one.target, findings=one.findings) for one in done]
        )

    async def detect(self, asked: Detect) -> DetectedLanguages:
        """Tell the language of each text."""
        found = await self._service.detect(_texts(asked.text), self._caller)
        return DetectedLanguages(
            [
                DetectedLanguage(None, None, 0.0)
                if one is None
                else DetectedLanguage(one.language, languages.english_name(one.language), round(one.confidence, 3))
                for one in found
            ]
        )

    async def languages(self, asked: FindLanguages) -> NamedLanguages:
        """The languages that are searched for, among those the engine has."""
        pairs = self._service.translator.info.pairs
        known = None if pairs is None else {code for pair in pairs for code in (pair.source, pair.target)}
        found = await asyncio.to_thread(_found_languages, asked.search.strip().casefold())
        return NamedLanguages(
            [
                NamedLanguage(one.code, one.display_name, one.native_name)
                for one in found
                if known is None or one.code in known
            ]
        )

    async def glossaries(self, asked: Nothing) -> GlossarySummaries:
        """The caller's glossaries."""
        return GlossarySummaries(
            [
                GlossarySummary(
                    info.id,
                    info.name,
                    [
                        StoredDictionary(source=one.pair.source, target=one.pair.target, entry_count=one.entries)
                        for one in info.dictionaries
                    ],
                )
                for info in await self._service.glossaries.list_all(self._caller.key_id)
            ]
        )

    async def glossary_terms(self, asked: FindTerms) -> FoundTerms:
        """The terms of one pair that are searched for."""
        pair = Pair(languages.resolve(asked.source), languages.resolve(asked.target))
        terms = await self._service.glossaries.terms(asked.glossary, pair, self._caller.key_id)
        part = asked.search.casefold()
        found = [term for term in terms if part in term.source.casefold() or part in term.target.casefold()]
        return FoundTerms({term.source: term.target for term in islice(found, MOST_TERMS)}, len(found))

    async def add_glossary_terms(self, asked: AddTerms) -> FoundTerms:
        """Add terms, and the glossary if there is none of this name. Answers what was added."""
        pair = Pair(languages.resolve(asked.source), languages.resolve(asked.target))
        terms = {pair: await asyncio.to_thread(terms_of, asked.entries)}
        stored, owner = self._service.glossaries, self._caller.key_id
        try:
            await stored.update(asked.glossary, added=terms, owner=owner)
        except UnknownGlossary:
            await stored.create(asked.glossary, terms, owner)
        return FoundTerms({term.source: term.target for term in terms[pair]}, len(terms[pair]))


class Tool(Struct, frozen=True, kw_only=True):
    """What an assistant is told of a tool, and what runs it. Those that write only add."""

    name: str
    title: str
    description: str
    arguments: type[Struct]
    answer: type[Struct]
    run: Callable[[Tools, Any], Awaitable[Struct]]
    writes: bool = False


TOOLS = (
    Tool(
        name="translate",
        title="Translate",
        description="Translate texts into another language. Placeholders such as {name} or %s, tags, addresses and "
        "markup come back as they were. Look at 'findings': they say what may be wrong with a translation.",
        arguments=Translate,
        answer=Translations,
        run=Tools.translate,
    ),
    Tool(
        name="detect",
        title="Detect languages",
        description="Tell which language each text is written in.",
        arguments=Detect,
        answer=DetectedLanguages,
        run=Tools.detect,
    ),
    Tool(
        name="languages",
        title="Find languages",
        description="Find the codes of languages that can be translated, by name or code.",
        arguments=FindLanguages,
        answer=NamedLanguages,
        run=Tools.languages,
    ),
    Tool(
        name="glossaries",
        title="List glossaries",
        description="List the stored glossaries, which 'translate' takes by name, with their languages.",
        arguments=Nothing,
        answer=GlossarySummaries,
        run=Tools.glossaries,
    ),
    Tool(
        name="glossary_terms",
        title="Show terms of a glossary",
        description=f"Show the terms a glossary has for two languages, at most {MOST_TERMS}; search for others.",
        arguments=FindTerms,
        answer=FoundTerms,
        run=Tools.glossary_terms,
    ),
    Tool(
        name="add_glossary_terms",
        title="Add terms to a glossary",
        description="Add terms to a glossary, or begin one. A source term that is there already gets the new target. "
        "Give terms in the case and inflection in which they are to stand: they are put in as they are.",
        arguments=AddTerms,
        answer=FoundTerms,
        run=Tools.add_glossary_terms,
        writes=True,
    ),
)


def schema_of(type_: type[Struct]) -> dict[str, Any]:
    """The JSON schema of a type as one object, with what it refers to inside."""
    _, schemas = msgspec.json.schema_components([type_], ref_template="#/$defs/{name}")
    root = schemas.pop(type_.__name__)
    return {**root, "$defs": schemas} if schemas else root


@cache
def _reader(arguments: type[Struct]) -> JsonBody[Struct]:
    """For its messages: what carries the arguments has bounded them already."""
    return JsonBody(arguments, max_bytes=0)


def _texts(text: str | list[str]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def _found_languages(part: str) -> Sequence[Language]:
    """Without a word to search for, English and those that translations were evaluated in."""
    if not part:
        return [one for one in languages.all_languages() if one.evaluated or one.code == "en"]
    return [
        one
        for one in languages.all_languages()
        if one.code.casefold().startswith(part)
        or part in one.display_name.casefold()
        or part in one.native_name.casefold()
    ]
