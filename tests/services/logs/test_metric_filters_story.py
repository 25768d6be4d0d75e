"""Metric filters through unmodified boto3: put, tell, count, end."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

COUNT = {"metricName": "Errors", "metricNamespace": "Filters", "metricValue": "1"}


@pytest.fixture
def logs(client: Callable[..., Any]) -> Any:
    return client("logs")


@pytest.fixture
def group(logs: Any, request: pytest.FixtureRequest) -> str:
    name = f"/filters/{request.node.name}"
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="s")
    return name


def put(logs: Any, group: str, *messages: str) -> None:
    events = [{"timestamp": int(time.time() * 1000), "message": message} for message in messages]
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)


def refused(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def total(cloudwatch: Any, name: str, dimensions: dict[str, str] | None = None) -> float:
    now = datetime.now(UTC)
    named = [{"Name": key, "Value": value} for key, value in (dimensions or {}).items()]
    found = cloudwatch.get_metric_statistics(
        Namespace="Filters",
        MetricName=name,
        Dimensions=named,
        StartTime=now - timedelta(hours=2),
        EndTime=now + timedelta(hours=1),
        Period=3600,
        Statistics=["Sum"],
    )
    return sum(point["Sum"] for point in found["Datapoints"])


def test_events_become_data_points(start_server: Callable[..., Any]) -> None:
    """Those that were acknowledged, also after the server was killed."""
    running = start_server()
    logs = running.client("logs")
    logs.create_log_group(logGroupName="/g")
    logs.create_log_stream(logGroupName="/g", logStreamName="s")
    latency = {"metricName": "Latency", "metricNamespace": "Filters", "metricValue": "$.ms", "unit": "Milliseconds"}
    transformations = [{**latency, "dimensions": {"Path": "$.path"}}]
    logs.put_metric_filter(logGroupName="/g", filterName="errors", filterPattern="ERROR", metricTransformations=[COUNT])
    pattern = '{ $.ms > 0 && $.path = "*" }'
    logs.put_metric_filter(
        logGroupName="/g", filterName="latency", filterPattern=pattern, metricTransformations=transformations
    )
    put(logs, "/g", "ERROR one", "fine", '{"ms": 12.5, "path": "/a"}', '{"ms": 7, "path": "/b"}', "ERROR two")
    running.stop(signal.SIGKILL)
    running.start()
    logs, cloudwatch = running.client("logs"), running.client("cloudwatch")
    assert total(cloudwatch, "Errors") == 2
    assert total(cloudwatch, "Latency", {"Path": "/a"}) == 12.5
    put(logs, "/g", "ERROR three")
    assert total(cloudwatch, "Errors") == 3, "filters are read again at a start"
    logs.delete_metric_filter(logGroupName="/g", filterName="errors")
    put(logs, "/g", "ERROR four")
    assert total(cloudwatch, "Errors") == 3


def test_told_replaced_and_gone_with_their_group(logs: Any, group: str) -> None:
    for number in range(3):
        logs.put_metric_filter(
            logGroupName=group, filterName=f"f{number}", filterPattern="A", metricTransformations=[COUNT]
        )
    other = {**COUNT, "metricName": "Others", "defaultValue": 0.0}
    logs.put_metric_filter(logGroupName=group, filterName="f1", filterPattern="B", metricTransformations=[other])
    page = logs.describe_metric_filters(logGroupName=group, limit=2)
    rest = logs.describe_metric_filters(logGroupName=group, limit=2, nextToken=page["nextToken"])
    found = [*page["metricFilters"], *rest["metricFilters"]]
    assert [(each["filterName"], each["filterPattern"]) for each in found] == [("f0", "A"), ("f1", "B"), ("f2", "A")]
    assert found[1]["metricTransformations"] == [other]
    assert found[1]["logGroupName"] == group
    assert found[1]["creationTime"] <= time.time() * 1000
    by_metric = logs.describe_metric_filters(metricName="Others", metricNamespace="Filters")["metricFilters"]
    assert [each["filterName"] for each in by_metric] == ["f1"]
    assert len(logs.describe_metric_filters(logGroupName=group, filterNamePrefix="f2")["metricFilters"]) == 1
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["metricFilterCount"] == 3
    logs.delete_log_group(logGroupName=group)
    logs.create_log_group(logGroupName=group)
    assert logs.describe_metric_filters(logGroupName=group)["metricFilters"] == []


def test_refusals(logs: Any, group: str) -> None:
    given = {"logGroupName": group, "filterName": "f", "filterPattern": "ERROR", "metricTransformations": [COUNT]}

    def change(**told: Any) -> tuple[str, str]:
        return refused(logs.put_metric_filter, **{**given, "metricTransformations": [{**COUNT, **told}]})

    invalid = "InvalidParameterException"
    assert change(dimensions={"A": "$.a"}) == (invalid, "The specified filter pattern does not support dimensions")
    assert change(metricValue="$.a")[0] == change(metricValue="many")[0] == invalid
    given["filterPattern"] = "{ $.a = * }"
    both = "Invalid metric transformation: dimensions and default value are mutually exclusive properties"
    assert change(dimensions={"A": "$.a"}, defaultValue=1) == (invalid, both)
    assert "at most 3 dimensions" in change(dimensions=dict.fromkeys("ABCD", "$.a"))[1]
    assert "must be fields" in change(dimensions={"A": "constant"})[1]
    given["filterPattern"] = "{ $.a = "
    assert change()[0] == invalid
    given["filterPattern"] = "ERROR"
    assert (
        "emitSystemFieldDimensions"
        in refused(logs.put_metric_filter, **given, emitSystemFieldDimensions=["@aws.region"])[1]
    )
    assert refused(logs.put_metric_filter, **{**given, "logGroupName": "/nowhere"})[0] == "ResourceNotFoundException"
    missing = refused(logs.delete_metric_filter, logGroupName=group, filterName="f")
    assert missing == ("ResourceNotFoundException", "The specified metric filter does not exist.")
    assert refused(logs.describe_metric_filters, metricName="M")[0] == invalid
    logs.create_log_group(logGroupName=f"{group}-rare", logGroupClass="INFREQUENT_ACCESS")
    rare = refused(logs.put_metric_filter, **{**given, "logGroupName": f"{group}-rare"})
    assert rare[0] == "InvalidOperationException"


def test_a_hundred_a_group(logs: Any, group: str) -> None:
    given = {"logGroupName": group, "filterPattern": "ERROR", "metricTransformations": [COUNT]}
    for number in range(100):
        logs.put_metric_filter(filterName=f"f{number}", **given)
    assert refused(logs.put_metric_filter, filterName="f", **given)[0] == "LimitExceededException"
    logs.put_metric_filter(filterName="f7", **given)
