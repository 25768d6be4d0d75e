"""PutMetricData and ListMetrics."""

from __future__ import annotations

import math
from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tokens
from cloche.foundation.errors import Invalid, NotSupported
from cloche.services.cloudwatch.errors import invalid_combination, invalid_value
from cloche.storage.metadata import records
from cloche.storage.metrics import Datum, Metric, Statistics

# docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
DATA_MAX: Final = 1_000
ENTITIES_MAX: Final = 2
REQUEST_BYTES_MAX: Final = 1024 * 1024
VALUES_MAX: Final = 150
VALUE_MAX: Final = 2.0**360
PAST_SECONDS_MAX: Final = 14 * 24 * 3600
FUTURE_SECONDS_MAX: Final = 2 * 3600
# docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
LIST_MAX: Final = 500
LISTED_SECONDS: Final = 14 * 24 * 3600
RECENT_SECONDS: Final = 3 * 3600


@operation("PutMetricData")
def put_metric_data(ctx: Context, request: Members) -> Members:
    """All of it or nothing; durable when answered, and to be found at once.

    Entities are checked for their form and not kept: nothing of CloudWatch's API tells them again.
    """
    if len(ctx.http.body) > REQUEST_BYTES_MAX:
        text = f"Request size {len(ctx.http.body)} exceeded {REQUEST_BYTES_MAX} bytes"
        raise AwsError("RequestEntityTooLarge", text, 413)
    given = [(f"MetricData.member.{at}", member) for at, member in enumerate(request.get("MetricData") or (), 1)]
    for number, part in enumerate(_entities(request), 1):
        data = part.get("MetricData") or ()
        given += [(f"EntityMetricData.member.{number}.MetricData.member.{at}", one) for at, one in enumerate(data, 1)]
    if not given:
        raise AwsError("MissingParameter", "The parameter MetricData is required.")
    if len(given) > DATA_MAX:
        raise invalid_value(f"The collection MetricData must not have a size greater than {DATA_MAX}.")
    data = [_datum(ctx, name, member) for name, member in given]
    ctx.parts.metrics.put(ctx.account, ctx.region, request["Namespace"], data)
    return {}


def _entities(request: Members) -> list[Members]:
    parts: list[Members] = request.get("EntityMetricData") or []
    strict = request.get("StrictEntityValidation", False)
    if len(parts) > ENTITIES_MAX and strict:
        raise invalid_value(f"The collection EntityMetricData must not have a size greater than {ENTITIES_MAX}.")
    for part in parts:
        if strict and not (part.get("Entity") or {}).get("KeyAttributes"):
            raise invalid_value("The parameter EntityMetricData.Entity.KeyAttributes is required.")
    return parts


@operation("ListMetrics", reads=True)
def list_metrics(ctx: Context, request: Members) -> Members:
    """Metrics with data in the last two weeks, or (``RecentlyActive``) three hours."""
    if request.get("IncludeLinkedAccounts") or request.get("OwningAccount", ctx.account) != ctx.account:
        raise NotSupported("ListMetrics does not support linked accounts in Cloche")
    seconds = RECENT_SECONDS if "RecentlyActive" in request else LISTED_SECONDS
    dimensions = [(member["Name"], member.get("Value")) for member in request.get("Dimensions") or ()]
    asked = (request.get("Namespace"), request.get("MetricName"))
    secret = records.page_secret(ctx.parts.database.reader)
    question: list[Any] = ["ListMetrics", ctx.account, ctx.region, *asked, dimensions, seconds]
    found, following = ctx.parts.metrics.metrics(
        ctx.account,
        ctx.region,
        namespace=asked[0],
        name=asked[1],
        dimensions=dimensions,
        active_since=ctx.now.timestamp() - seconds,
        after=_after(secret, question, request.get("NextToken")),
        limit=LIST_MAX,
    )
    answer: Members = {"Metrics": [_shown(metric) for metric in found]}
    if following is not None:
        answer["NextToken"] = tokens.seal(secret, question, following)
    return answer


