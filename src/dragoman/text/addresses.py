"""Web and mail addresses in running text: never cut, and no evidence of a language."""

from __future__ import annotations

import re

_SIGNS = ("://", "www.", "@")
# The look-behinds keep every word from being tried at each of its characters.
ADDRESS = re.compile(
    r"(?<![A-Za-z0-9+.-])(?:[A-Za-z][A-Za-z0-9+.-]{1,15}://|www\.)[!#-;=?-~]+"
    r"|(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+"
)


def without_addresses(text: str) -> str:
    """The text with a space in the place of each address."""
    return ADDRESS.sub(" ", text) if any(sign in text for sign in _SIGNS) else text
