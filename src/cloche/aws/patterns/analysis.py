"""Can this expression make a backtracking engine try again? Judged on its position automaton.

Every place in the expression that takes a character is a position with a set of characters. ``first``, ``last``
and ``follow`` (Glushkov's construction) say which positions can come next. If the positions that can come next
never share a character, the expression is *one-unambiguous* (Brüggemann-Klein, 1993): each character is taken in
at most one way. That alone does not clear ``(a+)+``, where one position follows itself by two different loops; so
no position may lead to another by two routes, nothing that can be empty may be repeated, and no two alternatives
may both be empty. What passes all of this gives a backtracking engine no second
choice worth trying. Counted repetition is judged as if unbounded, which errs on the careful side.
"""

from __future__ import annotations

import re._constants as op  # type: ignore[import-not-found]
import re._parser as sre  # type: ignore[import-not-found]
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

_POSITIONS_MAX: Final = 400
_TOP: Final = 0x10FFFF
Ranges = tuple[tuple[int, int], ...]
_CLASSES: Final[dict[Any, Ranges]] = {
    op.CATEGORY_DIGIT: ((48, 57),),
    op.CATEGORY_WORD: ((48, 57), (65, 90), (95, 95), (97, 122)),
    op.CATEGORY_SPACE: ((9, 13), (32, 32)),
}
_NEGATED: Final = {
    op.CATEGORY_NOT_DIGIT: op.CATEGORY_DIGIT,
    op.CATEGORY_NOT_WORD: op.CATEGORY_WORD,
    op.CATEGORY_NOT_SPACE: op.CATEGORY_SPACE,
}
_REPEATS: Final = (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT)


@dataclass(frozen=True, slots=True)
class Judgement:
    deterministic: bool
    nested: bool
    """A repetition within a repetition: backtracking may take exponential time."""
    repeats: int


class _TooMuch(Exception):
    pass


def parse(pattern: str) -> Any:
    """The tree of a Python expression, for ``re.ASCII``."""
    return sre.parse(pattern, int(re_ascii()))


def re_ascii() -> int:
    import re

    return int(re.ASCII)


def width_max(tree: Any) -> int:
    """The longest text it can match."""
    return int(tree.getwidth()[1])


def judge(tree: Any) -> Judgement:
    repeats, nested = _count(tree, False)
    try:
        deterministic = _Positions().deterministic(tree)
    except _TooMuch:
        deterministic = False
    return Judgement(deterministic, nested, repeats)


def _count(tree: Any, inside: bool) -> tuple[int, bool]:
    """Variable repetitions, and whether one holds another (or an alternative, which is as bad)."""
    repeats, nested = 0, False
    for code, value in tree:
        if code in _REPEATS:
            low, high, body = value
            variable = low != high
            below, deep = _count(body, inside or high > 1)
            repeats += below + variable
            nested = nested or deep or (inside and variable)
        elif code is op.BRANCH:
            parts = [_count(part, inside) for part in value[1]]
            repeats += sum(part[0] for part in parts)
            nested = nested or inside or any(part[1] for part in parts)
        elif code is op.SUBPATTERN:
            below, deep = _count(value[-1], inside)
            repeats, nested = repeats + below, nested or deep
        elif code in (op.ASSERT, op.ASSERT_NOT):
            below, deep = _count(value[1], inside)
            repeats, nested = repeats + below, nested or deep or (inside and below > 0)
        elif code is op.ATOMIC_GROUP:
            below, deep = _count(value, inside)
            repeats, nested = repeats + below, nested or deep
        elif code in (op.GROUPREF, op.GROUPREF_EXISTS):
            nested = True
    return repeats, nested


# --- characters --------------------------------------------------------------------------------------------


