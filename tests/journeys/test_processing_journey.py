"""Processing jobs by both SageMaker SDKs, with scikit-learn and with Spark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from example_runs import EXAMPLES, by, impatient, result, run

from cloche.compute.images import EnvironmentBuilder
from cloche.jobs.java import java_home
from cloche_jobs import catalog

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(600)]


def test_processing_with_sagemaker_sdk_v2(server: object, data: Path, tmp_path: Path) -> None:
    script = impatient("sagemaker2", EXAMPLES / "processing/main_v2.py")
    output = run(server, [*script, str(data)], tmp_path)
    answers = result(output)
    assert answers["accuracy"] > 0.85
    assert f"to train, {answers['test_rows']} to test" in output
    assert f"test: {answers['test_rows']} rows" in output


def test_processing_with_sagemaker_sdk_v3(server: object, data: Path, tmp_path: Path) -> None:
    script = by("sagemaker3", str(EXAMPLES / "processing/main_v3.py"))
    output = run(server, [*script, str(data)], tmp_path)
    assert result(output)["accuracy"] > 0.85
    assert "rows to train" in output


def test_pyspark_processor(server: object, data: Path, tmp_path: Path) -> None:
    if java_home() is None or EnvironmentBuilder().find(catalog.SPARK_ENVIRONMENT) is None:
        pytest.skip("no Java, or `cloche images pull sagemaker-spark-processing:3.5` was not done: NO SPARK IS TESTED")
    script = impatient("sagemaker2", EXAMPLES / "spark_processing/main.py")
    output = run(server, [*script, str(data)], tmp_path)
    found: dict[str, Any] = result(output)
    assert found["counts"][0] == "_c0,rows,mean"
    assert [line.split(",")[0] for line in found["counts"][1:]] == ["0", "1"]
    assert found["event_logs"] == 1
    assert "partitions 3" in output
