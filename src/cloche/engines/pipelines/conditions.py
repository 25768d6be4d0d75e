"""Conditions of a Condition step: all of its list must hold.

Forms: ``workflow/conditions.py`` of the SDKs, which write ``Condition`` below ``Not``; the published JSON schema has
``Expression`` there, so both are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from cloche.engines.pipelines.expressions import Scope, evaluate
from cloche.engines.pipelines.references import Undefined
from cloche.foundation.errors import Invalid

COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "Equals": lambda left, right: left == right,
    "GreaterThan": lambda left, right: left > right,
    "GreaterThanOrEqualTo": lambda left, right: left >= right,
    "LessThan": lambda left, right: left < right,
    "LessThanOrEqualTo": lambda left, right: left <= right,
}
NOT, OR, AND, IN = "Not", "Or", "And", "In"
DEPTH_MAX: Final = 64


def check(condition: Any, depth: int = 1) -> None:
    """Raises ``Invalid`` unless ``condition`` is one, all the way down."""
    if depth > DEPTH_MAX:
        raise Invalid(f"conditions may not be nested deeper than {DEPTH_MAX}", field="Conditions")
    if not isinstance(condition, dict):
        raise Invalid("Expecting start of Json Object", field="Conditions")
    kind = condition.get("Type")
    if kind in COMPARISONS:
        _need(condition, kind, "LeftValue", "RightValue")
    elif kind == IN:
        _need(condition, kind, "QueryValue", "Values")
        if not isinstance(condition["Values"], list):
            raise Invalid("Values of an In condition must be a list", field="Values")
    elif kind in (NOT, OR, AND):
        for inner in inner_of(condition):
            check(inner, depth + 1)
    else:
        raise Invalid(f"{kind!r} is not a type of condition", field="Conditions")


def _need(condition: dict[str, Any], kind: str, *members: str) -> None:
    for member in members:
        if member not in condition:
            raise Invalid(f"a condition {kind} needs {member}", field=member)


def inner_of(condition: dict[str, Any]) -> Iterator[Any]:
    """The conditions that ``condition`` is about."""
    if condition["Type"] == NOT:
        found = condition.get("Condition", condition.get("Expression"))
        if found is None:
            raise Invalid("a condition Not needs the Condition it negates", field="Condition")
        yield found
        return
    several = condition.get("Conditions")
    if not isinstance(several, list):
        raise Invalid(f"a condition {condition['Type']} needs a list of Conditions", field="Conditions")
    yield from several


def holds(condition: dict[str, Any], scope: Scope) -> bool:
    """Raises ``Undefined`` where a value is not there or cannot be compared."""
    kind = condition["Type"]
    if kind == NOT:
        return not all(holds(inner, scope) for inner in inner_of(condition))
    if kind == OR:
        return any(holds(inner, scope) for inner in inner_of(condition))
    if kind == AND:
        return all(holds(inner, scope) for inner in inner_of(condition))
    if kind == IN:
        return evaluate(condition["QueryValue"], scope) in evaluate(condition["Values"], scope)
    left, right = evaluate(condition["LeftValue"], scope), evaluate(condition["RightValue"], scope)
    if not _comparable(left, right):
        raise Undefined(
            f"Condition of type {kind} cannot compare {left!r} ({_type(left)}) with {right!r} ({_type(right)})"
        )
    return COMPARISONS[kind](left, right)


def _comparable(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return isinstance(left, bool) and isinstance(right, bool)
    numbers = (int, float)
    return (isinstance(left, numbers) and isinstance(right, numbers)) or (
        isinstance(left, str) and isinstance(right, str)
    )


def _type(value: Any) -> str:
    names: dict[type, str] = {bool: "Boolean", int: "Integer", float: "Float", str: "String", type(None): "null"}
    return names.get(type(value), "a structure")
