"""The address of an engine, written as databases are: `scheme://host:port/path?option=value`."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from msgspec import Struct

from dragoman.errors import ConfigurationError

D = TypeVar("D")
N = TypeVar("N", int, float)

EVERY_ENGINE_TAKES = ("slots", "style")
EXAMPLES = {
    "llamacpp": "llamacpp:///models/translategemma-4b-it-Q4_K_M.gguf?slots=8",
    "ollama": "ollama://localhost:11434/translategemma:12b",
    "openai+http": "openai+http://localhost:8000/v1?model=google/translategemma-12b-it",
    "openai+https": "openai+https://llm.example.org/v1?model=google/translategemma-12b-it&api_key_env=LLM_KEY",
    "simulated": "simulated://h100-27b?slots=64",
    "transformers": "transformers://google/translategemma-4b-it?device=cuda",
}
_SECRET_NAME = re.compile(r"(^|[_-])(key|token|secret|password)$", re.IGNORECASE)


class EngineURL(Struct, frozen=True):
    """An engine's address, parsed. It never holds a secret, so it may be logged.

    `scheme` is in lower case; `host` is None in `llamacpp:///models/x.gguf` and keeps its case, because for some
    engines it is a name and no machine; `path` begins with a slash or is empty; `path` and `options` are decoded.
    """

    scheme: str
    host: str | None
    port: int | None
    path: str
    options: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> EngineURL:
        """Read a URL; ConfigurationError says what is wrong with it and shows a right one."""
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError as error:
            raise ConfigurationError(f"the engine's URL cannot be read: {error}; {example_for('')}") from error
        scheme = parts.scheme.lower()
        if "://" not in text or not (parts.netloc or parts.path):
            raise ConfigurationError(f"an engine's URL is scheme://address; {example_for(scheme)}")
        _refuse_what_no_engine_has(parts, scheme)
        return cls(scheme, _host_of(parts.netloc), port, unquote(parts.path), _options_of(parts.query, scheme))

    def __str__(self) -> str:
        query = f"?{urlencode(self.options, safe='/:,')}" if self.options else ""
        return f"{self.scheme}://{self.authority}{quote(self.path, safe='/:')}{query}"

    @property
    def authority(self) -> str:
        """`host:port` as another URL wants it: IPv6 in brackets, the port only where one was given."""
        host = self.host or ""
        bracketed = f"[{host}]" if ":" in host else host
        return bracketed if self.port is None else f"{bracketed}:{self.port}"

    def check_options(self, *accepted: str) -> None:
        """Raise ConfigurationError for an option that is not in `accepted`; `slots` and `style` always are."""
        known = (*EVERY_ENGINE_TAKES, *accepted)
        unknown = [name for name in self.options if name not in known]
        if unknown:
            raise ConfigurationError(
                f"{self.scheme}:// knows no option {', '.join(unknown)}; it takes {', '.join(sorted(known))}"
            )

    def text_option(self, name: str, default: D, *, accepted: Collection[str] = ()) -> str | D:
        """The option's words, or `default` where it is left out. `accepted`, if given, lists all values that do."""
        value = self.options.get(name)
        if value is None:
            return default
        if not value or (accepted and value not in accepted):
            raise self._wrong_value(name, f"one of {', '.join(sorted(accepted))}" if accepted else "not empty")
        return value

    def int_option(self, name: str, default: D, *, minimum: int = 1) -> int | D:
        """The option as a whole number of at least `minimum`, or `default` where it is left out."""
        return self._number(name, default, int, minimum, "a whole number")

    def float_option(self, name: str, default: D, *, minimum: float = 0.0) -> float | D:
        """The option as a number of at least `minimum`, or `default` where it is left out."""
        return self._number(name, default, float, minimum, "a number")

    def secret_option(self, name: str) -> str | None:
        """What the environment variable holds that the option `name` names; None where the option is left out."""
        variable = self.options.get(name)
        if variable is None:
            return None
        secret = os.environ.get(variable, "").strip()
        if not secret:
            raise ConfigurationError(
                f"the environment variable {variable!r}, named by {name}= in the engine's URL, is not set; "
                f"set it to the key before the server starts"
            )
        return secret

    def _number(self, name: str, default: D, kind: Callable[[str], N], minimum: N, what: str) -> N | D:
        value = self.options.get(name)
        if value is None:
            return default
        try:
            number = kind(value)
        except ValueError:
            number = None
        if number is None or not math.isfinite(number) or number < minimum:
            raise self._wrong_value(name, f"{what} of at least {minimum}")
        return number

    def _wrong_value(self, name: str, wanted: str) -> ConfigurationError:
        return ConfigurationError(
            f"the option {name}={self.options[name]} of {self.scheme}:// is not right: it has to be {wanted}"
        )


def example_for(scheme: str) -> str:
    """Half a sentence that shows a right URL, of this scheme where it is a known one."""
    return f"a right one looks like {EXAMPLES.get(scheme, EXAMPLES['ollama'])}"


def _refuse_what_no_engine_has(parts: SplitResult, scheme: str) -> None:
    if "@" in parts.netloc:
        raise ConfigurationError(
            "the engine's URL holds a user name or a password, and URLs end up in logs; "
            "put the key into an environment variable and name it with ?api_key_env=NAME"
        )
    if parts.fragment:
        raise ConfigurationError(f"the engine's URL ends in '#…': write %23 for a # in a name; {example_for(scheme)}")


def _host_of(netloc: str) -> str | None:
    # SplitResult.hostname would put it into lower case, and a model's name is not a machine's.
    host = re.sub(r":\d*$", "", netloc)
    return host.strip("[]") or None


def _options_of(query: str, scheme: str) -> Mapping[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    options = dict(pairs)
    if len(options) < len(pairs):
        raise ConfigurationError(f"an option of the engine's URL is given twice; {example_for(scheme)}")
    for name in options:
        if _SECRET_NAME.search(name):
            raise ConfigurationError(
                f"the engine's URL holds a secret ({name}=), and URLs end up in logs; "
                "put it into an environment variable and name it with ?api_key_env=NAME"
            )
    return MappingProxyType(options)
