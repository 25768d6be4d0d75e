"""A head as one client writes it: the bytes that are the same in all its requests, and where the others stand.

A client of an SDK that asks again sends a head that differs from its last one in a few values of known names. So the
next head on a connection is held against the last that was understood: a few comparisons of whole stretches of bytes,
no parser and no function for every line; only what stands between the stretches is looked at. What does not fit to the
byte, or has another value than a plain one, is parsed like any other request.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from cloche.server.quick.forms import FORM_BYTES_MAX, SIGNATURE, VARYING, Sight

if TYPE_CHECKING:
    from cloche.server.http_protocol import HttpProtocol
    from cloche.server.quick.cycle import QuickCycle

VALUE_BYTES_MAX: Final = 256
_PLAIN: Final = re.compile(rb"[!-~](?:[ -~]*[!-~])?").fullmatch
"""As a parser hands on a value: nothing but what is printed, no space at either end."""
Lines = list[tuple[bytes, bytes]]
Make = Callable[["HttpProtocol", Sight, Lines | None], "QuickCycle"]
"""What makes the cycle of a request with such a head; its lines, where a parser has read them."""


class KnownHead:
    """Made by ``known_head``. ``make`` is set by who knows what such requests ask for."""

    __slots__ = ("_fixed", "_key", "_last", "make")

    def __init__(self, fixed: tuple[tuple[bytes, str], ...], last: bytes, key: tuple[bytes, ...], make: Make) -> None:
        self._fixed = fixed
        """Stretches of bytes, each with the name of the value behind it; the signature's is empty."""
        self._last = last
        self._key = key
        self.make = make

    def find(self, data: bytes) -> Sight | None:
        """``data`` begins with such a head, or it does not (``None``)."""
        at = 0
        values: dict[str, str] = {}
        for fixed, name in self._fixed:
            if not data.startswith(fixed, at):
                return None
            at += len(fixed)
            end = data.find(b"\r", at, at + VALUE_BYTES_MAX)
            value = data[at:end]
            if end < 0 or not _PLAIN(value):
                return None
            values[name] = str(value, "ascii")
            at = end
        if not data.startswith(self._last, at):
            return None
        return Sight(self._key, values, values.pop(""), at + len(self._last))

    def lines(self, sight: Sight) -> Lines:
        """The header lines of a head in which ``sight`` was found, as a parser hands them on."""
        pieces: list[bytes] = []
        for fixed, name in self._fixed:
            pieces += (fixed, (sight.values[name] if name else sight.signature).encode("ascii"))
        return _lines(b"".join((*pieces, self._last))) or []


def known_head(piece: bytes, sight: Sight, lines: Lines, make: Make) -> KnownHead | None:
    """Of a request whose head ``piece`` begins with. ``None`` where that cannot be cut to and fro: it came in parts, is
    folded or strangely spaced, is very long."""
    end = piece.find(b"\r\n\r\n", 0, FORM_BYTES_MAX) + 4
    if end < 4:
        return None
    head = piece[:end]
    if _lines(head) != lines:
        return None
    fixed: list[tuple[bytes, str]] = []
    text = b""
    for line in head[:-4].split(b"\r\n"):
        text += line if not text and not fixed else b"\r\n" + line
        name, _, value = line.partition(b": ")
        name = name.lower()
        if name in VARYING:
            fixed.append((text[: len(text) - len(value)], str(name, "ascii")))
            text = b""
        elif name == b"authorization":
            cut = len(value.rpartition(SIGNATURE)[2])
            fixed.append((text[: len(text) - cut], ""))
            text = b""
    known = KnownHead(tuple(fixed), text + b"\r\n\r\n", sight.key, make)
    found = known.find(piece)
    return known if found is not None and found.values == sight.values and found.end == end else None


def _lines(head: bytes) -> Lines | None:
    lines: Lines = []
    for line in head[:-4].split(b"\r\n")[1:]:
        name, colon, value = line.partition(b": ")
        if not colon:
            return None
        lines.append((name.lower(), value))
    return lines
