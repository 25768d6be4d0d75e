"""A request and an answer as the wire knows them: nothing parsed, nothing decoded, nothing half-filled."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Iterator, KeysView, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]").search


def is_header_name(text: str) -> bool:
    """A token (RFC 9110, 5.6.2)?"""
    return _NAME(text) is not None


def is_header_value(text: str) -> bool:
    """Can a header line hold it (RFC 9110, 5.5)? The end of a line would begin another header."""
    return _CONTROL(text) is None


class Headers:
    """Header lines in the order they came; names are matched in any case. Values are ``str`` (latin-1)."""

    __slots__ = ("_first", "items")

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self.items = [(name.lower(), value) for name, value in items]
        self._first: dict[str, str] = {}
        for name, value in self.items:
            self._first.setdefault(name, value)

    @classmethod
    def received(cls, items: list[tuple[str, str]]) -> Headers:
        """The same from a list whose names are in lower case already; the list is kept."""
        made = cls.__new__(cls)
        made.items = items
        made._first = dict(reversed(items))
        return made

    @property
    def repeats(self) -> bool:
        """Is any name there twice?"""
        return len(self._first) != len(self.items)

    def names(self) -> KeysView[str]:
        return self._first.keys()

    def get(self, name: str, default: str = "") -> str:
        """The first value of ``name`` (which is given in lower case), or ``default``."""
        return self._first.get(name, default)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.items if key == name]

    def __contains__(self, name: str) -> bool:
        return name in self._first

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.items)


class BodyStream(Protocol):
    """A body that is still arriving. Chunks come as they are received, with ``aws-chunked`` already undone
    and checked; an error in a signature or checksum is raised by the iteration that meets it."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    @property
    def trailers(self) -> Mapping[str, str]:
        """Trailing headers (checksums), checked; there once the iteration has ended."""
        ...


@dataclass(frozen=True, slots=True)
class HttpRequest:
    method: str
    path: str
    """Still percent-encoded, without the query."""
    query: str
    """Still percent-encoded, without the question mark."""
    headers: Headers
    body: bytes = b""
    """The whole body, but for operations whose input streams: theirs is in ``stream``."""
    stream: BodyStream | None = None
    scheme: str = "http"
    client: str = ""
    """The address that it came from; empty where it did not come over a connection."""

    @property
    def host(self) -> str:
        return self.headers.get("host")


@dataclass(frozen=True, slots=True)
class FileSlice:
    """Part of a file as a response body, sent without ever being whole in memory."""

    path: Path
    offset: int
    length: int


Body = bytes | FileSlice | AsyncIterator[bytes]


@dataclass(slots=True)
class HttpResponse:
    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: Body = b""
