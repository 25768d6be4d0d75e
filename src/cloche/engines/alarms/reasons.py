"""``StateReason`` and ``StateReasonData`` in CloudWatch's words.

The forms are those of notifications that people have published: with ``DatapointsToAlarm``

    Threshold Crossed: 1 out of the last 1 datapoints [99.5 (02/10/19 16:59:00)] was greater than the threshold (50.0)
    (minimum 1 datapoint for OK -> ALARM transition).

(docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html), without it

    Threshold Crossed: 1 datapoint [2.0 (19/08/26 09:36:00)] was not less than or equal to the threshold (0.0) and 7
    missing datapoints were treated as [Breaching].
    Threshold Crossed: 5 datapoints were greater than the threshold (10.0). The most recent datapoints which crossed
    the threshold: [27.5 (08/08/17 20:09:00), …].

From five points on the list comes last and holds the five newest. Numbers are printed as Java prints doubles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from cloche.engines.alarms.judging import ALARM, BANDS, INSUFFICIENT_DATA, Point, Verdict
from cloche.foundation.clock import from_epoch

INITIAL: Final = "Unchecked: Initial alarm creation"
LISTED_MAX: Final = 5
DATA_MAX: Final = 4_000
"""Characters of ``StateReasonData``, by the model."""
_WORDS: Final = {
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "GreaterThanThreshold": "greater than",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}


def stamp(at: float) -> str:
    """``2019-10-02T17:04:40.989+0000``, as reasons, events and messages say moments."""
    seconds, milliseconds = divmod(round(at * 1000), 1000)
    return f"{from_epoch(seconds):%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}+0000"


def long_date(at: float) -> str:
    """``Friday 22 July, 2022 15:57:45 UTC``."""
    return f"{from_epoch(at):%A %d %B, %Y %H:%M:%S} UTC"


def number(value: float) -> str:
    """As ``Double.toString``: ``50.0``, ``1.0E7``, ``1.0E-4``."""
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        text = repr(float(value))
        return text if "e" not in text else f"{value:f}"
    mantissa, _, exponent = f"{value!r}".partition("e")
    if not exponent:
        mantissa, _, exponent = f"{value:.17e}".partition("e")
        digits = repr(value).replace(".", "").replace("-", "").strip("0") or "0"
        mantissa = ("-" if value < 0 else "") + digits[0] + "." + (digits[1:] or "0")
    if "." not in mantissa:
        mantissa += ".0"
    return f"{mantissa}E{int(exponent)}"


def _moment(at: int) -> str:
    moment: datetime = from_epoch(at)
    return f"{moment:%d/%m/%y %H:%M:%S}"


def _listed(points: Sequence[Point]) -> str:
    return "[" + ", ".join(f"{number(point.value)} ({_moment(point.at)})" for point in points[:LISTED_MAX]) + "]"


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def text(
    verdict: Verdict,
    state: str,
    *,
    operator: str,
    threshold: float,
    periods: int,
    needed: int | None,
    missing: str,
    breaching: Callable[[Point], bool],
) -> str:
    """Why it is ``state``. ``needed``: ``DatapointsToAlarm`` where the alarm has it."""
    if state == INSUFFICIENT_DATA:
        count = periods - len(verdict.points)
        return f"Insufficient Data: {_count(count, 'datapoint')} {'was' if count == 1 else 'were'} unknown."
    head = "Thresholds Crossed: " if operator in BANDS else "Threshold Crossed: "
    filled = _filled(verdict.filled, missing)
    if not verdict.points:
        return f"{head}no datapoints were received for {_count(periods, 'period')}{filled}."
    told = [point for point in verdict.points if breaching(point) == (state == ALARM)]
    if not told:  # what is there does not speak for the state; what is missing does
        count = len(verdict.points)
        was = "was" if count == 1 else "were"
        return f"{head}{_count(count, 'datapoint')} {was} received for {_count(periods, 'period')}{filled}."
    many = len(told) >= LISTED_MAX
    was = ("was " if len(told) == 1 else "were ") + _compared(told, state, operator, threshold)
    crossed = "crossed" if state == ALARM else "did not cross"
    tail = f". The most recent datapoints which {crossed} the threshold: {_listed(told)}" if many else ""
    listed = "" if many else f" {_listed(told)}"
    if needed is None:
        return f"{head}{_count(len(told), 'datapoint')}{listed} {was}{filled}{tail}."
    least = needed if state == ALARM else periods - needed + 1
    change = "OK -> ALARM" if state == ALARM else "ALARM -> OK"
    minimum = f" (minimum {_count(least, 'datapoint')} for {change} transition)"
    return f"{head}{len(told)} out of the last {periods} datapoints{listed} {was}{filled}{tail}{minimum}."


def _filled(count: int, missing: str) -> str:
    if not count:
        return ""
    treated = "Breaching" if missing == "breaching" else "NonBreaching"
    return f" and {_count(count, 'missing datapoint')} {'was' if count == 1 else 'were'} treated as [{treated}]"


def _compared(told: Sequence[Point], state: str, operator: str, threshold: float) -> str:
    denied = "" if state == ALARM else "not "
    if operator in _WORDS:
        return f"{denied}{_WORDS[operator]} the threshold ({number(threshold)})"
    shown = told[:LISTED_MAX]
    lower = "[" + ", ".join(number(point.lower or 0.0) for point in shown) + "]"
    upper = "[" + ", ".join(number(point.upper or 0.0) for point in shown) + "]"
    below, above = (
        f"{denied}less than the lower thresholds {lower}",
        f"{denied}greater than the upper thresholds {upper}",
    )
    if operator == "LessThanLowerThreshold":
        return below
    return above if operator == "GreaterThanUpperThreshold" else f"{below} or {above}"


def data(
    verdict: Verdict,
    *,
    now: float,
    starts: Sequence[int],
    period: int,
    statistic: str | None,
    unit: str | None,
    threshold: float | None,
) -> str:
    """The same for programs. ``starts`` are the beginnings of the evaluated periods, newest first."""
    points = verdict.points
    told: dict[str, Any] = {"version": "1.0", "queryDate": stamp(now)}
    if points:
        told["startDate"] = stamp(points[-1].at)
    if unit is not None:
        told["unit"] = unit
    if statistic is not None:
        told["statistic"] = statistic
    told["period"] = period
    told["recentDatapoints"] = [point.value for point in reversed(points)]
    if threshold is not None:
        told["threshold"] = threshold
    else:
        told["recentLowerThresholds"] = [point.lower for point in reversed(points)]
        told["recentUpperThresholds"] = [point.upper for point in reversed(points)]
    known = {point.at for point in points}
    empty = [{"timestamp": stamp(at)} for at in starts if at not in known][: max(len(starts) - len(points), 0)]
    told["evaluatedDatapoints"] = [*map(_evaluated, points), *empty]
    written = orjson.dumps(told)
    while len(written) > DATA_MAX and told["evaluatedDatapoints"]:
        told["evaluatedDatapoints"] = told["evaluatedDatapoints"][: len(told["evaluatedDatapoints"]) // 2]
        if not told["evaluatedDatapoints"]:
            told["recentDatapoints"] = told["recentDatapoints"][-LISTED_MAX:]
        written = orjson.dumps(told)
    return written.decode()


def _evaluated(point: Point) -> dict[str, Any]:
    counted = {} if point.samples is None else {"sampleCount": point.samples}
    return {"timestamp": stamp(point.at), **counted, "value": point.value}
