"""Java's regular expressions in Python's words.

What differs and occurs in AWS's models: Unicode categories (``\\p{L}``), POSIX names (``\\p{Alnum}``), surrogate
pairs (``\\uD800\\uDC00-\\uDBFF\\uDFFF``, one range of characters to Java), intersections (``[a-z&&[^q]]``, refused),
flags in the middle, ``\\z``, ``\\h``, ``.`` that stops at five kinds of line end, and classes like ``\\w`` that are
ASCII. The result is meant for ``re.ASCII``.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from itertools import pairwise
from typing import Final

_POSIX: Final = {
    "Lower": "a-z",
    "Upper": "A-Z",
    "ASCII": r"\x00-\x7f",
    "Alpha": "a-zA-Z",
    "Digit": "0-9",
    "Alnum": "a-zA-Z0-9",
    "Punct": r"!-/:-@\[-`{-~",
    "Graph": "!-~",
    "Print": " -~",
    "Blank": r" \t",
    "Cntrl": r"\x00-\x1f\x7f",
    "XDigit": "0-9a-fA-F",
    "Space": r" \t\n\x0b\f\r",
}
_NAMED: Final = {
    "IsAlphabetic": "L",
    "IsLetter": "L",
    "IsDigit": "Nd",
    "IsPunctuation": "P",
    "IsWhite_Space": "Z",
    "IsWhitespace": "Z",
}
_SIMPLE: Final = {"z": r"\Z", "Z": r"(?:\n?\Z)", "h": r"[ \t\xa0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000]"}
_IN_CLASS: Final = {"h": r" \t\xa0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000"}
_CLASS_ESCAPES: Final = (r"\s", r"\S", r"\d", r"\D", r"\w", r"\W", r"\p", r"\P", r"\h")
_ANY: Final = "[^\\n\\r\\x85\\u2028\\u2029]"
_TOKEN: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a surrogate pair
    r"|\\x\{[0-9a-fA-F]+\}|\\[pP]\{[^}]*\}|\\[pP][A-Z]|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\Q.*?\\E|\\.|.",
    re.DOTALL,
)
_COUNTED_END: Final = re.compile(r"(?<!\\)\$\{\d+,\d+\}$")  # "$" so many times, which Java lets pass
_POSIX_CLASS: Final = re.compile(r"\[:(\^?)(\w+):\]")


_LINES: Final = re.compile(r"\.\*\(\?:\[ \\r\\n\\t\]\.\*\)\*(?:\.\*)?")
"""Any text in lines, as AWS writes it for documents of up to a megabyte: its parts may share a text in so many ways
that it would have to be walked. It is the same as every character but the line ends that neither part names."""


def translate(pattern: str) -> str:
    """Raises ``ValueError`` for what Python cannot say."""
    if _LINES.fullmatch(pattern):
        return r"[^\x85\u2028\u2029]*"
    pattern = _COUNTED_END.sub("$", pattern)
    any_character = _ANY
    if flags := re.match(r"\^?\(\?([a-z]+)\)", pattern):
        any_character = "." if "s" in flags[1] else _ANY
        pattern = f"(?{flags[1]}:{pattern.replace(flags[0], '', 1)})"
    out: list[str] = []
    depth = 0
    at = 0
    before = ""
    while at < len(pattern):
        if depth and (posix := _POSIX_CLASS.match(pattern, at)) and not posix[1]:
            out.append(_category(posix[2].title()))
            at = posix.end()
            continue
        found = _TOKEN.match(pattern, at)
        assert found is not None  # the last alternative takes any character
        piece, at = found[0], found.end()
        if piece == "[":
            out.append("" if depth else "[")
            if depth and pattern[at : at + 1] == "^":
                raise ValueError("a negated class within a class")
            depth += 1
        elif piece == "]" and depth:
            depth -= 1
            out.append("" if depth else "]")
        elif depth:
            out.append(_in_class(piece, before, pattern[at : at + 1]))
        else:
            out.append(any_character if piece == "." else _escape(piece, False) if piece[0] == "\\" else piece)
        before = piece
    return "".join(out)


def _in_class(piece: str, before: str, after: str) -> str:
    if piece == "&" and after == "&":
        raise ValueError("an intersection of classes")
    if piece[0] == "\\":
        return _escape(piece, True)
    if piece == "-" and (before[:2] in _CLASS_ESCAPES or before == "-"):
        return r"\-"  # after a class or another hyphen it is no range
    return "\\" + piece if piece in "|~&-" and before == piece else piece


def _escape(token: str, in_class: bool) -> str:
    letter = token[1]
    if letter == "Q":
        return re.escape(token[2:-2])
    if letter in "pP" and len(token) > 2:
        ranges = _category(token[2:].strip("{}"), negate=letter == "P")
        return ranges if in_class else f"[{ranges}]"
    if letter == "x" and token[2:3] == "{":
        return rf"\U{int(token[3:-1], 16):08x}"
    if letter == "u" and len(token) == 12:
        high, low = int(token[2:6], 16), int(token[8:], 16)
        return rf"\U{0x10000 + (high - 0xD800) * 0x400 + low - 0xDC00:08x}"
    if letter == "u" and len(token) == 2:
        raise ValueError("an incomplete \\u")
    if in_class:
        return _IN_CLASS.get(letter, _plain(token))
    return _SIMPLE.get(letter, _plain(token))


def _plain(token: str) -> str:
    """Python knows no escape of a letter that means nothing; Java's models have a few (``\\-`` is fine)."""
    if len(token) == 2 and token[1].isalpha() and token[1] not in "AbBdDsSwWtnrfvaZ":
        return re.escape(token[1])
    if len(token) == 2 and not token[1].isascii():
        return token[1]
    return token


def _category(name: str, negate: bool = False) -> str:
    if name in _POSIX and not negate:
        return _POSIX[name]
    wanted = _NAMED.get(name, name.removeprefix("Is").removeprefix("general_category="))
    found = _categories()
    ranges = [piece for category, pieces in found.items() if category.startswith(wanted) for piece in pieces]
    if not wanted or not ranges:
        raise ValueError(f"the category {name}")
    ranges.sort()
    if negate:
        edges = [(-1, -1), *ranges, (0x110000, 0x110000)]
        ranges = [(a[1] + 1, b[0] - 1) for a, b in pairwise(edges) if a[1] + 1 < b[0]]
    return "".join(_range(low, high) for low, high in ranges)


def _range(low: int, high: int) -> str:
    return rf"\U{low:08x}" if low == high else rf"\U{low:08x}-\U{high:08x}"


@cache
def _categories() -> dict[str, list[tuple[int, int]]]:
    """Every assigned character by category, as ranges. Computed once, in some tens of milliseconds."""
    found: dict[str, list[tuple[int, int]]] = {}
    start, current = 0, unicodedata.category("\0")
    for point in (*range(1, 0x32400), *range(0xE0000, 0xE01F1), 0xE01F1):
        category = unicodedata.category(chr(point))
        if category != current or point == 0xE0000:
            found.setdefault(current, []).append((start, (0x323FF if point == 0xE0000 else point - 1)))
            start, current = point, category
    found.setdefault("Co", []).append((0xE000, 0xF8FF))
    found.pop("Cn", None)
    return found
