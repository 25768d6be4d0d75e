"""Filter patterns for text of any form.

    ERROR "out of memory"     every term and phrase is in the message
    ?WARN ?ERROR              any of them is
    ERROR -healthcheck        none of those after a minus is
    %50[0-9]% -%GET|HEAD%     regular expressions in the place of terms

Matching is case-sensitive. Where terms with and without a question mark meet, the former are ignored, as AWS's
guide says they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from cloche.engines.filter_patterns.regex import Expression, read_regex
from cloche.foundation.errors import Invalid

_TERM: Final = re.compile(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|%([^%]+)%|([^\s"%]+))(?=\s|$|[?-]?["%])')
# A bare term is made of these; anything else has to be quoted.
_BARE: Final = re.compile(r"[\w.,:;/@#$&*+=<>!'()|~^`-]+", re.UNICODE)
INVALID: Final = "Invalid filter pattern"

Test = Callable[[str], bool]


@dataclass(slots=True)
class _Group:
    """Words and expressions under the same sign."""

    words: list[str] = field(default_factory=list)
    expressions: list[Expression] = field(default_factory=list)

    def tests(self) -> list[Test]:
        return [*(_contains(word) for word in self.words), *(each.search for each in self.expressions)]

    def screens(self) -> list[Callable[[bytes], bool] | None]:
        return [
            *(_holds(word.encode("utf-8", "surrogatepass")) for word in self.words),
            *(e.screen for e in self.expressions),
        ]


class Terms:
    def __init__(self, every: _Group, some: _Group, none: _Group) -> None:
        self._every, self._some, self._none = every.tests(), some.tests(), none.tests()
        needed = [screen for screen in every.screens() if screen is not None]
        self.needle = max((word.encode("utf-8", "surrogatepass") for word in every.words), key=len, default=b"")
        self.screen: Callable[[bytes], bool] | None = None
        if needed:
            self.screen = needed[0] if len(needed) == 1 else lambda raw: all(screen(raw) for screen in needed)
        elif not self._every and self._some:
            any_of = [screen for screen in some.screens() if screen is not None]
            if len(any_of) == len(self._some):
                self.screen = lambda raw: any(screen(raw) for screen in any_of)

    def matches(self, message: str) -> bool:
        for test in self._none:
            if test(message):
                return False
        if self._every:
            return all(test(message) for test in self._every)
        return not self._some or any(test(message) for test in self._some)


def read_terms(text: str) -> Terms:
    """Raises ``Invalid``."""
    groups = {"": _Group(), "?": _Group(), "-": _Group()}
    at = 0
    while at < len(text):
        found = _TERM.match(text, at)
        if found is None:
            raise Invalid(INVALID, field="filterPattern")
        sign, phrase, expression, term = found.groups()
        if term is not None and not _BARE.fullmatch(term):
            raise Invalid(INVALID, field="filterPattern")
        if expression is not None:
            groups[sign].expressions.append(read_regex(expression))
        else:
            groups[sign].words.append(re.sub(r"\\(.)", r"\1", phrase) if phrase is not None else term)
        at = found.end()
    return Terms(groups[""], groups["?"], groups["-"])


def _contains(word: str) -> Test:
    return lambda message: word in message


def _holds(word: bytes) -> Callable[[bytes], bool]:
    return lambda raw: word in raw
