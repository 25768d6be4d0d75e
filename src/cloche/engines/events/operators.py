"""What a leaf of a pattern may ask of a value, each as a function from the value to yes or no.

docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html. Values are what JSON has: a number is
equal to a number, never to a text, and only to one that is written alike, unless ``numeric`` asks. Wildcards are found
part by part, from the left: a pattern that would have a regular expression go back and forth for ever costs one look
through the value here.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from cloche.foundation.errors import Invalid

Test = Callable[[Any], bool]
NUMBER_MAX: Final = 5_000_000_000
"""docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html#eb-filtering-numeric-matching:
"between -5.0e9 and +5.0e9 inclusive"."""
CIDR_BITS_MAX: Final = 128


def key_of(value: Any) -> tuple[str, Any]:
    """Equal for values that are the same in JSON: ``true`` is not 1, and 300 is not 300.0 ("For numbers, EventBridge
    uses string representation", …/eb-event-patterns.html; other notations than these two count as the second)."""
    if isinstance(value, bool) or value is None:
        return ("word", value)
    return ("number", repr(value)) if isinstance(value, int | float) else ("text", value)


def is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def test_of(name: str, argument: Any) -> Test:
    """The test ``{name: argument}`` stands for. Raises ``Invalid``."""
    made = _MADE.get(name)
    if made is None:
        raise Invalid(f"Unrecognized match type {name}")
    return made(argument)


def _text(argument: Any, name: str, *, may_be_empty: bool = False) -> str:
    if not isinstance(argument, str):
        raise Invalid(f"{name} match pattern must be a string")
    if not argument and not may_be_empty:
        raise Invalid(f"Null {name} not allowed")
    return argument


def _ignoring_case(argument: Any, name: str) -> str | None:
    """The text of ``{"equals-ignore-case": text}``, folded; ``None`` for another form."""
    if not isinstance(argument, dict):
        return None
    if argument.keys() != {"equals-ignore-case"}:
        raise Invalid(f"Unsupported anything in {name} match pattern: {', '.join(map(str, argument))}")
    return _text(argument["equals-ignore-case"], "equals-ignore-case").lower()


def _prefix(argument: Any) -> Test:
    if (folded := _ignoring_case(argument, "prefix")) is not None:
        return lambda value: isinstance(value, str) and value.lower().startswith(folded)
    text = _text(argument, "prefix", may_be_empty=True)
    return lambda value: isinstance(value, str) and value.startswith(text)


def _suffix(argument: Any) -> Test:
    if (folded := _ignoring_case(argument, "suffix")) is not None:
        return lambda value: isinstance(value, str) and value.lower().endswith(folded)
    text = _text(argument, "suffix", may_be_empty=True)
    return lambda value: isinstance(value, str) and value.endswith(text)


def _equals_ignore_case(argument: Any) -> Test:
    folded = _text(argument, "equals-ignore-case", may_be_empty=True).lower()
    return lambda value: isinstance(value, str) and value.lower() == folded


def _wildcard(argument: Any) -> Test:
    parts = _wildcard_parts(_text(argument, "wildcard"))

    def test(value: Any) -> bool:
        if not isinstance(value, str):
            return False
        if len(parts) == 1:
            return value == parts[0]
        first, *middle, last = parts
        if not value.startswith(first):
            return False
        at = len(first)
        for part in middle:
            found = value.find(part, at)
            if found < 0:
                return False
            at = found + len(part)
        return len(value) - at >= len(last) and value.endswith(last)

    return test


def _wildcard_parts(text: str) -> list[str]:
    """What stands between the asterisks. A backslash takes the meaning of an asterisk or a backslash after it."""
    parts, at = [""], 0
    while at < len(text):
        sign = text[at]
        if sign == "\\":
            if text[at + 1 : at + 2] not in ("*", "\\"):
                raise Invalid("Invalid escape character at pos " + str(at))
            parts[-1] += text[at + 1]
            at += 2
            continue
        if sign == "*":
            if text[at + 1 : at + 2] == "*":
                raise Invalid("Consecutive wildcard characters at pos " + str(at))
            parts.append("")
        else:
            parts[-1] += sign
        at += 1
    return parts


_BOUNDS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "=": lambda value, bound: value == bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}


