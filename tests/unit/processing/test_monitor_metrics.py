"""Metrics that a monitoring job leaves: published once, and whatever else lies there is passed over."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from cloche.engines.processing import monitor_metrics
from cloche.engines.processing.monitor_metrics import namespaces_of, put_metrics
from cloche.engines.processing.plan import Plan
from cloche.foundation.clock import SystemClock
from cloche.jobs.hosts import Group
from cloche.jobs.place import Place
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.metrics import MIGRATIONS, MetricStore
from cloche.storage.metrics.statistics import Statistics

NOW = 1_795_600_000.0


class Clock(SystemClock):
    def time(self) -> float:
        return NOW


@pytest.fixture
def metrics(tmp_path: Path) -> Iterator[MetricStore]:
    database = Database(tmp_path / "cloche.db")
    migrate(database, MIGRATIONS)
    yield MetricStore(database, Clock())
    database.close()


def held(metrics: MetricStore, namespace: str) -> dict[str, list[Statistics]]:
    """What was put, by the metric's name."""
    series, _ = metrics.metrics("123456789012", "us-east-1", namespace=namespace, limit=100)
    day = {"start": NOW - 86_400, "end": NOW + 86_400, "period": 60}
    return {
        one.name: [
            statistics
            for _, _, statistics in metrics.query(
                "123456789012", "us-east-1", namespace, one.name, one.dimensions, **day
            )
        ]
        for one in series
    }


def plan(**environment: str) -> Plan:
    return Plan(
        arn="arn",
        name="monitor",
        account="123456789012",
        region="us-east-1",
        role_arn="role",
        image="sagemaker-model-monitor-analyzer",
        instances=Group("ml.m5.large", 1),
        max_runtime_seconds=60.0,
        entrypoint=("true",),
        environment={"publish_cloudwatch_metrics": "Enabled", **environment},
    )


def left(folder: Path, lines: Sequence[Any]) -> Place:
    place = Place(folder / "job")
    where = place.layout.output / "metrics" / "cloudwatch"
    where.mkdir(parents=True)
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (where / "a.jsonl").write_text(text)
    return place


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ("aws/sagemaker/Endpoints/data-metrics", "/aws/sagemaker/Endpoints/data-metrics")),
        ({"analysis_type": "MODEL_QUALITY"}, ("aws/sagemaker/Endpoints/model-metrics",)),
        (
            {"analysis_type": "MODEL_QUALITY", "monitoring_input_type": "BATCH_TRANSFORM_INPUT"},
            ("aws/sagemaker/ModelMonitoring/model-metrics",),
        ),
    ],
)
def test_namespaces(environment: dict[str, str], expected: tuple[str, ...]) -> None:
    assert namespaces_of(environment) == expected


def test_points_are_put_as_the_job_left_them(tmp_path: Path, metrics: MetricStore) -> None:
    dimensions = [{"Name": "MonitoringSchedule", "Value": "s"}, {"Name": "Endpoint", "Value": "e"}]
    lines = [
        {"MetricName": "a", "Timestamp": "2026-11-26T03:00:00Z", "Dimensions": dimensions, "Value": 2.5},
        {
            "MetricName": "b",
            "StatisticValues": {"SampleCount": 2, "Sum": 3, "Minimum": 1, "Maximum": 2},
            "Unit": "Count",
        },
    ]
    put_metrics(plan(analysis_type="MODEL_QUALITY"), left(tmp_path, lines), metrics, Clock())
    namespace = "aws/sagemaker/Endpoints/model-metrics"
    (first, second), _ = metrics.metrics("123456789012", "us-east-1", namespace=namespace, limit=100)
    assert (first.name, first.last_at) == ("a", 1_795_662_000.0)
    assert first.dimensions == (("Endpoint", "e"), ("MonitoringSchedule", "s"))
    assert second.last_at == NOW
    found = held(metrics, namespace)
    assert [(each.count, each.total) for each in found["a"] + found["b"]] == [(1.0, 2.5), (2.0, 3.0)]


