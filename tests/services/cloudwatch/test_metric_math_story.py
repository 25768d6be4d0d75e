"""Expressions, searches, labels and trimmed statistics through unmodified boto3."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

NOW = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=10)


@pytest.fixture
def cloudwatch(client: Callable[..., Any]) -> Any:
    return client("cloudwatch")


@pytest.fixture
def namespace(cloudwatch: Any, request: pytest.FixtureRequest) -> str:
    name = f"math/{request.node.name}".replace("[", "-").replace("]", "")
    data = []
    for function, errors, calls in (("f1", [1, 2, None], [10, 0, 5]), ("f2", [4, None, 6], [8, 8, 8])):
        dimensions = [{"Name": "FunctionName", "Value": function}]
        for metric, held in (("Errors", errors), ("Invocations", calls)):
            data += [
                {
                    "MetricName": metric,
                    "Dimensions": dimensions,
                    "Timestamp": NOW + timedelta(minutes=at),
                    "Value": value,
                }
                for at, value in enumerate(held)
                if value is not None
            ]
    cloudwatch.put_metric_data(Namespace=name, MetricData=data)
    return name


def metric(id: str, namespace: str, name: str, function: str, **more: Any) -> dict[str, Any]:
    stat = {
        "Metric": {
            "Namespace": namespace,
            "MetricName": name,
            "Dimensions": [{"Name": "FunctionName", "Value": function}],
        },
        "Period": 60,
        "Stat": "Sum",
    }
    return {"Id": id, "MetricStat": stat, **more}


def ask(cloudwatch: Any, *queries: dict[str, Any], **more: Any) -> dict[str, Any]:
    given = {
        "StartTime": NOW,
        "EndTime": NOW + timedelta(minutes=4),
        "ScanBy": "TimestampAscending",
        "MetricDataQueries": list(queries),
    }
    return dict(cloudwatch.get_metric_data(**{**given, **more}))


def refused(cloudwatch: Any, *queries: dict[str, Any], **more: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        ask(cloudwatch, *queries, **more)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def test_an_error_rate(cloudwatch: Any, namespace: str) -> None:
    answer = ask(
        cloudwatch,
        metric("errors", namespace, "Errors", "f1", ReturnData=False),
        metric("calls", namespace, "Invocations", "f1", ReturnData=False),
        {"Id": "rate", "Expression": "100 * errors / calls", "Label": "error rate, at most ${MAX}"},
    )
    (rate,) = answer["MetricDataResults"]
    assert (rate["Id"], rate["Label"], rate["Values"]) == ("rate", "error rate, at most 10", [10.0, 0.0])
    assert rate["Timestamps"] == [NOW, NOW + timedelta(minutes=2)]
    (message,) = rate["Messages"]
    assert message["Code"] == "ArithmeticError" and "(NaN, -Infinite, +Infinite)" in message["Value"]


def test_search(cloudwatch: Any, namespace: str) -> None:
    search = f"SEARCH('{{\"{namespace}\",FunctionName}} MetricName=\"Errors\"', 'Sum', 60)"
    answer = ask(
        cloudwatch,
        {"Id": "e1", "Expression": search},
        {"Id": "e2", "Expression": "SUM(e1)", "Label": "all"},
        {"Id": "e3", "Expression": f"FILL({search}, 0)", "Label": "${PROP('MetricName')} of ${LABEL}"},
    )["MetricDataResults"]
    assert [(result["Id"], result["Label"], result["Values"]) for result in answer] == [
        ("e1", "f1", [1.0, 2.0]),
        ("e1", "f2", [4.0, 6.0]),
        ("e2", "all", [5.0, 2.0, 6.0]),
        ("e3", "Errors of f1", [1.0, 2.0, 0.0, 0.0]),
        ("e3", "Errors of f2", [4.0, 0.0, 6.0, 0.0]),
    ]


def test_pages_go_through_the_series_of_an_expression(cloudwatch: Any, namespace: str) -> None:
    queries = [
        metric("m1", namespace, "Invocations", "f1"),
        metric("m2", namespace, "Invocations", "f2"),
        {"Id": "e", "Expression": "METRICS() * 2"},
    ]
    whole = ask(cloudwatch, *queries)["MetricDataResults"]
    joined: dict[tuple[str, str], list[float]] = {}
    token: dict[str, str] = {}
    for _ in range(20):
        answer = ask(cloudwatch, *queries, MaxDatapoints=2, **token)
        for result in answer["MetricDataResults"]:
            joined.setdefault((result["Id"], result["Label"]), []).extend(result["Values"])
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    expected: dict[tuple[str, str], list[float]] = {}
    for result in whole:
        expected.setdefault((result["Id"], result["Label"]), []).extend(result["Values"])
    assert joined == expected
    assert sum(map(len, joined.values())) == 12
    code, _ = refused(cloudwatch, *queries, NextToken="x")
    assert code.startswith("InvalidNextToken")


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        ({"Expression": "m1 +"}, "ValidationError", "Error in expression 'e': Invalid syntax"),
        ({"Expression": "FOO(m1)"}, "ValidationError", "Error in expression 'e': Function 'FOO' not found"),
        ({"Expression": "SUM(m1)"}, "ValidationError", "time series"),
        ({"Expression": "INSIGHT_RULE_METRIC(m1)"}, "InvalidParameterValue", "INSIGHT_RULE_METRIC"),
        ({"Expression": "SELECT AVG(x) FROM y"}, "InvalidParameterValue", "Metrics Insights"),
        ({"Expression": "m1", "Label": "${LABEL} ${LABEL}"}, "InvalidParameterValue", "LABEL"),
        ({"Expression": "m1", "AccountId": "111111111111"}, "InvalidParameterValue", "other accounts"),
        ({"Expression": "m1", "Period": 7}, "InvalidParameterValue", "Period"),
        ({}, "InvalidParameterCombination", "either"),
    ],
)
def test_what_is_refused(cloudwatch: Any, namespace: str, query: dict[str, Any], code: str, words: str) -> None:
    told = refused(cloudwatch, metric("m1", namespace, "Errors", "f1"), {"Id": "e", **query})
    assert told[0].removesuffix("Exception") == code
    assert words in told[1]
    told = refused(cloudwatch, metric("m1", namespace, "Errors", "f1"), LabelOptions={"Timezone": "CET"})
    assert "Timezone" in told[1]


def test_trimmed_statistics(cloudwatch: Any, namespace: str) -> None:
    values = [float(number) for number in range(1, 11)]
    cloudwatch.put_metric_data(
        Namespace=namespace, MetricData=[{"MetricName": "latency", "Timestamp": NOW, "Values": values}]
    )
    given = {"Namespace": namespace, "MetricName": "latency", "StartTime": NOW, "EndTime": NOW + timedelta(minutes=1)}
    names = ["p99.99", "tm90", "TM(10%:90%)", "tc90", "ts90", "PR(:3)", "IQM", "WM(3:8)"]
    (point,) = cloudwatch.get_metric_statistics(**given, Period=60, ExtendedStatistics=names)["Datapoints"]
    assert point["ExtendedStatistics"] == pytest.approx(
        {
            "p99.99": 9.9991,
            "tm90": 5,
            "TM(10%:90%)": 5.5,
            "tc90": 9,
            "ts90": 45,
            "PR(:3)": 30,
            "IQM": 5.5,
            "WM(3:8)": 5.5,
        }
    )
    query = {"Metric": {"Namespace": namespace, "MetricName": "latency"}, "Period": 60, "Stat": "TS(80%:)"}
    assert ask(cloudwatch, {"Id": "m", "MetricStat": query})["MetricDataResults"][0]["Values"] == [19.0]


def test_high_resolution(cloudwatch: Any, namespace: str) -> None:
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
    data = [
        {"MetricName": "fast", "Timestamp": at + timedelta(seconds=second), "Value": second, "StorageResolution": 1}
        for second in range(20)
    ]
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)
    for period, count in ((1, 20), (5, (4, 5)), (10, (2, 3)), (30, (1, 2))):
        query = {"Metric": {"Namespace": namespace, "MetricName": "fast"}, "Period": period, "Stat": "SampleCount"}
        told = ask(cloudwatch, {"Id": "m", "MetricStat": query}, StartTime=at, EndTime=at + timedelta(seconds=60))[
            "MetricDataResults"
        ][0]
        assert len(told["Values"]) in (count if isinstance(count, tuple) else (count,))
        assert all(moment.timestamp() % period == 0 for moment in told["Timestamps"])


def test_entities_and_too_many_metrics(cloudwatch: Any, namespace: str) -> None:
    part = {
        "Entity": {"KeyAttributes": {"Type": "Service", "Name": "n"}},
        "MetricData": [{"MetricName": "of-entity", "Value": 1.0}],
    }
    cloudwatch.put_metric_data(Namespace=namespace, EntityMetricData=[part], StrictEntityValidation=True)
    assert len(cloudwatch.list_metrics(Namespace=namespace, MetricName="of-entity")["Metrics"]) == 1
    with pytest.raises(ClientError) as error:
        data = [{"MetricName": f"m{number}", "Value": 1.0} for number in range(1_000)]
        cloudwatch.put_metric_data(
            Namespace=namespace, MetricData=data, EntityMetricData=[part], StrictEntityValidation=True
        )
    assert "1000" in error.value.response["Error"]["Message"]


def test_compressed_requests_in_every_protocol(server: Any, namespace: str) -> None:
    from botocore.config import Config

    always = Config(request_min_compression_size_bytes=1)
    for number, how in enumerate((always, Config(disable_request_compression=True))):
        cloudwatch = server.client("cloudwatch", config=how)
        cloudwatch.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": f"zip{number}", "Value": 1.0}] * 20)
        given = {"StartTime": datetime.now(UTC) - timedelta(hours=1), "EndTime": datetime.now(UTC) + timedelta(hours=1)}
        (point,) = cloudwatch.get_metric_statistics(
            Namespace=namespace, MetricName=f"zip{number}", Period=3600 * 6, Statistics=["SampleCount"], **given
        )["Datapoints"][:1]
        assert point["SampleCount"] >= 1
