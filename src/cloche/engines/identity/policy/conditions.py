"""The ``Condition`` element: operators, their set forms, ``...IfExists`` and ``Null``.

All operators of a condition must hold (and), all keys under an operator must hold (and), one of the values of
a key is enough (or; for the negated operators none may match). A key that is not in the request makes a
condition false, but for negated operators, where it makes it true; ``IfExists`` makes it true for all. A variable
that has no value matches nothing, and makes a negated operator false: the statement does not apply then.

Source: docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html,
reference_policies_condition-logic-multiple-context-keys-or-values.html (``ForAllValues`` is true and
``ForAnyValue`` false for a key that is not there), reference_policies_variables.html ("if a variable can't be
resolved, this might cause the entire statement to be invalid").
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final

from cloche.engines.identity.policy.patterns import Token, Wild, matcher, resolve, tokens, variables_of

Context = Mapping[str, Sequence[str]]
"""What is known of a request: condition keys in lower case, each with its values as texts."""

Compare = Callable[[str, str], bool]
"""Whether a request's value (first) satisfies a policy's value (second)."""


# -- values ------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def number(text: str) -> Decimal | None:
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


@lru_cache(maxsize=4096)
def moment(text: str) -> float | None:
    """Seconds since 1970 of a date (W3C's ISO 8601 profile) or of a number that is one already."""
    if (seconds := number(text)) is not None and len(text) != 4:
        return float(seconds)
    try:
        at = datetime.fromisoformat(f"{text}-01-01" if len(text) == 4 else text)
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


@lru_cache(maxsize=4096)
def network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None


def truth(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.lower())


def _bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _within(address: str, block: str) -> bool:
    asked, held = network(address), network(block)
    if asked is None or held is None or asked.version != held.version:
        return False
    return asked.subnet_of(held)  # type: ignore[arg-type]


def _ordered(parse: Callable[[str], Any], holds: Callable[[Any, Any], bool]) -> Compare:
    def compare(asked: str, held: str) -> bool:
        left, right = parse(asked), parse(held)
        return left is not None and right is not None and holds(left, right)

    return compare


# -- operators ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Operator:
    compare: Compare | None
    """``None`` where the policy's value is a pattern."""
    negated: bool = False
    arn: bool = False
    valid: Callable[[str], object] = lambda text: True
    """Whether a policy's value is one that this operator understands."""


def _numbers(holds: Callable[[Any, Any], bool], *, negated: bool = False) -> Operator:
    return Operator(_ordered(number, holds), negated, valid=lambda text: number(text) is not None)


def _dates(holds: Callable[[Any, Any], bool], *, negated: bool = False) -> Operator:
    return Operator(_ordered(moment, holds), negated, valid=lambda text: moment(text) is not None)


def _same(left: Any, right: Any) -> bool:
    return bool(left == right)


def _less(left: Any, right: Any) -> bool:
    return bool(left < right)


def _at_most(left: Any, right: Any) -> bool:
    return bool(left <= right)


def _more(left: Any, right: Any) -> bool:
    return bool(left > right)


def _at_least(left: Any, right: Any) -> bool:
    return bool(left >= right)


def _same_in_any_case(left: str, right: str) -> bool:
    return left.casefold() == right.casefold()


def _is_network(text: str) -> bool:
    return network(text) is not None


def _is_truth(text: str) -> bool:
    return truth(text) is not None


OPERATORS: Final[Mapping[str, Operator]] = {
    "StringEquals": Operator(_same),
    "StringNotEquals": Operator(_same, negated=True),
    "StringEqualsIgnoreCase": Operator(_same_in_any_case),
    "StringNotEqualsIgnoreCase": Operator(_same_in_any_case, negated=True),
    "StringLike": Operator(None),
    "StringNotLike": Operator(None, negated=True),
    "NumericEquals": _numbers(_same),
    "NumericNotEquals": _numbers(_same, negated=True),
    "NumericLessThan": _numbers(_less),
    "NumericLessThanEquals": _numbers(_at_most),
    "NumericGreaterThan": _numbers(_more),
    "NumericGreaterThanEquals": _numbers(_at_least),
    "DateEquals": _dates(_same),
    "DateNotEquals": _dates(_same, negated=True),
    "DateLessThan": _dates(_less),
    "DateLessThanEquals": _dates(_at_most),
    "DateGreaterThan": _dates(_more),
    "DateGreaterThanEquals": _dates(_at_least),
    "Bool": Operator(_ordered(truth, _same), valid=_is_truth),
    "BinaryEquals": Operator(_ordered(_bytes, _same)),
    "IpAddress": Operator(_within, valid=_is_network),
    "NotIpAddress": Operator(_within, negated=True, valid=_is_network),
    "ArnEquals": Operator(None, arn=True),
    "ArnLike": Operator(None, arn=True),
    "ArnNotEquals": Operator(None, negated=True, arn=True),
    "ArnNotLike": Operator(None, negated=True, arn=True),
    "Null": Operator(_same, valid=_is_truth),
}
_IN_ANY_CASE: Final = {name.lower(): name for name in OPERATORS}
_SETS: Final = {"forallvalues": "all", "foranyvalue": "any"}


def parse_operator(text: str) -> tuple[str, str, bool] | None:
    """``ForAnyValue:StringLikeIfExists`` → ``("any", "StringLike", True)``; ``None`` for what is none."""
    prefix, colon, rest = text.partition(":")
    kind = _SETS.get(prefix.lower()) if colon else ""
    name = rest if colon else text
    if_exists = name.lower().endswith("ifexists")
    known = _IN_ANY_CASE.get(name[: -len("ifexists")].lower() if if_exists else name.lower())
    if kind is None or known is None or (known == "Null" and (if_exists or kind)):
        return None
    return kind, known, if_exists


# -- clauses -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Clause:
    """One operator over one key: ``values`` are what the policy lists."""

    kind: str
    """``all``, ``any`` or empty (a plain, single-valued condition)."""
    operator: str
    if_exists: bool
    key: str
    values: tuple[tuple[Token, ...], ...]

    @property
    def keys(self) -> frozenset[str]:
        """The condition keys that this clause asks the request for."""
        return frozenset({self.key}).union(*(variables_of(value) for value in self.values))

    def holds(self, context: Context) -> bool:
        asked = context.get(self.key)
        if self.operator == "Null":
            return (not asked) in {value == ("true",) for value in self.values}
        rule = OPERATORS[self.operator]
        if not asked:
            return self.if_exists or self.kind == "all" or (rule.negated and self.kind == "")
        held = [resolve(value, lambda key: _single(context, key)) for value in self.values]
        if rule.negated and None in held:
            return False
        each = (_matches(rule, value, held) != rule.negated for value in asked)
        if self.kind == "all" or (rule.negated and self.kind == ""):
            return all(each)
        return any(each)


def _matches(rule: Operator, asked: str, values: Sequence[tuple[str | Wild, ...] | None]) -> bool:
    for held in values:
        if held is None:
            continue
        if rule.compare is None:
            if matcher(held, arn=rule.arn)(asked):
                return True
        elif rule.compare(asked, held[0] if held and isinstance(held[0], str) else ""):
            return True
    return False


def _single(context: Context, key: str) -> str | None:
    values = context.get(key)
    return values[0] if values and len(values) == 1 else None


def compile_condition(condition: Mapping[str, Any], *, variables: bool) -> tuple[Clause, ...]:
    """The clauses of a valid ``Condition`` element."""
    clauses = []
    for name, keys in condition.items():
        parsed = parse_operator(name)
        if parsed is None:
            raise ValueError(f"{name} is no condition operator")
        kind, operator, if_exists = parsed
        patterned = OPERATORS[operator].compare is None
        for key, values in keys.items():
            listed = values if isinstance(values, list) else [values]
            cut = tuple(tokens(as_text(v), variables=variables, wildcards=patterned) for v in listed)
            if operator == "Null":
                cut = tuple((as_text(v).lower(),) for v in listed)
            clauses.append(Clause(kind, operator, if_exists, key.lower(), cut))
    return tuple(clauses)


def as_text(value: Any) -> str:
    """A JSON scalar in a condition as the text that is compared."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
