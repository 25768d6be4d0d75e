"""What a pattern asks of one field: ``status = 4*``, ``$.latency > +1e3``, ``$.type = %Trail$%``.

A star at the beginning or end of a text stands for anything; elsewhere it is a star. Numbers compare as numbers; an
unquoted one is also the text it is written as, where the field is text.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from cloche.engines.filter_patterns.regex import read_regex
from cloche.foundation.errors import Invalid

Field = str | float | int | bool

NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
REGEX_MAX: Final = 2
"""Of one JSON or space-delimited pattern (AWS's quota)."""

_ORDER: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Operand:
    """The right side as it was written. ``kind`` is ``quoted``, ``regex`` or ``bare``."""

    text: str
    kind: str


def invalid() -> Invalid:
    return Invalid("Invalid filter pattern", field="filterPattern")


def comparison(sign: str, wanted: Operand) -> Callable[[Field], bool]:
    """Raises ``Invalid`` where the two do not go together."""
    is_number = wanted.kind == "bare" and NUMBER.fullmatch(wanted.text) is not None
    if sign in _ORDER:
        if not is_number:
            raise invalid()
        return _ordered(_ORDER[sign], float(wanted.text))
    equal = _equal(wanted, float(wanted.text) if is_number else None)
    if sign == "=":
        return equal
    return lambda field: not equal(field)


def _ordered(compare: Callable[[float, float], bool], wanted: float) -> Callable[[Field], bool]:
    def test(field: Field) -> bool:
        number = number_of(field)
        return number is not None and compare(number, wanted)

    return test


def _equal(wanted: Operand, number: float | None) -> Callable[[Field], bool]:
    if wanted.kind == "regex":
        search = read_regex(wanted.text).search
        return lambda field: search(text_of(field))
    test = _text_test(wanted.text)
    if number is None:
        return lambda field: test(text_of(field))

    def equal(field: Field) -> bool:
        held = number_of(field)
        return held == number if held is not None else test(text_of(field))

    return equal


def _text_test(text: str) -> Callable[[str], bool]:
    before, after = text.startswith("*"), text.endswith("*")
    if text in ("*", "**"):
        return lambda field: True
    core = text[1 if before else 0 : -1 if after else None]
    if before and after:
        return lambda field: core in field
    if before:
        return lambda field: field.endswith(core)
    if after:
        return lambda field: field.startswith(core)
    return lambda field: field == core


def number_of(field: Field) -> float | None:
    """JSON's numbers; for fields cut from text the caller gives numbers where they are such."""
    return None if isinstance(field, str | bool) else float(field)


def text_of(field: Field) -> str:
    if isinstance(field, bool):
        return "true" if field else "false"
    return field if isinstance(field, str) else str(field)


def tokens_of(text: str, token: re.Pattern[str]) -> list[tuple[str, str]]:
    """(group of ``token``, text) one after the other. Raises ``Invalid`` where none fits or too many are a regex."""
    found: list[tuple[str, str]] = []
    text, at = text.rstrip(), 0
    while at < len(text):
        match = token.match(text, at)
        if match is None or match.lastgroup is None:
            raise invalid()
        found.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    if sum(1 for kind, _ in found if kind == "regex") > REGEX_MAX:
        raise Invalid(f"A filter pattern may have at most {REGEX_MAX} regular expressions", field="filterPattern")
    return found
