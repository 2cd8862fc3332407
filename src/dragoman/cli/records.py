"""What a line of input means, and how its translations are written: plain text, or one JSON object a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec
from msgspec import Raw, Struct, structs

from dragoman.cli.lines import MAX_LINE_BYTES, Line
from dragoman.errors import DragomanError, InvalidRequest, TooLarge
from dragoman.types import TranslateRequest, Translation

Results = Sequence[Translation | DragomanError]


class Answer(Struct, frozen=True):
    """What one line comes to: the bytes for stdout, whether anything failed, and the words for stderr."""

    output: bytes
    failed: bool = False
    reports: tuple[str, ...] = ()


class Records(Protocol):
    """One way to read lines and to write answers."""

    def parse(self, line: Line) -> TranslateRequest:
        """Raises InvalidRequest."""
        ...

    def translated(self, line: Line, request: TranslateRequest, results: Results) -> Answer:
        """The answer where the request was carried out; some of the results may be errors."""
        ...

    def refused(self, line: Line, error: DragomanError) -> Answer:
        """The answer where nothing of the line could be translated."""
        ...


class Texts(Struct, frozen=True):
    """Each line is a text, and gives a line for each target; an empty one where that failed, so that lines pair up.

    `asked` is what is asked of every line, without its text.
    """

    asked: TranslateRequest

    def parse(self, line: Line) -> TranslateRequest:
        return structs.replace(self.asked, texts=(_text_of(line),))

    def translated(self, line: Line, request: TranslateRequest, results: Results) -> Answer:
        errors = _errors(request, results)
        reports = tuple(f"{line.place}: {error}" for error in errors)
        texts = ("" if isinstance(result, DragomanError) else result.text for result in results)
        return Answer("".join(f"{text}\n" for text in texts).encode(), bool(errors), reports)

    def refused(self, line: Line, error: DragomanError) -> Answer:
        return Answer(b"\n" * len(self.asked.targets), True, (f"{line.place}: {error.message}",))


class JSONTexts(Texts, frozen=True):
    """Each line is a text, and gives one JSON object."""

    def translated(self, line: Line, request: TranslateRequest, results: Results) -> Answer:
        return _json_answer({"text": request.texts[0]}, request, results)

    def refused(self, line: Line, error: DragomanError) -> Answer:
        return _json_refusal({"text": _readable(line)}, error)


class JSONObjects(Struct, frozen=True):
    """Each line is a JSON object with `text`, and with `source` and `target` where they differ from the flags'.

    It comes back with all its fields, and with `translations` by target, `source` where it was detected, `findings`
    by target where there are any, and `error` where something failed.
    """

    asked: TranslateRequest

    def parse(self, line: Line) -> TranslateRequest:
        fields = _fields_of(line)
        if "text" not in fields:
            raise InvalidRequest('the object has no "text"')
        target = _string(fields, "target")
        if target is None and not self.asked.targets:
            raise InvalidRequest('the object has no "target", and --to is not given')
        return structs.replace(
            self.asked,
            texts=(_string(fields, "text") or "",),
            targets=self.asked.targets if target is None else (target,),
            source=_string(fields, "source") or self.asked.source,
        )

    def translated(self, line: Line, request: TranslateRequest, results: Results) -> Answer:
        return _json_answer(dict(_fields_of(line)), request, results)

    def refused(self, line: Line, error: DragomanError) -> Answer:
        try:
            fields: dict[str, object] = dict(_fields_of(line))
        except InvalidRequest:
            fields = {"line": _readable(line)}
        return _json_refusal(fields, error)


def _text_of(line: Line) -> str:
    if len(line.raw) > MAX_LINE_BYTES:
        raise TooLarge(f"longer than {MAX_LINE_BYTES} bytes; cut it into several lines", limit=MAX_LINE_BYTES)
    try:
        return line.raw.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"not UTF-8 ({error.reason} at byte {error.start}); convert the input first") from error


def _fields_of(line: Line) -> dict[str, Raw]:
    """The object's fields, each as it was written, so that what is not ours comes out as it came in."""
    try:
        return msgspec.json.decode(_text_of(line), type=dict[str, Raw])
    except msgspec.DecodeError as error:
        raise InvalidRequest(f'not a JSON object like {{"text": "Good morning."}}: {error}') from error


def _string(fields: dict[str, Raw], name: str) -> str | None:
    if name not in fields:
        return None
    try:
        return msgspec.json.decode(fields[name], type=str)
    except msgspec.DecodeError as error:
        raise InvalidRequest(f'"{name}" has to be a string', field=name) from error


def _json_answer(fields: dict[str, object], request: TranslateRequest, results: Results) -> Answer:
    done = {
        target: result
        for target, result in zip(request.targets, results, strict=True)
        if isinstance(result, Translation)
    }
    if request.source is None and done:
        fields["source"] = next(iter(done.values())).source
    fields["translations"] = {target: result.text for target, result in done.items()}
    findings = {target: result.findings for target, result in done.items() if result.findings}
    if findings:
        fields["findings"] = findings
    errors = _errors(request, results)
    if errors:
        fields["error"] = "; ".join(errors)
    return Answer(_json_line(fields), bool(errors))


def _json_refusal(fields: dict[str, object], error: DragomanError) -> Answer:
    return Answer(_json_line({**fields, "error": error.message}), True)


def _json_line(fields: dict[str, object]) -> bytes:
    return msgspec.json.encode(fields) + b"\n"


def _errors(request: TranslateRequest, results: Results) -> list[str]:
    return [
        f"{target}: {result.message}"
        for target, result in zip(request.targets, results, strict=True)
        if isinstance(result, DragomanError)
    ]


def _readable(line: Line) -> str:
    return line.raw.decode(errors="replace")
