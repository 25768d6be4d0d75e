"""``AlarmRule``: the expression of a composite alarm, read and evaluated. Pure.

    or     and ("OR" and)*
    and    not ("AND" not)*
    not    "NOT" not | atom
    atom   "(" or ")" | "TRUE" | "FALSE" | state "(" alarm ")"
         | "AT_LEAST" "(" number ["%"] "," ["NOT"] state "," "(" alarm ("," alarm)* ")" ")"

Alarms are named or given by ARN, in quotes or without; without, a name may have no spaces, brackets or commas
(docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-combining.html).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from cloche.engines.alarms.judging import ALARM, INSUFFICIENT_DATA, OK
from cloche.foundation.errors import Invalid

STATES: Final = (ALARM, OK, INSUFFICIENT_DATA)
ELEMENTS_MAX: Final = 500
CHILDREN_MAX: Final = 100
DEPTH_MAX: Final = 100
_TOKEN: Final = re.compile(r'\s*(?:(?P<sign>[(),])|"(?P<quoted>(?:\\.|[^"\\])*)"|(?P<word>[^\s(),"]+))')


@dataclass(frozen=True, slots=True)
class Constant:
    value: bool


@dataclass(frozen=True, slots=True)
class Is:
    state: str
    alarm: str


@dataclass(frozen=True, slots=True)
class Not:
    operand: Rule


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Any:
    parts: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class AtLeast:
    count: int
    """Of the alarms; a percentage has been turned into it, rounded up."""
    state: str
    is_denied: bool
    alarms: tuple[str, ...]


Rule = Constant | Is | Not | All | Any | AtLeast


def read(text: str) -> Rule:
    """Raises ``Invalid``."""
    reader = _Reader(list(_tokens(text)))
    rule = reader.either(0)
    if reader.at != len(reader.tokens):
        raise reader.wrong()
    if len(reader.alarms) > CHILDREN_MAX:
        raise Invalid(f"AlarmRule must not refer to more than {CHILDREN_MAX} alarms", field="AlarmRule")
    if reader.elements > ELEMENTS_MAX:
        raise Invalid(f"AlarmRule must not have more than {ELEMENTS_MAX} elements", field="AlarmRule")
    return rule


def children(rule: Rule) -> list[str]:
    """The alarms it refers to as they are written, each once, in their order."""
    return list(dict.fromkeys(_children(rule)))


def _children(rule: Rule) -> Iterator[str]:
    match rule:
        case Is(_, alarm):
            yield alarm
        case AtLeast(_, _, _, alarms):
            yield from alarms
        case Not(operand):
            yield from _children(operand)
        case All(parts) | Any(parts):
            for part in parts:
                yield from _children(part)


def holds(rule: Rule, state_of: Callable[[str], str | None]) -> bool:
    """``state_of`` an alarm that is gone is ``None``: it is in no state."""
    match rule:
        case Constant(value):
            return value
        case Is(state, alarm):
            return state_of(alarm) == state
        case Not(operand):
            return not holds(operand, state_of)
        case All(parts):
            return all(holds(part, state_of) for part in parts)
        case Any(parts):
            return any(holds(part, state_of) for part in parts)
        case AtLeast(count, state, is_denied, alarms):
            return sum((state_of(alarm) == state) is not is_denied for alarm in alarms) >= count


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at, text = 0, text.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise _unreadable(text[at:].strip()[:40])
        value = found[found.lastgroup]
        yield found.lastgroup, re.sub(r"\\(.)", r"\1", value) if found.lastgroup == "quoted" else value
        at = found.end()


def _unreadable(near: str) -> Invalid:
    return Invalid(f"Invalid AlarmRule expression near '{near}'", field="AlarmRule")


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens
        self.at = 0
        self.elements = 0
        self.alarms: set[str] = set()

    def wrong(self) -> Invalid:
        return _unreadable(self.tokens[self.at][1] if self.at < len(self.tokens) else "end of expression")

    def either(self, depth: int) -> Rule:
        if depth > DEPTH_MAX:
            raise Invalid(f"AlarmRule must not be nested more than {DEPTH_MAX} levels deep", field="AlarmRule")
        parts = [self._both(depth)]
        while self._word("OR"):
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else Any(tuple(parts))

    def _both(self, depth: int) -> Rule:
        parts = [self._denied(depth)]
        while self._word("AND"):
            parts.append(self._denied(depth))
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _denied(self, depth: int) -> Rule:
        denials = 0
        while self._word("NOT"):
            denials += 1
        rule = self._atom(depth)
        return Not(rule) if denials % 2 else rule

    def _atom(self, depth: int) -> Rule:
        self.elements += 1
        if self._sign("("):
            rule = self.either(depth + 1)
            self._need(")")
            return rule
        kind, word = self.tokens[self.at] if self.at < len(self.tokens) else ("", "")
        if kind != "word":
            raise self.wrong()
        if word.upper() in ("TRUE", "FALSE"):
            self.at += 1
            return Constant(word.upper() == "TRUE")
        if word in STATES:
            self.at += 1
            self._need("(")
            alarm = self._alarm()
            self._need(")")
            return Is(word, alarm)
        if word == "AT_LEAST":
            self.at += 1
            return self._at_least()
        raise self.wrong()

    def _at_least(self) -> Rule:
        self._need("(")
        kind, amount = self.tokens[self.at] if self.at < len(self.tokens) else ("", "")
        share = re.fullmatch(r"(\d{1,4})(%?)", amount)
        if kind == "sign" or share is None:
            raise self.wrong()
        self.at += 1
        self._need(",")
        is_denied = self._word("NOT")
        state = next((name for name in STATES if self._word(name)), None)
        if state is None:
            raise self.wrong()
        self._need(",")
        self._need("(")
        alarms = [self._alarm()]
        while self._sign(","):
            alarms.append(self._alarm())
        self._need(")")
        self._need(")")
        self.elements += len(alarms)
        count = math.ceil(int(share[1]) * len(alarms) / 100) if share[2] else int(share[1])
        if not 1 <= count <= len(alarms):
            raise Invalid(f"AT_LEAST of {amount} cannot be met by {len(alarms)} alarms", field="AlarmRule")
        return AtLeast(count, state, is_denied, tuple(alarms))

    def _alarm(self) -> str:
        kind, name = self.tokens[self.at] if self.at < len(self.tokens) else ("", "")
        if kind not in ("word", "quoted") or not name:
            raise self.wrong()
        self.at += 1
        self.alarms.add(name)
        return name

    def _word(self, word: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at] == ("word", word):
            self.at += 1
            return True
        return False

    def _sign(self, sign: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at] == ("sign", sign):
            self.at += 1
            return True
        return False

    def _need(self, sign: str) -> None:
        if not self._sign(sign):
            raise self.wrong()
