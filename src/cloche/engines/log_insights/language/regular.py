"""Regular expressions as the service writes them, for Python's engine."""

from __future__ import annotations

import re
from typing import Final

_PARTS: Final = re.compile(r"\\.|\[\^?\]?|\]|&&|--|~~|\|\||.", re.DOTALL)


def compiled(text: str) -> re.Pattern[str]:
    """Java's and Python's expressions differ little: the names of groups are told with a P; ``\\d`` and ``\\w`` mean
    ASCII's. Sets of sets (``[a-z&&[^aeiou]]``), which Python knows not, are refused. Raises ``re.error``."""
    is_in_set = False
    for found in _PARTS.finditer(text):
        part = found[0]
        if is_in_set and (part[0] == "[" or part in ("&&", "--", "~~", "||")):
            raise re.error("sets within sets are not supported in Cloche", text, found.start())
        is_in_set = part != "]" if is_in_set else part[0] == "["
    text = text.replace("(?<", "(?P<").replace("(?P<=", "(?<=").replace("(?P<!", "(?<!")
    return re.compile(text, re.ASCII)
