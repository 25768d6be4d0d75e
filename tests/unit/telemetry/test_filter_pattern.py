"""Filter patterns against messages: the guide's examples, and random ones against plain evaluators."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloche.engines.filter_patterns import compile_pattern
from cloche.engines.filter_patterns.regex import read_regex
from cloche.foundation.errors import Invalid


def matches(pattern: str, message: str) -> bool:
    """And the screen never says no to what matches."""
    found = compile_pattern(pattern)
    answer = found.matches(message)
    if answer and found.screen is not None:
        assert found.screen(b"head\x00" + message.encode() + b"\x00tail"), (
            "a screen may only keep out what cannot match"
        )
    assert not answer or found.needle in message.encode()
    return answer


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        ("", "anything", True),
        ("   ", "anything", True),
        ("ERROR", "an ERROR here", True),
        ("ERROR", "an error here", False),
        ("ERROR disk", "disk ERROR", True),
        ("ERROR disk", "ERROR", False),
        ('"disk full"', "the disk full again", True),
        ('"disk full"', "full disk", False),
        ('"say \\"hi\\""', 'they say "hi"', True),
        ("?WARN ?ERROR", "WARN x", True),
        ("?WARN ?ERROR", "ERROR x", True),
        ("?WARN ?ERROR", "INFO x", False),
        ("ERROR -health", "ERROR health", False),
        ("ERROR -health", "ERROR x", True),
        ('-"health check"', "a health check", False),
        ("-health", "x", True),
        ("train:rmse", "[3]#011train:rmse:0.1", True),
        ("ERROR ?WARN", "ERROR", True),
        ("ERROR ?WARN", "WARN", False),
        ("%colou?r%", "the color", True),
        ("%colou?r%", "the colr", False),
        ("%200|404|500%", "status 404", True),
        ("%^ERROR%", "an ERROR", False),
        ("%[0-9a-f]{4}$%", "id beef", True),
        ("ERROR %10\\.10\\.0\\.1% -%GET|HEAD%", "ERROR 10.10.0.1 PUT", True),
        ("ERROR %10\\.10\\.0\\.1% -%GET|HEAD%", "ERROR 10.10.0.1 GET", False),
        ("?%a+b% ?c", "xaab", True),
        ('"☃"', "a ☃ here", True),
    ],
)
def test_terms(pattern: str, message: str, expected: bool) -> None:
    assert matches(pattern, message) is expected


TRAIL = {
    "eventType": "UpdateTrail",
    "sourceIPAddress": "111.111.111.111",
    "arrayKey": ["value", "another value"],
    "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
    "SomeObject": None,
    "ThisFlag": True,
    "latency": 1500.5,
    "code": 404,
    "text": "404",
    "a.b": "dotted",
    "user": {"id": 1, "email": "John.Stiles@example.com"},
    "users": [{"id": 2, "email": "John.Doe@example.com"}],
    "actions": ["GET", "PUT", "DELETE"],
    "coordinates": [[0, 1, 2], [4, 5, 6]],
    "small": 0.01,
    "literal": "Ev*ent",
}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ('{ $.eventType = "UpdateTrail" }', True),
        ("{ $.eventType = UpdateTrail }", True),
        ('{ $.eventType = "update" }', False),
        ("{ $.sourceIPAddress != 123.123.* }", True),
        ("{ $.sourceIPAddress != 111.111.* }", False),
        ('{ $.arrayKey[0] = "value" }', True),
        ('{ $.eventType[0] = "value" }', False),
        ("{ $.objectList[1].id = 2 }", True),
        ("{ $.objectList[2].id = 2 }", False),
        ("{ $.SomeObject IS NULL }", True),
        ("{ $.SomeOtherObject IS NULL }", False),
        ("{ $.SomeOtherObject NOT EXISTS }", True),
        ("{ $.SomeObject NOT EXISTS }", False),
        ("{ $.ThisFlag IS TRUE }", True),
        ("{ $.ThisFlag IS FALSE }", False),
        ("{ $.ThisFlag = true }", True),
        ('{ ($.user.id = 1) && ($.users[0].email = "John.Doe@example.com") }', True),
        ('{ ($.user.id = 2 && $.users[0].email = "nonmatch") || $.actions[2] = "GET" }', False),
        (
            '{ $.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = nonmatch && $.actions[2] = nomatch }',
            True,
        ),
        (
            '{ ($.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = no) && $.actions[2] = nomatch }',
            False,
        ),
        ("{ $.users = 1 }", False),
        ("{ $.users != 1 }", False),
        ("{ $.missing != 1 }", False),
        ("{ $.latency >= 500 }", True),
        ("{ $.latency > +15e2 }", True),
        ("{ $.small < 10e-3 }", False),
        ("{ $.small <= 10e-3 }", True),
        ("{ $.coordinates[1][0] < 10e3 }", True),
        ("{ $.code = 404 }", True),
        ("{ $.code = 404.0 }", True),
        ("{ $.code != 500 }", True),
        ("{ $.code = 4* }", True),
        ("{ $.text = 404 }", True),
        ("{ $.text > 400 }", False),
        ("{ $.eventType = *Trail }", True),
        ("{ $.eventType = Update* }", True),
        ("{ $.eventType = *date* }", True),
        ("{ $.eventType = Up*Trail }", False),
        ("{ $.literal = Ev*ent }", True),
        ("{ $.latency = * }", True),
        ("{ $.missing = * }", False),
        ("{ $.eventType = %Trail$% }", True),
        ("{ $.eventType = %^Trail% }", False),
        ("{ $.['a.b'] = dotted }", True),
        ('{ $.["a.b"] = dotted }', True),
        ("{ $.actions[*] = PUT }", True),
        ("{ $.objectList[*].name = c }", False),
        ("{$.code=404&&$.text=404}", True),
    ],
)
def test_json(pattern: str, expected: bool) -> None:
    assert matches(pattern, json.dumps(TRAIL)) is expected
    for other in ("no json", "[1]", "1", ""):
        assert not compile_pattern(pattern).matches(other)


def test_words_in_json_may_be_written_by_number() -> None:
    assert matches('{ $.a = "word" }', '{"a": "\\u0077ord"}')


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[ip, user, username, timestamp, request, status_code, bytes]", True),
        ("[ip, user, username, timestamp, request, status_code]", False),
        ("[..., status_code, bytes]", True),
        ("[ip, user, ..., status_code, bytes]", True),
        ("[ip, user, ...]", True),
        ("[...]", True),
        ("[ip, user, username, timestamp, request, status_code, bytes > 1000]", True),
        ("[ip, user, username, timestamp, request, status_code = 200, bytes]", False),
        ("[ip, user, username, timestamp, request = *html*, status_code = 4*, bytes]", True),
        ("[ip, user, username, timestamp, request, status_code = 4* && bytes > 1000]", False),
        ("[..., status_code = 4* && status_code != 403, bytes]", True),
        ("[..., status_code = 4* && status_code != 404, bytes]", False),
        ("[..., status_code = 500 || status_code = 404, size < 2e3]", True),
        ('[ip=%127\\.0\\.[0-9]\\.1%, user="-", ..., size]', True),
        ("[ip=!127.0.0.1, ...]", False),
        ("[..., request=*.html*, status_code=4*,]", True),
    ],
)
def test_columns(pattern: str, expected: bool) -> None:
    line = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'
    if "status_code = 4* && bytes" in pattern:
        with pytest.raises(Invalid):
            compile_pattern(pattern)
        return
    assert matches(pattern, line) is expected


def test_fields_are_told_by_name_or_number() -> None:
    line = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'
    assert compile_pattern("[..., request=*.html*, status_code=4*,]").extract(line) == {
        "$status_code": "404",
        "$request": "GET /index.html HTTP/1.0",
        "$7": "1534",
        "$4": "10/Oct/2000:13:25:15 -0700",
        "$3": "frank",
        "$2": "-",
        "$1": "127.0.0.1",
    }
    found = compile_pattern("{ $.a.b = 1 || $.c = * || $.d = x }").extract('{"a": {"b": 1}, "c": true}')
    assert found == {"$.a.b": "1", "$.c": "true"}
    assert compile_pattern("ERROR").extract("ERROR") == {}


@pytest.mark.parametrize(
    "pattern",
    [
        *('"open', "a{b", "x]", "%a", "%(a)%", "%a!%", "%[%", "%a{2%", "%a{3,2}%", "%é%", "%a**%"),
        *(
            "{",
            "{}",
            "{ $.a }",
            "{ $.a = }",
            "{ a = 1 }",
            "{ $.a = 1 ",
            "{ $.a < x }",
            "{ $.a IS 1 }",
            "{ $.a = 1 && }",
        ),
        *("{ ($.a = 1 }", "{ $.a = %x% && $.b = %y% && $.c = %z% }", "{ " + "(" * 100 + "$.a = 1" + ")" * 100 + " }"),
        *("[", "[a, ..., b, ...]", "[a = ]", "[a = 1 && b = 2]", "[a b]", "[1a = 2]", "[a < x]"),
    ],
)
def test_what_cannot_be_read(pattern: str) -> None:
    with pytest.raises(Invalid, match="pattern"):
        compile_pattern(pattern)


ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "[a-b]", "\\d", "\\w", "\\.", "0"])
COUNTS = st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{1,2}", "{1,}"])
ROWS = st.tuples(
    st.sampled_from(["", "^"]),
    st.lists(st.tuples(ATOMS, COUNTS).map("".join), max_size=5).map("".join),
    st.sampled_from(["", "$"]),
).map("".join)
EXPRESSIONS = st.lists(ROWS, min_size=1, max_size=3).map("|".join)


@settings(max_examples=500)
@given(EXPRESSIONS, st.text("ab0.\n☃", max_size=12))
def test_expressions_find_what_pythons_find(expression: str, text: str) -> None:
    plain = re.sub(r"\$(?=$|\|)", r"\\Z", expression)
    assert read_regex(expression).search(text) == (re.search(plain, text, re.ASCII) is not None)


def test_expressions_take_linear_time() -> None:
    found = compile_pattern("%" + "a*" * 30 + "b%")
    assert not found.matches("a" * 50_000 + "c")
    assert compile_pattern("%[ab]*a[ab]{201}c%").matches("ab" * 5_000 + "c") is True


SCALARS = st.one_of(st.integers(-3, 3), st.sampled_from(["x", "xy", "1"]), st.booleans(), st.none())
DOCUMENTS = st.dictionaries(st.sampled_from("abc"), st.one_of(SCALARS, st.lists(SCALARS, max_size=2)), max_size=3)
TESTS = st.one_of(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["=", "!=", "<", ">="]), st.integers(-3, 3)),
    st.tuples(st.sampled_from("abc"), st.sampled_from(["=", "!="]), st.sampled_from(["x", "x*", "*y"])),
    st.tuples(st.sampled_from("abc"), st.sampled_from(["IS NULL", "IS TRUE", "IS FALSE", "NOT EXISTS"])),
)
TREES = st.recursive(
    TESTS,
    lambda below: st.tuples(st.sampled_from(["&&", "||"]), below, below).map(lambda t: (t[0], t[1], t[2], 0)),
    max_leaves=6,
)


def text_of(tree: Any) -> str:
    match tree:
        case (sign, left, right, 0):
            return f"({text_of(left)}) {sign} ({text_of(right)})"
        case (name, sign, str(value)):
            return f'$.{name} {sign} "{value}"'
        case (name, sign, value):
            return f"$.{name} {sign} {value}"
        case (name, state):
            return f"$.{name} {state}"
    raise AssertionError(tree)


def plainly(tree: Any, document: dict[str, Any]) -> bool:
    match tree:
        case ("&&", left, right, 0):
            return plainly(left, document) and plainly(right, document)
        case ("||", left, right, 0):
            return plainly(left, document) or plainly(right, document)
        case (name, "NOT EXISTS"):
            return name not in document
        case (name, state):
            wanted = {"IS NULL": None, "IS TRUE": True, "IS FALSE": False}[state]
            return name in document and document[name] is wanted
        case (name, sign, wanted):
            value = document.get(name)
            if value is None or isinstance(value, list):
                return False
            is_number = isinstance(value, int) and not isinstance(value, bool)
            if sign in ("<", ">="):
                return is_number and (value < wanted if sign == "<" else value >= wanted)
            text = json.dumps(value) if not isinstance(value, str) else value
            if isinstance(wanted, int):
                equal = value == wanted if is_number else text == str(wanted)
            elif wanted == "x*":
                equal = text.startswith("x")
            else:
                equal = text.endswith("y") if wanted == "*y" else text == wanted
            return equal if sign == "=" else not equal
    raise AssertionError(tree)


@settings(max_examples=300)
@given(TREES, DOCUMENTS)
def test_random_json_patterns(tree: Any, document: dict[str, Any]) -> None:
    assert matches("{ " + text_of(tree) + " }", json.dumps(document)) == plainly(tree, document)


@given(st.text('ab "?-%{}[]$.=<>!&|(),*1\\', max_size=30), st.text('ab {}[]":1,', max_size=20))
def test_any_pattern_is_read_or_refused(pattern: str, message: str) -> None:
    try:
        matches(pattern, message)
    except Invalid:
        pass
