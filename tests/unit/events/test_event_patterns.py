"""Event patterns: AWS's own examples, what is refused, and what would take others for ever."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloche.engines.events import compile_pattern
from cloche.foundation.errors import Invalid


def matches(pattern: Any, event: Any) -> bool:
    return compile_pattern(json.dumps(pattern)).matches(event)


# docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
YES: list[tuple[Any, Any]] = [
    ({"a": ["x", "y"]}, {"a": "y"}),
    ({"a": ["x"]}, {"a": ["z", "x"]}),
    ({"a": [""]}, {"a": ""}),
    ({"a": [None]}, {"a": None}),
    ({"a": [True]}, {"a": True}),
    ({"a": [300]}, {"a": 300}),
    ({"a": [300.0]}, {"a": 300.0}),
    ({"a": {"b": ["x"]}}, {"a": {"b": "x", "c": 1}}),
    ({"a": [{"prefix": "us-"}]}, {"a": "us-east-1"}),
    ({"a": [{"prefix": {"equals-ignore-case": "EventB"}}]}, {"a": "eventbridge"}),
    ({"a": [{"suffix": ".png"}]}, {"a": "x.png"}),
    ({"a": [{"suffix": {"equals-ignore-case": ".PNG"}}]}, {"a": "x.png"}),
    ({"a": [{"equals-ignore-case": "alice"}]}, {"a": "ALICE"}),
    ({"a": [{"wildcard": "dir/*/x*.txt"}]}, {"a": "dir/sub/xyz.txt"}),
    ({"a": [{"wildcard": r"a\*b\\*"}]}, {"a": r"a*b\anything"}),
    ({"a": [{"anything-but": "initializing"}]}, {"a": "running"}),
    ({"a": [{"anything-but": ["x", "y"]}]}, {"a": "z"}),
    ({"a": [{"anything-but": [100, 200]}]}, {"a": 300}),
    ({"a": [{"anything-but": 1}]}, {"a": True}),
    ({"a": [{"anything-but": 1}]}, {"a": "1"}),
    ({"a": ["x"]}, {"a": [1, [2, ["x"]]]}),
    ({"a": [{"exists": False}]}, {"a": [[], [{}]]}),
    ({"a": [{"anything-but": {"prefix": "us-"}}]}, {"a": "eu-west-1"}),
    ({"a": [{"anything-but": {"prefix": ["us-", "eu-"]}}]}, {"a": "ap-1"}),
    ({"a": [{"anything-but": {"suffix": ".png"}}]}, {"a": "x.jpg"}),
    ({"a": [{"anything-but": {"equals-ignore-case": ["X", "Y"]}}]}, {"a": "z"}),
    ({"a": [{"anything-but": {"wildcard": "*/lib/*"}}]}, {"a": "/usr/bin"}),
    ({"a": [{"numeric": [">", 0, "<=", 5]}]}, {"a": 5}),
    ({"a": [{"numeric": ["=", 100]}]}, {"a": 1e2}),
    ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": "10.0.0.255"}),
    ({"a": [{"cidr": "2001:db8::/32"}]}, {"a": "2001:db8::1"}),
    ({"a": [{"exists": True}]}, {"a": None}),
    ({"a": [{"exists": False}]}, {"b": 1}),
    ({"a": {"b": [{"exists": False}]}}, {"c": 1}),
    ({"a": [{"exists": False}, "x"]}, {"a": "x"}),
    ({"a": {"b": ["x"], "c": ["y"]}}, {"a": [{"b": "w", "c": "y"}, {"b": "x", "c": "y"}]}),
    ({"$or": [{"a": ["x"]}, {"b": [{"numeric": [">", 1]}]}]}, {"b": 2}),
    ({"a": {"$or": [{"b": [1]}, {"c": [2]}]}, "d": [3]}, {"a": {"c": 2}, "d": 3}),
    ({"$or": ["x", "y"]}, {"$or": "x"}),
]
NO: list[tuple[Any, Any]] = [
    ({"a": ["x"]}, {"a": "X"}),
    ({"a": ["x"]}, {}),
    ({"a": [1]}, {"a": True}),
    ({"a": [1]}, {"a": "1"}),
    ({"a": [300]}, {"a": 300.0}),
    ({"a": {"b": ["x"]}}, {"a": "x"}),
    ({"a": ["x"], "b": ["y"]}, {"a": "x"}),
    ({"a": [{"prefix": "us-"}]}, {"a": 5}),
    ({"a": [{"wildcard": "dir/*/x.txt"}]}, {"a": "dir/x.txt"}),
    ({"a": [{"wildcard": "ab*ba"}]}, {"a": "aba"}),
    ({"a": [{"anything-but": "x"}]}, {}),
    ({"a": [{"anything-but": [100, 200]}]}, {"a": 100.0}),
    ({"a": [{"exists": False}]}, {"a": [[1]]}),
    ({"a": [{"anything-but": {"wildcard": "*/lib/*"}}]}, {"a": "/usr/lib/x"}),
    ({"a": [{"numeric": [">", 0, "<=", 5]}]}, {"a": 5.1}),
    ({"a": [{"numeric": [">", 0]}]}, {"a": "3"}),
    ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": "10.0.1.0"}),
    ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": "not an address"}),
    ({"a": [{"exists": True}]}, {"a": {"b": 1}}),
    ({"a": [{"exists": False}]}, {"a": 0}),
    ({"a": {"b": ["x"], "c": ["y"]}}, {"a": [{"b": "x", "c": "z"}, {"b": "w", "c": "y"}]}),
    ({"$or": [{"a": ["x"]}, {"b": ["y"]}]}, {"a": "y", "b": "x"}),
]
BAD: list[tuple[str, str]] = [
    ("[]", "Filter is not an object"),
    ("{", "Unable to parse"),
    ("{}", "Empty objects are not allowed"),
    ('{"a": []}', "Empty arrays are not allowed"),
    ('{"a": {}}', "Empty objects are not allowed"),
    ('{"a": "x"}', '"a" must be an object or an array'),
    ('{"a": [{"like": "x"}]}', "Unrecognized match type like"),
    ('{"a": [{"exists": "true"}]}', "exists match pattern must be either true or false."),
    ('{"a": [{"numeric": [">", "25"]}]}', "Value of numeric match must be numeric"),
    ('{"a": [{"numeric": [">", 5, "<", 1]}]}', "Bottom must be less than top"),
    ('{"a": [{"numeric": [">", 1e12]}]}', "Value must be between"),
    ('{"a": [{"wildcard": "a**b"}]}', "Consecutive wildcard characters"),
    ('{"a": [{"wildcard": "a\\\\x"}]}', "Invalid escape character"),
    ('{"a": [{"anything-but": []}]}', "anything-but"),
    ('{"a": [{"anything-but": ["x", 1]}]}', "mixed type"),
    ('{"a": [{"anything-but": null}]}', "null|boolean is not supported"),
    ('{"a": [{"anything-but": [true, "x"]}]}', "null|boolean is not supported"),
    ('{"a": [{"anything-but": {"numeric": ["=", 1]}}]}', "Unsupported anything-but pattern"),
    ('{"a": [{"cidr": "10.0.0.0/64"}]}', "Malformed CIDR"),
    ('{"a": [{"prefix": "x", "suffix": "y"}]}', "Only one key allowed"),
    ('{"a": [["x"]]}', "Match value must be"),
    ('{"a": [1], "a": [2]}', "repeated"),
    ("[" * 100_000, "Unable to parse"),
    ('{"a":' * 40 + '["x"]' + "}" * 40, "Nested deeper"),
]


@pytest.mark.parametrize(("pattern", "event"), YES)
def test_it_matches(pattern: Any, event: Any) -> None:
    assert matches(pattern, event)


@pytest.mark.parametrize(("pattern", "event"), NO)
def test_it_does_not_match(pattern: Any, event: Any) -> None:
    assert not matches(pattern, event)


@pytest.mark.parametrize(("text", "reason"), BAD, ids=[reason for _, reason in BAD])
def test_what_is_no_pattern_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(Invalid) as refused:
        compile_pattern(text)
    assert reason in refused.value.message


def test_a_pattern_that_would_go_back_and_forth_ends() -> None:
    """As a regular expression this needs more steps than there is time."""
    pattern = compile_pattern(json.dumps({"a": [{"wildcard": "*a" * 200 + "*b"}]}))
    assert not pattern.matches({"a": "a" * 100_000})


def test_nested_alternatives_over_arrays_stay_within_the_product_of_the_sizes() -> None:
    pattern: Any = {"x": ["no"]}
    for _ in range(12):
        pattern = {"a": {"$or": [pattern, {"y": ["no"]}]}}
    event: Any = {"x": "yes"}
    for _ in range(12):
        event = {"a": [event, {"y": "yes"}]}
    assert not matches(pattern, event)


def test_it_tells_before_there_is_an_event() -> None:
    pattern = compile_pattern('{"source": ["aws.sagemaker"], "detail-type": ["A", "B"]}')
    assert pattern.may_match("aws.sagemaker", "B")
    assert not pattern.may_match("aws.s3", "B")
    assert not pattern.may_match("aws.sagemaker", "C")
    assert compile_pattern('{"detail": {"x": [1]}}').may_match("any", "thing")
