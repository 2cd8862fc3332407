"""What goes over the wire on Dragoman's own routes. The OpenAPI document is made from these types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from dragoman.errors import DragomanError, InvalidRequest, Unfaithful
from dragoman.languages import Language
from dragoman.memory.term_files import terms_of
from dragoman.server.problems import Problem, problem_of
from dragoman.types import (
    Detected,
    Finding,
    Formality,
    Format,
    Glossary,
    Split,
    TagRules,
    Timings,
    Tokens,
    TranslateRequest,
    Translation,
    Wishes,
)

DEFAULT_SOURCE = "en"
DEFAULT_TARGET = "zh"

_FORMALITIES: dict[str, Formality] = {"more": "more", "less": "less"}

SourceLang = Annotated[
    str | None, Meta(description=f"language code, or `auto` to have it detected; left out, `{DEFAULT_SOURCE}`")
]
TextFormat = Annotated[Format, Meta(description="what the texts are written in")]
TargetLang = Annotated[str | None, Meta(description=f"language code; left out, `{DEFAULT_TARGET}`")]


class SimpleRequest(Struct, frozen=True, kw_only=True):
    """One text into one language. Other fields are ignored."""

    text: str
    source_lang: SourceLang = None
    target_lang: TargetLang = None
    format: TextFormat = "text"

    def wanted(self, timeout_s: float | None) -> TranslateRequest:
        return _simple_request((self.text,), self, timeout_s)


class BatchRequest(Struct, frozen=True, kw_only=True):
    """Several texts into one language. An item that is no string fails alone. Other fields are ignored."""

    texts: Annotated[list[Any], Meta(min_length=1, extra_json_schema={"items": {"type": "string"}})]
    source_lang: SourceLang = None
    target_lang: TargetLang = None
    format: TextFormat = "text"

    def wanted(self, texts: Sequence[str], timeout_s: float | None) -> TranslateRequest:
        return _simple_request(tuple(texts), self, timeout_s)


class Tags(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """DeepL's tag options. Without `outline_detection` only `splitting_tags` end a block."""

    splitting_tags: tuple[str, ...] = ()
    non_splitting_tags: tuple[str, ...] = ()
    ignore_tags: tuple[str, ...] = ()
    outline_detection: bool = True

    @property
    def rules(self) -> TagRules:
        return TagRules(
            splitting=frozenset(self.splitting_tags),
            non_splitting=frozenset(self.non_splitting_tags),
            ignored=frozenset(self.ignore_tags),
            outline=self.outline_detection,
        )


class NativeRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One text or many into one language or many. Unknown fields are refused."""

    text: str | Annotated[list[str], Meta(min_length=1)]
    target: str | Annotated[list[str], Meta(min_length=1)]
    source: Annotated[
        str | None, Meta(description="language code; `auto` or left out, it is detected for each text")
    ] = None
    format: TextFormat = "text"
    timeout: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(description="seconds the translation may take; it goes before the header `X-Request-Timeout`"),
    ] = None

    stream: Annotated[bool, Meta(description="answer with server-sent events while the translation is made")] = False
    no_store: Annotated[bool, Meta(description="remember nothing of this request")] = False
    split: Annotated[
        Split, Meta(description="where texts are cut: between sentences, at line breaks only, or only where too long")
    ] = "sentences"
    protect: Annotated[tuple[str, ...], Meta(description="regular expressions (RE2) for what comes back as it is")] = ()
    keep: Annotated[tuple[str, ...], Meta(description="words that are not translated")] = ()
    terms: Annotated[
        dict[str, str], Meta(description="source terms and what they become, in the form in which they are to stand")
    ] = {}
    glossary: Annotated[
        str | list[str] | None,
        Meta(description="names or ids of stored glossaries, the strongest first"),
    ] = None
    formality: Annotated[
        Literal["more", "less", "prefer_more", "prefer_less"] | None,
        Meta(description="400 where the model cannot follow it; with `prefer_` a finding says so instead"),
    ] = None
    context: Annotated[
        str, Meta(max_length=4000, description="what the texts are about; only models that follow instructions see it")
    ] = ""
    strict: Annotated[bool, Meta(description="fail an item rather than answer it with a fault")] = False
    alternatives: Annotated[
        int, Meta(ge=0, le=5, description="how many other translations are wanted, where the engine can give them")
    ] = 0
    confidence: Annotated[
        bool, Meta(description="tell how sure the engine was, 0 to 1, where it can; takes some engines longer")
    ] = False
    tags: Annotated[Tags, Meta(description="how XML is cut into blocks; names as in DeepL's API")] = Tags()

    def wanted(self, timeout_s: float | None, glossaries: Sequence[Glossary] = ()) -> TranslateRequest:
        return TranslateRequest(
            texts=(self.text,) if isinstance(self.text, str) else tuple(self.text),
            targets=self.targets,
            source=_source(self.source),
            format=self.format,
            timeout_s=timeout_s if self.timeout is None else self.timeout,
            no_store=self.no_store,
            wishes=self._wishes(tuple(glossaries)),
        )

    @property
    def glossary_names(self) -> tuple[str, ...]:
        if self.glossary is None:
            return ()
        return (self.glossary,) if isinstance(self.glossary, str) else tuple(self.glossary)

    def _wishes(self, glossaries: tuple[Glossary, ...]) -> Wishes:
        _, preferred, formality = (self.formality or "").rpartition("prefer_")
        return Wishes(
            tags=self.tags.rules,
            split=self.split,
            protect=self.protect,
            keep=self.keep,
            terms=terms_of(self.terms),
            glossaries=glossaries,
            formality=_FORMALITIES.get(formality),
            formality_preferred=bool(preferred),
            context=self.context,
            strict=self.strict,
            alternatives=self.alternatives,
            confidence=self.confidence,
        )

    @property
    def targets(self) -> tuple[str, ...]:
        return (self.target,) if isinstance(self.target, str) else tuple(self.target)


class SimpleSuccess(Struct, frozen=True):
    """A finished translation."""

    translation: str
    status: Literal["success"] = "success"


class SimpleFailure(Struct, frozen=True):
    """What went wrong, and what to do next."""

    message: str
    status: Literal["error"] = "error"


def _one_of(*schemas: str) -> Meta:
    """A list whose items are of several types: msgspec has no such union, so the JSON schema is said in words."""
    return Meta(
        extra_json_schema={"items": {"oneOf": [{"$ref": f"#/components/schemas/{schema}"} for schema in schemas]}}
    )


class BatchAnswer(Struct, frozen=True):
    """One result for each text, in order."""

    results: Annotated[Sequence[Any], _one_of("SimpleSuccess", "SimpleFailure")]


class TranslatedItem(Struct, frozen=True, kw_only=True):
    """One text in one target language. `detected` is there if the source language was.

    `remembered` segments of it were translated before and did not cost the engine anything. `confidence`, 0 to 1, is
    there where the engine tells how sure it was; `findings` say what was repaired and what is still wrong.
    """

    text: str
    source: str
    target: str
    detected: Detected | UnsetType = UNSET
    engine: str
    model: str
    tokens: Tokens
    remembered: int
    findings: tuple[Finding, ...]
    confidence: float | UnsetType = UNSET
    alternatives: tuple[str, ...] | UnsetType = UNSET
    timings: Timings


class ItemError(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why one item failed; `type` and `status` are those the whole answer would have if it were alone."""

    type: str
    status: int
    message: str
    field: str | None = None
    limit: int | None = None
    accepted: tuple[str, ...] = ()
    engine: str | None = None
    findings: tuple[Finding, ...] = ()


