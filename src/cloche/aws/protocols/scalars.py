"""The scalars of the wire: moments, numbers and bytes, in each of the forms AWS writes them.

Readers raise ``ValueError`` for anything malformed, and never take longer than the text is long: digits are
counted before ``int`` sees them. Writers accept what a handler naturally holds: an aware ``datetime`` or seconds
since 1970 for a moment, ``bytes`` for a blob.
"""

from __future__ import annotations

import binascii
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HTTP_DATE: Final = re.compile(
    r"(?:[A-Za-z]{3,9}, ?)?(\d{1,2})[ -]([A-Za-z]{3})[ -](\d{4}) (\d\d):(\d\d):(\d\d)(\.\d{1,9})? "
    r"(?:GMT|UTC|([+-]\d{4}))"
)
_ISO: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(\.\d{1,18})?)?(Z|z|[+-]\d\d:?\d\d)?)?")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{0,40})?(?:[eE][+-]?[0-9]{1,3})?|[+-]?\.[0-9]{1,40}")
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}")
RANGES: Final = {
    "byte": (-(2**7), 2**7 - 1),
    "short": (-(2**15), 2**15 - 1),
    "integer": (-(2**31), 2**31 - 1),
    "long": (-(2**63), 2**63 - 1),
}
"""What each kind of integer may be, ends included."""
_SPECIAL: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


# --- moments ---------------------------------------------------------------------------------------------


def moment_from_seconds(seconds: float) -> datetime:
    """Raises ``ValueError`` outside the years 1 to 9999."""
    try:
        return EPOCH + timedelta(seconds=seconds)
    except (OverflowError, ValueError) as error:
        raise ValueError(f"no moment: {seconds!r}") from error


def moment_from_text(text: str) -> datetime:
    """ISO 8601, an HTTP date, or seconds since 1970: whatever ``text`` is."""
    text = text.strip()
    try:
        if found := _ISO.fullmatch(text):
            return _from_iso(found)
        if found := _HTTP_DATE.fullmatch(text):
            return _from_http_date(found)
    except OverflowError as error:  # a zone that leads out of the years 1 to 9999
        raise ValueError(str(error)) from None
    if _NUMBER.fullmatch(text):
        return moment_from_seconds(float(text))
    raise ValueError(f"no moment: {text[:80]!r}")


def _from_iso(found: re.Match[str]) -> datetime:
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    at = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=UTC)
    return at + timedelta(seconds=float(fraction or 0)) - _offset(zone or "Z")


def _from_http_date(found: re.Match[str]) -> datetime:
    day, month, year, hour, minute, second, fraction, zone = found.groups()
    if month.title() not in _MONTHS:
        raise ValueError(f"no month: {month}")
    number = _MONTHS.index(month.title()) + 1
    at = datetime(int(year), number, int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    return at + timedelta(seconds=float(fraction or 0)) - _offset(zone or "Z")


def _offset(zone: str) -> timedelta:
    if zone in "Zz":
        return timedelta()
    digits = zone[1:].replace(":", "")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return size if zone[0] == "+" else -size


def as_moment(value: Any) -> datetime:
    """What a handler gave, as an aware moment in UTC."""
    if isinstance(value, datetime):
        return value if value.tzinfo is UTC else value.astimezone(UTC)
    if isinstance(value, str):
        return moment_from_text(value)
    return moment_from_seconds(value)


def seconds(value: Any) -> int | float:
    """Seconds since 1970 to the millisecond, whole when they are whole."""
    exact = value if isinstance(value, int | float) else (as_moment(value) - EPOCH).total_seconds()
    whole = int(exact)
    return whole if whole == exact else round(exact, 3)


def iso(value: Any) -> str:
    """``2026-11-25T15:00:00Z``; milliseconds only where there are any."""
    at = as_moment(value)
    text = at.strftime("%Y-%m-%dT%H:%M:%S") if at.year >= 1000 else at.isoformat()[:19]
    return f"{text}.{at.microsecond // 1000:03d}Z" if at.microsecond >= 1000 else text + "Z"


def iso_milliseconds(value: Any) -> str:
    """``2026-11-25T15:00:00.000Z``: S3 and EC2 always write them."""
    at = as_moment(value)
    return f"{at.isoformat()[:19]}.{at.microsecond // 1000:03d}Z"


def http_date(value: Any) -> str:
    """``Wed, 25 Nov 2026 15:00:00 GMT``, in English whatever the locale."""
    at = as_moment(value)
    return (
        f"{_DAYS[at.weekday()]}, {at.day:02d} {_MONTHS[at.month - 1]} {at.year:04d} "
        f"{at.hour:02d}:{at.minute:02d}:{at.second:02d} GMT"
    )


def seconds_text(value: Any) -> str:
    return str(seconds(value))


MOMENT_WRITERS: Final[dict[str, Callable[[Any], str]]] = {
    "iso8601": iso,
    "rfc822": http_date,
    "unixTimestamp": seconds_text,
}


# --- numbers and booleans ----------------------------------------------------------------------------------


def integer_from_text(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"no integer: {text[:40]!r}")
    return int(text)


def integer_reader(kind: str) -> Callable[[str], int]:
    """Of texts within the range of ``byte``, ``short``, ``integer`` or ``long``."""
    low, high = RANGES[kind]

    def read(text: str) -> int:
        number = integer_from_text(text)
        if not low <= number <= high:
            raise ValueError(f"beyond a {kind}: {number}")
        return number

    return read


def float_from_text(text: str) -> float:
    if text in _SPECIAL:
        return _SPECIAL[text]
    if len(text) > 400 or not _NUMBER.fullmatch(text):
        raise ValueError(f"no number: {text[:40]!r}")
    return float(text)


def boolean_from_text(text: str) -> bool:
    if text == "true":
        return True
    if text == "false":
        return False
    if text.lower() in ("true", "false"):  # botocore writes lower case; hand-made requests often do not
        return text.lower() == "true"
    raise ValueError(f"no boolean: {text[:40]!r}")


def number_text(value: float) -> str:
    """A number as XML, headers and query strings have it."""
    if isinstance(value, float) and not math.isfinite(value):
        return special_float(value)
    return str(value)


def special_float(value: float) -> str:
    return "NaN" if value != value else ("Infinity" if value > 0 else "-Infinity")


def boolean_text(value: object) -> str:
    return "true" if value else "false"


# --- bytes -------------------------------------------------------------------------------------------------


def blob_from_text(text: str | bytes) -> bytes:
    """Base64, strictly. Raises ``ValueError``."""
    if len(text) % 4:  # the library forgives padding after a whole group
        raise ValueError("no base64")
    return binascii.a2b_base64(text, strict_mode=True) if text else b""


def blob_text(value: Any) -> str:
    if isinstance(value, str):
        value = value.encode()
    return binascii.b2a_base64(value, newline=False).decode("ascii")
