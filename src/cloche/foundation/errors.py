"""Errors that the inner layers raise. They know no status codes and no AWS codes.

    ClocheError
    ├── NotFound        the thing named is not there
    ├── AlreadyExists   a thing of that name is there
    ├── Conflict        the thing is there, but not in a state that allows this
    ├── Invalid         a field of the request breaks a rule
    ├── LimitReached    a queue, pool, quota or size is full
    ├── Denied          the caller may not do this
    ├── NotSupported    Cloche does not do this (yet); says what, by name
    └── Broken          our own fault: never the caller's

``aws/errors.py`` is the one translator to an AWS code, status and message. ``message`` is for the caller,
``detail`` for the log alone.
"""

from __future__ import annotations


class ClocheError(Exception):
    """Base of all errors Cloche raises on purpose."""

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


class NotFound(ClocheError):
    pass


class AlreadyExists(ClocheError):
    pass


class Conflict(ClocheError):
    pass


class Invalid(ClocheError):
    """``field`` names the member as the caller wrote it, ``message`` names the rule."""

    def __init__(self, message: str, *, field: str = "", detail: str = "") -> None:
        super().__init__(message, detail=detail)
        self.field = field


class LimitReached(ClocheError):
    pass


class Denied(ClocheError):
    pass


class NotSupported(ClocheError):
    pass


class Broken(ClocheError):
    pass
