"""AWS's JSONPath for batch transform: ``$``, ``.name``, ``*``, ``['a','b']``, ``[1,3]``, ``[-1]``, ``[2:5]``.

The last element of a slice belongs to it: ``$[1:4]`` is the second to the fifth column, as AWS's guide says in so many
words, unlike most other JSONPath. What a path names and the data does not have is an error, never an empty answer.
Several names give an object, several numbers a list.
Source: docs.aws.amazon.com/sagemaker/latest/dg/batch-transform-data-processing.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

Step = Callable[[Any], Any]

_NAME = re.compile(r"\.([^\s.\[\]'\"*,:$]+)")
_NAMES = re.compile(r"\.?\[\s*('[^']*'|\"[^\"]*\")(\s*,\s*('[^']*'|\"[^\"]*\"))*\s*\]")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_SLICES = re.compile(r"\.?\[\s*(-?\d{1,9}|-?\d{0,9}:-?\d{0,9})(\s*,\s*(-?\d{1,9}|-?\d{0,9}:-?\d{0,9}))*\s*\]")
_ALL = re.compile(r"\.\*|\.?\[\s*\*\s*\]")


class PathRefused(ValueError):
    """The text is none of AWS's paths; the message says where it stops being one."""


class NotThere(LookupError):
    """The data has not what the path names; the message says what."""


class Path:
    """A path, read once. ``is_whole``: it is ``$``."""

    def __init__(self, text: str) -> None:
        """Raises ``PathRefused``."""
        self.text = text
        self.by_names = False
        self.steps = self._read(text.strip() or "$")
        self.is_whole = not self.steps

    def of(self, value: Any) -> Any:
        """What the path selects of ``value``. Raises ``NotThere``."""
        for step in self.steps:
            value = step(value)
        return value

    def of_row(self, count: int) -> Step:
        """The same for lists of ``count`` texts, found out once for all of them: a path over such a row selects by
        where a cell is, never by what it holds. Raises ``NotThere``."""
        chosen: Any = self.of(list(range(count)))
        if not isinstance(chosen, list):
            return itemgetter(chosen)
        first = chosen[0] if chosen else 0
        if chosen == list(range(first, first + len(chosen))):
            return itemgetter(slice(first, first + len(chosen)))
        return itemgetter(*chosen)

    def _read(self, text: str) -> list[Step]:
        if not text.startswith("$"):
            raise PathRefused(f"{text!r} does not begin with $")
        at, steps = 1, []
        while at < len(text):
            step, end = self._step(text, at)
            steps.append(step)
            at = end
        return steps

    def _step(self, text: str, at: int) -> tuple[Step, int]:
        if text.startswith("..", at) and not text.startswith("..[", at):
            raise PathRefused(f"{text!r}: .. is no operator that batch transform knows")
        if found := _ALL.match(text, at):
            return _all, found.end()
        if found := _NAMES.match(text, at):
            names = [quoted[1:-1] for quoted in _QUOTED.findall(found[0])]
            self.by_names = True
            return (_named(names[0]) if len(names) == 1 else _several_named(names)), found.end()
        if found := _SLICES.match(text, at):
            return _chosen(found[0]), found.end()
        if found := _NAME.match(text, at):
            self.by_names = True
            return _named(found[1]), found.end()
        raise PathRefused(f"{text!r} is not understood from {text[at : at + 20]!r} on")


def _all(value: Any) -> Any:
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list):
        return value
    raise NotThere("* is asked of what is neither an object nor a list")


def _named(name: str) -> Step:
    def step(value: Any) -> Any:
        if isinstance(value, list):  # what a wildcard has spread
            return [step(each) for each in value]
        if not isinstance(value, dict) or name not in value:
            raise NotThere(f"there is no attribute {name!r}")
        return value[name]

    return step


def _several_named(names: Sequence[str]) -> Step:
    def step(value: Any) -> Any:
        return {name: _named(name)(value) for name in names}

    return step


def _chosen(text: str) -> Step:
    """``[1]``, ``[1,3]``, ``[2:5]`` and lists of both, as in ``[0,5:]`` of the API's reference."""
    parts = [part.strip() for part in text.strip(".[] ").split(",")]
    if len(parts) == 1 and ":" not in parts[0]:
        number = int(parts[0])
        return lambda value: _list(value)[_index(value, number)]
    if len(parts) == 1:
        first, last = _ends(parts[0])
        return lambda value: _sliced(_list(value), first, last)
    chosen = [_ends(part) if ":" in part else int(part) for part in parts]

    def step(value: Any) -> Any:
        items = _list(value)
        found: list[Any] = []
        for each in chosen:
            found += _sliced(items, *each) if isinstance(each, tuple) else [items[_index(items, each)]]
        return found

    return step


def _ends(text: str) -> tuple[int | None, int | None]:
    first, _, last = text.partition(":")
    return int(first) if first.strip() else None, int(last) if last.strip() else None


def _list(value: Any) -> Any:
    if not isinstance(value, list):
        raise NotThere("a number is asked of what is no list")
    return value


def _index(items: Sequence[Any], number: int) -> int:
    if not -len(items) <= number < len(items):
        raise NotThere(f"index {number} is beyond the {len(items)} that there are")
    return number


def _sliced(items: Sequence[Any], first: int | None, last: int | None) -> Sequence[Any]:
    count = len(items)
    begin = 0 if first is None else _index(items, first) % count
    end = count if last is None else _index(items, last) % count + 1
    return items[begin:end]
