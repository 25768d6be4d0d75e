"""What is derived and what is written behind an operation: the text of ``cloche explain`` and of the coverage
page. Both are read from the code itself, so neither can be out of date."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloche.aws.operation import Operation

_DERIVED = {
    "create": ("identification", "duplicates", "record and tags in one transaction", "the answer"),
    "describe": ("point read", "members of the request", "name, ARN, times and status", "projection"),
    "page": ("filters", "order", "page tokens", "summaries"),
    "update": ("identification", "one transaction", "the answer"),
    "delete": ("identification", "one transaction"),
    "stop": ("identification", "one transaction"),
}
_WRITTEN = {
    "create": ("identify", "numbered", "check", "created", "settled"),
    "describe": ("identify", "shown"),
    "page": ("listed", "shown"),
    "update": ("identify", "updated", "settled"),
    "delete": ("identify", "deleted", "settled"),
    "stop": ("identify", "stopping", "settled"),
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where an operation is answered. ``derived`` and ``written`` are empty and whole for a plain function."""

    operation: str
    file: Path
    line: int
    derived: tuple[str, ...]
    written: tuple[str, ...]
    """``method (line N)``, or the function's name."""
    summary: str
    """The first line of the docstring of the class or function."""


def explain(operation: Operation) -> Explanation:
    handler = operation.handler
    resource = getattr(handler, "__self__", None)
    if resource is None:
        function = inspect.unwrap(handler)
        code = function.__code__
        name = operation.name if function.__name__ == "<lambda>" else function.__name__
        return Explanation(
            operation.name,
            Path(code.co_filename),
            code.co_firstlineno,
            (),
            (f"{name} (line {code.co_firstlineno})",),
            _first_line(function),
        )
    kind = type(resource)
    verb = handler.__name__
    file = Path(inspect.getfile(kind))
    written = tuple(
        f"{name} (line {vars(kind)[name].__code__.co_firstlineno})" for name in _WRITTEN[verb] if name in vars(kind)
    )
    return Explanation(
        operation.name, file, _line_of(kind, operation.name), _derived(resource, verb), written, _first_line(kind)
    )


def _derived(resource: Any, verb: str) -> tuple[str, ...]:
    if verb != "page":
        return _DERIVED[verb]
    listing = resource._listing
    refused = tuple(f"refused by name: {name}" for name in sorted(listing.refused))
    return (f"filters {', '.join(sorted(listing.filters))}", *_DERIVED[verb][1:], *refused)


def _line_of(kind: type, name: str) -> int:
    """The line in which the class spells the wire name."""
    lines, start = inspect.getsourcelines(kind)
    return next((start + at for at, line in enumerate(lines) if f'"{name}"' in line), start)


def _first_line(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]
