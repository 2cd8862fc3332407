"""Web and mail addresses in running text: never cut, and no evidence of a language."""

from __future__ import annotations

import re

# The look-behinds keep every word from being tried at each of its characters.
ADDRESS = re.compile(
    r"(?<![A-Za-z0-9+.-])(?:[A-Za-z][A-Za-z0-9+.-]{1,15}://|www\.)[!#-;=?-~]+"
    r"|(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+"
)
