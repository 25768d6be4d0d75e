"""Filter patterns for unstructured text, as a function of a message.

    ERROR "out of memory"     every term and phrase is in the message
    ?WARN ?ERROR              any of them is
    ERROR -healthcheck        none of those after a minus is

Matching is case-sensitive. Where terms with and without a question mark meet, the former are ignored, as AWS's
guide says they are (docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html). Patterns over
JSON (``{ … }``), over columns (``[ … ]``) and regular expressions (``%…%``) are refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from cloche.foundation.errors import Invalid, NotSupported

_TERM = re.compile(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))')
# A bare term is made of these; anything else has to be quoted.
_BARE = re.compile(r"[\w.,:;/@#$&*+=<>!'()|~^`-]+", re.UNICODE)


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """Raises ``Invalid`` for what cannot be read and ``NotSupported`` for the kinds named above."""
    text = pattern.strip()
    if not text:
        return lambda message: True
    for opening, kind in (("{", "JSON"), ("[", "space-delimited"), ("%", "regular-expression")):
        if text.startswith(opening):
            raise NotSupported(f"{kind} filter patterns are not supported in Cloche", detail=pattern)
    every: list[str] = []
    some: list[str] = []
    none: list[str] = []
    at = 0
    while at < len(text):
        found = _TERM.match(text, at)
        if found is None:
            raise Invalid("Invalid filter pattern", field="filterPattern")
        sign, phrase, term = found.groups()
        if phrase is None and not _BARE.fullmatch(term):
            raise Invalid("Invalid filter pattern", field="filterPattern")
        word = re.sub(r"\\(.)", r"\1", phrase) if phrase is not None else term
        {"": every, "?": some, "-": none}[sign].append(word)
        at = found.end()
        if text[at:].isspace():
            break

    def matches(message: str) -> bool:
        if any(word in message for word in none):
            return False
        if every:
            return all(word in message for word in every)
        return not some or any(word in message for word in some)

    return matches