def _numeric(argument: Any) -> Test:
    """``["=", 5]``, ``[">", 0]`` or a range ``[">", 0, "<=", 5]``."""
    if not isinstance(argument, list) or len(argument) not in (2, 4):
        raise Invalid("Invalid numeric match: it must be an array of one or two comparisons")
    bounds = []
    for sign, bound in zip(argument[::2], argument[1::2], strict=True):
        if not isinstance(sign, str) or sign not in _BOUNDS:
            raise Invalid(f"Unrecognized numeric range operator: {sign}")
        if isinstance(bound, bool) or not isinstance(bound, int | float):
            raise Invalid("Value of numeric match must be numeric")
        if not -NUMBER_MAX <= bound <= NUMBER_MAX:
            raise Invalid(f"Value must be between {-NUMBER_MAX} and {NUMBER_MAX}, inclusive")
        bounds.append((sign, float(bound)))
    if len(bounds) == 2 and (bounds[0][0][0], bounds[1][0][0]) not in ((">", "<"), ("<", ">")):
        raise Invalid("Bad numeric range operator: a range has a lower and an upper bound")
    if len(bounds) == 2:
        low, high = sorted(bounds, key=lambda each: each[0][0] == "<")
        if low[1] >= high[1]:
            raise Invalid("Bottom must be less than top")
    tests = [(_BOUNDS[sign], bound) for sign, bound in bounds]

    def test(value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return all(holds(value, bound) for holds, bound in tests)

    return test


def _cidr(argument: Any) -> Test:
    try:
        network = ipaddress.ip_network(_text(argument, "cidr"), strict=False)
    except ValueError:
        raise Invalid(f"Malformed CIDR, one '/' required: {str(argument)[:100]}") from None

    def test(value: Any) -> bool:
        if not isinstance(value, str) or not re.fullmatch(r"[0-9a-fA-F:.]{2,45}", value):
            return False
        try:
            return ipaddress.ip_address(value) in network
        except ValueError:
            return False

    return test


def _anything_but(argument: Any) -> Test:
    """A value that is there and is none of these: texts or numbers, or what a text test says no to. Numbers are held
    against each other by what they are worth, true, false and null may not be named (``JsonRuleCompiler`` of
    github.com/aws/event-ruler)."""
    if isinstance(argument, dict):
        if len(argument) != 1:
            raise Invalid("anything-but takes one match type")
        name, given = next(iter(argument.items()))
        if name not in ("prefix", "suffix", "equals-ignore-case", "wildcard"):
            raise Invalid(f"Unsupported anything-but pattern: {name}")
        texts = given if isinstance(given, list) else [given]
        if not texts:
            raise Invalid(f"Value of {name} in anything-but may not be empty")
        tests = [test_of(name, _text(text, name)) for text in texts]
        return lambda value: not any(test(value) for test in tests)
    values = argument if isinstance(argument, list) else [argument]
    if not values or not all(is_scalar(value) for value in values):
        raise Invalid("Value of anything-but must be an array or single string/number value")
    kinds = {key_of(value)[0] for value in values}
    if "word" in kinds:
        raise Invalid("Inside anything but list, start|null|boolean is not supported.")
    if len(kinds) > 1:
        raise Invalid("Inside anything but list, either all values are number or string, mixed type is not supported")
    barred = frozenset(values)
    return lambda value: isinstance(value, bool) or value not in barred


_MADE: Final[Mapping[str, Callable[[Any], Test]]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _equals_ignore_case,
    "wildcard": _wildcard,
    "numeric": _numeric,
    "cidr": _cidr,
    "anything-but": _anything_but,
}
