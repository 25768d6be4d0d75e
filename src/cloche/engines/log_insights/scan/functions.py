"""The functions of the language, by their names in lower case. What is missing makes the result missing.

docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-operations-functions.html
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import ipaddress
import math
import time
import urllib.parse
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import orjson

from cloche.engines.log_insights.language.regular import compiled
from cloche.engines.log_insights.scan.values import NESTED, Value, equal, less, natural, number, text, truth

Function = Callable[..., Value]
TEXT_MAX: Final = 1_000_000
"""Characters a text may grow to: what is longer is cut."""


# -- arithmetic ----------------------------------------------------------------------------------------------


def add(left: Value, right: Value) -> Value:
    return _arithmetic(left, right, lambda one, other: one + other)


def subtract(left: Value, right: Value) -> Value:
    return _arithmetic(left, right, lambda one, other: one - other)


def multiply(left: Value, right: Value) -> Value:
    return _arithmetic(left, right, lambda one, other: one * other)


def divide(left: Value, right: Value) -> Value:
    return _arithmetic(left, right, lambda one, other: one / other)


def remainder(left: Value, right: Value) -> Value:
    """With the sign of the left operand, as Java's."""
    return _arithmetic(left, right, math.fmod)


def power(left: Value, right: Value) -> Value:
    return _arithmetic(float(number(left) or 0) if number(left) is not None else None, right, lambda a, b: a**b)


def negative(value: Value) -> Value:
    found = number(value)
    return None if found is None else -found


def _arithmetic(left: Value, right: Value, apply: Callable[[Any, Any], Any]) -> Value:
    one, other = number(left), number(right)
    if one is None or other is None:
        return None
    try:
        return _finite(apply(one, other))
    except (ArithmeticError, ValueError):
        return None


def _finite(value: Any) -> Value:
    if isinstance(value, complex):
        return None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if abs(value) < 10**300 else None


# -- numbers -------------------------------------------------------------------------------------------------


def _of_number(apply: Callable[[Any], Any]) -> Function:
    def function(value: Value) -> Value:
        found = number(value)
        if found is None:
            return None
        try:
            return _finite(apply(found))
        except (ArithmeticError, ValueError):
            return None

    return function


def _greatest(*values: Value) -> Value:
    present = [value for value in values if value is not None]
    return max(present, key=natural) if present else None


def _least(*values: Value) -> Value:
    present = [value for value in values if value is not None]
    return min(present, key=natural) if present else None


def _round(value: Value, digits: Value = 0) -> Value:
    found, places = number(value), number(digits)
    if found is None or places is None or not -300 <= places <= 300:
        return None
    scale = 10.0 ** int(places)
    return _finite(math.floor(float(found) * scale + 0.5) / scale)


# -- times ---------------------------------------------------------------------------------------------------


