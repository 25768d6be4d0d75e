"""Event patterns, compiled once and then held against events.

A pattern mirrors the events it means: an object at each level, and at the leaves arrays of what a value may be. An
array in an event means any of its elements; of an array of objects one element has to fit all that the pattern asks
below it. What stands in an array of an array stands in the outer one too (``Event.traverseArray`` of
github.com/aws/event-ruler). Each node of a pattern looks at each node of an event at most once, so the work is
bounded by the product of their sizes whatever they hold.

docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cloche.engines.events.operators import Test, is_scalar, key_of, test_of
from cloche.foundation.errors import Invalid

DEPTH_MAX: Final = 32
_ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class _Leaf:
    exact: frozenset[tuple[str, Any]]
    tests: tuple[Test, ...]
    may_be_absent: bool
    any_there: bool

    def matches(self, value: Any) -> bool:
        if value is _ABSENT:
            return self.may_be_absent
        if isinstance(value, list):
            leaves = [each for each in value if not isinstance(each, dict)]
            return any(map(self.matches, leaves)) if leaves else self.may_be_absent
        if isinstance(value, dict):  # "exists matching only works on leaf nodes"
            return self.may_be_absent
        if self.any_there or key_of(value) in self.exact:
            return True
        return bool(self.tests) and any(test(value) for test in self.tests)


@dataclass(frozen=True, slots=True)
class _Node:
    fields: tuple[tuple[str, _Node | _Leaf], ...]
    either: tuple[tuple[_Node, ...], ...]
    """For each ``$or`` its alternatives."""

    def matches(self, value: Any) -> bool:
        if isinstance(value, list):
            objects = [each for each in value if isinstance(each, dict | list)]
            return any(map(self.matches, objects)) if objects else self._fits({})
        return self._fits(value if isinstance(value, dict) else {})

    def _fits(self, held: Mapping[str, Any]) -> bool:
        for name, below in self.fields:
            if not below.matches(held.get(name, _ABSENT)):
                return False
        return not self.either or all(any(each._fits(held) for each in either) for either in self.either)


class Pattern:
    """``matches`` an event, as a dictionary. ``sources`` are the only ones that can, where the pattern says so."""

    def __init__(self, root: _Node) -> None:
        self._root = root
        self.sources = _only(root, "source")
        self.detail_types = _only(root, "detail-type")

    def matches(self, event: Mapping[str, Any]) -> bool:
        return self._root.matches(event)

    def may_match(self, source: str, detail_type: str) -> bool:
        """Before there is an event: could one of these match?"""
        return (self.sources is None or source in self.sources) and (
            self.detail_types is None or detail_type in self.detail_types
        )


def compile_pattern(text: str) -> Pattern:
    """Raises ``Invalid``, in the words after AWS's "Event pattern is not valid. Reason: "."""
    try:
        document = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except Invalid:
        raise
    except (ValueError, RecursionError):
        raise Invalid("Unable to parse the event pattern as JSON") from None
    if not isinstance(document, dict):
        raise Invalid("Filter is not an object")
    if not document:
        raise Invalid("Empty objects are not allowed")
    return Pattern(_node(document, 0))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise Invalid("Path is repeated: a name stands twice in one object")
    return dict(pairs)


def _no_number(text: str) -> Any:
    raise Invalid(f"Invalid value: {text}")


def _node(document: Mapping[str, Any], depth: int) -> _Node:
    if depth > DEPTH_MAX:
        raise Invalid(f"Nested deeper than {DEPTH_MAX} levels")
    if not document:
        raise Invalid("Empty objects are not allowed")
    fields: list[tuple[str, _Node | _Leaf]] = []
    either: list[tuple[_Node, ...]] = []
    for name, below in document.items():
        if name == "$or" and isinstance(below, list) and len(below) > 1 and all(isinstance(b, dict) for b in below):
            either.append(tuple(_node(each, depth + 1) for each in below))
        elif isinstance(below, dict):
            fields.append((name, _node(below, depth + 1)))
        elif isinstance(below, list):
            fields.append((name, _leaf(below)))
        else:
            raise Invalid(f'"{name}" must be an object or an array')
    fields.sort(key=_cost)
    return _Node(tuple(fields), tuple(either))


def _cost(field: tuple[str, _Node | _Leaf]) -> int:
    """What says no soonest is asked first: plain values, then tests, then what lies deeper."""
    below = field[1]
    return 2 if isinstance(below, _Node) else 1 if below.tests else 0


def _leaf(options: Sequence[Any]) -> _Leaf:
    if not options:
        raise Invalid("Empty arrays are not allowed")
    exact, tests, may_be_absent, any_there = set(), [], False, False
    for option in options:
        if is_scalar(option):
            exact.add(key_of(option))
        elif isinstance(option, dict) and len(option) == 1:
            name, argument = next(iter(option.items()))
            if name != "exists":
                tests.append(test_of(name, argument))
            elif not isinstance(argument, bool):
                raise Invalid("exists match pattern must be either true or false.")
            else:
                may_be_absent, any_there = may_be_absent or not argument, any_there or argument
        elif isinstance(option, dict):
            raise Invalid("Only one key allowed in match expression")
        else:
            raise Invalid("Match value must be String, number, true, false, or null")
    return _Leaf(frozenset(exact), tuple(tests), may_be_absent, any_there)


def _only(root: _Node, name: str) -> frozenset[str] | None:
    leaf = dict(root.fields).get(name)
    if not isinstance(leaf, _Leaf) or leaf.tests or leaf.any_there or leaf.may_be_absent:
        return None
    return frozenset(value for kind, value in leaf.exact if kind == "text")
