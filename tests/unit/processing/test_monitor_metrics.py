"""Metrics that a monitoring job leaves: published once, and whatever else lies there is passed over."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from cloche.engines.processing.monitor_metrics import namespaces_of, put_metrics
from cloche.engines.processing.plan import Plan
from cloche.jobs.hosts import Group
from cloche.jobs.place import Place
from cloche.storage.metrics import Datum

NOW = 1_795_600_000.0


class Metrics:
    """What was put, by namespace."""

    def __init__(self) -> None:
        self.held: dict[str, list[Datum]] = {}

    def put(self, account: str, region: str, namespace: str, data: Sequence[Datum]) -> None:
        assert (account, region) == ("123456789012", "us-east-1")
        self.held.setdefault(namespace, []).extend(data)


class Clock:
    def time(self) -> float:
        return NOW


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


def put(folder: Path, lines: Sequence[Any], **environment: str) -> Metrics:
    """Twice, as by a server that was killed between."""
    place, metrics = Place(folder / "job"), Metrics()
    where = place.layout.output / "metrics" / "cloudwatch"
    where.mkdir(parents=True)
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (where / "a.jsonl").write_text(text)
    for _ in range(2):
        put_metrics(plan(**environment), place, metrics, Clock())  # type: ignore[arg-type]
    return metrics


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


def test_points_are_put_once(tmp_path: Path) -> None:
    dimensions = [{"Name": "MonitoringSchedule", "Value": "s"}, {"Name": "Endpoint", "Value": "e"}]
    lines = [
        {"MetricName": "a", "Timestamp": "2026-11-26T03:00:00Z", "Dimensions": dimensions, "Value": 2.5},
        {
            "MetricName": "b",
            "StatisticValues": {"SampleCount": 2, "Sum": 3, "Minimum": 1, "Maximum": 2},
            "Unit": "Count",
        },
    ]
    held = put(tmp_path, lines, analysis_type="MODEL_QUALITY").held["aws/sagemaker/Endpoints/model-metrics"]
    first, second = held
    assert (first.name, first.value, first.at) == ("a", 2.5, 1_795_662_000.0)
    assert first.dimensions == (("Endpoint", "e"), ("MonitoringSchedule", "s"))
    assert (second.at, second.unit) == (NOW, "Count")
    assert second.statistics is not None and (second.statistics.count, second.statistics.total) == (2.0, 3.0)


def test_what_is_no_point_is_passed_over(tmp_path: Path) -> None:
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
    held = put(tmp_path, [*bad, good]).held
    assert [datum.name for datum in held["aws/sagemaker/Endpoints/data-metrics"]] == ["a"]


def test_links_lead_nowhere(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.jsonl").write_text('{"MetricName": "a", "Value": 1}')
    place, metrics = Place(tmp_path / "job"), Metrics()
    output = place.layout.output
    output.mkdir(parents=True)
    (output / "metrics").symlink_to(outside.parent)
    (outside.parent / "cloudwatch").symlink_to(outside)
    put_metrics(plan(), place, metrics, Clock())  # type: ignore[arg-type]
    other = Place(tmp_path / "other")
    (other.layout.output / "metrics/cloudwatch").mkdir(parents=True)
    (other.layout.output / "metrics/cloudwatch/a.jsonl").symlink_to(outside / "a.jsonl")
    put_metrics(plan(), other, metrics, Clock())  # type: ignore[arg-type]
    assert metrics.held == {}


def test_nothing_is_put_unless_asked_for(tmp_path: Path) -> None:
    assert put(tmp_path, [{"MetricName": "a", "Value": 1}], publish_cloudwatch_metrics="Disabled").held == {}
