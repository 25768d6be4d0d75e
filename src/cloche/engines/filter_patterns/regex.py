"""The regular expressions that AWS allows between percent signs, matched in linear time.

Letters, digits, ``_ # = @ / ; , : -`` and the operators ``^ $ ? [ ] { } | \\ * + .``; no groups, and no characters
beyond ASCII. Without groups an expression is a choice between rows of single characters, each once, optional or
repeated. All places in those rows where a match can stand are one integer, a bit for each; a character moves them all
at once. Moves are remembered, so that a text costs one look-up a character whatever the expression.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from cloche.foundation.errors import Invalid

_PLACES_MAX: Final = 2_000
_STATES_MAX: Final = 2_000
_REPEAT_MAX: Final = 1_000
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_#=@/;,:-")
_ASCII: Final = "".join(map(chr, range(128)))
_DIGITS: Final = frozenset("0123456789")
_WORD: Final = frozenset(c for c in _ASCII if c.isalnum() or c == "_")
_SPACE: Final = frozenset(" \t\n\r\f\v")
_CLASSES: Final = {"d": _DIGITS, "w": _WORD, "s": _SPACE}
_CONTROLS: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_COUNT: Final = re.compile(r"\{(\d{1,4})(,?)(\d{0,4})\}")

Test = Callable[[str], bool]
_ONE, _OPTIONAL, _ANY = range(3)


class _Set:
    """A set of characters: some of ASCII, and all beyond it or none."""

    def __init__(self, characters: frozenset[str], beyond: bool = False) -> None:
        self.characters, self.beyond = characters, beyond

    def __contains__(self, character: str) -> bool:
        return character in self.characters if character < "\x80" else self.beyond

    def negated(self) -> _Set:
        return _Set(frozenset(_ASCII) - self.characters, not self.beyond)


class Expression:
    """``search`` tells whether it is found anywhere in a text."""

    def __init__(self, rows: list[_Row]) -> None:
        self._rows = rows
        self._sets: list[_Set | None] = []
        self._skip = self._stay = self._start = self._anchored = self._final = self._final_at_end = 0
        for row in rows:
            self._add(row)
        self.screen = _screen(rows)
        self._states: dict[tuple[int, bool], _State] = {}
        self._first = _State(self, self._close(self._start | self._anchored))

    def search(self, text: str) -> bool:
        state = self._first
        if state.is_final:
            return True
        for character in text:
            state = state[character]
            if state.is_final:
                return True
        return state.is_final_at_end

    def _add(self, row: _Row) -> None:
        begin = len(self._sets)
        for characters, how in row.atoms:
            bit = 1 << len(self._sets)
            self._sets.append(characters)
            if how != _ONE:
                self._skip |= bit
            if how == _ANY:
                self._stay |= bit
        end = 1 << len(self._sets)
        self._sets.append(None)
        if len(self._sets) > _PLACES_MAX:
            raise Invalid("The regular expression of the filter pattern is too long", field="filterPattern")
        if row.at_start:
            self._anchored |= 1 << begin
        else:
            self._start |= 1 << begin
        if row.at_end:
            self._final_at_end |= end
        else:
            self._final |= end

    def _close(self, places: int) -> int:
        """With the places reached by leaving out what is optional."""
        while True:
            more = places | (places & self._skip) << 1
            if more == places:
                return places
            places = more

    def moved(self, places: int, character: str) -> _State:
        taken = 0
        left = places
        while left:
            low = left & -left
            characters = self._sets[low.bit_length() - 1]
            if characters is not None and character in characters:
                taken |= low
            left ^= low
        places = self._close((taken & ~self._stay) << 1 | taken & self._stay | self._start)
        key = (places, True)
        state = self._states.get(key)
        if state is None:
            if len(self._states) >= _STATES_MAX:
                self._states.clear()
            state = self._states[key] = _State(self, places)
        return state

    def is_final(self, places: int) -> bool:
        return places & self._final != 0

    def is_final_at_end(self, places: int) -> bool:
        return places & (self._final | self._final_at_end) != 0


class _State(dict[str, "_State"]):
    """Where a match can stand, and where each character leads from there. Characters beyond ASCII are not kept."""

    __slots__ = ("_expression", "_places", "is_final", "is_final_at_end")

    def __init__(self, expression: Expression, places: int) -> None:
        super().__init__()
        self._expression, self._places = expression, places
        self.is_final = expression.is_final(places)
        self.is_final_at_end = expression.is_final_at_end(places)

    def __missing__(self, character: str) -> _State:
        state = self._expression.moved(self._places, character)
        if character < "\x80":
            self[character] = state
        return state


class _Row:
    def __init__(self) -> None:
        self.atoms: list[tuple[_Set, int]] = []
        self.at_start = self.at_end = False
        self.literals: list[str] = [""]

    def take(self, characters: _Set, low: int, high: int | None) -> None:
        if low + (0 if high is None else high - low) > _PLACES_MAX:
            raise _invalid()
        self.atoms += [(characters, _ONE)] * low
        self.atoms += [(characters, _ANY)] if high is None else [(characters, _OPTIONAL)] * (high - low)
        if (low, high) == (1, 1) and len(characters.characters) == 1 and not characters.beyond:
            self.literals[-1] += next(iter(characters.characters))
        else:
            self.literals.append("")


def read_regex(text: str) -> Expression:
    """Raises ``Invalid`` for anything but the syntax above."""
    rows = [_Row()]
    at = 0
    while at < len(text):
        row, sign = rows[-1], text[at]
        if sign == "|":
            rows.append(_Row())
            at += 1
        elif sign == "^" and not row.atoms and not row.at_start:
            row.at_start = True
            at += 1
        elif sign == "$" and (at + 1 == len(text) or text[at + 1] == "|"):
            row.at_end = True
            at += 1
        else:
            characters, at = _set_at(text, at)
            low, high, at = _count_at(text, at)
            row.take(characters, low, high)
    return Expression(rows)


def _invalid() -> Invalid:
    return Invalid("Invalid regular expression in filter pattern", field="filterPattern")


def _set_at(text: str, at: int) -> tuple[_Set, int]:
    sign = text[at]
    if sign == ".":
        return _Set(frozenset(_ASCII) - {"\n"}, True), at + 1
    if sign == "\\":
        return _escape_at(text, at)
    if sign == "[":
        return _class_at(text, at)
    if sign in _PLAIN or sign == " ":
        return _Set(frozenset(sign)), at + 1
    raise _invalid()


def _escape_at(text: str, at: int) -> tuple[_Set, int]:
    if at + 1 == len(text):
        raise _invalid()
    sign = text[at + 1]
    if sign.lower() in _CLASSES:
        found = _Set(_CLASSES[sign.lower()])
        return (found.negated() if sign.isupper() else found), at + 2
    if sign in _CONTROLS:
        return _Set(frozenset(_CONTROLS[sign])), at + 2
    if sign.isalnum() or sign >= "\x80":
        raise _invalid()
    return _Set(frozenset(sign)), at + 2


def _class_at(text: str, at: int) -> tuple[_Set, int]:
    at += 1
    negated = text[at : at + 1] == "^"
    at += negated
    members: set[str] = set()
    beyond = False
    first = True
    while True:
        if at >= len(text):
            raise _invalid()
        if text[at] == "]" and not first:
            break
        first = False
        found, at = _member_at(text, at)
        if text[at : at + 1] == "-" and text[at + 1 : at + 2] not in ("]", ""):
            last, at = _member_at(text, at + 1)
            if len(found.characters) != 1 or len(last.characters) != 1:
                raise _invalid()
            low, high = ord(min(found.characters)), ord(min(last.characters))
            if low > high:
                raise _invalid()
            found = _Set(frozenset(map(chr, range(low, high + 1))))
        members |= found.characters
        beyond = beyond or found.beyond
    found = _Set(frozenset(members), beyond)
    return (found.negated() if negated else found), at + 1


def _member_at(text: str, at: int) -> tuple[_Set, int]:
    if text[at] == "\\":
        return _escape_at(text, at)
    if text[at] >= "\x80" or text[at] == "[":
        raise _invalid()
    return _Set(frozenset(text[at])), at + 1


def _count_at(text: str, at: int) -> tuple[int, int | None, int]:
    sign = text[at : at + 1]
    if sign == "*":
        return 0, None, at + 1
    if sign == "+":
        return 1, None, at + 1
    if sign == "?":
        return 0, 1, at + 1
    if sign != "{":
        return 1, 1, at
    found = _COUNT.match(text, at)
    if found is None:
        raise _invalid()
    low = int(found[1])
    high = low if not found[2] else int(found[3]) if found[3] else None
    if low > _REPEAT_MAX or (high is not None and (high < low or high > _REPEAT_MAX)):
        raise _invalid()
    return low, high, found.end()


def _screen(rows: list[_Row]) -> Callable[[bytes], bool] | None:
    """The longest word that each choice cannot do without, if each has one."""
    words = [max(row.literals, key=len).encode() for row in rows]
    if not all(words):
        return None
    if len(words) == 1:
        (word,) = words
        return lambda raw: word in raw
    return lambda raw: any(word in raw for word in words)
