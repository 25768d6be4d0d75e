"""What an operation's handler is and what it is given.

A handler is a function of ``(ctx, request)`` that answers the members of its output shape as a ``dict`` (or
``None`` for an empty one). It is found by the wire name written above it::

    @operation("GetCallerIdentity")
    def get_caller_identity(ctx: Context, request: Members) -> Members: ...

``Resource`` classes (``aws/resource``) bring their handlers along in the same form. A handler says how it runs:

- plain functions run in the bounded thread pool; they may block on storage;
- ``inline=True`` functions run on the event loop: point reads of microseconds, nothing else;
- ``async def`` functions run on the event loop and stream bodies (S3, InvokeEndpoint).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import ModuleType
from typing import Any, NamedTuple, TypeVar

from cloche.aws.errors import ErrorCodes
from cloche.aws.http import HttpRequest

Members = dict[str, Any]
F = TypeVar("F", bound=Callable[..., Any])


class Shared(tuple[Any, ...]):
    """A list that many answers hold, as the metric definitions of an algorithm: projected already and never changed.
    A codec may keep in ``encoded``, under its protocol's name, what it made of it."""

    encoded: dict[str, bytes]

    def __new__(cls, items: Iterable[Any]) -> Shared:
        made = super().__new__(cls, items)
        made.encoded = {}
        return made


class Elements(Sequence[Any]):
    """A list of structures so long that it brings its own way of being written. Its items are made when asked for."""

    @abstractmethod
    def xml(self, tag: str) -> str:
        """What rest-xml makes of the items as a flattened list, each in an element called ``tag``."""


class Encoded(NamedTuple):
    """What a codec made of an answer: joined, ``pieces`` are its members in ``protocol``. ``own_bytes`` leaves out the
    pieces that come from ``Shared`` lists."""

    protocol: str
    pieces: tuple[bytes, ...]
    own_bytes: int


class Kept(Mapping[str, Any]):
    """Members of an answer that will be given again as they are, so that a codec may ``keep`` what it made of them.

    ``make`` answers the members, and is asked only where ``encoded`` does not do; ``told`` takes what is kept.
    """

    __slots__ = ("_make", "_told", "encoded")

    def __init__(
        self,
        make: Callable[[], Members],
        encoded: Encoded | None = None,
        told: Callable[[Encoded], None] | None = None,
    ) -> None:
        self._make = make
        self._told = told
        self.encoded = encoded

    @property
    def members(self) -> Members:
        return self._make()

    def keep(self, encoded: Encoded) -> None:
        self.encoded = encoded
        if self._told is not None:
            self._told(encoded)

    def __getitem__(self, name: str) -> Any:
        return self.members[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.members)

    def __len__(self) -> int:
        return len(self.members)

    def __bool__(self) -> bool:
        return True  # and no reason to make them


@dataclass(frozen=True, slots=True)
class Caller:
    """Who signed the request. ``arn`` is the principal's (a root, user or assumed-role ARN)."""

    account: str
    arn: str
    user_id: str
    access_key: str
    anonymous: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """What a handler knows besides its request. ``parts`` holds the engines and stores, made once by
    ``server/wiring.py`` (its type is ``services.parts.Parts``; the wire layer need not know it)."""

    caller: Caller
    region: str
    request_id: str
    now: datetime
    http: HttpRequest
    parts: Any
    origin: Mapping[str, Any] = field(default_factory=dict)
    """What an engine that acts through the API adds to the thing it creates: members that no client can send
    (``foundation/api.py``)."""

    @property
    def account(self) -> str:
        return self.caller.account


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler returns in place of plain members when the model cannot say all of it: another status
    than the model's (206 for a range), further headers (``x-content-type-options``)."""

    members: Members
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """A wire name with the function that answers it."""

    name: str
    handler: Callable[[Context, Members], Any]
    inline: bool | Callable[[Members], bool] = False
    """Runs on the event loop: always, or for the requests that a function of their members says are cheap."""
    reads: bool = False
    """Answers from storage without changing anything."""
    waits: bool = False
    """A coroutine that waits for what may happen; it is cancelled when its client goes."""

    def is_inline(self, members: Members) -> bool:
        return self.inline if isinstance(self.inline, bool) else self.inline(members)


@dataclass(frozen=True, slots=True)
class Service:
    """One AWS service as Cloche offers it: ``service.py`` in its folder holds one, named ``SERVICE``.

    ``name`` is botocore's service name (its folder in botocore's data); ``modules`` are the modules of the
    folder that hold handlers, imported when the service is first asked.
    """

    name: str
    modules: tuple[str, ...]
    errors: ErrorCodes = field(default_factory=ErrorCodes)


def operation(name: str, *, inline: bool = False, reads: bool = False, waits: bool = False) -> Callable[[F], F]:
    """Mark a function as the handler of the operation called ``name`` on the wire."""

    def mark(handler: F) -> F:
        handler.__dict__["operation"] = Operation(name, handler, inline, reads, waits)
        return handler

    return mark


def operations_of(module: ModuleType) -> list[Operation]:
    """The operations a module answers: its marked functions and those its resources bring."""
    found: list[Operation] = []
    for value in vars(module).values():
        if isinstance(marked := getattr(value, "operation", None), Operation) and callable(value):
            found.append(marked)
        elif isinstance(value, type) and value.__module__ == module.__name__ and hasattr(value, "operations_brought"):
            found.extend(value.operations_brought())
    return found
