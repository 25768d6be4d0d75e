"""Anomaly detectors of single metrics. They hold no model: what is expected is learnt when a band is asked for
(``engines/metric_math/anomaly``); a detector says what is not to be learnt from."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tokens
from cloche.engines.alarms.detectors import DETECTOR_KIND, POINTS_MIN, filed_name
from cloche.engines.alarms.plan import Metric
from cloche.foundation.errors import Invalid, NotSupported
from cloche.services.cloudwatch.errors import invalid_combination, invalid_value
from cloche.services.cloudwatch.metric_data import dimensions_of
from cloche.services.cloudwatch.metric_statistics import known_statistic
from cloche.storage.metadata import records
from cloche.storage.metadata.keyset import Walk, read_page
from cloche.storage.metadata.records import Record

PAGE: Final = 10
EXCLUDED_MAX: Final = 10
STATE_PERIOD: Final = 300
_PLAIN: Final = ("Namespace", "MetricName", "Dimensions", "Stat")


@operation("PutAnomalyDetector")
def put_anomaly_detector(ctx: Context, request: Members) -> Members:
    """Create it, or say something else of the same metric."""
    metric, stat, said = _metric(ctx, request)
    configuration = request.get("Configuration") or {}
    for member in ("AdaptationSpeed", "OutlierFilteringStrength"):
        if member in configuration:
            raise NotSupported(f"PutAnomalyDetector does not support Configuration.{member} in Cloche")
    if configuration.get("MetricTimezone", "UTC") not in ("UTC", "Etc/UTC", "GMT"):
        raise NotSupported("PutAnomalyDetector does not support a MetricTimezone other than UTC in Cloche")
    excluded = configuration.get("ExcludedTimeRanges") or ()
    if len(excluded) > EXCLUDED_MAX:
        raise invalid_value(f"ExcludedTimeRanges may have at most {EXCLUDED_MAX} members.")
    if any(each["StartTime"] >= each["EndTime"] for each in excluded):
        raise invalid_value("The StartTime of an excluded time range must be before its EndTime.")
    name = filed_name(metric, stat)
    kept: dict[str, Any] = {**said, "Configuration": configuration}
    if "MetricCharacteristics" in request:
        kept["MetricCharacteristics"] = request["MetricCharacteristics"]
    arn = f"arn:aws:cloudwatch:{ctx.region}:{ctx.account}:anomaly-detector:{name}"
    at = ctx.now.timestamp()

    def change(tx: sqlite3.Connection) -> None:
        if records.find(tx, ctx.account, ctx.region, DETECTOR_KIND, name) is not None:
            records.replace_request(tx, arn, kept, at)
            return
        records.insert(
            tx, account=ctx.account, region=ctx.region, kind=DETECTOR_KIND, name=name, arn=arn, at=at, request=kept
        )

    ctx.parts.database.write(change)
    return {}


@operation("DeleteAnomalyDetector")
def delete_anomaly_detector(ctx: Context, request: Members) -> Members:
    metric, stat, _ = _metric(ctx, request)
    name = filed_name(metric, stat)

    def change(tx: sqlite3.Connection) -> None:
        found = records.find(tx, ctx.account, ctx.region, DETECTOR_KIND, name)
        if found is None:
            raise AwsError("ResourceNotFoundException", "The anomaly detector does not exist.", 404)
        records.remove(tx, found.arn)

    ctx.parts.database.write(change)
    return {}


@operation("DescribeAnomalyDetectors", reads=True)
def describe_anomaly_detectors(ctx: Context, request: Members) -> Members:
    if request.get("AnomalyDetectorIds"):
        raise NotSupported("DescribeAnomalyDetectors does not support AnomalyDetectorIds in Cloche: name the metric")
    reader, size = ctx.parts.database.reader, min(request.get("MaxResults") or PAGE, 50)
    if "SINGLE_METRIC" not in (request.get("AnomalyDetectorTypes") or ["SINGLE_METRIC"]):
        return {"AnomalyDetectors": []}
    wanted = dimensions_of(request) if "Dimensions" in request else None
    question = ["DescribeAnomalyDetectors", ctx.account, ctx.region, {name: request.get(name) for name in _PLAIN}]
    secret = records.page_secret(reader)
    try:
        after = tokens.unseal(secret, question, request["NextToken"]) if request.get("NextToken") else None
    except Invalid as error:
        raise AwsError("InvalidNextToken", error.message) from None
    walk = Walk(
        "records",
        ("name",),
        conditions=("account = ?", "region = ?", "kind = ?"),
        arguments=(ctx.account, ctx.region, DETECTOR_KIND),
    )
    page = read_page(reader, walk, after=after, size=size)
    found = [
        record
        for record in map(records.from_row, page.rows)
        if all(record.request[name] == request[name] for name in ("Namespace", "MetricName") if name in request)
        and (wanted is None or dimensions_of(record.request) == wanted)
    ]
    answer: Members = {"AnomalyDetectors": [_shown(ctx, record) for record in found]}
    if page.last is not None:
        answer["NextToken"] = tokens.seal(secret, question, page.last)
    return answer


def _shown(ctx: Context, record: Record) -> Members:
    said = {name: record.request[name] for name in _PLAIN}
    metric: Metric = (said["Namespace"], said["MetricName"], dimensions_of(said))
    past = ctx.parts.alarms.detectors.history(
        record.account,
        record.region,
        metric,
        said["Stat"],
        known_statistic(said["Stat"]),
        STATE_PERIOD,
        ctx.now.timestamp(),
    )
    state = "TRAINED" if len(past) >= POINTS_MIN else "TRAINED_INSUFFICIENT_DATA"
    told: Members = {**said, "Configuration": record.request["Configuration"], "StateValue": state}
    if "MetricCharacteristics" in record.request:
        told["MetricCharacteristics"] = record.request["MetricCharacteristics"]
    return {**told, "SingleMetricAnomalyDetector": {**said, "AccountId": record.account}}


def _metric(ctx: Context, request: Members) -> tuple[Metric, str, Members]:
    """The metric, its statistic, and both in the words of the API."""
    if "MetricMathAnomalyDetector" in request:
        raise NotSupported("Anomaly detectors of expressions (MetricMathAnomalyDetector) are not supported in Cloche")
    if "AnomalyDetectorId" in request:
        raise NotSupported("AnomalyDetectorId is not supported in Cloche: name the metric")
    single = request.get("SingleMetricAnomalyDetector")
    if single is not None and any(name in request for name in _PLAIN):
        raise invalid_combination("SingleMetricAnomalyDetector must not be given with the members of a metric.")
    named = single if single is not None else request
    if named.get("AccountId", ctx.account) != ctx.account:
        raise NotSupported("Metrics of other accounts (AccountId) are not supported in Cloche")
    for name in ("Namespace", "MetricName", "Stat"):
        if name not in named:
            raise AwsError("MissingParameter", f"The parameter {name} is required.")
    known_statistic(named["Stat"])
    said = {name: named[name] for name in _PLAIN if name in named}
    said.setdefault("Dimensions", [])
    return (named["Namespace"], named["MetricName"], dimensions_of(named)), named["Stat"], said
