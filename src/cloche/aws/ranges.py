"""Which bytes of a content a ``Range`` header asks for: one range, as S3 and the registry protocol serve it (RFC 9110,
section 14)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_RANGE: Final = re.compile(r"bytes=(\d{0,19})-(\d{0,19})", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Span:
    """``length`` bytes from ``offset`` of ``size``; ``partial`` when it was asked for as a part (206)."""

    offset: int
    length: int
    size: int
    partial: bool = True

    @property
    def content_range(self) -> str:
        return f"bytes {self.offset}-{self.offset + self.length - 1}/{self.size}"


def asked(header: str | None, size: int) -> Span | None:
    """``None`` where no byte of ``size`` is in the range. What is not understood is ignored (RFC 9110, 14.2)."""
    whole = Span(0, size, size, partial=False)
    found = _RANGE.fullmatch(header.strip()) if header else None
    if found is None or not (found[1] or found[2]):
        return whole
    if not found[1]:
        length = min(int(found[2]), size)
        return _satisfiable(size, size - length, length)
    first = int(found[1])
    last = int(found[2]) if found[2] else size - 1
    if found[2] and last < first:
        return whole
    return _satisfiable(size, first, min(last, size - 1) - first + 1)


def _satisfiable(size: int, offset: int, length: int) -> Span | None:
    return None if length <= 0 or offset >= size else Span(offset, length, size)
