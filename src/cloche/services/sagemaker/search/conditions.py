"""From a SearchExpression to a WHERE. Names become SQL by ``properties``; every value travels as an argument.

docs.aws.amazon.com/sagemaker/latest/APIReference: API_Search, API_SearchExpression, API_Filter, API_NestedFilters,
API_VisibilityConditions.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from cloche.aws.operation import Members
from cloche.aws.resource import fact
from cloche.foundation.errors import Invalid
from cloche.services.sagemaker.search.properties import Property, Resolver, inside, unknown

Sql = tuple[str, tuple[Any, ...]]
CONDITIONS_MAX: Final = 50
DEPTH_MAX: Final = 20
# API_Filter: these may be asked several times for what they contain; of all others one may, once.
CONTAINS_OFTEN: Final = frozenset(
    {
        *("displayname", "experimentname", "trialname", "trialcomponentname"),
        *("tags", "inputartifacts", "outputartifacts"),
    }
)
CONTAINS_LIMIT: Final = fact(
    "ValidationException", "'CONTAINS' operator usage limit of 1 exceeded.", source="API_Filter"
)
_COMPARED: Final = {"GreaterThan": ">", "GreaterThanOrEqualTo": ">=", "LessThan": "<", "LessThanOrEqualTo": "<="}
_NUMBER: Final = (
    "(SELECT CASE WHEN typeof(v) IN ('integer', 'real') THEN v WHEN json_valid(v) AND"
    " json_type(v) IN ('integer', 'real') THEN CAST(v AS REAL) END FROM (SELECT {} AS v))"
)
"""A value that may be text as a number, NULL where it is none."""


def where(resolver: Resolver, expression: Members) -> Sql:
    """Raises ``Invalid`` and ``NotSupported``, naming what is wrong."""
    names = list(_names(expression, 0))
    if len(names) > CONDITIONS_MAX:
        raise Invalid(
            f"A search expression may have no more than {CONDITIONS_MAX} conditions", field="SearchExpression"
        )
    once = [
        name
        for name, operator in names
        if operator == "Contains" and name.partition(".")[0].lower() not in CONTAINS_OFTEN
    ]
    if len(once) > 1:
        raise CONTAINS_LIMIT.error()
    return _expression(resolver, expression)


def _names(expression: Members, depth: int) -> Iterator[tuple[str, str]]:
    if depth > DEPTH_MAX:
        raise Invalid(f"Search expressions may be nested {DEPTH_MAX} deep", field="SubExpressions")
    for each in expression.get("Filters") or ():
        yield each["Name"], each.get("Operator", "Equals")
    for nested in expression.get("NestedFilters") or ():
        for each in nested["Filters"]:
            yield each["Name"], each.get("Operator", "Equals")
    for sub in expression.get("SubExpressions") or ():
        yield from _names(sub, depth + 1)


def _expression(resolver: Resolver, expression: Members) -> Sql:
    parts = [_condition(resolver.resolve(each["Name"]), each) for each in expression.get("Filters") or ()]
    parts += [_nested(resolver, each) for each in expression.get("NestedFilters") or ()]
    parts += [_expression(resolver, each) for each in expression.get("SubExpressions") or ()]
    if not parts:
        raise Invalid(
            "A search expression needs at least one subexpression, filter, or nested filter", field="SearchExpression"
        )
    joint = " OR " if expression.get("Operator") == "Or" else " AND "
    return _joined(parts, joint)


def _joined(parts: list[Sql], joint: str) -> Sql:
    return "(" + joint.join(sql for sql, _ in parts) + ")", tuple(argument for _, some in parts for argument in some)


def _nested(resolver: Resolver, nested: Members) -> Sql:
    """One element of the list satisfies all of the filters."""
    name: str = nested["NestedPropertyName"]
    whole, element = resolver.nested(name)
    parts: list[Sql] = []
    for each in nested["Filters"]:
        if not each["Name"].lower().startswith(name.lower() + "."):
            raise unknown(each["Name"])
        parts.append(_condition(inside(each["Name"], element, each["Name"][len(name) + 1 :].split(".")), each))
    (table, arguments) = whole.loops[0]
    condition, more = _joined(parts, " AND ")
    return f"EXISTS (SELECT 1 FROM {table} WHERE {condition})", (*arguments, *more)  # noqa: S608 - made of constants


def _condition(found: Property, asked: Members) -> Sql:
    operator = asked.get("Operator", "Equals")
    value = asked.get("Value")
    if operator in ("Exists", "NotExists"):
        there = _looped(found, f"{found.sql} IS NOT NULL", found.arguments)
        return there if operator == "Exists" else _negated(there)
    if value is None:
        raise Invalid(f"The filter on {found.name} needs a Value for the operator {operator}", field="Value")
    if found.kind == "whole":
        raise Invalid(f"{found.name} is not a single value: only Exists and NotExists apply to it", field="Operator")
    if operator == "NotEquals":
        return _negated(_looped(found, *_equals(found, value)))
    if operator == "Equals":
        return _looped(found, *_equals(found, value))
    if operator in ("Contains", "In"):
        if found.kind in ("number", "time", "flag"):
            raise Invalid(f"{operator} is only supported for text properties, not for {found.name}", field="Operator")
        if operator == "Contains":
            return _looped(found, f"instr({found.sql}, ?) > 0", (*found.arguments, value))
        among = value.split(",")
        return _looped(found, f"{found.sql} IN ({', '.join('?' * len(among))})", (*found.arguments, *among))
    return _looped(found, *_compared(found, _COMPARED[operator], operator, value))


def _looped(found: Property, condition: str, arguments: tuple[Any, ...]) -> Sql:
    """Of a property in a list any element may satisfy the condition."""
    if not found.loops:
        return condition, arguments
    tables = ", ".join(table for table, _ in found.loops)
    of_tables = tuple(argument for _, some in found.loops for argument in some)
    return f"EXISTS (SELECT 1 FROM {tables} WHERE {condition})", (*of_tables, *arguments)  # noqa: S608 - constants


def _negated(condition: Sql) -> Sql:
    """What is not there does not satisfy a condition, so it satisfies the opposite."""
    return f"NOT coalesce({condition[0]}, 0)", condition[1]


def _equals(found: Property, value: str) -> Sql:
    if found.kind == "text":
        return f"{found.sql} = ?", (*found.arguments, value)
    if found.kind in ("loose", "hyperparameter"):
        number = _number(value)
        same = f"CAST({found.sql} AS TEXT) = ?", (*found.arguments, value)
        return same if number is None else _joined([same, _compared(found, "=", "Equals", value)], " OR ")
    return _compared(found, "=", "Equals", value)


def _compared(found: Property, sign: str, operator: str, value: str) -> Sql:
    if found.kind == "text":
        raise Invalid(f"{operator} is not supported for text properties such as {found.name}", field="Operator")
    if found.kind == "flag":
        if value.lower() not in ("true", "false") or sign != "=":
            raise Invalid(f"{found.name} is either true or false", field="Value")
        return f"{found.sql} = ?", (*found.arguments, int(value.lower() == "true"))
    if found.kind == "time":
        return f"{found.sql} {sign} ?", (*found.arguments, _moment(found.name, value))
    number = _number(value)
    if number is None:
        raise Invalid(f"{found.name} is compared with a number, not with {value!r}", field="Value")
    sql = found.sql if found.kind == "number" else _NUMBER.format(found.sql)
    if found.kind == "hyperparameter" and isinstance(number, int):
        # "If the specified Value is an integer, the decimal hyperparameter values are treated as integers."
        sql = f"CAST({sql} AS INTEGER)"
    return f"{sql} {sign} ?", (*found.arguments, number)


def _number(value: str) -> int | float | None:
    try:
        return int(value)
    except ValueError:
        pass
    try:
        number = float(value)
    except ValueError:
        return None
    return number if number - number == 0 else None  # neither infinite nor NaN


def _moment(name: str, value: str) -> float:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise Invalid(f"{name} is compared with a time such as 2026-11-25T10:30:00, not with {value!r}") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def visible(conditions: list[Members]) -> Sql:
    """Records without the tag are seen; those with it, if it has the value."""
    parts: list[Sql] = []
    for each in conditions:
        key = each.get("Key", "")
        if not key.startswith("Tags."):
            raise Invalid("The Key of a visibility condition has the form Tags.<key>", field="VisibilityConditions")
        held = "(SELECT value FROM tags WHERE tags.arn = records.arn AND tags.key = ?)"
        parts.append((f"coalesce({held} = ?, 1)", (key.removeprefix("Tags."), each.get("Value", ""))))
    return _joined(parts, " AND ")
