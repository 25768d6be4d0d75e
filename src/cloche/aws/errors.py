"""Errors as AWS speaks them, and the one translation from our own.

Inner layers raise ``foundation.errors``; only here do they become a code, a status and a message. What the
model does not say about an error (which code means "not there", in what words) is a ``Fact`` with its source,
declared by the resource or service it belongs to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cloche.foundation import errors as ours


class AwsError(Exception):
    """An error in AWS's words. ``fields`` are further members of a modelled error shape."""

    def __init__(
        self,
        code: str,
        message: str,
        status: int = 400,
        *,
        fields: Mapping[str, Any] | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.fields = dict(fields or {})
        self.headers = headers


@dataclass(frozen=True, slots=True)
class Fact:
    """An error that AWS's model does not tell: its code, its words, and where they were seen.

    ``message`` is a format string over the names the resource gives (``{arn}``, ``{name}`` …).
    """

    code: str
    message: str
    source: str
    status: int = 400

    def error(self, **names: str) -> AwsError:
        return AwsError(self.code, self.message.format(**names), self.status)


def fact(code: str, message: str, *, source: str, status: int = 400) -> Fact:
    return Fact(code, message, source, status)


@dataclass(frozen=True, slots=True)
class ErrorCodes:
    """Which code a service gives for each of our errors where no ``Fact`` says otherwise."""

    not_found: tuple[str, int] = ("ResourceNotFound", 400)
    already_exists: tuple[str, int] = ("ResourceInUse", 400)
    conflict: tuple[str, int] = ("ConflictException", 409)
    invalid: tuple[str, int] = ("ValidationException", 400)
    limit_reached: tuple[str, int] = ("ThrottlingException", 400)
    denied: tuple[str, int] = ("AccessDeniedException", 400)
    not_supported: tuple[str, int] = ("ValidationException", 400)
    broken: tuple[str, int] = ("InternalFailure", 500)
    unknown_operation: tuple[str, int] = ("UnknownOperationException", 400)
    own: Mapping[type[BaseException], tuple[str, int]] = field(default_factory=dict)
    """Classes of error that the service tells apart; they come before those above."""


def translate(error: BaseException, codes: ErrorCodes) -> AwsError:
    """The AWS form of ``error``. Anything unforeseen is ``broken``, and tells the caller nothing more."""
    if isinstance(error, AwsError):
        return error
    table: tuple[tuple[type[BaseException], tuple[str, int]], ...] = (
        *codes.own.items(),
        (ours.NotFound, codes.not_found),
        (ours.AlreadyExists, codes.already_exists),
        (ours.Conflict, codes.conflict),
        (ours.Invalid, codes.invalid),
        (ours.LimitReached, codes.limit_reached),
        (ours.Denied, codes.denied),
        (ours.NotSupported, codes.not_supported),
    )
    for kind, (code, status) in table:
        if isinstance(error, kind):
            return AwsError(code, str(error), status)
    code, status = codes.broken
    return AwsError(code, "We encountered an internal error. Please try again.", status)
