"""BatchPutMetrics and BatchGetMetrics, through boto3."""

from __future__ import annotations

import itertools
import math
import statistics
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

_numbers = itertools.count()


@pytest.fixture
def sagemaker(client: Any) -> Any:
    return client("sagemaker")


@pytest.fixture
def metrics(client: Any) -> Any:
    return client("sagemaker-metrics")


@pytest.fixture
def run(sagemaker: Any) -> dict[str, Any]:
    """A trial component."""
    name = f"measured-{next(_numbers)}"
    sagemaker.create_trial_component(TrialComponentName=name)
    described: dict[str, Any] = sagemaker.describe_trial_component(TrialComponentName=name)
    return described


def put(metrics: Any, run: dict[str, Any], values: list[float], name: str = "loss", **changes: Any) -> list[Any]:
    moment = time.time()
    data = [
        {"MetricName": name, "Timestamp": moment, "Step": step, "Value": value, **changes}
        for step, value in enumerate(values)
    ]
    answer = metrics.batch_put_metrics(TrialComponentName=run["TrialComponentName"], MetricData=data)
    errors: list[Any] = answer.get("Errors", [])
    return errors


def got(metrics: Any, arn: str, name: str = "loss", **changes: Any) -> dict[str, Any]:
    query = {
        "MetricName": name,
        "ResourceArn": arn,
        "MetricStat": "Last",
        "Period": "IterationNumber",
        "XAxisType": "IterationNumber",
        **changes,
    }
    (result,) = metrics.batch_get_metrics(MetricQueries=[query])["MetricQueryResults"]
    found: dict[str, Any] = result
    return found


def test_a_series_comes_back_by_steps(metrics: Any, run: dict[str, Any]) -> None:
    values = [1.0, 0.5, 0.25, 0.125]
    assert put(metrics, run, values) == []
    found = got(metrics, run["TrialComponentArn"])
    assert (found["Status"], found["XAxisValues"], found["MetricValues"]) == ("Complete", [0, 1, 2, 3], values)
    assert got(metrics, run["TrialComponentArn"], Start=1, End=2)["MetricValues"] == [0.5, 0.25]
    assert got(metrics, run["TrialComponentArn"], name="other")["MetricValues"] == []


def test_every_statistic_of_values_of_one_step(metrics: Any, run: dict[str, Any]) -> None:
    values = [1e9 + 1, 1e9 + 4, 1e9 + 2]  # large and close: their deviation is lost by the sum of squares
    put(metrics, run, values, Step=7)
    expected = {
        "Min": min(values),
        "Max": max(values),
        "Avg": statistics.fmean(values),
        "Count": 3.0,
        "StdDev": statistics.stdev(values),
        "Last": values[-1],
    }
    for statistic, value in expected.items():
        found = got(metrics, run["TrialComponentArn"], MetricStat=statistic)
        assert found["XAxisValues"] == [7]
        assert math.isclose(found["MetricValues"][0], value, rel_tol=1e-8), (
            statistic
        )  # of 1e9, that is 16 digits of the mean


def test_periods_of_time_begin_at_whole_minutes(metrics: Any, run: dict[str, Any]) -> None:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    for minute, value in ((0, 1.0), (0, 3.0), (4, 5.0), (6, 7.0)):
        put(metrics, run, [value], Timestamp=hour + timedelta(minutes=minute, seconds=30))
    begin = int(hour.timestamp())
    by = {"XAxisType": "Timestamp", "MetricStat": "Avg"}
    for period, times, values in (
        ("OneMinute", [0, 240, 360], [2.0, 5.0, 7.0]),
        ("FiveMinute", [0, 300], [3.0, 7.0]),
        ("OneHour", [0], [4.0]),
    ):
        found = got(metrics, run["TrialComponentArn"], Period=period, **by)
        assert found["XAxisValues"] == [begin + after for after in times], period
        assert found["MetricValues"] == values


