"""Metric math: the guide's own examples, and random expressions against an evaluator that could not be plainer."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloche.engines.metric_math import MathError, Model, Series, evaluate, train
from cloche.engines.metric_math.syntax import read_expression
from cloche.foundation.errors import Invalid, NotSupported

MINUTE = 60
TIMES = [600 + MINUTE * at for at in range(5)]
GAP = None


def series(*values: float | None, period: int = MINUTE, label: str = "") -> Series:
    points = {at: float(value) for at, value in zip(TIMES, values, strict=False) if value is not None}
    return Series(points, period, label)


class Request:
    """Metrics and expressions as a request holds them; the range is that of ``TIMES``."""

    start, end = float(TIMES[0]), float(TIMES[-1] + MINUTE)

    def __init__(self, metrics: dict[str, Series], **expressions: str) -> None:
        self.metrics, self.expressions = metrics, expressions

    def metric_ids(self) -> list[str]:
        return list(self.metrics)

    def metric(self, id: str) -> Series:
        return self.metrics[id]

    def expression(self, id: str) -> str | None:
        return self.expressions.get(id)

    def period(self, id: str) -> int:
        return MINUTE

    def search(self, query: str, stat: str, period: int) -> list[Series]:
        return [series(1, 2, label="x"), series(3, label="y")] if query == "{ns}" else []

    def model(self, id: str) -> Model | None:
        return train({at: 10.0 + at // MINUTE % 2 for at in range(0, 20 * MINUTE, MINUTE)}) if id == "m1" else None


def values(expression: str, **metrics: Series) -> list[float | None]:
    found = evaluate(Request(metrics, e=expression), "e")
    assert not found.is_array
    (only,) = found.series
    return [only.points.get(at) for at in TIMES]


def several(expression: str, **metrics: Series) -> list[list[float | None]]:
    found = evaluate(Request(metrics, e=expression), "e")
    assert found.is_array
    return [[each.points.get(at) for at in TIMES] for each in found.series]


M1, M2, M3 = series(30, 20, 0, 0), series(20, GAP, 20, GAP), series(0, 0, 20, GAP, 20)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # the tables of using-metric-math.html
        ("m1 < m2", [0, 0, 1, 0, GAP]),
        ("m1 >= 30", [1, 0, 0, 0, GAP]),
        ("m1 > 15 AND m2 > 15", [1, 0, 0, 0, GAP]),
        ("m1 > 15 && m2 > 15 || m1 == 0", [1, 0, 1, 1, GAP]),
        ("IF(c, a, m3)", [30, 0, 20, GAP, GAP]),
        ("IF(c, 5, m3)", [5, 5, 20, GAP, GAP]),
        ("IF(c, a, 5)", [30, 0, 5, 5, GAP]),
        ("IF(1, m1)", [30, 20, 0, 0, GAP]),
        ("IF(0, m1)", [GAP] * 5),
        ("IF(m1<25, 10, 2)", [2, 10, 10, 10, GAP]),
        ("m1 + m2", [50, 20, 20, 0, GAP]),
        ("m1 / m2", [1.5, GAP, 0, GAP, GAP]),
        ("-m1 * 2 + 1", [-59, -39, 1, 1, GAP]),
        ("2 ^ 3 ^ 0 * m1 / 2", [30, 20, 0, 0, GAP]),
        ("100 - 10 - 5 + m1*0", [85, 85, 85, 85, GAP]),
        ("SUM([m1, m2])", [50, 20, 20, 0, GAP]),
        ("AVG([m1, m2])", [25, 10, 10, 0, GAP]),
        ("MAX(METRICS())", [30, 20, 20, 0, 30]),
        ("SUM(METRICS('m'))", [50, 20, 40, 0, 20]),
        ("m1 - MIN(m1) + MAX(m2) * 0", [30, 20, 0, 0, GAP]),
        ("m1 / PERIOD(m1)", [0.5, pytest.approx(1 / 3), 0, 0, GAP]),
        ("m1 * METRIC_COUNT(METRICS())", [150, 100, 0, 0, GAP]),
        ("m2 / DATAPOINT_COUNT(m2)", [10, GAP, 10, GAP, GAP]),
        ("DATAPOINT_COUNT([m1, m2])", [2, 1, 2, 1, GAP]),
        ("DIFF(m1)", [GAP, -10, -20, 0, GAP]),
        ("DIFF_TIME(m2)", [GAP, GAP, 120, GAP, GAP]),
        ("RATE(m1)", [GAP, pytest.approx(-10 / 60), pytest.approx(-20 / 60), 0, GAP]),
        ("RUNNING_SUM(m1)", [30, 50, 50, 50, GAP]),
        ("FILL(m2, 7)", [20, 7, 20, 7, 7]),
        ("FILL(m2, REPEAT)", [20, 20, 20, 20, 20]),
        ("FILL(m2, LINEAR)", [20, 20, 20, GAP, GAP]),
        ("FILL(m2, m3)", [20, 0, 20, GAP, 20]),
        ("FILL(m2, MIN(m1))", [20, 0, 20, 0, 0]),
        ("TIME_SERIES(MAX(m1) / 3)", [10] * 5),
        ("CEIL(m1 / 7) + FLOOR(m1 / 7)", [9, 5, 0, 0, GAP]),
        ("ABS(-m1)", [30, 20, 0, 0, GAP]),
        ("LOG10(m1 * 10 / 3)", [2, pytest.approx(math.log10(200 / 3)), GAP, GAP, GAP]),
        ("FIRST(SORT([m2, m1], SUM, DESC))", [30, 20, 0, 0, GAP]),
        ("LAST(SORT([m2, m1], AVG, ASC))", [20, GAP, 20, GAP, GAP]),
        ("MINUTE(m2)", [10, 11, 12, 13, 14]),
        ("HOUR(m2) + DAY(m2) + MONTH(m2) + DATE(m2) + YEAR(m2)", [4 + 1 + 1 + 1970] * 5),
        ("EPOCH(m2)", TIMES),
        ("STDDEV([m1, m2])", [5, 0, 10, 0, GAP]),
        ("SUM(SEARCH('{ns}', 'Sum', 60))", [4, 2, GAP, GAP, GAP]),
    ],
)
def test_functions_and_operators(expression: str, expected: list[Any]) -> None:
    given = {"m1": M1, "m2": M2, "m3": M3, "c": series(1, 1, 0, 0), "a": series(30, GAP, 0, 0, 30)}
    assert values(expression, **given) == expected


def test_arrays() -> None:
    assert several("[m1, m2] * 2", m1=M1, m2=M2) == [[60, 40, 0, 0, GAP], [40, GAP, 40, GAP, GAP]]
    assert several("SLICE(SORT(METRICS(), MAX, DESC), 1)", m1=M1, m2=M2) == [[20, GAP, 20, GAP, GAP]]
    assert several("SORT(METRICS(), MAX, DESC, 1)", m1=M1, m2=M2) == [[30, 20, 0, 0, GAP]]
    assert several("SLICE([m1, m2], 0, 1)", m1=M1, m2=M2) == [[30, 20, 0, 0, GAP]]
    assert several("REMOVE_EMPTY([m1, m2])", m1=M1, m2=series()) == [[30, 20, 0, 0, GAP]]
    assert several("FILL(METRICS(), 0)", m2=M2) == [[20, 0, 20, 0, 0]]
    assert several("SEARCH('nothing', 'Sum')") == []


def test_expressions_refer_to_each_other() -> None:
    request = Request({"m1": M1}, a="b * 2", b="m1 + 1", c="d", d="c")
    (found,) = evaluate(request, "a").series
    assert [found.points.get(at) for at in TIMES] == [62, 42, 2, 2, GAP]
    with pytest.raises(MathError, match=r"Error in expression 'c': .*circle: c, d, c"):
        evaluate(request, "c")


def test_points_that_are_no_numbers_are_dropped_and_told() -> None:
    assert evaluate(Request({"m1": M1}, e="1 / m1"), "e").dropped
    assert not evaluate(Request({"m1": M1}, e="1 * m1"), "e").dropped
    assert values("m1 - AVG(m2)", m1=M1, m2=series()) == [GAP] * 5


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("m1 +", "Invalid syntax"),
        ("m1 m2", "Invalid syntax"),
        ("m1 ! m2", "Invalid syntax"),
        ("SUM(m1", "Invalid syntax"),
        ("1e", "Invalid syntax"),
        ("ANOMALY_DETECTOR(m1)", "Function 'ANOMALY_DETECTOR' not found"),
        ("sum(m1)", "Function 'sum' not found"),
        ("m9", "no metric or expression with the Id m9"),
        ("SUM(m1)", "must be a time series"),
        ("5", "must be a time series"),
        ("[m1] * [m1]", "Unsupported operand types"),
        ("'a' + m1", "Unsupported operand types"),
        ("SUM(m1, m1)", "takes 1 arguments"),
        ("PERIOD(m1 + 1)", "Id of a metric"),
        ("SORT([m1], STDDEV, ASC)", "STDDEV"),
        ("(" * 100 + "m1" + ")" * 100, "nested"),
        ("2" + "^2" * 100, "nested"),
    ],
)
def test_what_cannot_be_computed_names_the_expression(expression: str, words: str) -> None:
    with pytest.raises(Invalid, match="Error in expression 'e': ") as refused:
        values(expression, m1=M1)
    assert words in refused.value.message


@pytest.mark.parametrize("function", ["INSIGHT_RULE_METRIC", "SERVICE_QUOTA"])
def test_functions_that_are_not_offered_are_refused_by_name(function: str) -> None:
    with pytest.raises(NotSupported, match=f"Error in expression 'e': {function} is not supported in Cloche"):
        values(f"{function}(m1)", m1=M1)


def test_a_band_has_an_upper_and_a_lower_edge() -> None:
    upper, lower = several("ANOMALY_DETECTION_BAND(m1, 2)", m1=M1)
    assert upper == pytest.approx([10.5 + 2 * 1.4826 * 0.5] * len(TIMES))
    assert lower == pytest.approx([10.5 - 2 * 1.4826 * 0.5] * len(TIMES))
    assert several("ANOMALY_DETECTION_BAND(m2)", m2=M2) == [[None] * len(TIMES)] * 2, "too little is known"
    with pytest.raises(MathError):
        several("ANOMALY_DETECTION_BAND(1, 2)")


def test_a_model_knows_the_hours_of_the_day() -> None:
    hour, day = 3600, 86_400
    model = train({at: float(at % day // hour) for at in range(0, 7 * day, hour)})
    assert model is not None
    assert [model.expected(9 * day + at * hour) for at in (0, 5, 23)] == [0.0, 5.0, 23.0]
    assert model.spread == 0.0
    assert train(dict.fromkeys(range(11), 1.0)) is None
    outliers = train({at: 1000.0 if at == 50 else 10.0 + at % 3 for at in range(100)})
    assert outliers is not None and outliers.spread < 3, "one that is far out moves the band little"


def test_too_long_a_range_is_refused() -> None:
    request = Request({"m1": series(1, period=1)}, e="FILL(m1, 0)")
    request.end = 1e9
    with pytest.raises(MathError, match="too many periods"):
        evaluate(request, "e")


# -- against a naive evaluator -------------------------------------------------------------------------------

LEAVES = st.one_of(st.integers(0, 9).map(float), st.sampled_from(["a", "b", "c"]))
SIGNS = ["+", "-", "*", "/", "<", "<=", "==", "!=", ">", ">=", "AND", "OR"]
EACH = ["ABS", "CEIL", "FLOOR"]
TREES = st.recursive(
    LEAVES,
    lambda below: st.one_of(
        st.tuples(st.sampled_from(SIGNS), below, below),
        st.tuples(st.just("neg"), below),
        st.tuples(st.sampled_from(EACH), below),
        st.tuples(st.just("IF"), below, below, below),
    ),
    max_leaves=12,
)
POINTS = st.lists(st.one_of(st.none(), st.integers(-5, 5)), min_size=5, max_size=5)
Tree = Any


def text_of(tree: Tree) -> str:
    match tree:
        case float():
            return str(tree)
        case str():
            return tree
        case ("neg", operand):
            return f"-({text_of(operand)})"
        case ("IF" | "ABS" | "CEIL" | "FLOOR", *arguments):
            return f"{tree[0]}({', '.join(map(text_of, arguments))})"
        case (sign, left, right):
            return f"({text_of(left)}) {sign} ({text_of(right)})"
    raise AssertionError(tree)


def is_series(tree: Tree) -> bool:
    match tree:
        case float():
            return False
        case str():
            return True
        case ("IF", condition, positive, negative):
            if is_series(condition):
                return True
            return is_series(positive if naive(condition, {}, 0) else negative)
        case (_, *operands):
            return any(map(is_series, operands))
    raise AssertionError(tree)


def naive(tree: Tree, points: dict[str, list[float | None]], at: int) -> float | None:
    """The value at one time; ``None`` where there is none. NaN stands for what was dropped of a scalar."""
    match tree:
        case float():
            return tree
        case str():
            return points[tree][at]
        case ("neg", operand):
            value = naive(operand, points, at)
            return None if value is None else 0.0 - value
        case ("ABS" | "CEIL" | "FLOOR", operand):
            value = naive(operand, points, at)
            change = {"ABS": abs, "CEIL": math.ceil, "FLOOR": math.floor}[tree[0]]
            return None if value is None else value if math.isnan(value) else float(change(value))
        case ("IF", condition, positive, negative):
            holds = naive(condition, points, at)
            if holds is None:
                return None
            chosen = naive(positive if holds else negative, points, at)
            return 0.0 if chosen is None and holds and is_series(condition) else dropped(tree, chosen)
        case (sign, left, right):
            one, two = naive(left, points, at), naive(right, points, at)
            if (
                (one is None and two is None)
                or (one is None and not is_series(right))
                or (two is None and not is_series(left))
            ):
                return None
            return dropped(
                tree, two_of(sign, one or (0.0 if one is None else one), two or (0.0 if two is None else two))
            )
    raise AssertionError(tree)


def two_of(sign: str, one: float, two: float) -> float:
    match sign:
        case "+":
            return one + two
        case "-":
            return one - two
        case "*":
            return one * two
        case "/":
            return one / two if two else math.nan
        case "AND":
            return float(one != 0 and two != 0)
        case "OR":
            return float(one != 0 or two != 0)
        case "<":
            return float(one < two)
        case "<=":
            return float(one <= two)
        case "==":
            return float(one == two)
        case "!=":
            return float(one != two)
        case ">":
            return float(one > two)
    return float(one >= two)


def dropped(tree: Tree, value: float | None) -> float | None:
    """A series drops what is no number, a scalar carries it."""
    if value is not None and not math.isfinite(value) and is_series(tree):
        return None
    return value


@settings(max_examples=300)
@given(TREES, POINTS, POINTS, POINTS)
def test_random_expressions(tree: Tree, a: list[Any], b: list[Any], c: list[Any]) -> None:
    points = {"a": a, "b": b, "c": c}
    metrics = {name: series(*held) for name, held in points.items()}
    if not is_series(tree):
        with pytest.raises(MathError, match="must be a time series"):
            values(text_of(tree), **metrics)
        return
    expected = [naive(tree, points, at) for at in range(5)]
    found = values(text_of(tree), **metrics)
    assert found == [None if value is None else pytest.approx(value, nan_ok=True) for value in expected], text_of(tree)


@given(st.text("m12 +-*/^<>=!&|()[],'\"ANDORSUMIF.e", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read_expression(text)
    except MathError:
        pass