class Killed(BaseException):
    pass


def test_whoever_is_killed_on_the_way_puts_every_point_once(
    tmp_path: Path, metrics: MetricStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right before each put and right after it, again and again until it comes to its end."""
    monkeypatch.setattr(monitor_metrics, "POINTS_AT_ONCE", 2)
    place = left(tmp_path, [{"MetricName": f"m{number}", "Value": number} for number in range(5)])
    put, made = metrics.put, 0
    for survived in range(6):
        for is_made in (False, True):

            def dying(*arguments: Any, survived: int = survived, is_made: bool = is_made, **options: Any) -> None:
                nonlocal made
                if made == survived and not is_made:
                    raise Killed
                put(*arguments, **options)
                made += 1
                if made == survived + 1:
                    raise Killed

            made = 0
            monkeypatch.setattr(metrics, "put", dying)
            with pytest.raises(Killed):
                put_metrics(plan(), place, metrics, Clock())
    monkeypatch.setattr(metrics, "put", put)
    put_metrics(plan(), place, metrics, Clock())
    for namespace in namespaces_of(plan().environment):
        found = held(metrics, namespace)
        assert {name: [(each.count, each.total) for each in points] for name, points in found.items()} == {
            f"m{number}": [(1.0, float(number))] for number in range(5)
        }


def test_what_is_no_point_is_passed_over(tmp_path: Path, metrics: MetricStore) -> None:
    good = {"MetricName": "a", "Value": 1}
    bad: list[Any] = [
        "torn {",
        "[]",
        "5",
        {"MetricName": ""},
        {"MetricName": "n" * 256, "Value": 1},
        {"MetricName": "x"},
        {"MetricName": "x", "Value": "many"},
        '{"MetricName": "x", "Value": 1e999}',
        {"MetricName": "x", "Value": 1, "Timestamp": "soon"},
        {"MetricName": "x", "Value": 1, "Timestamp": 5},
        {"MetricName": "x", "Value": 1, "Dimensions": [{"Name": "only"}]},
        {"MetricName": "x", "Value": 1, "Dimensions": [{"Name": str(n), "Value": "v"} for n in range(31)]},
        {"MetricName": "x", "Value": 1, "Dimensions": 7},
        {"MetricName": "x", "StatisticValues": {"Sum": 1}},
        {"MetricName": "x", "StatisticValues": 3},
    ]
    put_metrics(plan(), left(tmp_path, [*bad, good]), metrics, Clock())
    assert list(held(metrics, "aws/sagemaker/Endpoints/data-metrics")) == ["a"]


def test_links_lead_nowhere(tmp_path: Path, metrics: MetricStore) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.jsonl").write_text('{"MetricName": "a", "Value": 1}')
    place = Place(tmp_path / "job")
    output = place.layout.output
    output.mkdir(parents=True)
    (output / "metrics").symlink_to(outside.parent)
    (outside.parent / "cloudwatch").symlink_to(outside)
    put_metrics(plan(), place, metrics, Clock())
    other = Place(tmp_path / "other")
    (other.layout.output / "metrics/cloudwatch").mkdir(parents=True)
    (other.layout.output / "metrics/cloudwatch/a.jsonl").symlink_to(outside / "a.jsonl")
    put_metrics(plan(), other, metrics, Clock())
    assert metrics.metrics("123456789012", "us-east-1", limit=1)[0] == []


def test_nothing_is_put_unless_asked_for(tmp_path: Path, metrics: MetricStore) -> None:
    place = left(tmp_path, [{"MetricName": "a", "Value": 1}])
    put_metrics(plan(publish_cloudwatch_metrics="Disabled"), place, metrics, Clock())
    assert metrics.metrics("123456789012", "us-east-1", limit=1)[0] == []
