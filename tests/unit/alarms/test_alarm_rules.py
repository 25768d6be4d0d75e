"""Rules of composite alarms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloche.engines.alarms import rule as rules
from cloche.foundation.errors import Invalid

STATES = {"a": "ALARM", "b": "OK", "c": "INSUFFICIENT_DATA", "d d": "ALARM", 'q"q': "ALARM"}


def holds(text: str) -> bool:
    return rules.holds(rules.read(text), STATES.get)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ALARM(a)", True),
        ("OK(a)", False),
        ("INSUFFICIENT_DATA(c)", True),
        ('ALARM("a") AND OK("b")', True),
        ("ALARM(b) OR ALARM(a)", True),
        ("ALARM(a) AND NOT OK(b)", False),
        ("NOT NOT ALARM(a)", True),
        ("NOT (ALARM(b) OR OK(a))", True),
        ("ALARM(b) AND ALARM(b) OR ALARM(a)", True),
        ("ALARM(b) AND (ALARM(b) OR ALARM(a))", False),
        ("TRUE", True),
        ("FALSE OR TRUE", True),
        ('ALARM("d d")', True),
        ('ALARM("q\\"q")', True),
        ("ALARM(gone)", False),
        ("AT_LEAST(2, ALARM, (a, b, c))", False),
        ("AT_LEAST(1, ALARM, (a, b, c))", True),
        ("AT_LEAST(50%, NOT ALARM, (a, b, c))", True),
        ('AT_LEAST(60%, NOT OK, ("a", "b", "c")) AND ALARM(a)', True),
        ("AT_LEAST(100%, NOT OK, (a, b))", False),
    ],
)
def test_what_holds(text: str, expected: bool) -> None:
    assert holds(text) is expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "(",
        "ALARM",
        "ALARM()",
        "ALARM(a",
        "ALARM(a) OK(b)",
        "AND ALARM(a)",
        "BROKEN(a)",
        'ALARM("a',
        "ALARM(a) XOR",
        "AT_LEAST(0, ALARM, (a))",
        "AT_LEAST(3, ALARM, (a))",
        "AT_LEAST(1, BAD, (a))",
        "AT_LEAST(1, ALARM, a)",
        "NOT",
        "(" * 200 + "TRUE" + ")" * 200,
        " OR ".join(["TRUE"] * 501),
        " OR ".join(f"ALARM(a{n})" for n in range(101)),
    ],
)
def test_what_cannot_be_read(text: str) -> None:
    with pytest.raises(Invalid):
        rules.read(text)


def test_children_are_named_once() -> None:
    read = rules.read("ALARM(a) OR (OK(b) AND NOT ALARM(a)) OR AT_LEAST(1, OK, (c, b))")
    assert rules.children(read) == ["a", "b", "c"]


@given(st.text(alphabet='()ALRMOKNTDE_,"\\ %12ab', max_size=60))
def test_anything_is_read_or_refused(text: str) -> None:
    try:
        rules.holds(rules.read(text), STATES.get)
    except Invalid:
        pass
