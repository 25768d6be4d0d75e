"""The tree of a query. Names are as written; the place of an expression is its first and last character's offset."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Literal:
    value: int | float | str


@dataclass(frozen=True, slots=True)
class Period:
    """A length of time: ``count`` of ``milliseconds``, or of ``months``."""

    milliseconds: int
    months: int = 0


@dataclass(frozen=True, slots=True)
class Field:
    """``name`` is a name that a command gave, a discovered field, or a path into either."""

    name: str
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """``name`` in lower case; known, and with as many arguments as it takes."""

    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """Arithmetic, a comparison, ``and``, ``or``, or ``not`` and ``-`` of one operand."""

    sign: str
    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Like:
    """``literal`` instead of ``pattern`` where plain text is looked for."""

    subject: Expression
    literal: str | None
    pattern: re.Pattern[str] | None
    negated: bool


@dataclass(frozen=True, slots=True)
class Among:
    subject: Expression
    values: tuple[Expression, ...]
    negated: bool


Expression = Literal | Period | Field | Call | Operation | Like | Among


@dataclass(frozen=True, slots=True)
class Named:
    """An expression and the name of its column; ``is_alias``: given with ``as``."""

    expression: Expression
    name: str
    is_alias: bool


@dataclass(frozen=True, slots=True)
class Aggregate:
    """``argument`` is missing in ``count(*)``; ``parameter`` is the percentage of ``pct``."""

    function: str
    argument: Expression | None
    name: str
    parameter: float = 0.0


@dataclass(frozen=True, slots=True)
class Fields:
    items: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Display:
    items: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    condition: Expression


@dataclass(frozen=True, slots=True)
class Parse:
    subject: Expression
    pattern: re.Pattern[str]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unnest:
    subject: Expression
    name: str


@dataclass(frozen=True, slots=True)
class Stats:
    aggregates: tuple[Aggregate, ...]
    by: tuple[Named, ...]
    results: tuple[Named, ...]
    """The columns besides ``by``."""


@dataclass(frozen=True, slots=True)
class Sort:
    keys: tuple[tuple[Expression, bool], ...]
    """Each with whether it is descending."""


@dataclass(frozen=True, slots=True)
class Limit:
    count: int


@dataclass(frozen=True, slots=True)
class Dedup:
    fields: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    subject: Expression


Command = Fields | Display | Filter | Parse | Unnest | Stats | Sort | Limit | Dedup | Pattern


def is_column(result: Named) -> bool:
    """Whether a result of ``stats`` is there with its groups: an aggregate as it is, or what they are made by."""
    return isinstance(result.expression, Field) and result.expression.name == result.name


def fields_in(expression: Expression) -> Iterator[Field]:
    match expression:
        case Field():
            yield expression
        case Call("bin", _):
            yield Field("@timestamp", ("@timestamp",))
        case Call(_, operands) | Operation(_, operands):
            for operand in operands:
                yield from fields_in(operand)
        case Like(subject, _, _, _):
            yield from fields_in(subject)
        case Among(subject, values, _):
            yield from fields_in(subject)
            for value in values:
                yield from fields_in(value)
        case _:
            return