def dimensions_of(member: Members) -> tuple[tuple[str, str], ...]:
    """The dimensions of a request in one order. Raises for a name given twice."""
    pairs = sorted((item["Name"], item["Value"]) for item in member.get("Dimensions") or ())
    if len({name for name, _ in pairs}) != len(pairs):
        raise invalid_value("No two dimensions of a metric may have the same name.")
    return tuple(pairs)


def _shown(metric: Metric) -> Members:
    return {
        "Namespace": metric.namespace,
        "MetricName": metric.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
    }


def _after(secret: bytes, question: list[Any], token: str | None) -> tuple[Any, ...] | None:
    if not token:
        return None
    try:
        return tokens.unseal(secret, question, token)
    except Invalid as error:
        raise invalid_value(f"Invalid nextToken: {error.message}") from None


def _datum(ctx: Context, name: str, member: Members) -> Datum:
    now = ctx.now.timestamp()
    moment = member["Timestamp"].timestamp() if "Timestamp" in member else now
    if not now - PAST_SECONDS_MAX <= moment <= now + FUTURE_SECONDS_MAX:
        raise invalid_value(
            f"The parameter {name}.Timestamp must specify a time within the past two weeks and the next two hours."
        )
    resolution = member.get("StorageResolution", 60)
    if resolution not in (1, 60):
        raise invalid_value(f"The parameter {name}.StorageResolution must be 1 or 60.")
    held = _statistics(name, member)
    return Datum(
        member["MetricName"],
        dimensions_of(member),
        moment,
        held.average,
        member.get("Unit", "None"),
        resolution,
        held,
    )


def _statistics(name: str, member: Members) -> Statistics:
    given = [key for key in ("Value", "Values", "StatisticValues") if member.get(key) is not None]
    if len(given) > 1:
        words = " and ".join(f"{name}.{key}" for key in given[:2])
        raise invalid_combination(f"The parameters {words} are mutually exclusive and you have specified both.")
    if not given:
        raise AwsError(
            "MissingParameter",
            f"At least one of the parameters {name}.Value, {name}.Values and {name}.StatisticValues must be specified.",
        )
    if "Value" in given:
        _require_number(f"{name}.Value", member["Value"])
        return Statistics.of(member["Value"])
    if "Values" in given:
        return _of_values(name, member["Values"], member.get("Counts"))
    stated = member["StatisticValues"]
    for key, value in stated.items():
        _require_number(f"{name}.StatisticValues.{key}", value)
    if stated["SampleCount"] <= 0:
        raise invalid_value(f"The parameter {name}.StatisticValues.SampleCount must be greater than 0.")
    if stated["Maximum"] < stated["Minimum"]:
        raise invalid_value(f"The parameter {name}.StatisticValues.Maximum must not be less than its Minimum.")
    return Statistics.of_set(stated["SampleCount"], stated["Sum"], stated["Minimum"], stated["Maximum"])


def _of_values(name: str, values: list[float], counts: list[float] | None) -> Statistics:
    counts = [1.0] * len(values) if counts is None else counts
    if len(counts) != len(values):
        raise invalid_value(f"The parameters {name}.Values and {name}.Counts must be of the same size.")
    if not 0 < len(values) <= VALUES_MAX:
        raise invalid_value(f"The collection {name}.Values must have between 1 and {VALUES_MAX} members.")
    for value, count in zip(values, counts, strict=True):
        _require_number(f"{name}.Values", value)
        if not 0 < count < VALUE_MAX:
            raise invalid_value(f"The parameter {name}.Counts must hold numbers greater than 0.")
    return Statistics.of_values(zip(values, counts, strict=True))


def _require_number(name: str, value: float) -> None:
    if math.isnan(value) or abs(value) > VALUE_MAX:
        raise invalid_value(f"The parameter {name} must be a number between -2^360 and 2^360.")
