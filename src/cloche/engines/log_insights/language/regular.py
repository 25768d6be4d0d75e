"""Regular expressions as the service writes them, for Python's engine."""

from __future__ import annotations

import re


def compiled(text: str) -> re.Pattern[str]:
    """Java's and Python's expressions differ little: the names of groups are told with a P; ``\\d`` and ``\\w`` mean
    ASCII's. Raises ``re.error``."""
    text = text.replace("(?<", "(?P<").replace("(?P<=", "(?<=").replace("(?P<!", "(?<!")
    return re.compile(text, re.ASCII)
