"""What goes over the wire in LibreTranslate's protocol; its description under `/spec` is made from these types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from dragoman.server.schemas import SimpleFailure

MAX_ALTERNATIVES = 5
FRONTEND_TIMEOUT_MS = 500
"""How long the web page waits for the next key before it translates."""

ApiKey = Annotated[str | None, Meta(description="needed where the server asks for keys")]


class TranslateBody(Struct, frozen=True, kw_only=True):
    """Texts to translate."""

    q: Annotated[str | list[str], Meta(description="one text, or several as an array")]
    source: Annotated[str, Meta(description="language code, or `auto`")] = "auto"
    target: Annotated[str, Meta(description="language code")]
    format: Literal["text", "html"] = "text"
    alternatives: Annotated[int, Meta(ge=0, description=f"how many; more than {MAX_ALTERNATIVES} count as so many")] = 0
    api_key: ApiKey = None


class DetectBody(Struct, frozen=True, kw_only=True):
    """A text whose language is wanted."""

    q: str
    api_key: ApiKey = None


class FileBody(Struct, frozen=True, kw_only=True):
    """A multipart form with a file."""

    file: Annotated[str, Meta(extra_json_schema={"format": "binary"})]
    source: Annotated[str, Meta(description="language code, or `auto`")] = "auto"
    target: Annotated[str, Meta(description="language code")]
    api_key: ApiKey = None


class Guess(Struct, frozen=True):
    """A language, and how sure it is, 0 to 100."""

    confidence: float
    language: str


class Translated(Struct, frozen=True, kw_only=True, rename="camel"):
    """Strings for a string, arrays of the same length for an array.

    `detectedLanguage` is there for the source `auto`, `alternatives` where they were asked for.
    """

    translated_text: str | list[str]
    detected_language: Guess | list[Guess] | UnsetType = UNSET
    alternatives: Sequence[str | Sequence[str]] | UnsetType = UNSET


class TranslatedFile(Struct, frozen=True, rename="camel"):
    """Where the translated file is."""

    translated_file_url: str


class Spoken(Struct, frozen=True):
    """A language and what it is translated into."""

    code: str
    name: str
    targets: Sequence[str]


class Chosen(Struct, frozen=True):
    """A language to begin with."""

    code: str
    name: str


class Direction(Struct, frozen=True):
    """The languages a page begins with."""

    source: Chosen = Chosen("auto", "Auto Detect")
    target: Chosen = Chosen("en", "English")


class FrontendSettings(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a page needs to know of the server; `charLimit` counts a whole request."""

    char_limit: int
    frontend_timeout: int = FRONTEND_TIMEOUT_MS
    api_keys: bool
    key_required: bool
    suggestions: bool = False
    files_translation: bool
    supported_files_format: Sequence[str]
    language: Direction = Direction()


class LibreFailure(Struct, frozen=True):
    """What went wrong, and what to do next."""

    error: str


class SharedFailure(SimpleFailure, frozen=True):
    """For a body that may be of either kind: what both kinds of client read."""

    error: str = ""
