"""What each command and function means, a table for each. Sources stand in the modules under test."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from insights_events import AT, answered, events_of

from cloche.engines.log_insights.language import QueryError, read_query

PEOPLE = events_of(
    [
        {"name": "ann", "age": 31, "tags": ["a", "b"], "address": {"city": "Bern", "zip": "3000"}, "ok": True},
        {"name": "bob", "age": "27", "ok": False},
        {"name": "cyd", "score": 2.5, "a.b": "dotted", "a": {"b": "nested"}},
        "plain text, ann=12 [WARN] done",
        '{"name": "broken',
    ]
)

FILTERS: list[tuple[str, list[int]]] = [
    ("name = 'ann'", [0]),
    ('name = "ann"', [0]),
    ("name != 'ann'", [1, 2, 3, 4]),
    ("age = 27", [1]),
    ("age = '27'", [1]),
    ("age > 27", [0]),
    ("27 < age", [0]),
    ("age >= 27", [0, 1]),
    ("age <= 27.0", [1]),
    ("age < 100 and name = 'bob'", [1]),
    ("name = 'ann' or name = 'cyd'", [0, 2]),
    ("not (name = 'ann' or name = 'cyd')", [1, 3, 4]),
    ("not not name = 'ann'", [0]),
    ("name in ['ann', 'bob']", [0, 1]),
    ("name not in ['ann', 'bob']", [2, 3, 4]),
    ("age in [31]", [0]),
    ("name like 'n'", [0]),
    ("name like /^[ab]/", [0, 1]),
    ("name =~ /^[ab]/", [0, 1]),
    ("name not like /^[ab]/", [2, 3, 4]),
    ("@message like 'ann'", [0, 3]),
    ("@message like /ann/", [0, 3]),
    ("@message like /(?i)PLAIN/", [3]),
    ("@message not like 'ann'", [1, 2, 4]),
    ("@message like /\\[WARN\\]/", [3]),
    ("@message like /[\\[][A-Z]{4}[]]/", [3]),
    ("name like /^(?<first>[^bc])/", [0]),
    ("name like /(?<=a)nn(?<!b)/", [0]),
    ("ispresent(age)", [0, 1]),
    ("isPresent(age)", [0, 1]),
    ("not ispresent(name)", [3, 4]),
    ("ok = 1", [0]),
    ("ok = 0", [1]),
    ("ok = 'true'", [0]),
    ("address.city = 'Bern'", [0]),
    ("address.zip = 3000", [0]),
    ("tags.1 = 'b'", [0]),
    ("tags[1] = 'b'", [0]),
    ("ispresent(tags)", []),
    ("ispresent(address)", []),
    ("a.b = 'dotted'", [2]),
    ("`a.b` = 'dotted'", [2]),
    ("age * 2 = 54", [1]),
    ("age % 2 = 1 and age - 30 > 0", [0]),
    ("age = name", []),
    ("score = 5 / 2", [2]),
    ("@timestamp = 1764115201000", [1]),
    ("@timestamp >= 1764115203000", [3, 4]),
    ("@logStream = 's' and @log = '1:g'", [0, 1, 2, 3, 4]),
    ("@ingestionTime > @timestamp", [0, 1, 2, 3, 4]),
    ("strlen(name) = 3 # and a comment | filter\n", [0, 1, 2]),
    ("abs(score - 3) < 1", [2]),
    ("1 = 1", [0, 1, 2, 3, 4]),
    ("age", [0, 1]),
]


@pytest.mark.parametrize(("condition", "expected"), FILTERS)
def test_filters(condition: str, expected: list[int]) -> None:
    rows = answered(f"fields @timestamp | filter {condition} | sort @timestamp asc | display toMillis(@timestamp) as t",
                    PEOPLE)  # fmt: skip
    assert [(int(row["t"]) - AT) // 1000 for row in rows] == expected
    assert answered(f"where {condition} | stats count(*) as n", PEOPLE, split=1, processes=2) == (
        [{"n": str(len(expected))}] if expected else []
    )


VALUES: list[tuple[str, str | None]] = [
    ("1 + 2 * 3", "7"),
    ("(1 + 2) * 3", "9"),
    ("7 / 2", "3.5"),
    ("6 / 2", "3"),
    ("1 / 0", None),
    ("7 % 4", "3"),
    ("-7 % 4", "-3"),
    ("2 ^ 10", "1024"),
    ("-2 ^ 2", "-4"),
    ("2 ^ -2", "0.25"),
    ("10 - 4 - 3", "3"),
    ("'x' + 1", None),
    ("age + 1", "32"),
    ("missing + 1", None),
    ("10 ^ 400", None),
    ("abs(-3)", "3"),
    ("ceil(2.1)", "3"),
    ("floor(-2.1)", "-3"),
    ("round(2.5)", "3"),
    ("sqrt(-1)", None),
    ("sqrt(9)", "3"),
    ("log(0)", None),
    ("greatest(1, 12, 3)", "12"),
    ("least(4, age, 2)", "2"),
    ("toNumber('1.50')", "1.5"),
    ("concat('a', age, 'b')", "a31b"),
    ("strlen('äöü')", "3"),
    ("toupper(name)", "ANN"),
    ("tolower('ABC')", "abc"),
    ("trim('  x ')", "x"),
    ("trim('xxaxx', 'x')", "a"),
    ("ltrim('  x ')", "x "),
    ("rtrim('xyy', 'y')", "x"),
    ("substr('hello', 1)", "ello"),
    ("substr('hello', 1, 3)", "ell"),
    ("replace('aXbXc', 'X', '-')", "a-b-c"),
    ("regex_replace('a1b22c', /\\d+/, '#')", "a#b#c"),
    ("strcontains('hello', 'ell')", "1"),
    ("strcontains('hello', 'ELL')", "0"),
    ("startsWith('hello', 'he')", "1"),
    ("isempty('')", "1"),
    ("isempty(missing)", "1"),
    ("isblank('  ')", "1"),
    ("isblank(name)", "0"),
    ("ispresent(name)", "1"),
    ("coalesce(missing, name, 'z')", "ann"),
    ("if(age > 30, 'old', 'young')", "old"),
    ("if(age > 40, 'old', name)", "ann"),
    ("case(age > 40, 'a', age > 30, 'b', 'c')", "b"),
    ("bin(1h)", "2025-11-26 00:00:00.000"),
    ("datefloor(@timestamp, 1d)", "2025-11-26 00:00:00.000"),
    ("datefloor(@timestamp, 1mo)", "2025-11-01 00:00:00.000"),
    ("datefloor(@timestamp, 1 quarter)", "2025-10-01 00:00:00.000"),
    ("datefloor(@timestamp, 2 years)", "2024-01-01 00:00:00.000"),
    ("dateceil(@timestamp, 1mon)", "2025-12-01 00:00:00.000"),
    ("dateceil(fromMillis(1764115200001), 1s)", "2025-11-26 00:00:01.000"),
    ("dateceil(@timestamp, 1d)", "2025-11-26 00:00:00.000"),
    ("fromMillis(0)", "1970-01-01 00:00:00.000"),
    ("toMillis(@timestamp)", str(AT)),
    ("@timestamp", "2025-11-26 00:00:00.000"),
    ("now()", str(AT // 1000)),
    ("jsonStringify(jsonParse('{\"k\": [1, 2]}'))", '{"k":[1,2]}'),
    ("jsonParse('[1')", None),
    ("isValidIp('10.0.0.1')", "1"),
    ("isValidIp('10.0.0.256')", "0"),
    ("isValidIpV4('::1')", "0"),
    ("isValidIpV6('::1')", "1"),
    ("isIpInSubnet('10.1.2.3', '10.0.0.0/8')", "1"),
    ("isIpv4InSubnet('11.1.2.3', '10.0.0.0/8')", "0"),
    ("isIpv6InSubnet('2001:db8::1', '2001:db8::/32')", "1"),
    ("isIpInSubnet('10.1.2.3', 'nothing')", "0"),
    ("md5('a')", "0cc175b9c0f1b6a831c399e269772661"),
    ("base64decode(base64encode('ö'))", "ö"),
    ("urldecode(urlencode('a b/ö'))", "a b/ö"),
    ("score", None),
    ("ok", "1"),
    ("address.city", "Bern"),
    ("1.0", "1"),
    ("0.1 + 0.2", "0.30000000000000004"),
]


@pytest.mark.parametrize(("expression", "expected"), VALUES)
def test_values(expression: str, expected: str | None) -> None:
    (row,) = answered(f"fields {expression} as value", PEOPLE[:1])
    assert row.get("value") == expected
    if expected is not None:
        assert answered(f"filter {expression} = value | stats count(*) as n", PEOPLE[:1]) == []


def test_columns_are_those_that_were_named() -> None:
    assert list(answered("limit 1", PEOPLE)[0]) == ["@timestamp", "@message"]
    assert list(answered("fields age, name as who, age * 2 | filter age > 30", PEOPLE)[0]) == ["age", "who", "age * 2"]
    assert list(answered("fields age | display name, strlen(name)", PEOPLE[:1])[0]) == ["name", "strlen(name)"]
    query = "fields name | parse @message 'ann=* [*] *' as n, level, rest"
    assert answered(query, PEOPLE[3:4]) == [{"n": "12", "level": "WARN", "rest": "done"}]


def test_parse_finds_fields_in_texts() -> None:
    line = events_of(["user=ann, took 12 ms; path=/a/b", "nothing"])
    for query in (
        "parse @message 'user=*, took * ms; path=*' as user, took, path",
        "parse @message /user=(?<user>\\w+), took (?<took>\\d+) ms; path=(?<path>.*)/",
    ):
        found = answered(f"{query} | filter ispresent(user) | display user, took + 1 as t, path", line)
        assert found == [{"user": "ann", "t": "13", "path": "/a/b"}]
    query = "fields concat(@message, '!') as m | parse m '*!' as x | filter x = 'nothing' | display x"
    assert answered(query, line) == [{"x": "nothing"}]


NUMBERS = events_of([{"n": n, "s": f"x{n % 3}", "t": n / 4} for n in range(12)])
STATISTICS: list[tuple[str, str | None]] = [
    ("count(*)", "12"),
    ("count()", "12"),
    ("count(n)", "12"),
    ("count(missing)", "0"),
    ("count_distinct(s)", "3"),
    ("sum(n)", "66"),
    ("avg(n)", "5.5"),
    ("avg(missing)", None),
    ("min(n)", "0"),
    ("max(n)", "11"),
    ("max(s)", "x2"),
    ("pct(n, 50)", "5.5"),
    ("pct(n, 100)", "11"),
    ("pct(n, 0)", "0"),
    ("median(n)", "5.5"),
    ("stddev(n)", "3.605551275463989"),
    ("earliest(n)", "0"),
    ("latest(n)", "11"),
    ("earliest(@timestamp)", str(AT)),
    ("sortsFirst(s)", "x0"),
    ("sortsLast(s)", "x2"),
    ("sum(n * 2 + 1)", "144"),
    ("max(if(n > 5, 1, 0))", "1"),
]


@pytest.mark.parametrize(("aggregate", "expected"), STATISTICS)
@pytest.mark.parametrize("processes", [1, 3])
def test_statistics(aggregate: str, expected: str | None, processes: int) -> None:
    (row,) = answered(f"stats {aggregate} as v", NUMBERS, split=2, processes=processes)
    if expected is None or "." not in expected:
        assert row.get("v") == expected
    else:
        assert float(row["v"]) == pytest.approx(float(expected))


def test_groups() -> None:
    rows = answered(
        "stats count(*) as n by bin(4s) as t, s | sort t asc, s desc | limit 3", NUMBERS, split=1, processes=2
    )
    assert rows == [
        {"t": "2025-11-26 00:00:00.000", "s": "x2", "n": "1"},
        {"t": "2025-11-26 00:00:00.000", "s": "x1", "n": "1"},
        {"t": "2025-11-26 00:00:00.000", "s": "x0", "n": "2"},
    ]
    assert [row["bin(4s)"][-6:] for row in answered("stats count(*) by bin(4s)", NUMBERS)] == [
        "08.000",
        "04.000",
        "00.000",
    ]
    rows = answered("stats max(n) by bin(4s), n % 2 | sort bin(4s) asc, max(n) desc | display bin(4s), max(n)", NUMBERS)
    assert [(row["bin(4s)"][-6:], row["max(n)"]) for row in rows][:3] == [
        ("00.000", "3"),
        ("00.000", "2"),
        ("04.000", "7"),
    ]
    assert answered("stats count(*) as n by n > 5", NUMBERS) == [{"n > 5": "0", "n": "6"}, {"n > 5": "1", "n": "6"}]
    mixed = events_of([{"k": 1}, {"k": "1"}, {"k": 1.0}, {"k": None}, {}])
    assert answered("stats count(*) as n by k", mixed) == [{"n": "2"}, {"k": "1", "n": "3"}]
    two = "stats sum(n) as total by s | filter total > 18 | stats count(*) as groups, max(total) as most"
    assert answered(two, NUMBERS) == [{"groups": "2", "most": "26"}]


COMPUTED: list[tuple[str, dict[str, str]]] = [
    ("max(n) as most, min(n) as least, most - least as span", {"most": "11", "least": "0", "span": "11"}),
    ("sum(n > 5) / count(*) * 100 as rate", {"rate": "50"}),
    ("count(*)/2", {"count(*)/2": "6"}),
    ("greatest(count(none), 3) + count(none) as x, 0.5 as half, x * half as y", {"x": "3", "half": "0.5", "y": "1.5"}),
    ("sum(n) / 0 as x, count(*) as n", {"n": "12"}),
    ("(max(n) - min(n)) * -1 as x", {"x": "-11"}),
    ("if(avg(n) > 5, 'much', 'little') as x", {"x": "much"}),
    ("sum(n) / count(*), count(*)", {"sum(n) / count(*)": "5.5", "count(*)": "12"}),
]


@pytest.mark.parametrize("processes", [1, 3])
@pytest.mark.parametrize(("columns", "expected"), COMPUTED, ids=[columns for columns, _ in COMPUTED])
def test_columns_of_groups_may_be_computed(columns: str, expected: dict[str, str], processes: int) -> None:
    assert answered(f"stats {columns}", NUMBERS, processes=processes, split=3) == [expected]


def test_computed_columns_stand_where_they_were_written_and_are_fields_from_then_on() -> None:
    rows = answered("stats max(n) - min(n) as span, count(*) as c, span / c by s | sort by span desc, s", NUMBERS)
    assert [list(row) for row in rows] == [["s", "span", "c", "span / c"]] * len(rows)
    spans = [int(row["span"]) for row in rows]
    assert spans == sorted(spans, reverse=True) and spans[0] > 0
    again = "stats sum(n) / count(*) as mean by s | filter mean > 4 | stats count(*) * 10 as tens, max(mean) as most"
    assert answered(again, NUMBERS) == [{"tens": "30", "most": "6.5"}]
    assert answered("stats sum(n) / count(*) by s | sort sum(n) / count(*) desc | limit 1", NUMBERS)[0]["s"] == "x2"


def test_order() -> None:
    values: list[Any] = [10, 9, "b2", "b10", "a", "", None, 2.5, "07"]
    events = events_of([{"v": value} for value in values])
    rows = answered("fields v | sort v asc", events)
    assert [row.get("v") for row in rows] == [None, "", "a", "b2", "b10", "2.5", "07", "9", "10"]
    rows = answered("fields v | sort v desc | limit 3", events, split=2, processes=3)
    assert [row["v"] for row in rows] == ["10", "9", "07"]
    rows = answered("fields v | limit 2", events)
    assert [row["v"] for row in rows] == ["07", "2.5"], "the newest"


def test_sorted_rows_are_cut_without_losing_one() -> None:
    events = events_of([{"v": (n * 7919) % 20011, "w": n % 5} for n in range(20_000)], step_ms=1)
    rows = answered("fields v, w | sort w desc, v asc | limit 7", events, split=500, processes=2)
    expected = sorted((n * 7919) % 20011 for n in range(20_000) if n % 5 == 4)[:7]
    assert [int(row["v"]) for row in rows] == expected
    rows = answered("fields v | sort v desc | limit 3", events, split=500)
    assert [int(row["v"]) for row in rows] == sorted(((n * 7919) % 20011 for n in range(20_000)), reverse=True)[:3]


def test_dedup() -> None:
    events = events_of([{"k": "a", "n": 1}, {"k": "b", "n": 2}, {"k": "a", "n": 3}, {"n": 4}, {"n": 5}])
    assert [row["n"] for row in answered("fields n | dedup k", events, split=1, processes=2)] == ["5", "4", "3", "2"]
    assert [row["n"] for row in answered("fields n | sort n asc | dedup k | limit 2", events)] == ["1", "2"]
    assert [row["n"] for row in answered("fields n | dedup k | limit 3", events)] == ["5", "4", "3"]


def test_lists_become_events() -> None:
    events = events_of([{"items": [{"price": 2, "n": 3}, {"price": 5, "n": 1}], "id": "o1"}, {"id": "o2"}])
    query = "fields jsonParse(@message) as j | unnest j.items into item"
    rows = answered(f"{query} | filter item.price > 1 | stats sum(item.price * item.n) as total by id", events)
    assert rows == [{"id": "o1", "total": "11"}]
    assert answered(f"{query} | stats count(*) as n", events) == [{"n": "3"}]
    assert answered("fields jsonParse(@message) as j | filter id = 'o1' | display j.items[1].n as n, j.id", events) == [
        {"n": "1", "j.id": "o1"}
    ]


def test_patterns() -> None:
    lines = [f"[ERROR] request {n} of user u{n} failed after {n}.5 ms" for n in range(6)]
    lines += [f"started worker {word}" for word in "abcdefghij"] + ["one of a kind"] * 4
    rows = answered("pattern @message | sort @sampleCount desc", events_of(lines), split=3, processes=2)
    assert rows == [
        {"@pattern": "started worker <Token-1>", "@sampleCount": "10", "@ratio": "0.5000"},
        {
            "@pattern": "[ERROR] request <Number-1> of user <Token-2> failed after <Number-3> ms",
            "@sampleCount": "6",
            "@ratio": "0.3000",
            "@severityLabel": "Error",
        },
        {"@pattern": "one of a kind", "@sampleCount": "4", "@ratio": "0.2000"},
    ]
    different = [f"{'x' * (n % 90)} {chr(97 + n % 26)}" * (n % 7 + 1) + f" {'y' * (n // 90)}" for n in range(12_000)]
    rows = answered("pattern @message", events_of(different))
    assert sum(int(row["@sampleCount"]) for row in rows) == 12_000, "also where there are too many to be told apart"


def test_reports_of_functions() -> None:
    id = "1b0e9d2c-0a1b-4c5d-8e9f-001122334455"
    told = "Duration: 12.50 ms	Billed Duration: 13 ms	Memory Size: 128 MB	Max Memory Used: 60 MB"
    report = f"REPORT RequestId: {id}	{told}"
    events = events_of([f"START RequestId: {id} Version: $LATEST", report, f"END RequestId: {id}"])
    shown = "@requestId, @duration, @billedDuration, @memorySize, @maxMemoryUsed / 1000 / 1000"
    (row,) = answered(f"filter @type = 'REPORT' | display {shown}", events)
    assert row == {
        "@requestId": id,
        "@duration": "12.5",
        "@billedDuration": "13",
        "@memorySize": "128000000",
        "@maxMemoryUsed / 1000 / 1000": "60",
    }


def test_escaped_json_is_found_as_well() -> None:
    escaped = '{"level": "ERR\\u004fR"}'
    assert json.loads(escaped) == {"level": "ERROR"}
    assert len(answered("filter level = 'ERROR'", events_of([escaped, {"level": "INFO"}]))) == 1


HOSTILE = [
    "filter @message like /" + "(a|b)" * 1500 + "/",
    "fields " + ", ".join(f"f{n} as g{n}" for n in range(600)),
    "filter " + " or ".join(f"a = {n}" for n in range(900)),
    "filter a in [" + ",".join(str(n) for n in range(2000)) + "]",
    "fields " + "1+" * 30 + "1 as n",
    "fields " + "concat(" * 30 + "'a'" + ")" * 30 + " as n",
    "filter " + "(" * 30 + "a = 1" + ")" * 30,
    "stats " + ", ".join(f"count(f{n})" for n in range(500)),
    "fields `a\\'); import os; os._exit(3) #` as x, '\\'\\'\\'\\n' as y",
    "fields __import__, class, def, None, lambda.import",
    "parse @message '" + "*" * 90 + "' as " + ", ".join(f"f{n}" for n in range(90)),
]


@pytest.mark.parametrize("query", HOSTILE, ids=lambda query: query[:20])
def test_big_and_odd_queries_are_answered(query: str) -> None:
    assert len(answered(query, events_of([{"a": 1, "None": 2, "class": 3}] * 2))) <= 2


@pytest.mark.parametrize(
    "query",
    [
        "filter " + "(" * 5000,
        "filter " + "not (" * 2000 + "a",
            "fields " + "1^" * 4000 + "1",
        "fields " + "f(" * 3000,
        "filter a like /(?<x>a)(?<x>b)/",
        "filter a like /[a-z&&[^aeiou]]/",
        "filter a like /[[]/",
        "filter a like /[]/",
        "filter a like /" + "(" * 4000 + ")" * 4000 + "/",
        "filter a like /a{1,99999999999}/",
        "fields \x00",
        "fields 'unfinished",
        "|",
        "fields a | | fields b",
        "stats bin(5m)",
        "stats count(*) by count(*)",
        "stats s by n",
        "stats n + 1",
        "stats max(n) + n as x",
        "stats a, max(n) / 2 as a",
        "stats a + 1 as a, max(n) as b",
        "stats sum(avg(n))",
        "stats ``0``, sum(n) / 2",
        "fields count(*) / 2",
        "stats unknown(n)",
        "limit 1000000",
        "limit -1",
        "sort",
        "fields bin(5)",
        "fields bin(x)",
        "fields datefloor(@timestamp, 5 parsecs)",
        "parse @message /no groups/",
        "fields substr('a')",
        "dedup 5",
        "unnest a",
        "stats pct(a, 101)",
        "stats pct(a, b)",
    ],
    ids=lambda query: repr(query[:20]),
)  # fmt: skip
def test_what_is_no_query(query: str) -> None:
    with pytest.raises(QueryError) as caught:
        read_query(query)
    assert 0 <= caught.value.start <= caught.value.end <= len(query)


def test_big_texts_are_bounded() -> None:
    events = events_of([{"t": "x" * 200_000}])
    grown = "fields replace(t, 'x', concat(t, t)) as a | display strlen(a) as n"
    assert int(answered(grown, events)[0]["n"]) <= 1_000_000
    (row,) = answered("fields base64encode(t) as b | display strlen(b) as n", events)
    assert int(row["n"]) == len(base64.b64encode(b"x" * 200_000))
