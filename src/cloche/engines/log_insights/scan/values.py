"""What a value is: a number, a text, a structure, or nothing. Fields have no types; how they are used decides.

A text that is a number counts as one where numbers are asked for, and in comparisons with one. Truth is shown as 1
and 0. Times are milliseconds since 1970; that one is to be shown as a date is known of its column, not of its value.
"""

from __future__ import annotations

import math
import re
import time
from functools import lru_cache
from typing import Any, Final

import orjson

Value = Any
"""``None``, ``bool``, ``int``, ``float``, ``str``, and from ``jsonParse`` ``list`` and ``dict``."""

NUMBERS: Final = frozenset({int, float})
NESTED: Final = frozenset({dict, list})
_NUMBER: Final = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)
_CHUNKS: Final = re.compile(r"\d+|\D+", re.ASCII)
_DIGITS_MAX: Final = 300
_BIGGEST: Final = 1e300


def number(value: Value) -> int | float | None:
    kind = value.__class__
    if kind is int or kind is float:
        return value  # type: ignore[no-any-return]
    if kind is str:
        if not value or value[0] not in "0123456789-+." or len(value) > _DIGITS_MAX or not _NUMBER.fullmatch(value):
            return None
        try:
            return int(value)
        except ValueError:
            found = float(value)
            return found if -_BIGGEST < found < _BIGGEST else None
    return int(value) if kind is bool else None


def text(value: Value) -> str | None:
    """As it is shown."""
    kind = value.__class__
    if kind is str:
        return value  # type: ignore[no-any-return]
    if kind is int:
        return str(value) if abs(value) < 10**300 else f"{value:.6e}" if abs(value) < 10**308 else None
    if kind is float:
        if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        return repr(value) if math.isfinite(value) else None
    if kind is bool:
        return "1" if value else "0"
    return None if value is None else orjson.dumps(value).decode()


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))


def date_text(value: Value) -> str | None:
    """``2026-11-26 00:30:00.000``."""
    at = number(value)
    if at is None:
        return text(value)
    try:
        return f"{_second(int(at) // 1000)}.{int(at) % 1000:03}"
    except (ValueError, OverflowError, OSError):
        return text(value)


def truth(value: Value) -> bool:
    """What a condition is that is no comparison: a number that is not 0, the text ``true``."""
    found = number(value)
    return found != 0 if found is not None else value == "true"


def equal(left: Value, right: Value) -> bool:
    if left is None or right is None:
        return False
    if left.__class__ is bool and right.__class__ is str:
        return right == ("true" if left else "false") or right == ("1" if left else "0")
    if right.__class__ is bool and left.__class__ is str:
        return equal(right, left)
    one, other = number(left), number(right)
    if one is not None and other is not None:
        return one == other
    return text(left) == text(right)


def less(left: Value, right: Value) -> bool:
    if left is None or right is None:
        return False
    one, other = number(left), number(right)
    if one is not None and other is not None:
        return one < other
    return (text(left) or "") < (text(right) or "")


def less_or_equal(left: Value, right: Value) -> bool:
    return less(left, right) or equal(left, right)


def natural(value: Value) -> tuple[Any, ...]:
    """By what ``sort`` orders (CWL_QuerySyntax-Sort.html): what is no number comes before numbers; of texts, runs of
    digits are ordered by their length and then their digits, other runs by their characters. Nothing comes first."""
    if value is None:
        return (0,)
    found = number(value)
    if found is not None:
        return (2, found)
    chunks = _CHUNKS.findall(text(value) or "")
    return (1, *((0, len(chunk), chunk) if chunk[0].isdigit() else (1, 0, chunk) for chunk in chunks))


def discovered(document: Value, name: str, parts: tuple[str, ...]) -> Value:
    """The field of a JSON message: ``a.b.0.c`` is a key of that name, or the way through objects and lists."""
    if document is None:
        return None
    found = document.get(name)
    if found is None:
        found = inside(document, parts)
    return None if found.__class__ in NESTED else found


def inside(value: Value, parts: tuple[str, ...]) -> Value:
    """Through a structure by keys and places in lists."""
    for part in parts:
        if value.__class__ is dict:
            value = value.get(part)
        elif value.__class__ is list:
            value = value[int(part)] if part.isdigit() and len(part) < 10 and int(part) < len(value) else None
        else:
            return None
    return value
