"""GetMetricData: many metrics and expressions over them in one call, in pages.

A page ends where ``MaxDatapoints`` is reached; its token says which series of which query comes next and from which
point. Expressions are computed anew for each page: the server keeps nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tokens
from cloche.engines.metric_math import Labelling, evaluate, label_of
from cloche.foundation.clock import from_epoch
from cloche.foundation.errors import Invalid, NotSupported
from cloche.services.cloudwatch.errors import invalid_combination, invalid_value
from cloche.services.cloudwatch.metric_scope import RequestScope
from cloche.services.cloudwatch.metric_statistics import known_statistic, require_order, require_period
from cloche.storage.metadata import records

# docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
QUERIES_MAX: Final = 500
POINTS_MAX: Final = 100_800
# The words of CloudWatch, as recorded in public test data of its consumers.
ARITHMETIC_ERROR: Final = {
    "Code": "ArithmeticError",
    "Value": "One or more data-points have been dropped due to non-numeric values (NaN, -Infinite, +Infinite)",
}


@dataclass(frozen=True, slots=True)
class Result:
    """One time series of the answer, earliest point first."""

    id: str
    label: str
    points: list[tuple[int, float]]
    messages: list[Members]


@operation("GetMetricData", reads=True)
def get_metric_data(ctx: Context, request: Members) -> Members:
    """Each query's points, latest first unless asked otherwise."""
    queries: list[Members] = request["MetricDataQueries"]
    require_order(request["StartTime"], request["EndTime"])
    _require_queries(ctx, queries)
    labelling = _labelling(ctx, request)
    ascending = request.get("ScanBy") == "TimestampAscending"
    room = _room(request)
    question = _question(ctx, request)
    secret = records.page_secret(ctx.parts.database.reader)
    place = _place(secret, question, request.get("NextToken"))
    ctx.parts.metrics.flush()
    scope = RequestScope(ctx, queries, request["StartTime"], request["EndTime"])
    told: list[Members] = []
    answer: Members = {"MetricDataResults": told}
    for at, result in _results(scope, queries, labelling, place[:2]):
        points = result.points if ascending else result.points[::-1]
        begin = place[2] if at == place[:2] else 0
        taken = points[begin : begin + room]
        room -= len(taken)
        whole = begin + len(taken) == len(points)
        told.append(_shown(result, taken, whole))
        if not whole:
            answer["NextToken"] = tokens.seal(secret, question, (*at, begin + len(taken)))
            break
    answer["Messages"] = scope.messages
    return answer


def _results(
    scope: RequestScope, queries: list[Members], labelling: Labelling, first: tuple[int, int]
) -> Iterator[tuple[tuple[int, int], Result]]:
    """From the series that ``first`` says (query, series of it) on; what comes before is not computed."""
    for number, query in enumerate(queries):
        if number < first[0] or query.get("ReturnData") is False:
            continue
        for place, result in enumerate(_of_query(scope, query, labelling)):
            if (number, place) >= first:
                yield (number, place), result


def _of_query(scope: RequestScope, query: Members, labelling: Labelling) -> list[Result]:
    id, label = query["Id"], query.get("Label")
    try:
        if "MetricStat" in query:
            series = scope.metric(id)
            text = label_of(label, series, labelling) if label else series.label
            return [Result(id, text, scope.points(id), [])]
        found = evaluate(scope, id)
        messages = [ARITHMETIC_ERROR] if found.dropped else []
        results: list[Result] = []
        for series in found.series:
            if not label:
                text = series.label if found.is_array and series.label else id
            elif "${" in label or not found.is_array:
                text = label_of(label, series, labelling)
            else:
                # "the legend captions … are in the format Expression-Label Metric-Label", using-metric-math.html
                text = f"{label} {series.label}".strip()
            results.append(Result(id, text, series.ordered(), messages))
        return results
    except Invalid as error:
        if error.field == "Label":
            raise invalid_value(error.message) from None
        raise AwsError("ValidationError", error.message) from None


def _shown(result: Result, points: list[tuple[int, float]], whole: bool) -> Members:
    shown: Members = {
        "Id": result.id,
        "Label": result.label,
        "Timestamps": [from_epoch(at) for at, _ in points],
        "Values": [value for _, value in points],
        "StatusCode": "Complete" if whole else "PartialData",
    }
    if result.messages:
        shown["Messages"] = result.messages
    return shown


def _require_queries(ctx: Context, queries: list[Members]) -> None:
    if not 0 < len(queries) <= QUERIES_MAX:
        raise invalid_value(f"The collection MetricDataQueries must have between 1 and {QUERIES_MAX} members.")
    seen: set[str] = set()
    for query in queries:
        name = query["Id"]
        if not re.fullmatch(r"[a-z][a-zA-Z0-9_]*", name):
            raise invalid_value(f"The value {name} for parameter Id must begin with a lower-case letter.")
        if name in seen:
            raise invalid_value(f"The value {name} for parameter Id is not unique.")
        seen.add(name)
        _require_query(ctx, name, query)


def _require_query(ctx: Context, name: str, query: Members) -> None:
    if query.get("AccountId", ctx.account) != ctx.account:
        raise NotSupported(f"Metrics of other accounts (AccountId of {name}) are not supported in Cloche")
    if "Period" in query:
        require_period(query["Period"])
    if ("Expression" in query) == ("MetricStat" in query):
        raise invalid_combination(f"The query {name} must have either a MetricStat or an Expression.")
    if "Expression" in query:
        if re.match(r"\s*SELECT\b", query["Expression"]):
            raise NotSupported(f"Metrics Insights queries (Expression of {name}) are not supported in Cloche")
        return
    stat = query["MetricStat"]
    for member in ("Namespace", "MetricName"):
        if member not in stat["Metric"]:
            raise invalid_value(f"The parameter MetricStat.Metric.{member} of {name} is required.")
    require_period(stat["Period"])
    known_statistic(stat["Stat"])


def _labelling(ctx: Context, request: Members) -> Labelling:
    try:
        return Labelling.of(ctx.now.timestamp(), (request.get("LabelOptions") or {}).get("Timezone"))
    except Invalid as error:
        raise invalid_value(error.message) from None


def _room(request: Members) -> int:
    room: int = request.get("MaxDatapoints", POINTS_MAX)
    if room < 1:
        raise invalid_value("The parameter MaxDatapoints must be greater than 0.")
    return min(room, POINTS_MAX)


def _question(ctx: Context, request: Members) -> list[Any]:
    asked = {key: value for key, value in request.items() if key not in ("NextToken", "MaxDatapoints")}
    return ["GetMetricData", ctx.account, ctx.region, asked]


def _place(secret: bytes, question: list[Any], token: str | None) -> tuple[int, int, int]:
    if not token:
        return 0, 0, 0
    try:
        number, series, offset = tokens.unseal(secret, question, token)
    except Invalid as error:
        raise AwsError("InvalidNextToken", f"Invalid nextToken: {error.message}") from None
    return number, series, offset
