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

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from types import ModuleType
from typing import Any, TypeVar

from cloche.aws.errors import ErrorCodes
from cloche.aws.http import HttpRequest

Members = dict[str, Any]
F = TypeVar("F", bound=Callable[..., Any])


class Kept(dict[str, Any]):
    """Members of an answer that will be given again just as they are, and are never changed: a codec may keep in
    ``encoded``, under its protocol's name, what it made of them."""

    __slots__ = ("encoded",)

    def __init__(self, members: Members) -> None:
        super().__init__(members)
        self.encoded: dict[str, bytes] = {}


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


def operation(name: str, *, inline: bool = False, reads: bool = False) -> Callable[[F], F]:
    """Mark a function as the handler of the operation called ``name`` on the wire."""

    def mark(handler: F) -> F:
        handler.__dict__["operation"] = Operation(name, handler, inline, reads)
        return handler

    return mark


def operations_of(module: ModuleType) -> list[Operation]:
    """The operations a module answers: its marked functions and those its resources bring."""
    found: list[Operation] = []
    for value in vars(module).values():
        if isinstance(marked := getattr(value, "operation", None), Operation) and callable(value):
            found.append(marked)
        elif callable(brings := getattr(value, "operations_brought", None)) and value.__module__ == module.__name__:
            found.extend(brings())
    return found
