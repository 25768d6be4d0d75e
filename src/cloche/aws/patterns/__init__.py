"""The regular expressions of AWS's models, matched in bounded time.

The patterns are Java's and the texts are strangers'. Python's engine backtracks: on a pattern like ``(a+)+b`` a
text of forty characters takes minutes. So each pattern is judged once, when first used:

- *Deterministic*: at every point the next character can be taken in one way only (a one-unambiguous expression,
  judged on its position automaton in ``analysis``). Backtracking then has nothing to try again, and ``re`` is
  linear. Nine in ten of AWS's patterns are of this kind, all that matter on hot paths among them.
- *Ambiguous, without nested repetition*: at worst n to the power of the number of repetitions. ``re`` is used
  while that stays under a limit for the text at hand.
- *Anything else*: ``automaton`` walks all alternatives at once, in time proportional to text times pattern.

A text on which even that would pass the limit is refused as not matching: reaching a limit is an error that says
so, never a wait. ``java`` translates the dialect.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from cloche.aws.patterns import analysis, automaton, java
from cloche.foundation.limits import PATTERN_STEPS_MAX

_SMALL: Final = 64
_REMEMBERED_MAX: Final = 4096
_REMEMBERED_CHARACTERS_MAX: Final = 512
"""A walk of the automaton takes a hundred times as long as a look-up, and the texts are ARNs that come again."""


class Pattern:
    """A model's pattern. ``fits`` answers as Java's ``matches`` does: the whole text, from end to end.

    A pattern that can match a single character at most (``\\S``) while its shape allows more is meant as *found
    somewhere*, and is taken so. An untranslatable pattern fits everything; ``problem`` then says why.
    """

    __slots__ = ("_compiled", "_judgement", "_search", "_tree", "problem", "safe_length", "source")

    def __init__(self, source: str, length_min: int) -> None:
        self.source = source
        self.problem = ""
        self._search = False
        self.safe_length = 0
        """Texts up to this long may be given to ``re`` itself."""
        try:
            translated = java.translate(source)
            self._compiled: re.Pattern[str] | None = re.compile(translated, re.ASCII)
            self._tree = analysis.parse(translated)
            width = analysis.width_max(self._tree)
            self._search = width <= 1 or width < length_min
            self._judgement = analysis.judge(self._tree)
            self.safe_length = _safe_length(self._judgement)
        except (re.error, RecursionError, OverflowError, ValueError) as error:
            self._compiled, self.problem = None, str(error)

    def fits(self, text: str) -> bool:
        if self._compiled is None:
            return True
        if self._search:
            return self._compiled.search(text) is not None
        if len(text) <= self.safe_length:
            return self._compiled.fullmatch(text) is not None
        return _remembered(self, text) if len(text) <= _REMEMBERED_CHARACTERS_MAX else self.walks(text)

    def walks(self, text: str) -> bool:
        """The same by the automaton."""
        try:
            return automaton.of(self._tree).fits(text, PATTERN_STEPS_MAX)
        except automaton.Unsupported:
            return self._compiled is not None and len(text) <= _SMALL and self._compiled.fullmatch(text) is not None

    def quick(self, length_max: int | None) -> Callable[[str], object] | None:
        """``re``'s own match function, where it may be called on any text of up to ``length_max`` characters."""
        if self._compiled is None or self._search:
            return None
        safe = length_max is not None and length_max <= self.safe_length
        return self._compiled.fullmatch if safe or self._judgement.deterministic else None

    @property
    def kind(self) -> str:
        """How it is matched: ``deterministic``, ``polynomial``, ``automaton`` or ``untranslatable``."""
        if self._compiled is None:
            return "untranslatable"
        if self._judgement.deterministic:
            return "deterministic"
        return "automaton" if self._judgement.nested else "polynomial"


def _safe_length(judgement: analysis.Judgement) -> int:
    if judgement.deterministic:
        return sys.maxsize
    if judgement.nested:
        return 0
    return max(8, int(PATTERN_STEPS_MAX ** (1 / max(1, min(judgement.repeats, 30)))))


@lru_cache(maxsize=_REMEMBERED_MAX)
def _remembered(pattern: Pattern, text: str) -> bool:
    return pattern.walks(text)


@lru_cache(maxsize=8192)
def compiled(source: str, length_min: int = 0) -> Pattern:
    return Pattern(source, length_min)