def floor_date(at: Value, milliseconds: int, months: int) -> Value:
    found = number(at)
    if found is None:
        return None
    if not months:
        return int(found) // milliseconds * milliseconds
    try:
        then = time.gmtime(int(found) // 1000)
    except (ValueError, OverflowError, OSError):
        return None
    count = ((then.tm_year * 12 + then.tm_mon - 1) // months) * months
    return _month(count)


def ceil_date(at: Value, milliseconds: int, months: int) -> Value:
    floor = floor_date(at, milliseconds, months)
    if floor is None or floor == number(at):
        return floor
    if not months:
        return floor + milliseconds
    then = time.gmtime(floor // 1000)
    return _month(then.tm_year * 12 + then.tm_mon - 1 + months)


def _month(count: int) -> int:
    year, month = divmod(count, 12)
    days = (year - 1) * 365 + (year - 1) // 4 - (year - 1) // 100 + (year - 1) // 400
    lengths = (31, 29 if year % 4 == 0 and (year % 100 or year % 400 == 0) else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30)
    return (days + sum(lengths[:month]) - 719162) * 86_400_000


# -- general, JSON -------------------------------------------------------------------------------------------


def _coalesce(*values: Value) -> Value:
    return next((value for value in values if value is not None), None)


def _case(*values: Value) -> Value:
    for at in range(0, len(values) - 1, 2):
        if truth(values[at]):
            return values[at + 1]
    return values[-1] if len(values) % 2 else None


def _json_parse(value: Value) -> Value:
    if value.__class__ is not str:
        return value if value.__class__ in NESTED else None
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return None


def _json_stringify(value: Value) -> Value:
    return None if value is None else orjson.dumps(value).decode()


# -- IP addresses --------------------------------------------------------------------------------------------


@lru_cache(maxsize=65536)
def _address(value: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(value)
    except ValueError:
        return None


@lru_cache(maxsize=256)
def _network(value: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(value, strict=False)
    except ValueError:
        return None


def _valid_ip(*versions: int) -> Function:
    def function(value: Value) -> bool:
        found = _address(value) if value.__class__ is str else None
        return found is not None and found.version in versions

    return function


def _in_subnet(*versions: int) -> Function:
    def function(value: Value, subnet: Value) -> bool:
        if value.__class__ is not str or subnet.__class__ is not str:
            return False
        found, network = _address(value), _network(subnet)
        return found is not None and network is not None and found.version in versions and found in network

    return function


# -- texts ---------------------------------------------------------------------------------------------------


def _of_text(apply: Callable[..., Value]) -> Function:
    def function(*values: Value) -> Value:
        texts = [text(value) for value in values]
        return None if None in texts else apply(*texts)

    return function


def _substr(value: Value, start: Value, length: Value = None) -> Value:
    held, begin = text(value), number(start)
    if held is None or begin is None:
        return None
    begin = max(0, int(begin))
    count = number(length)
    return held[begin:] if count is None else held[begin : begin + max(0, int(count))]


def _replace(value: str, old: str, new: str) -> str:
    if not old or len(value) + value.count(old) * len(new) > TEXT_MAX:
        return value[:TEXT_MAX]
    return value.replace(old, new)


def _contains(value: Value, part: Value, ignore_case: Value = None) -> Value:
    held, wanted = text(value), text(part)
    if held is None or wanted is None:
        return None
    if ignore_case is not None and truth(ignore_case):
        held, wanted = held.lower(), wanted.lower()
    return 1 if wanted in held else 0


_expression = lru_cache(maxsize=64)(compiled)


def _regex_replace(value: str, pattern: str, new: str) -> str:
    expression = _expression(pattern)
    return expression.sub(lambda _: new, value)[:TEXT_MAX]


def _base64_decode(value: str) -> Value:
    try:
        return base64.b64decode(value, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return None


def has(value: Value, part: str) -> bool:
    held = text(value)
    return held is not None and part in held


def found(search: Callable[[str], Any], value: Value) -> bool:
    held = text(value)
    return held is not None and search(held) is not None


FUNCTIONS: Final[dict[str, Function]] = {
    "abs": _of_number(abs),
    "ceil": _of_number(math.ceil),
    "floor": _of_number(math.floor),
    "log": _of_number(math.log),
    "sqrt": _of_number(math.sqrt),
    "round": _round,
    "greatest": _greatest,
    "least": _least,
    "tonumber": number,
    "toint": _of_number(int),
    "tolong": _of_number(int),
    "todouble": _of_number(float),
    "frommillis": number,
    "tomillis": number,
    "coalesce": _coalesce,
    "if": lambda condition, then, otherwise: then if truth(condition) else otherwise,
    "case": _case,
    # nothing is masked here: data protection policies are refused
    "unmask": lambda value: value,
    "ispresent": lambda value: value is not None,
    "isempty": lambda value: value is None or value == "",
    "isblank": lambda value: value is None or (value.__class__ is str and not value.strip()),
    "jsonparse": _json_parse,
    "jsonstringify": _json_stringify,
    "isvalidip": _valid_ip(4, 6),
    "isvalidipv4": _valid_ip(4),
    "isvalidipv6": _valid_ip(6),
    "isipinsubnet": _in_subnet(4, 6),
    "isipv4insubnet": _in_subnet(4),
    "isipv6insubnet": _in_subnet(6),
    "concat": lambda *values: "".join(text(value) or "" for value in values)[:TEXT_MAX],
    "trim": _of_text(str.strip),
    "ltrim": _of_text(str.lstrip),
    "rtrim": _of_text(str.rstrip),
    "strlen": _of_text(len),
    "toupper": _of_text(str.upper),
    "tolower": _of_text(str.lower),
    "substr": _substr,
    "replace": _of_text(_replace),
    "strcontains": _contains,
    "startswith": _of_text(str.startswith),
    "endswith": _of_text(str.endswith),
    "regex_replace": _of_text(_regex_replace),
    "urlencode": _of_text(lambda value: urllib.parse.quote(value, safe="")),
    "urldecode": _of_text(urllib.parse.unquote),
    "base64encode": _of_text(lambda value: base64.b64encode(value.encode()).decode()),
    "base64decode": _of_text(_base64_decode),
    "md5": _of_text(lambda value: hashlib.md5(value.encode(), usedforsecurity=False).hexdigest()),
    "sha256": _of_text(lambda value: hashlib.sha256(value.encode()).hexdigest()),
}
TRUTHS: Final = frozenset(
    {"ispresent", "isempty", "isblank", "isvalidip", "isvalidipv4", "isvalidipv6", "isipinsubnet", "isipv4insubnet"}
    | {"isipv6insubnet"}
)
"""Functions that answer ``True`` or ``False`` and nothing else."""

OPERATIONS: Final[dict[str, Function]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": remainder,
    "^": power,
    "=": equal,
    "<": less,
}
