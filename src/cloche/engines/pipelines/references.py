"""Paths into documents: ``ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri``, ``Return[1]``, ``a.b[0].c``.

A list may be asked by a name in place of a number, as the SDKs do for the outputs of a processing job: meant is the
element of which a member called ``…Name`` has that value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from cloche.foundation.errors import Invalid

Part = str | int
_PART: Final = re.compile(r"""\.?([^.\[\]'"]+)|\[(\d{1,9})\]|\['([^']*)'\]|\["([^"]*)"\]""")


class Undefined(Exception):
    """There is nothing at the path."""


@lru_cache(maxsize=4_096)
def parts_of(path: str) -> tuple[Part, ...]:
    """Raises ``Invalid`` for what is no path."""
    parts: list[Part] = []
    at = 0
    while at < len(path):
        found = _PART.match(path, at)
        if found is None or (at == 0 and path.startswith(".")):
            raise Invalid(f"{path!r} is not a path", field="Path")
        plain, index, single, double = found.groups()
        parts.append(int(index) if index is not None else next(p for p in (plain, single, double) if p is not None))
        at = found.end()
    if not parts:
        raise Invalid("a path may not be empty", field="Path")
    return tuple(parts)


def value_at(document: Any, path: str) -> Any:
    """Raises ``Undefined`` with the part that is not there."""
    value = document
    for part in parts_of(path):
        value = _member(value, part, path)
    return value


def _member(value: Any, part: Part, path: str) -> Any:
    if isinstance(part, int):
        if isinstance(value, list) and part < len(value):
            return value[part]
    elif isinstance(value, dict):
        if part in value:
            return value[part]
    elif isinstance(value, list):
        for element in value:
            if isinstance(element, dict) and part in _names(element):
                return element
    raise Undefined(f"there is no {part!r} in {path}")


def _names(element: dict[str, Any]) -> Iterator[Any]:
    return (value for key, value in element.items() if key.endswith("Name"))
