"""CloudWatch metrics through unmodified boto3."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

NOW = datetime.now(UTC).replace(minute=30, second=0, microsecond=0) - timedelta(hours=1)
"""In the middle of an hour: what is asked for by the hour lies in one."""
JOB = [{"Name": "TrainingJobName", "Value": "j"}]


@pytest.fixture
def cloudwatch(client: Callable[..., Any]) -> Any:
    return client("cloudwatch")


@pytest.fixture
def namespace(request: pytest.FixtureRequest) -> str:
    return f"story/{request.node.name}"


def put(cloudwatch: Any, namespace: str, *values: float, name: str = "loss", **more: Any) -> None:
    data = [
        {"MetricName": name, "Dimensions": JOB, "Timestamp": NOW + timedelta(seconds=30 * at), "Value": value, **more}
        for at, value in enumerate(values)
    ]
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)


def statistics(cloudwatch: Any, namespace: str, **arguments: Any) -> list[dict[str, Any]]:
    given = {
        "Namespace": namespace,
        "MetricName": "loss",
        "Dimensions": JOB,
        "StartTime": NOW,
        "EndTime": NOW + timedelta(minutes=10),
        "Period": 60,
    }
    return cloudwatch.get_metric_statistics(**{**given, **arguments})["Datapoints"]


def code_of(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def test_statistics_of_what_was_put(cloudwatch: Any, namespace: str) -> None:
    put(cloudwatch, namespace, 4.0, 2.0, 1.0, Unit="None")
    points = statistics(cloudwatch, namespace, Statistics=["Average", "Sum", "Minimum", "Maximum", "SampleCount"])
    assert points == [
        {
            "Timestamp": NOW,
            "Average": 3.0,
            "Sum": 6.0,
            "Minimum": 2.0,
            "Maximum": 4.0,
            "SampleCount": 2.0,
            "Unit": "None",
        },
        {
            "Timestamp": NOW + timedelta(minutes=1),
            "Average": 1.0,
            "Sum": 1.0,
            "Minimum": 1.0,
            "Maximum": 1.0,
            "SampleCount": 1.0,
            "Unit": "None",
        },
    ]
    (whole,) = statistics(
        cloudwatch,
        namespace,
        StartTime=NOW.replace(minute=0),
        EndTime=NOW.replace(minute=0) + timedelta(hours=1),
        Period=3600,
        ExtendedStatistics=["p50", "p100"],
    )
    assert whole["ExtendedStatistics"] == {"p50": 2.0, "p100": 4.0}


def test_values_with_counts_and_statistic_sets(cloudwatch: Any, namespace: str) -> None:
    cloudwatch.put_metric_data(
        Namespace=namespace,
        MetricData=[
            {"MetricName": "a", "Timestamp": NOW, "Values": [1.0, 5.0], "Counts": [3.0, 1.0]},
            {
                "MetricName": "b",
                "Timestamp": NOW,
                "StatisticValues": {"SampleCount": 4, "Sum": 10, "Minimum": 1, "Maximum": 4},
            },
        ],
    )

    def of(name: str, **arguments: Any) -> list[dict[str, Any]]:
        return statistics(cloudwatch, namespace, MetricName=name, Dimensions=[], **arguments)

    assert of("a", Statistics=["Average", "SampleCount"])[0]["Average"] == 2.0
    assert of("a", ExtendedStatistics=["p50"])[0]["ExtendedStatistics"] == {"p50": 1.0}
    assert of("b", Statistics=["Average"])[0]["Average"] == 2.5
    assert of("b", ExtendedStatistics=["p50"]) == [], "a statistic set has no percentiles"


def test_metric_data_of_several_queries_in_pages(cloudwatch: Any, namespace: str) -> None:
    put(cloudwatch, namespace, *(float(number) for number in range(10)))
    queries = [
        {
            "Id": name,
            "MetricStat": {
                "Metric": {"Namespace": namespace, "MetricName": metric, "Dimensions": JOB},
                "Period": 60,
                "Stat": stat,
            },
        }
        for name, metric, stat in (("a", "loss", "Sum"), ("b", "loss", "p90"), ("c", "nothing", "Average"))
    ]
    given = {"MetricDataQueries": queries, "StartTime": NOW, "EndTime": NOW + timedelta(minutes=5)}
    answer = cloudwatch.get_metric_data(**given, ScanBy="TimestampAscending")["MetricDataResults"]
    assert [result["Id"] for result in answer] == ["a", "b", "c"]
    assert answer[0]["Values"] == [1.0, 5.0, 9.0, 13.0, 17.0]
    assert answer[0]["Timestamps"] == [NOW + timedelta(minutes=number) for number in range(5)]
    assert answer[0]["Label"] == "loss" and answer[0]["StatusCode"] == "Complete"
    assert answer[2]["Values"] == []
    assert cloudwatch.get_metric_data(**given)["MetricDataResults"][0]["Values"] == [17.0, 13.0, 9.0, 5.0, 1.0]
    joined: dict[str, list[float]] = {"a": [], "b": [], "c": []}
    for page in cloudwatch.get_paginator("get_metric_data").paginate(**given, MaxDatapoints=3):
        assert sum(len(result["Values"]) for result in page["MetricDataResults"]) <= 3
        for result in page["MetricDataResults"]:
            joined[result["Id"]] += result["Values"]
    assert joined["a"] == [17.0, 13.0, 9.0, 5.0, 1.0]
    assert len(joined["b"]) == 5


def test_list(cloudwatch: Any, namespace: str) -> None:
    put(cloudwatch, namespace, 1.0)
    put(cloudwatch, namespace, 1.0, name="accuracy")
    found = cloudwatch.list_metrics(Namespace=namespace)["Metrics"]
    assert [(metric["MetricName"], metric["Dimensions"]) for metric in found] == [("accuracy", JOB), ("loss", JOB)]
    assert cloudwatch.list_metrics(Namespace=namespace, Dimensions=[{"Name": "Other"}])["Metrics"] == []
    assert len(cloudwatch.list_metrics(Namespace=namespace, Dimensions=JOB, RecentlyActive="PT3H")["Metrics"]) == 2


@pytest.mark.parametrize(
    ("datum", "code", "text"),
    [
        ({}, "MissingParameter", "Value"),
        ({"Value": 1.0, "Values": [1.0]}, "InvalidParameterCombination", "mutually exclusive"),
        ({"Value": float("nan")}, "InvalidParameterValue", "Value"),
        ({"Value": 1e200}, "InvalidParameterValue", "Value"),
        ({"Values": [1.0, 2.0], "Counts": [1.0]}, "InvalidParameterValue", "Counts"),
        ({"Value": 1.0, "StorageResolution": 5}, "InvalidParameterValue", "StorageResolution"),
        ({"Value": 1.0, "Timestamp": datetime(2020, 1, 1, tzinfo=UTC)}, "InvalidParameterValue", "Timestamp"),
        ({"Value": 1.0, "Dimensions": JOB * 2}, "InvalidParameterValue", "dimensions"),
        (
            {"StatisticValues": {"SampleCount": 0, "Sum": 1, "Minimum": 1, "Maximum": 1}},
            "InvalidParameterValue",
            "SampleCount",
        ),
    ],
)
def test_data_that_break_a_rule(cloudwatch: Any, datum: dict[str, Any], code: str, text: str) -> None:
    good = {"MetricName": "good", "Value": 1.0}
    refused = code_of(
        cloudwatch.put_metric_data, Namespace="story/bad", MetricData=[good, {"MetricName": "bad", **datum}]
    )
    assert refused[0].removesuffix("Exception") == code or refused[0] == code, refused
    assert text in refused[1]
    assert cloudwatch.list_metrics(Namespace="story/bad")["Metrics"] == [], "all or nothing"


def test_queries_that_break_a_rule(cloudwatch: Any, namespace: str) -> None:
    given = {
        "Namespace": namespace,
        "MetricName": "a",
        "StartTime": NOW,
        "EndTime": NOW + timedelta(minutes=1),
        "Period": 60,
        "Statistics": ["Sum"],
    }

    def refused(**changed: Any) -> str:
        arguments = {key: value for key, value in {**given, **changed}.items() if value is not None}
        return code_of(cloudwatch.get_metric_statistics, **arguments)[0].removesuffix("Exception")

    assert refused(Statistics=None) == "InvalidParameterCombination"
    assert refused(ExtendedStatistics=["p5"]) == "InvalidParameterCombination"
    assert refused(EndTime=NOW) == "InvalidParameterCombination"
    assert refused(Period=7) == "InvalidParameterValue"
    assert refused(EndTime=NOW + timedelta(days=3)) == "InvalidParameterCombination"
    assert refused(Statistics=None, ExtendedStatistics=["q5"]) == "InvalidParameterValue"
    _, text = code_of(cloudwatch.list_metric_streams)
    assert "ListMetricStreams" in text and "metric streams have nowhere to go" in text
