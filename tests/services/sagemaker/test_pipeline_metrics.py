"""What pipelines tell CloudWatch of their executions and steps."""

from __future__ import annotations

import time
from typing import Any

from pipeline_requests import PipelineBench, condition, equals, fail

NAMESPACE = "AWS/Sagemaker/ModelBuildingPipeline"


def test_executions_and_steps_are_counted_once_with_their_durations(server: Any) -> None:
    bench, cloudwatch = PipelineBench(server), server.client("cloudwatch")
    name = "measured"
    asked = condition("asked", equals({"Get": "Parameters.Good"}, "yes"), other=[fail("gave-up")])
    bench.pipeline(name, asked, parameters=[{"Name": "Good", "Type": "String", "DefaultValue": "yes"}])
    for good in ("yes", "no", "no"):
        bench.execution_ended(bench.start(name, {"Good": good}))

    def sums(metric: str, step: str = "") -> list[tuple[float, float, str]]:
        dimensions = {"PipelineName": name, **({"StepName": step} if step else {})}
        points = cloudwatch.get_metric_statistics(
            Namespace=NAMESPACE,
            MetricName=metric,
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            StartTime=time.time() - 3600,
            EndTime=time.time() + 3600,
            Period=7200,
            Statistics=["Sum", "SampleCount"],
        )["Datapoints"]
        return [(point["Sum"], point["SampleCount"], point["Unit"]) for point in points]

    bench.until(lambda: sums("StepFailed", "gave-up") == [(2.0, 2.0, "Count")] and bool(sums("ExecutionFailed")))
    bench.until(lambda: sums("ExecutionDuration")[0][1] == 3.0)
    assert sums("ExecutionStarted") == [(3.0, 3.0, "Count")]
    assert sums("ExecutionSucceeded") == [(1.0, 1.0, "Count")]
    assert sums("ExecutionFailed") == [(2.0, 2.0, "Count")]
    assert sums("ExecutionStopped") == []
    assert sums("StepStarted", "asked") == sums("StepSucceeded", "asked") == [(3.0, 3.0, "Count")]
    assert [unit for *_, unit in (*sums("ExecutionDuration"), *sums("StepDuration", "asked"))] == ["Milliseconds"] * 2
