"""The states that statistics are kept in: parts add up to the whole, sketches are as near as they say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .conftest import Desk

_PARTS = """
import json
import pyarrow as pa
from cloche_jobs.monitor.tables import Table
from cloche_jobs.monitor.statistics import statistics_of
from cloche_jobs.monitor.constraints import suggested

def block(rows):
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.record_batch([pa.array([row.get(name) for row in rows], pa.string()) for name in names], names)

def table(rows):
    found = Table()
    if rows:
        found.add(block(rows))
    return found

rows, cuts = json.loads(REQUEST)
whole, merged, last = table(rows), Table(), 0
for cut in [*cuts, len(rows)]:
    merged.merge(table(rows[last:cut]))
    last = cut
result = []
for each in (whole, merged):
    held = [(name, column.sketch.count if column.kinds.is_number else 0) for name, column in each.columns.items()]
    result.append([statistics_of(each), suggested(each), held])
"""

CELLS = st.one_of(
    st.none(),
    st.integers(-1000, 1000).map(str),
    st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: f"{value:.3f}"),
    st.sampled_from(["red", "blue", "", "true", "NaN", "1e-5", "é"]),
)
ROW = st.fixed_dictionaries({}, optional={"a": st.integers(0, 9).map(str), "b": CELLS, "c": CELLS})
ROWS = st.lists(ROW, max_size=60)


@settings(max_examples=60)
@given(data=st.data())
def test_parts_add_up_to_the_whole(desk: Desk, data: Any) -> None:
    rows = [row for row in data.draw(ROWS) if row]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=4)))
    whole, merged = desk.ask({}, f"REQUEST = {json.dumps(json.dumps([rows, cuts]))}\n{_PARTS}")
    assert normal(merged) == normal(whole)


def normal(document: Any) -> Any:
    """Sums to nine digits, buckets in any order, the sketch's values in any order."""
    if isinstance(document, float):
        return float(f"{document:.9g}") if abs(document) > 1e-6 else 0.0
    if isinstance(document, dict):
        if "buckets" in document and "sketch" not in document:
            return sorted((each["value"], each["count"]) for each in document["buckets"])
        if "data" in document:
            return sorted(value for level in document["data"] for value in level)
        found = {key: normal(value) for key, value in document.items()}
        if "domains" in found:
            found["domains"] = sorted(found["domains"])
        if "features" in found:
            found["features"] = sorted(found["features"], key=lambda each: str(each["name"]))
        return found
    if isinstance(document, list):
        return [normal(each) for each in document]
    return document


_CELLS = """
import json, re
import pyarrow as pa
from cloche_jobs.monitor import cells

texts = json.loads(REQUEST)
read = cells.read(pa.array(["x", *texts], pa.string())[1:], count_texts=False)
kinds = read.kinds
naive = {"missing": 0, "fractional": 0, "integral": 0, "boolean": 0, "string": 0}
numbers = []
for text in texts:
    if text is None:
        naive["missing"] += 1
    elif re.fullmatch(r"[-+]? ?[0-9]+(\\.[0-9]+|(\\.[0-9]+)?[Ee][-+]?[0-9]+)", text):
        naive["fractional"] += 1
        numbers.append(float(text.replace(" ", "")))
    elif re.fullmatch(r"[-+]? ?[0-9]+", text):
        naive["integral"] += 1
        numbers.append(float(text.replace(" ", "")))
    else:
        naive["boolean" if text in ("true", "false") else "string"] += 1
same = {name: getattr(kinds, name) for name in naive} == naive
result = same and (not kinds.is_number or read.numbers.tolist() == numbers)
"""
_DIGITS = st.text("0123456789.+-", min_size=1, max_size=5)
_TEXTS = st.text("01.+-eE ", max_size=6) | _DIGITS | st.integers().map(str) | st.floats().map(str) | st.text(max_size=3)


@settings(max_examples=100)
@given(texts=st.lists(_DIGITS | st.none()) | st.lists(_TEXTS | st.none() | st.sampled_from(["true", "false"])))
def test_types_and_numbers_are_those_of_the_rule(desk: Desk, texts: list[str | None]) -> None:
    """Told from the bytes of a whole column or from its distinct texts: what matching each cell would tell."""
    assert desk.ask({}, f"REQUEST = {json.dumps(texts)!r}\n{_CELLS}")