def test_the_component_shows_a_summary_of_each_metric(sagemaker: Any, metrics: Any, run: dict[str, Any]) -> None:
    put(metrics, run, [3.0, 1.0])
    put(metrics, run, [2.0])
    put(metrics, run, [0.9], name="auc")
    described = sagemaker.describe_trial_component(TrialComponentName=run["TrialComponentName"])
    shown = {each["MetricName"]: each for each in described["Metrics"]}
    loss = shown["loss"]
    assert set(shown) == {"loss", "auc"}
    assert [loss[key] for key in ("Min", "Max", "Last", "Count", "Avg", "StdDev")] == [1.0, 3.0, 2.0, 3, 2.0, 1.0]
    assert loss["SourceArn"] == run["TrialComponentArn"]
    assert (shown["auc"]["Count"], shown["auc"]["StdDev"]) == (1, 0.0)


def test_what_cannot_be_kept_is_told_by_its_place(metrics: Any, run: dict[str, Any]) -> None:
    now = datetime.now(UTC)
    data = [
        {"MetricName": "loss", "Timestamp": now, "Value": float("nan")},
        {"MetricName": "loss", "Timestamp": now, "Value": 1.0, "Step": 0},
        {"MetricName": "loss", "Timestamp": now - timedelta(days=15), "Value": 2.0},
        {"MetricName": "loss", "Timestamp": now + timedelta(hours=3), "Value": 3.0},
        {"MetricName": "loss", "Timestamp": now, "Value": float("inf")},
    ]
    answer = metrics.batch_put_metrics(TrialComponentName=run["TrialComponentName"], MetricData=data)
    assert answer["Errors"] == [{"Code": "VALIDATION_ERROR", "MetricIndex": place} for place in (0, 2, 3, 4)]
    assert got(metrics, run["TrialComponentArn"])["MetricValues"] == [1.0]


def test_a_name_with_capitals_is_reached_in_small_letters(sagemaker: Any, metrics: Any) -> None:
    name = f"Measured-{next(_numbers)}-Big"
    arn = sagemaker.create_trial_component(TrialComponentName=name)["TrialComponentArn"]
    assert put(metrics, {"TrialComponentName": name.lower()}, [1.0]) == []
    assert got(metrics, arn)["MetricValues"] == [1.0]


def test_queries_that_cannot_be_answered_say_why(metrics: Any, run: dict[str, Any]) -> None:
    arn = run["TrialComponentArn"]
    for changes in (
        {"arn": arn + "-not"},
        {"arn": arn.replace("123456789012", "210987654321")},
        {"arn": "arn:aws:sagemaker:us-east-1:123456789012:training-job/never"},
        {"Period": "OneMinute"},
    ):
        found = got(metrics, **{"arn": arn, **changes})
        assert found["Status"] == "ValidationError" and found["Message"]
    with pytest.raises(ClientError) as error:
        put(metrics, {"TrialComponentName": "nothing-of-that-name"}, [1.0])
    assert error.value.response["Error"]["Code"] == "ResourceNotFound"


def test_points_survive_a_kill(start_server: Any) -> None:
    server = start_server()
    server.client("sagemaker").create_trial_component(TrialComponentName="durable")
    put(server.client("sagemaker-metrics"), {"TrialComponentName": "durable"}, [1.0, 2.0])
    server.stop(9)
    server.start()
    arn = server.client("sagemaker").describe_trial_component(TrialComponentName="durable")["TrialComponentArn"]
    assert got(server.client("sagemaker-metrics"), arn)["MetricValues"] == [1.0, 2.0]


def test_a_run_made_anew_under_a_name_begins_with_nothing(sagemaker: Any, metrics: Any, run: dict[str, Any]) -> None:
    put(metrics, run, [1.0, 2.0])
    name = run["TrialComponentName"]
    sagemaker.delete_trial_component(TrialComponentName=name)
    sagemaker.create_trial_component(TrialComponentName=name)
    assert got(metrics, run["TrialComponentArn"])["MetricValues"] == []
    put(metrics, run, [3.0])
    (metric,) = sagemaker.describe_trial_component(TrialComponentName=name)["Metrics"]
    assert (metric["Count"], metric["Last"]) == (1, 3.0)
