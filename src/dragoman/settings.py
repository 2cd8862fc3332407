"""Every setting, declared once: the field gives the flag (`--max-body-bytes`), the environment variable
(`DRAGOMAN_MAX_BODY_BYTES`), the key in `dragoman.toml` (`max_body_bytes`), the default and the help.

A flag wins over an environment variable, that over `dragoman.toml`, and that over the default.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta, Struct
from msgspec import inspect as introspection

from dragoman.errors import ConfigurationError

Group = Literal["engine", "memory", "storage", "listening", "limits"]

PREFIX = "DRAGOMAN_"
CONFIG_VARIABLE = "DRAGOMAN_CONFIG"
TOML_NAME = "dragoman.toml"
DAY_S = 86_400


ENGINE = {"group": "engine"}
MEMORY = {"group": "memory"}
STORAGE = {"group": "storage"}
LISTENING = {"group": "listening"}
LIMITS = {"group": "limits"}

Words = Annotated[str, Meta(min_length=1)]
Bytes = Annotated[int, Meta(ge=0)]


class Settings(Struct, frozen=True, kw_only=True):
    """What an operator can set, already checked; `load` reads it."""

    engine: Annotated[
        Words | None,
        Meta(
            description="URL of the engine, as ollama://localhost:11434/translategemma:12b, or several of the same "
            "model with spaces between; left out, one is chosen",
            extra=ENGINE,
        ),
    ] = None
    memory_bytes: Annotated[
        int, Meta(ge=0, description="RAM for remembered translations; 0 remembers none at all", extra=MEMORY)
    ] = 256 * 2**20
    memory_disk_bytes: Annotated[
        int, Meta(ge=0, description="disk for remembered translations; 0 keeps them off the disk", extra=MEMORY)
    ] = 2 * 2**30
    memory_max_age_days: Annotated[
        float, Meta(gt=0, description="how long a translation is remembered on disk and in Valkey", extra=MEMORY)
    ] = 90.0
    memory_url: Annotated[
        Words | None,
        Meta(
            description="Valkey or Redis through which processes share memory and engine slots, as valkey://HOST:6379",
            extra=MEMORY,
        ),
    ] = None
    host: Annotated[Words, Meta(description="address to listen on", extra=LISTENING)] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="port to listen on; 0 takes a free one", extra=LISTENING)] = (
        8080
    )
    workers: Annotated[
        int,
        Meta(ge=1, le=256, description="processes that serve; more than 1 for more than one core", extra=LISTENING),
    ] = 1
    keys: Annotated[
        bool,
        Meta(
            description="let in only who has an API key, made by `dragoman keys add`; needed to listen elsewhere than "
            "on this machine's own address",
            extra=LISTENING,
        ),
    ] = False
    open_to_all: Annotated[
        bool,
        Meta(
            description="listen elsewhere than on this machine's own address although no keys are asked for; everybody "
            "who reaches the server can then use it",
            extra=LISTENING,
        ),
    ] = False
    trusted_proxies: Annotated[
        Words | None,
        Meta(
            description="addresses or networks of the proxies whose X-Forwarded-For and X-Forwarded-Proto are "
            "believed, with spaces between, as 10.0.0.1 192.168.0.0/16",
            extra=LISTENING,
        ),
    ] = None
    cors_origins: Annotated[
        Words | None,
        Meta(
            description="origins whose web pages may use the server, with spaces between, as https://example.org; * "
            "for all; left out, those routes only that answer every origin in their own protocol",
            extra=LISTENING,
        ),
    ] = None
    data_dir: Annotated[
        Words | None,
        Meta(description="folder for everything written to disk; left out, the platform's own place", extra=STORAGE),
    ] = None
    max_body_bytes: Annotated[
        int, Meta(ge=1, description="largest request body; larger ones get 413 before they are read", extra=LISTENING)
    ] = 2_000_000
    max_document_bytes: Annotated[
        int, Meta(ge=1, description="largest document that is taken; larger ones get 413", extra=LISTENING)
    ] = 10 * 2**20
    documents_disk_bytes: Annotated[
        int, Meta(ge=0, description="disk for documents that wait and that are done; 0 takes none", extra=STORAGE)
    ] = 2**30
    documents_max_age_hours: Annotated[
        float, Meta(gt=0, description="how long a translated document can be fetched", extra=STORAGE)
    ] = 24.0
    max_job_bytes: Annotated[
        int, Meta(ge=1, description="largest table that is taken for a job; larger ones get 413", extra=LISTENING)
    ] = 2 * 2**30
    jobs_input_dir: Annotated[
        Words | None,
        Meta(description="folder from which jobs may take tables by their path; left out, none", extra=STORAGE),
    ] = None
    jobs_disk_bytes: Annotated[
        int, Meta(ge=0, description="disk for the tables and results of jobs; 0 takes no jobs", extra=STORAGE)
    ] = 20 * 2**30
    jobs_max_age_days: Annotated[
        float, Meta(gt=0, description="how long a job that is over is kept", extra=STORAGE)
    ] = 30.0
    jobs_at_once: Annotated[
        int, Meta(ge=1, description="jobs that are worked on at a time; the others wait", extra=LIMITS)
    ] = 2
    webhook_hosts: Annotated[
        Words | None,
        Meta(
            description="hosts that may be called when a job ends, with spaces between, as hooks.example.org or "
            "127.0.0.1:9000; left out, none",
            extra=LISTENING,
        ),
    ] = None
    max_texts: Annotated[int, Meta(ge=1, description="most texts times targets in one request", extra=LIMITS)] = 1_000
    max_characters: Annotated[
        int, Meta(ge=1, description="most characters in one request, counted once per target", extra=LIMITS)
    ] = 200_000
    max_waiting_segments: Annotated[
        int,
        Meta(ge=1, description="most segments waiting for the engine; beyond it callers get 503 at once", extra=LIMITS),
    ] = 20_000
    max_waiting_tokens: Annotated[
        int,
        Meta(ge=1, description="most tokens of source text waiting for the engine; as above", extra=LIMITS),
    ] = 500_000
    bulk_fill: Annotated[
        float,
        Meta(
            gt=0,
            le=1,
            description="part of an engine's slots up to which jobs fill it while people are served too; less makes "
            "people's answers quicker and jobs slower",
            extra=LIMITS,
        ),
    ] = 0.9
    hedge: Annotated[
        bool,
        Meta(
            description="ask a second replica where the first takes longer than 19 of 20 calls did, and take the first "
            "answer; for pools only",
            extra=ENGINE,
        ),
    ] = False
    rss_soft_limit_bytes: Annotated[
        Bytes | None,
        Meta(
            description="resident size past which less is remembered in RAM and bulk work waits; 0 for none, left out "
            "70 % of the memory that the machine or container has",
            extra=LIMITS,
        ),
    ] = None
    rss_hard_limit_bytes: Annotated[
        Bytes | None,
        Meta(
            description="resident size past which new work gets 503; 0 for none, left out 90 % of that memory",
            extra=LIMITS,
        ),
    ] = None
    timeout_s: Annotated[
        float,
        Meta(gt=0, le=DAY_S, description="time a translation may take when the caller names none", extra=LIMITS),
    ] = 120.0
    max_timeout_s: Annotated[
        float, Meta(gt=0, le=DAY_S, description="longest time a caller may ask for", extra=LIMITS)
    ] = 600.0
    shutdown_grace_s: Annotated[
        float,
        Meta(
            ge=0,
            le=DAY_S,
            description="time running requests get to finish when the server stops",
            extra=LISTENING,
        ),
    ] = 10.0


class Setting(Struct, frozen=True, kw_only=True):
    """One field of `Settings` as people meet it; `accepts` is half a sentence that says which values do."""

    name: str
    group: Group
    description: str
    default: str | float | None
    accepts: str

    @property
    def flag(self) -> str:
        return f"--{self.name.replace('_', '-')}"

    @property
    def variable(self) -> str:
        return f"{PREFIX}{self.name.upper()}"


@cache
def declared() -> tuple[Setting, ...]:
    """All settings, in the order of their declaration."""
    struct = introspection.type_info(Settings)
    assert isinstance(struct, introspection.StructType)
    return tuple(map(_described, struct.fields))


def load(flags: Mapping[str, str], environ: Mapping[str, str], toml_path: Path | None) -> Settings:
    """Read the settings from `flags` (by field name), DRAGOMAN_* variables and a TOML file, in this precedence.

    An environment variable that is empty counts as not set. Raises ConfigurationError that names the source, the
    value and what is accepted, and for a key or a DRAGOMAN_* variable that is no setting.
    """
    given = {**_from_toml(toml_path), **_from_environ(environ), **_from_flags(flags)}
    checked = {name: _checked(name, value, source) for name, (value, source) in given.items()}
    return msgspec.convert(checked, Settings)


def find_toml(named: str | None, environ: Mapping[str, str], folder: Path) -> Path | None:
    """The file to read settings from: the one `named`, else DRAGOMAN_CONFIG's, else `folder`'s dragoman.toml, if any.

    Raises ConfigurationError where a named one is missing.
    """
    for name, source in ((named, "--config"), (environ.get(CONFIG_VARIABLE), CONFIG_VARIABLE)):
        if name:
            path = Path(name).expanduser()
            if not path.is_file():
                raise ConfigurationError(f"{source}: there is no file {name!r}")
            return path
    found = folder / TOML_NAME
    return found if found.is_file() else None


def data_path(settings: Settings) -> Path:
    """The folder for everything written to disk. It may not exist yet."""
    if settings.data_dir is not None:
        return Path(settings.data_dir).expanduser()
    import platformdirs

    return platformdirs.user_data_path("dragoman")


Given = dict[str, tuple[object, str]]
"""Raw values by field name, each with the words for where it came from."""


def _from_flags(flags: Mapping[str, str]) -> Given:
    return {setting.name: (flags[setting.name], setting.flag) for setting in declared() if setting.name in flags}


def _from_environ(environ: Mapping[str, str]) -> Given:
    by_variable = {setting.variable: setting for setting in declared()}
    for variable in environ:
        if variable.startswith(PREFIX) and variable not in by_variable and variable != CONFIG_VARIABLE:
            raise _unknown(f"{variable}: no setting has this environment variable", variable, by_variable)
    return {setting.name: (environ[name], name) for name, setting in by_variable.items() if environ.get(name)}


def _from_toml(path: Path | None) -> Given:
    if path is None:
        return {}
    names = [setting.name for setting in declared()]
    table = _read_toml(path)
    for key in table:
        if key not in names:
            raise _unknown(f"{path}: no setting is called {key!r}", key, names)
    return {name: (value, f"{path}: {name}") for name, value in table.items()}


def _read_toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from error
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error


def _unknown(problem: str, word: str, known: Collection[str]) -> ConfigurationError:
    close = difflib.get_close_matches(word, known, n=2)
    hint = f"did you mean {' or '.join(close)}?" if close else f"known are {', '.join(known)}"
    return ConfigurationError(f"{problem}; {hint}")


def _checked(name: str, value: object, source: str) -> object:
    (field,) = (field for field in msgspec.structs.fields(Settings) if field.name == name)
    try:
        return msgspec.convert(value, field.type, strict=False)
    except msgspec.ValidationError as error:
        (setting,) = (setting for setting in declared() if setting.name == name)
        raise ConfigurationError(
            f"{source}: {value!r} is not accepted; it takes {setting.accepts} ({setting.description})"
        ) from error


def _described(field: introspection.Field) -> Setting:
    meta = field.type
    assert isinstance(meta, introspection.Metadata)
    assert meta.extra is not None
    assert meta.extra_json_schema is not None
    assert meta.extra["group"] in get_args(Group)
    return Setting(
        name=field.name,
        group=meta.extra["group"],
        description=meta.extra_json_schema["description"],
        default=field.default,
        accepts=_accepts(meta.type),
    )


def _accepts(kind: introspection.Type) -> str:
    match kind:
        case introspection.UnionType(types=(first, introspection.NoneType())):
            return _accepts(first)
        case introspection.IntType():
            return f"a whole number {_range(kind)}"
        case introspection.FloatType():
            return f"a number {_range(kind)}"
        case introspection.BoolType():
            return "true or false"
        case _:
            return "a text that is not empty"


def _range(kind: introspection.IntType | introspection.FloatType) -> str:
    least = f"greater than {kind.gt}" if kind.gt is not None else f"of at least {kind.ge}"
    return least if kind.le is None else f"{least} and at most {kind.le}"
