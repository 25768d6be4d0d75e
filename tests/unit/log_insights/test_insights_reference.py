"""Queries made at random are answered as by a slow and obvious reading of the same commands."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from insights_events import AT, Event, answered

FIELDS = ("k", "n", "s", "x.y")
Row = dict[str, Any]


def fields_of(event: Event) -> Row:
    row: Row = {"@timestamp": event[0]}
    try:
        document = json.loads(event[1])
    except ValueError:
        document = {}
    for name in ("k", "n", "s"):
        row[name] = document.get(name)
    row["x.y"] = (document.get("x") or {}).get("y")
    return row


def as_number(value: Any) -> float | None:
    try:
        return None if value is None or (isinstance(value, str) and value != value.strip()) else float(value)
    except ValueError:
        return None


def shown(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def holds(row: Row, condition: tuple[str, str, Any]) -> bool:
    name, sign, literal = condition
    value = row[name]
    if sign == "like":
        return value is not None and str(literal) in (shown(value) or "")
    if sign == "ispresent":
        return value is not None
    if sign == "!=":
        return not holds(row, (name, "=", literal))
    if value is None:
        return False
    one, other = as_number(value), as_number(literal)
    left, right = (one, other) if one is not None and other is not None else (shown(value), shown(literal))
    return {"=": left == right, "<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[sign]  # type: ignore[operator]


def ordered(value: Any) -> tuple[Any, ...]:
    found = as_number(value)
    return (0,) if value is None else (2, found) if found is not None else (1, value)


def aggregated(function: str, rows: list[Row], name: str) -> Any:
    values = [row[name] for row in rows if row[name] is not None]
    numbers = [number for value in values if (number := as_number(value)) is not None]
    match function:
        case "count":
            return len(values)
        case "sum":
            return math.fsum(numbers)
        case "avg":
            return math.fsum(numbers) / len(numbers) if numbers else None
        case "min":
            return min(values, key=ordered) if values else None
        case "max":
            return max(values, key=ordered) if values else None
        case "count_distinct":
            return len({shown(value) for value in values})
        case "latest":
            return max((row["@timestamp"], row[name]) for row in rows if row[name] is not None)[1] if values else None
    raise AssertionError(function)


texts = st.sampled_from(["a", "b", "ERROR", "x y", "", "é", 'q"t', "back\\slash"])
numbers = st.one_of(st.integers(-50, 50), st.sampled_from([0.5, 2.25, -1.75]))
values = st.one_of(texts, numbers, st.integers(0, 20).map(str))
documents = st.fixed_dictionaries(
    {}, optional={"k": texts, "n": numbers, "s": values, "x": st.fixed_dictionaries({}, optional={"y": values})}
)
events = st.lists(st.one_of(documents.map(json.dumps), texts), max_size=30).map(
    lambda messages: [(AT + place * 997, message) for place, message in enumerate(messages)]
)
signs = st.sampled_from(["=", "!=", "<", ">", "<=", ">="])
conditions = st.one_of(
    st.tuples(st.sampled_from(FIELDS), signs, values.filter(lambda value: value != 'q"t' and value != "back\\slash")),
    st.tuples(st.sampled_from(FIELDS), st.just("like"), st.sampled_from(["a", "E", " "])),
    st.tuples(st.sampled_from(FIELDS), st.just("ispresent"), st.just(None)),
)
FUNCTIONS = ("count", "sum", "avg", "min", "max", "count_distinct", "latest")


def written(condition: tuple[str, str, Any]) -> str:
    name, sign, literal = condition
    if sign == "ispresent":
        return f"ispresent({name})"
    return f"{name} {sign} {json.dumps(literal, ensure_ascii=False)}"


PROFILE = settings(max_examples=120)


@PROFILE
@given(events, st.lists(conditions, min_size=1, max_size=3), st.sampled_from(["and", "or"]), st.integers(1, 4))
def test_filters_and_order(held: list[Event], asked: list[Any], word: str, processes: int) -> None:
    query = f"filter {f' {word} '.join(map(written, asked))} | fields n, s | sort n desc, @timestamp asc | limit 5"
    combine = all if word == "and" else any
    rows = [row for row in map(fields_of, held) if combine(holds(row, each) for each in asked)]
    rows.sort(key=lambda row: row["@timestamp"])
    rows.sort(key=lambda row: ordered(row["n"]), reverse=True)
    expected = [{name: shown(row[name]) for name in ("n", "s") if row[name] is not None} for row in rows[:5]]
    assert answered(query, held, processes=processes, split=4) == expected


@PROFILE
@given(
    events,
    st.lists(st.tuples(st.sampled_from(FUNCTIONS), st.sampled_from(FIELDS)), min_size=1, max_size=4, unique=True),
    st.sampled_from(["", "k", "s", "x.y"]),
    conditions,
    st.integers(1, 4),
)
def test_groups(held: list[Event], wanted: list[Any], by: str, condition: Any, processes: int) -> None:
    parts = ", ".join(f"{function}({name}) as a{place}" for place, (function, name) in enumerate(wanted))
    query = f"filter {written(condition)} | stats {parts}" + (f" by {by}" if by else "")
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in map(fields_of, held):
        if holds(row, condition):
            groups[shown(row[by]) if by else None].append(row)
    found = {row.get(by): row for row in answered(query, held, processes=processes, split=3)}
    assert found.keys() == groups.keys()
    for key, rows in groups.items():
        for place, (function, name) in enumerate(wanted):
            expected, told = aggregated(function, rows, name), found[key].get(f"a{place}")
            if function in ("sum", "avg") and expected is not None:
                assert told is not None
                assert math.isclose(float(told), expected, abs_tol=1e-9)
            elif function in ("min", "max"):
                assert ordered(told) == ordered(shown(expected))
            else:
                assert told == shown(expected)
