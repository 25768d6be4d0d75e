"""Metric filters of log groups (what they do is in ``engines/metric_filters``), and patterns tried on messages."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tokens
from cloche.engines.filter_patterns import compile_pattern
from cloche.engines.metric_filters import number
from cloche.foundation.errors import Invalid, LimitReached, NotFound, NotSupported
from cloche.services.logs.log_group import require_class
from cloche.services.logs.naming import group_arn
from cloche.storage.logs import filters
from cloche.storage.metadata import records
from cloche.storage.metadata.keyset import Walk, read_page
from cloche.storage.metadata.records import Record

# "The maximum number of metric filters that can be associated with a log group is 100", API_PutMetricFilter.html
FILTERS_MAX: Final = 100
# "One metric filter can include as many as three dimensions", API_MetricTransformation.html
DIMENSIONS_MAX: Final = 3
DESCRIBE_DEFAULT: Final = 50
NOT_THERE: Final = "The specified metric filter does not exist."
"""The words that AWS has for groups and streams that are not there, about filters."""


@operation("PutMetricFilter")
def put_metric_filter(ctx: Context, request: Members) -> Members:
    """A filter of the same name is replaced, and counts from now on."""
    for member in ("applyOnTransformedLogs", "fieldSelectionCriteria", "emitSystemFieldDimensions"):
        if request.get(member):
            raise NotSupported(f"PutMetricFilter does not support {member} in Cloche")
    group, name = request["logGroupName"], request["filterName"]
    require_class(ctx, require_transformation(request), "PutMetricFilter")
    arn = f"{group_arn(ctx, group)}:metric-filter:{name}"
    at = ctx.now.timestamp()

    def change(tx: sqlite3.Connection) -> None:
        if records.find_arn(tx, arn) is not None:
            records.replace_request(tx, arn, request, at)
            return
        if filters.count(tx, filters.METRIC, ctx.account, ctx.region, group) >= FILTERS_MAX:
            raise LimitReached("Resource limit exceeded.")
        records.insert(
            tx,
            account=ctx.account,
            region=ctx.region,
            kind=filters.METRIC,
            name=filters.filed_name(group, name),
            arn=arn,
            at=at,
            request=request,
        )

    ctx.parts.database.write(change)
    ctx.parts.metric_filters.changed()
    return {}


def require_transformation(request: Members) -> str:
    """The group's name, once what shall be made of its events has been checked. Raises ``Invalid``."""
    (told,) = request["metricTransformations"]
    pattern, value = request["filterPattern"].strip(), told["metricValue"]
    compile_pattern(pattern)
    has_fields = pattern.startswith(("{", "["))
    dimensions = told.get("dimensions") or {}
    if dimensions and not has_fields:
        # hashicorp/terraform-provider-aws#22105
        raise Invalid("The specified filter pattern does not support dimensions")
    if dimensions and told.get("defaultValue") is not None:
        # aws-solutions-library-samples/guidance-for-claude-code-with-amazon-bedrock#632
        raise Invalid("Invalid metric transformation: dimensions and default value are mutually exclusive properties")
    if len(dimensions) > DIMENSIONS_MAX:
        raise Invalid(f"Invalid metric transformation: there may be at most {DIMENSIONS_MAX} dimensions")
    if not all(field.startswith("$") for field in dimensions.values()):
        raise Invalid("Invalid metric transformation: dimension values must be fields of the filter pattern")
    if not (has_fields and value.startswith("$")) and number(value) is None:
        raise Invalid("Invalid metric transformation: metricValue must be a number or a field of the filter pattern")
    return str(request["logGroupName"])


@operation("DescribeMetricFilters", reads=True)
def describe_metric_filters(ctx: Context, request: Members) -> Members:
    group, prefix = request.get("logGroupName"), request.get("filterNamePrefix", "")
    metric, namespace = request.get("metricName"), request.get("metricNamespace")
    if (metric is None) != (namespace is None):
        raise Invalid("metricName and metricNamespace must be given together")
    conditions = ["account = ?", "region = ?", "kind = ?"]
    arguments: list[Any] = [ctx.account, ctx.region, filters.METRIC]
    if group is not None:
        ctx.parts.logs.group(ctx.account, ctx.region, group)
        start = filters.filed_name(group, prefix)
        conditions.append("substr(name, 1, ?) = ?")
        arguments += [len(start), start]
    if metric is not None:
        told = "json_extract(request, '$.metricTransformations[0].{}') = ?"
        conditions += [told.format("metricName"), told.format("metricNamespace")]
        arguments += [metric, namespace]
    reader = ctx.parts.database.reader
    secret = records.page_secret(reader)
    question: list[Any] = ["DescribeMetricFilters", ctx.account, ctx.region, group, prefix, metric, namespace]
    token = request.get("nextToken")
    walk = Walk("records", ("name",), conditions=tuple(conditions), arguments=tuple(arguments))
    after = tokens.unseal(secret, question, token) if token else None
    page = read_page(reader, walk, after=after, size=request.get("limit", DESCRIBE_DEFAULT))
    answer: Members = {"metricFilters": [_shown(records.from_row(row)) for row in page.rows]}
    if page.last is not None:
        answer["nextToken"] = tokens.seal(secret, question, page.last)
    return answer


@operation("DeleteMetricFilter")
def delete_metric_filter(ctx: Context, request: Members) -> Members:
    group = request["logGroupName"]
    ctx.parts.logs.group(ctx.account, ctx.region, group)
    arn = f"{group_arn(ctx, group)}:metric-filter:{request['filterName']}"

    def change(tx: sqlite3.Connection) -> None:
        if records.find_arn(tx, arn) is None:
            raise NotFound(NOT_THERE)
        records.remove(tx, arn)

    ctx.parts.database.write(change)
    ctx.parts.metric_filters.changed()
    return {}


@operation("TestMetricFilter", reads=True)
def test_metric_filter(ctx: Context, request: Members) -> Members:
    """Messages are numbered from 1."""
    pattern = compile_pattern(request["filterPattern"])
    return {
        "matches": [
            {"eventNumber": place, "eventMessage": message, "extractedValues": dict(pattern.extract(message))}
            for place, message in enumerate(request["logEventMessages"], 1)
            if pattern.matches(message)
        ]
    }


def _shown(record: Record) -> Members:
    return {**record.request, "creationTime": int(record.created_at * 1000)}