def ranges_of(code: Any, value: Any) -> Ranges:
    """The characters an item takes. Raises ``ValueError`` for an item that takes none."""
    if code is op.LITERAL:
        return ((value, value),)
    if code is op.NOT_LITERAL:
        return _invert(((value, value),))
    if code is op.ANY:
        return ((0, 9), (11, _TOP))
    if code is op.IN:
        return _class_ranges(value)
    raise ValueError(f"no characters: {code}")


def _class_ranges(items: Any) -> Ranges:
    found: list[tuple[int, int]] = []
    negate = False
    for code, value in items:
        if code is op.NEGATE:
            negate = True
        elif code is op.LITERAL:
            found.append((value, value))
        elif code is op.RANGE:
            found.append(value)
        elif code is op.CATEGORY:
            found += _CLASSES[value] if value in _CLASSES else _invert(_CLASSES[_NEGATED[value]])
    merged = _merge(found)
    return _invert(merged) if negate else merged


def _merge(ranges: list[tuple[int, int]]) -> Ranges:
    out: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if out and low <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(out[-1][1], high))
        else:
            out.append((low, high))
    return tuple(out)


def _invert(ranges: Ranges) -> Ranges:
    out, at = [], 0
    for low, high in ranges:
        if low > at:
            out.append((at, low - 1))
        at = high + 1
    if at <= _TOP:
        out.append((at, _TOP))
    return tuple(out)


# --- positions ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Part:
    first: list[int]
    last: list[int]
    empty: bool


class _Positions:
    def __init__(self) -> None:
        self._ranges: list[Ranges] = []
        self._follow: list[set[int]] = []
        self._twice = False

    def deterministic(self, tree: Any) -> bool:
        part = self._sequence(tree)
        return not self._twice and self._apart(set(part.first)) and all(self._apart(after) for after in self._follow)

    def _apart(self, positions: set[int]) -> bool:
        pieces = sorted(piece for position in positions for piece in self._ranges[position])
        return all(one[1] < other[0] for one, other in pairwise(pieces))

    def _lead(self, last: list[int], first: list[int]) -> None:
        for position in last:
            if not self._follow[position].isdisjoint(first):
                self._twice = True
            self._follow[position].update(first)

    def _sequence(self, tree: Any) -> _Part:
        whole = _Part([], [], True)
        for code, value in tree:
            part = self._item(code, value)
            if part is None:
                continue
            self._lead(whole.last, part.first)
            whole = _Part(
                whole.first + part.first if whole.empty else whole.first,
                whole.last + part.last if part.empty else part.last,
                whole.empty and part.empty,
            )
        return whole

    def _item(self, code: Any, value: Any) -> _Part | None:
        if code in _REPEATS:
            return self._repeat(value)
        if code is op.SUBPATTERN:
            if value[1] or value[2]:
                raise _TooMuch  # flags inside: not judged
            return self._sequence(value[-1])
        if code is op.BRANCH:
            parts = [self._sequence(part) for part in value[1]]
            self._twice = self._twice or sum(part.empty for part in parts) > 1
            return _Part(
                [p for part in parts for p in part.first],
                [p for part in parts for p in part.last],
                any(part.empty for part in parts),
            )
        if code is op.AT:
            return None
        if code in (op.ASSERT, op.ASSERT_NOT):
            if _count(value[1], True) != (0, False):
                raise _TooMuch  # looks ahead over a distance of its own
            return None
        if code in (op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN):
            return self._position(ranges_of(code, value))
        raise _TooMuch

    def _position(self, ranges: Ranges) -> _Part:
        if len(self._ranges) >= _POSITIONS_MAX:
            raise _TooMuch
        self._ranges.append(ranges)
        self._follow.append(set())
        at = len(self._ranges) - 1
        return _Part([at], [at], False)

    def _repeat(self, value: Any) -> _Part:
        low, high, body = value
        part = self._sequence(body)
        if high > 1:
            self._twice = self._twice or part.empty
            self._lead(part.last, part.first)
        return _Part(part.first, part.last, part.empty or low == 0)