class FailedItem(Struct, frozen=True, kw_only=True):
    """Stands in the place of a translation that failed; languages are as asked for."""

    target: str
    source: str | UnsetType = UNSET
    error: ItemError


class NativeAnswer(Struct, frozen=True):
    """One item for each text and target: all targets of the first text, then of the second, and so on."""

    translations: Annotated[Sequence[Any], _one_of("TranslatedItem", "FailedItem")]


class Languages(Struct, frozen=True):
    """Every language there is a code for; `evaluated` marks those whose quality TranslateGemma's authors measured."""

    languages: Sequence[Language]


class Health(Struct, frozen=True):
    """The process is alive."""

    status: Literal["ok"] = "ok"


def simple_result(outcome: Translation | DragomanError, request_id: str) -> SimpleSuccess | SimpleFailure:
    """One entry of a batch's results."""
    if isinstance(outcome, DragomanError):
        return SimpleFailure(problem_of(outcome, request_id).detail)
    return SimpleSuccess(outcome.text)


def native_items(
    wanted: TranslateRequest, outcomes: Sequence[Translation | DragomanError], request_id: str
) -> list[TranslatedItem | FailedItem]:
    """The entries of `translations` for what was asked and what came of it (text by text, all targets of each)."""
    targets = wanted.targets * len(wanted.texts)
    return [
        _failed_item(outcome, wanted.source, target, request_id)
        if isinstance(outcome, DragomanError)
        else translated_item(outcome)
        for outcome, target in zip(outcomes, targets, strict=True)
    ]


def not_a_text(item: object) -> InvalidRequest:
    """The error of a batch item that is no string."""
    kind = {dict: "an object", list: "an array", bool: "a boolean", type(None): "null"}.get(type(item), "a number")
    return InvalidRequest(f"A text must be a string, not {kind}.", field="texts")


def translated_item(done: Translation) -> TranslatedItem:
    """One text in one target language, as it is answered."""
    return TranslatedItem(
        text=done.text,
        source=done.source,
        target=done.target,
        detected=UNSET if done.detected is None else done.detected,
        engine=done.engine,
        model=done.model,
        tokens=done.tokens,
        remembered=done.remembered,
        findings=done.findings,
        confidence=UNSET if done.confidence is None else round(done.confidence, 3),
        alternatives=done.alternatives or UNSET,
        timings=done.timings,
    )


def _failed_item(error: DragomanError, source: str | None, target: str, request_id: str) -> FailedItem:
    return FailedItem(
        target=target,
        source=UNSET if source is None else source,
        error=item_error(problem_of(error, request_id), error),
    )


def item_error(problem: Problem, error: DragomanError) -> ItemError:
    """Why an item failed, as it is answered."""
    return ItemError(
        type=problem.type,
        status=problem.status,
        message=problem.detail,
        field=problem.field,
        limit=problem.limit,
        accepted=problem.accepted,
        engine=problem.engine,
        findings=error.findings if isinstance(error, Unfaithful) else (),
    )


def _simple_request(
    texts: tuple[str, ...], asked: SimpleRequest | BatchRequest, timeout_s: float | None
) -> TranslateRequest:
    return TranslateRequest(
        texts=texts,
        targets=(asked.target_lang or DEFAULT_TARGET,),
        source=_source(asked.source_lang or DEFAULT_SOURCE),
        format=asked.format,
        timeout_s=timeout_s,
    )


def _source(code: str | None) -> str | None:
    """Clients say `auto` where the core says None."""
    return None if code is None or code.lower() == "auto" else code
