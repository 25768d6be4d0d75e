"""What a record has of a request."""

from __future__ import annotations

from typing import Protocol

from cloche.engines.hosting.capture.lines import Told


class Heard(Protocol):
    """The request itself may be it: nothing is made of it for its record."""

    @property
    def body(self) -> bytes: ...

    @property
    def id(self) -> bytes:
        """A UUID."""
        ...

    @property
    def told(self) -> Told: ...


class Known:
    """What was heard, by itself."""

    __slots__ = ("body", "id", "told")

    def __init__(self, body: bytes, id: bytes, told: Told) -> None:
        self.body = body
        self.id = id
        self.told = told
