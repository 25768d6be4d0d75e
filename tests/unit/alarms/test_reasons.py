"""Reasons, held against sentences of CloudWatch's that people have published."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloche.engines.alarms import reasons
from cloche.engines.alarms.judging import ALARM, INSUFFICIENT_DATA, OK, Point, Verdict


def at(text: str) -> int:
    return int(datetime.strptime(text, "%d/%m/%y %H:%M:%S").replace(tzinfo=UTC).timestamp())


def sentence(state: str, points: list[tuple[float, str]], **given: Any) -> str:
    told = {"operator": "GreaterThanThreshold", "threshold": 0.0, "periods": 1, "needed": None, "missing": "missing"}
    told |= given
    filled, band = told.pop("filled", 0), told.pop("band", (None, None))
    made = tuple(Point(at(moment), value, 1.0, *band) for value, moment in points)
    operator, threshold = told["operator"], told["threshold"]
    return reasons.text(
        Verdict(state, made, filled), state, breaching=lambda point: point.is_breaching(operator, threshold), **told
    )


def test_with_datapoints_to_alarm() -> None:
    # cloudwatch-and-eventbridge.html
    assert sentence(ALARM, [(99.50160229693434, "02/10/19 16:59:00")], threshold=50.0, needed=1) == (
        "Threshold Crossed: 1 out of the last 1 datapoints [99.50160229693434 (02/10/19 16:59:00)] was greater than "
        "the threshold (50.0) (minimum 1 datapoint for OK -> ALARM transition)."
    )
    assert sentence(OK, [(0.0666851903306472, "01/10/19 13:46:00")], threshold=50.0, needed=1) == (
        "Threshold Crossed: 1 out of the last 1 datapoints [0.0666851903306472 (01/10/19 13:46:00)] was not greater "
        "than the threshold (50.0) (minimum 1 datapoint for ALARM -> OK transition)."
    )
    assert sentence(
        ALARM,
        [(613.0, "16/03/24 12:15:00")],
        operator="GreaterThanOrEqualToThreshold",
        threshold=1.0,
        periods=20,
        needed=1,
        missing="notBreaching",
        filled=19,
    ) == (
        "Threshold Crossed: 1 out of the last 20 datapoints [613.0 (16/03/24 12:15:00)] was greater than or equal to "
        "the threshold (1.0) and 19 missing datapoints were treated as [NonBreaching] (minimum 1 datapoint for OK -> "
        "ALARM transition)."
    )
    minutes = [(0.0, f"29/04/20 23:{minute}:00") for minute in (32, 31, 30, 29, 28)]
    assert sentence(ALARM, minutes, operator="LessThanThreshold", threshold=65.0, periods=5, needed=5) == (
        "Threshold Crossed: 5 out of the last 5 datapoints were less than the threshold (65.0). The most recent "
        "datapoints which crossed the threshold: [0.0 (29/04/20 23:32:00), 0.0 (29/04/20 23:31:00), 0.0 (29/04/20 "
        "23:30:00), 0.0 (29/04/20 23:29:00), 0.0 (29/04/20 23:28:00)] (minimum 5 datapoints for OK -> ALARM "
        "transition)."
    )


def test_without_datapoints_to_alarm() -> None:
    assert sentence(
        OK,
        [(2.0, "19/08/26 09:36:00")],
        operator="LessThanOrEqualToThreshold",
        periods=8,
        missing="breaching",
        filled=7,
    ) == (
        "Threshold Crossed: 1 datapoint [2.0 (19/08/26 09:36:00)] was not less than or equal to the threshold (0.0) "
        "and 7 missing datapoints were treated as [Breaching]."
    )
    three = [(2.0, "19/08/26 05:50:00"), (3.0, "19/08/26 05:47:00"), (1.0, "19/08/26 05:44:00")]
    assert sentence(ALARM, three, periods=3) == (
        "Threshold Crossed: 3 datapoints [2.0 (19/08/26 05:50:00), 3.0 (19/08/26 05:47:00), 1.0 (19/08/26 05:44:00)] "
        "were greater than the threshold (0.0)."
    )
    five = [(27.5, f"08/08/17 20:0{minute}:00") for minute in (9, 8, 7, 6, 5)]
    assert sentence(ALARM, five, threshold=10.0, periods=5) == (
        "Threshold Crossed: 5 datapoints were greater than the threshold (10.0). The most recent datapoints which "
        "crossed the threshold: [27.5 (08/08/17 20:09:00), 27.5 (08/08/17 20:08:00), 27.5 (08/08/17 20:07:00), 27.5 "
        "(08/08/17 20:06:00), 27.5 (08/08/17 20:05:00)]."
    )


def test_without_points() -> None:
    assert sentence(ALARM, [], periods=2, missing="breaching", filled=2) == (
        "Threshold Crossed: no datapoints were received for 2 periods and 2 missing datapoints were treated as "
        "[Breaching]."
    )
    assert sentence(OK, [], missing="notBreaching", filled=1) == (
        "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as "
        "[NonBreaching]."
    )
    assert sentence(INSUFFICIENT_DATA, []) == "Insufficient Data: 1 datapoint was unknown."
    assert sentence(INSUFFICIENT_DATA, [], periods=3) == "Insufficient Data: 3 datapoints were unknown."
    # seen in a public repository's comments
    assert sentence(ALARM, [(0.0, "05/09/26 10:00:00")], periods=3, needed=2, missing="breaching", filled=2) == (
        "Threshold Crossed: 1 datapoint was received for 3 periods and 2 missing datapoints were treated as "
        "[Breaching]."
    )


def test_a_band() -> None:
    # cloudwatch-and-eventbridge.html
    band = (0.020599444741798756, 0.3006915352732461)
    assert sentence(
        ALARM,
        [(0.0, "03/10/19 15:58:00")],
        operator="LessThanLowerOrGreaterThanUpperThreshold",
        needed=1,
        band=band,
    ) == (
        "Thresholds Crossed: 1 out of the last 1 datapoints [0.0 (03/10/19 15:58:00)] was less than the lower "
        "thresholds [0.020599444741798756] or greater than the upper thresholds [0.3006915352732461] (minimum 1 "
        "datapoint for OK -> ALARM transition)."
    )


def test_data_for_programs() -> None:
    point = Point(at("15/05/25 15:29:00"), 1.0, 1.0)
    told = reasons.data(
        Verdict(ALARM, (point,), 0),
        now=at("15/05/25 15:31:44") + 0.984,
        starts=[point.at],
        period=60,
        statistic="Sum",
        unit=None,
        threshold=0.0,
    )
    assert told == (  # guardian/support-service-lambdas, of an alarm of theirs
        '{"version":"1.0","queryDate":"2025-05-15T15:31:44.984+0000","startDate":"2025-05-15T15:29:00.000+0000",'
        '"statistic":"Sum","period":60,"recentDatapoints":[1.0],"threshold":0.0,"evaluatedDatapoints":[{"timestamp":'
        '"2025-05-15T15:29:00.000+0000","sampleCount":1.0,"value":1.0}]}'
    )
    empty = reasons.data(
        Verdict(INSUFFICIENT_DATA, (), 0), now=60.0, starts=[0], period=60, statistic="Sum", unit=None, threshold=0.0
    )
    assert orjson.loads(empty)["evaluatedDatapoints"] == [{"timestamp": "1970-01-01T00:00:00.000+0000"}]


def test_data_never_outgrows_its_member() -> None:
    points = tuple(Point(60 * n, n / 7, 1.0) for n in range(500, 0, -1))
    told = reasons.data(
        Verdict(ALARM, points, 0),
        now=0.0,
        starts=[point.at for point in points],
        period=60,
        statistic="Sum",
        unit=None,
        threshold=0.0,
    )
    assert len(told) <= reasons.DATA_MAX and orjson.loads(told)["recentDatapoints"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(50.0, "50.0"), (1e7, "1.0E7"), (12345678.0, "1.2345678E7"), (0.001, "0.001"), (1e-4, "1.0E-4"), (0.0, "0.0")],
)
def test_numbers_are_javas(value: float, text: str) -> None:
    assert reasons.number(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_read_back(value: float) -> None:
    assert float(reasons.number(value)) == value
