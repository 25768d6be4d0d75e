"""All ways through an expression at once: Thompson's simulation, for patterns that would make ``re`` try again.

A program is a list of instructions; a run keeps the set of those it may be at, and moves the whole set by one
character at a time. Time is the length of the text times the size of the program, and is counted: past the limit
the text is taken not to fit. A look-ahead runs its own program from where it stands, a look-behind (of one
character: AWS's models have no others) asks for the one before. Counted repetition is written
out; where that would be too long the count is let go, for lengths are checked beside patterns anyway.
"""

from __future__ import annotations

import re._constants as op  # type: ignore[import-not-found]
from bisect import bisect_right
from typing import Any, Final

from cloche.aws.patterns.analysis import Ranges, ranges_of

_PROGRAM_MAX: Final = 4_000
_COPIES: Final = 1_000


class Unsupported(ValueError):
    """A construct that is no regular expression (a back-reference), or flags within."""


class _TooLong(Exception):
    pass


class Program:
    """``take`` moves on over a character, ``split`` stands at two places, ``look`` asks another program, ``behind``
    the character before."""

    def __init__(self) -> None:
        self.code: list[tuple[str, Any, Any]] = []
        self._starts: dict[int, list[int]] = {}

    def add(self, name: str, one: Any = None, two: Any = None) -> int:
        if len(self.code) >= _PROGRAM_MAX:
            raise Unsupported("too large")
        self.code.append((name, one, two))
        return len(self.code) - 1

    def fits(self, text: str, steps_max: int) -> bool:
        """Whether the whole of ``text`` matches."""
        try:
            return self._run(text, 0, [steps_max], whole=True)
        except _TooLong:
            return False

    def _run(self, text: str, start: int, budget: list[int], *, whole: bool) -> bool:
        states = self._reach([0], text, start, budget)
        for at in range(start, len(text)):
            if not whole and self._done(states):
                return True
            point = ord(text[at])
            states = self._reach(
                [state + 1 for state in states if self.code[state][0] == "take" and _holds(self.code[state][1], point)],
                text,
                at + 1,
                budget,
            )
            if not states:
                return False
        return self._done(states)

    def _done(self, states: list[int]) -> bool:
        return any(self.code[state][0] == "done" for state in states)

    def _reach(self, states: list[int], text: str, at: int, budget: list[int]) -> list[int]:
        seen: set[int] = set()
        found: list[int] = []
        waiting = list(states)
        while waiting:
            state = waiting.pop()
            if state in seen:
                continue
            seen.add(state)
            budget[0] -= 1
            if budget[0] < 0:
                raise _TooLong
            name, one, two = self.code[state]
            if name == "split":
                waiting += (one, two)
            elif name == "jump":
                waiting.append(one)
            elif name == "at":
                if _holds_at(one, text, at):
                    waiting.append(state + 1)
            elif name == "look":
                program, wanted = one
                if program._run(text, at, budget, whole=False) is wanted:
                    waiting.append(state + 1)
            elif name == "behind":
                test, wanted = one
                if (at > 0 and _holds(test, ord(text[at - 1]))) is wanted:
                    waiting.append(state + 1)
            else:
                found.append(state)
        return found


def _holds(test: tuple[list[int], Ranges], point: int) -> bool:
    starts, ranges = test
    at = bisect_right(starts, point) - 1
    return at >= 0 and point <= ranges[at][1]


def _holds_at(code: Any, text: str, at: int) -> bool:
    if code in (op.AT_BEGINNING, op.AT_BEGINNING_STRING):
        return at == 0
    if code is op.AT_END:
        return at == len(text) or (at == len(text) - 1 and text[at] == "\n")
    if code is op.AT_END_STRING:
        return at == len(text)
    if code in (op.AT_BOUNDARY, op.AT_NON_BOUNDARY):
        before = at > 0 and _is_word(text[at - 1])
        after = at < len(text) and _is_word(text[at])
        return (before != after) is (code is op.AT_BOUNDARY)
    raise Unsupported(str(code))


def _is_word(char: str) -> bool:
    return char == "_" or (char.isascii() and char.isalnum())


def of(tree: Any) -> Program:
    """Raises ``Unsupported``."""
    made = getattr(tree, "cloche_program", None)
    if made is None:
        made = Program()
        _sequence(tree, made)
        made.add("done")
        tree.cloche_program = made
    program: Program = made
    return program


def _sequence(tree: Any, program: Program) -> None:
    for code, value in tree:
        _item(code, value, program)


def _item(code: Any, value: Any, program: Program) -> None:
    if code in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
        _repeat(value, program)
    elif code is op.SUBPATTERN:
        if value[1] or value[2]:
            raise Unsupported("flags within")
        _sequence(value[-1], program)
    elif code is op.ATOMIC_GROUP:
        _sequence(value, program)
    elif code is op.BRANCH:
        _branch(value[1], program)
    elif code is op.AT:
        _holds_at(value, "", 0)
        program.add("at", value)
    elif code in (op.ASSERT, op.ASSERT_NOT) and value[0] > 0:
        ahead = Program()
        _sequence(value[1], ahead)
        ahead.add("done")
        program.add("look", (ahead, code is op.ASSERT))
    elif code in (op.ASSERT, op.ASSERT_NOT) and len(value[1]) == 1:
        program.add("behind", (_test(*value[1][0]), code is op.ASSERT))
    else:
        program.add("take", _test(code, value))


def _test(code: Any, value: Any) -> tuple[list[int], Ranges]:
    """What ``_holds`` asks of a character. Raises ``Unsupported`` for an item that takes none."""
    try:
        ranges = ranges_of(code, value)
    except ValueError as error:
        raise Unsupported(str(error)) from None
    return [low for low, _ in ranges], ranges


def _branch(parts: list[Any], program: Program) -> None:
    ends: list[int] = []
    for part in parts[:-1]:
        split = program.add("split")
        _sequence(part, program)
        ends.append(program.add("jump"))
        program.code[split] = ("split", split + 1, len(program.code))
    _sequence(parts[-1], program)
    for end in ends:
        program.code[end] = ("jump", len(program.code), None)


def _repeat(value: tuple[Any, Any, Any], program: Program) -> None:
    low, high, body = value
    before = len(program.code)
    unbounded = high is op.MAXREPEAT
    for _ in range(min(int(low), _COPIES)):
        _sequence(body, program)
    size = max(1, (len(program.code) - before) // max(1, int(low)))
    if not unbounded and (int(high) - int(low)) * (size + 1) > _COPIES:
        unbounded = True
    if unbounded:
        split = program.add("split")
        _sequence(body, program)
        program.add("jump", split)
        program.code[split] = ("split", split + 1, len(program.code))
        return
    splits = []
    for _ in range(int(high) - int(low)):
        splits.append(program.add("split"))
        _sequence(body, program)
    for split in splits:
        program.code[split] = ("split", split + 1, len(program.code))
