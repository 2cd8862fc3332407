"""What goes over the wire on Dragoman's own routes. The OpenAPI document is made from these types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from dragoman.errors import DragomanError, InvalidRequest
from dragoman.languages import Language
from dragoman.server.problems import Problem, problem_of
from dragoman.types import Detected, Finding, Format, Timings, Tokens, TranslateRequest, Translation

DEFAULT_SOURCE = "en"
DEFAULT_TARGET = "zh"

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

    no_store: Annotated[bool, Meta(description="remember nothing of this request")] = False

    def wanted(self, timeout_s: float | None) -> TranslateRequest:
        return TranslateRequest(
            texts=(self.text,) if isinstance(self.text, str) else tuple(self.text),
            targets=self.targets,
            source=_source(self.source),
            format=self.format,
            timeout_s=timeout_s if self.timeout is None else self.timeout,
            no_store=self.no_store,
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

    `remembered` segments of it were translated before and did not cost the engine anything.
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
        else _translated_item(outcome)
        for outcome, target in zip(outcomes, targets, strict=True)
    ]


def not_a_text(item: object) -> InvalidRequest:
    """The error of a batch item that is no string."""
    kind = {dict: "an object", list: "an array", bool: "a boolean", type(None): "null"}.get(type(item), "a number")
    return InvalidRequest(f"A text must be a string, not {kind}.", field="texts")


def _translated_item(done: Translation) -> TranslatedItem:
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
        timings=done.timings,
    )


def _failed_item(error: DragomanError, source: str | None, target: str, request_id: str) -> FailedItem:
    return FailedItem(
        target=target,
        source=UNSET if source is None else source,
        error=_item_error(problem_of(error, request_id)),
    )


def _item_error(problem: Problem) -> ItemError:
    return ItemError(
        type=problem.type,
        status=problem.status,
        message=problem.detail,
        field=problem.field,
        limit=problem.limit,
        accepted=problem.accepted,
        engine=problem.engine,
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
