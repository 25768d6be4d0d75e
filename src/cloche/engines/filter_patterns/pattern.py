"""``compile_pattern``: the three kinds of pattern behind one face."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from cloche.engines.filter_patterns import columns, json_pattern, terms

Screen = Callable[[bytes], bool]
_NOTHING: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class FilterPattern:
    matches: Callable[[str], bool]
    screen: Screen | None = None
    """False for UTF-8 that holds no message that matches, nor any part of one; cheap. ``None``: no such test."""
    needle: bytes = b""
    """Stands in every message that matches, in UTF-8."""
    extract: Callable[[str], Mapping[str, str]] = lambda message: _NOTHING
    """The fields of a message that matches, as TestMetricFilter tells them."""


def compile_pattern(text: str) -> FilterPattern:
    """Raises ``Invalid`` for what cannot be read."""
    text = text.strip()
    if not text:
        return FilterPattern(lambda message: True)
    if text.startswith("{"):
        found = json_pattern.read_json_pattern(text)
        return FilterPattern(found.matches, found.screen, extract=found.extract)
    if text.startswith("["):
        shape = columns.read_columns(text)
        return FilterPattern(shape.matches, shape.screen, shape.needle, shape.extract)
    wanted = terms.read_terms(text)
    return FilterPattern(wanted.matches, wanted.screen, wanted.needle)
