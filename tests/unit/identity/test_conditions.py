from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloche.engines.identity.policy import as_context
from cloche.engines.identity.policy.conditions import OPERATORS, compile_condition, parse_operator

MISSING: dict[str, Any] = {}


def holds(condition: dict[str, Any], **values: Any) -> bool:
    context = as_context((name.replace("_", ":"), value) for name, value in values.items())
    return all(clause.holds(context) for clause in compile_condition(condition, variables=True))


@pytest.mark.parametrize(
    ("operator", "listed", "yes", "no"),
    [
        ("StringEquals", "a", "a", "A"),
        ("StringEquals", ["a", "b"], "b", "c"),
        ("StringNotEquals", ["a", "b"], "c", "b"),
        ("StringEqualsIgnoreCase", "Straße", "STRASSE", "street"),
        ("StringNotEqualsIgnoreCase", "a", "b", "A"),
        ("StringLike", "home/*/x?", "home/me/x1", "home/me/x"),
        ("StringNotLike", "a*", "b", "ab"),
        ("NumericEquals", "10", "10.0", "11"),
        ("NumericNotEquals", 10, "9", "10"),
        ("NumericLessThan", "10", "9.99", "10"),
        ("NumericLessThanEquals", "10", "10", "10.01"),
        ("NumericGreaterThan", "10", "1e3", "10"),
        ("NumericGreaterThanEquals", "10", "10", "nonsense"),
        ("DateEquals", "2026-01-01T00:00:00Z", "1767225600", "1767225601"),
        ("DateNotEquals", "2026-01-01T00:00:00Z", "2026-01-02", "2026-01-01T01:00:00+01:00"),
        ("DateLessThan", "2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z"),
        ("DateLessThanEquals", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"),
        ("DateGreaterThan", "2026", "2026-06-01", "2025-12-31"),
        ("DateGreaterThanEquals", "2026-01-01", "2026-01-01T00:00:00Z", "2025-12-31"),
        ("Bool", True, "true", "false"),
        ("Bool", "false", "False", "true"),
        ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", "QmluYXJ6"),
        ("IpAddress", "10.0.0.0/8", "10.200.1.1", "11.0.0.1"),
        ("IpAddress", ["10.0.0.1", "2001:db8::/32"], "2001:db8::5", "10.0.0.2"),
        ("NotIpAddress", "10.0.0.0/8", "11.0.0.1", "10.0.0.1"),
        ("ArnEquals", "arn:aws:s3:::a*", "arn:aws:s3:::abc", "arn:aws:s3:::b"),
        ("ArnLike", "arn:aws:sns:*:1:*", "arn:aws:sns:x:1:t", "arn:aws:sns:x:2:t"),
        ("ArnNotEquals", "arn:aws:s3:::a", "arn:aws:s3:::b", "arn:aws:s3:::a"),
        ("ArnNotLike", "arn:aws:s3:::a*", "arn:aws:s3:::b", "arn:aws:s3:::abc"),
    ],
)
def test_each_operator(operator: str, listed: Any, yes: str, no: str) -> None:
    condition = {operator: {"X:Key": listed}}
    assert holds(condition, x_key=yes)
    assert not holds(condition, x_key=no)
    negated = OPERATORS[operator].negated
    assert holds(condition) == negated, "a key that is not there: false, but true for negated operators"
    assert holds({f"{operator}IfExists": {"x:key": listed}})
    assert not holds({f"{operator}IfExists": {"x:key": listed}}, x_key=no)
    assert holds({f"ForAllValues:{operator}": {"x:key": listed}}), "nothing is there to break the rule"
    assert not holds({f"ForAnyValue:{operator}": {"x:key": listed}})
    assert holds({f"ForAnyValue:{operator}": {"x:key": listed}}, x_key=[no, yes])
    assert not holds({f"ForAllValues:{operator}": {"x:key": listed}}, x_key=[no, yes])
    assert holds({f"ForAllValues:{operator}": {"x:key": listed}}, x_key=[yes, yes])


def test_every_operator_but_null_is_tried_above() -> None:
    tried = {mark.args[1][n][0] for mark in test_each_operator.pytestmark for n in range(len(mark.args[1]))}  # type: ignore[attr-defined]
    assert tried | {"Null"} == set(OPERATORS)


def test_null() -> None:
    assert holds({"Null": {"x:key": "true"}})
    assert not holds({"Null": {"x:key": "true"}}, x_key="v")
    assert holds({"Null": {"x:key": False}}, x_key="v")
    assert not holds({"Null": {"x:key": "false"}})


def test_operators_and_keys_are_all_needed() -> None:
    both = {"StringEquals": {"x:a": "1", "x:b": "2"}, "Bool": {"x:c": "true"}}
    assert holds(both, x_a="1", x_b="2", x_c="true")
    assert not holds(both, x_a="1", x_b="3", x_c="true")
    assert not holds(both, x_a="1", x_b="2", x_c="false")


def test_variables_in_values() -> None:
    mine = {"StringLike": {"s3:prefix": "home/${aws:username}/*"}}
    assert holds(mine, s3_prefix="home/ann/x", aws_username="ann")
    assert not holds(mine, s3_prefix="home/bob/x", aws_username="ann")
    assert not holds(mine, s3_prefix="home/${aws:username}/x"), "a variable without a value matches nothing"
    assert not holds({"StringNotLike": {"s3:prefix": "${aws:username}/*"}}, s3_prefix="x"), "nor fails to match"
    assert holds({"StringNotLike": {"s3:prefix": "${aws:username}/*"}}, s3_prefix="x", aws_username="ann")
    assert holds({"StringEquals": {"aws:userid": "${aws:username}"}}, aws_userid="ann", aws_username="ann")


@given(st.sampled_from(sorted(OPERATORS)), st.booleans(), st.sampled_from(["", "ForAllValues:", "ForAnyValue:"]))
def test_names_of_operators(name: str, if_exists: bool, prefix: str) -> None:
    parsed = parse_operator(prefix + name + ("IfExists" if if_exists else ""))
    if name == "Null" and (if_exists or prefix):
        assert parsed is None
    else:
        assert parsed == ({"": "", "ForAllValues:": "all", "ForAnyValue:": "any"}[prefix], name, if_exists)


@pytest.mark.parametrize("name", ["", "x", "ForAnyValue::StringEquals", "ForSome:StringEquals", "IfExists"])
def test_what_is_no_operator(name: str) -> None:
    assert parse_operator(name) is None