_SKETCH = """
import numpy as np
from cloche_jobs.monitor.sketch import Sketch
source = np.random.default_rng(7)
result = []
line = np.arange(COUNT, dtype=float)
for values in (source.normal(size=COUNT), source.exponential(size=COUNT), line, -line):
    whole, parts = Sketch(), [Sketch() for _ in range(7)]
    whole.add(values)
    for part, some in zip(parts, np.array_split(values, 7)):
        for few in np.array_split(some, 13):
            part.add(few)
    merged = Sketch()
    for part in parts:
        merged.merge(part)
    for sketch in (whole, merged):
        items, weights = sketch.weighted()
        true = np.searchsorted(np.sort(values), items, side="right")
        error = float(np.abs(np.cumsum(weights) - true).max() / COUNT)
        held = sum(len(level) for level in sketch.data())
        again = Sketch.of_levels(sketch.data())
        result.append([sketch.count, error, held, bool((again.weighted()[0] == items).all())])
"""


@pytest.mark.parametrize("count", [2_000, 2_051, 30_000, 400_000])
def test_a_sketch_is_as_near_as_it_says(desk: Desk, count: int) -> None:
    """Ranks within 0.5 %, whether the values came at once, in blocks or in parts; every value is counted."""
    for counted, error, held, is_same in desk.ask({}, f"COUNT = {count}\n{_SKETCH}"):
        assert counted == count and is_same
        assert error <= (0.0 if count == 2_000 else 0.005)
        assert held <= 6_000


def test_blocks_do_not_change_a_sketch(desk: Desk) -> None:
    code = """
import numpy as np
from cloche_jobs.monitor.sketch import Sketch
values = np.random.default_rng(1).normal(size=50_000)
once, often = Sketch(), Sketch()
once.add(values)
for few in np.array_split(values, 997):
    often.add(few)
result = once.data() == often.data()
"""
    assert desk.ask({}, code) is True


def test_distinct_values_are_exact_while_few_and_near_when_many(desk: Desk) -> None:
    code = """
import pyarrow as pa
import numpy as np
from cloche_jobs.monitor.distinct import Values
result = []
for count in (3, 120, 121, 2000, 50_000):
    texts = [f"value {number} {'é' * (number % 5)}" for number in range(count)]
    texts[0] = "x" * 5000
    whole, parts = Values(), [Values(), Values()]
    whole.add_texts(pa.array(texts), np.ones(count, dtype=int))
    for number, part in enumerate(parts):
        some = texts[number * count // 3 : count - (1 - number) * count // 3]
        for at in range(0, len(some), 700):
            few = some[at : at + 700]
            part.add_texts(pa.array(few, pa.string()), np.ones(len(few), dtype=int))
    parts[0].merge(parts[1])
    result.append([count, whole.distinct(), parts[0].distinct(), whole.counts is None])
"""
    for count, whole, merged, is_sketch in desk.ask({}, code):
        assert whole == merged
        assert is_sketch is (count > 120)
        assert whole == count if count <= 2000 else abs(whole - count) < 0.1 * count


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.0"),
        (0.001, "0.001"),
        (0.00099, "9.9E-4"),
        (1e-5, "1.0E-5"),
        (4.972724545902011e-17, "4.972724545902011E-17"),
        (9999999.0, "9999999.0"),
        (1e7, "1.0E7"),
        (12345678.9, "1.23456789E7"),
        (-1.5e300, "-1.5E300"),
        (0.0, "0.0"),
        (66.66666666666666, "66.66666666666666"),
    ],
)
def test_doubles_as_java_prints_them(desk: Desk, value: float, text: str) -> None:
    assert desk.ask({}, f"from cloche_jobs.monitor.documents import java_double as f\nresult = f({value!r})") == text


def test_documents_as_jackson_prints_them(desk: Desk) -> None:
    code = """
from cloche_jobs.monitor.documents import text_of
result = text_of({"a": 1, "b": [{"c": 1.0}, {"c": float("nan")}], "d": [1.0, 2.0], "e": [], "f": {}, "g": "é\\n"})
"""
    assert desk.ask({}, code) == (
        '{\n  "a" : 1,\n  "b" : [ {\n    "c" : 1.0\n  }, {\n    "c" : "NaN"\n  } ],\n  "d" : [ 1.0, 2.0 ],\n'
        '  "e" : [ ],\n'
        '  "f" : { },\n  "g" : "é\\n"\n}'
    )


def test_the_chi_square_tail(desk: Desk) -> None:
    """Values of scipy.stats.chi2.sf."""
    code = """
from cloche_jobs.monitor.chi_square import p_value
result = [p_value(*each) for each in ((3.84, 1), (0.5, 3), (30.0, 10), (500.0, 2), (0.0, 4), (119.0, 119))]
"""
    expected = [0.05004352124870519, 0.9188914116546847, 0.0008566412099220866, 2.6691902155412764e-109, 1.0]
    found = desk.ask({}, code)
    assert found[:5] == pytest.approx(expected, rel=1e-6)
    assert 0.4 < found[5] < 0.55
