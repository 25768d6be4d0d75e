"""SDK 2 writes ``QualityCheckStep``: a pipeline that checks data and predictions, and fails when either has drifted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from example_runs import by, run

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(600)]

PROGRAM = """
import json
import time

from sagemaker.model_monitor import DatasetFormat
from sagemaker.workflow.check_job_config import CheckJobConfig
from sagemaker.workflow.functions import Join
from sagemaker.workflow.execution_variables import ExecutionVariables
from sagemaker.workflow.parameters import ParameterBoolean, ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.quality_check_step import (
    DataQualityCheckConfig, ModelQualityCheckConfig, QualityCheckStep,
)

session = PipelineSession()
ROLE = f"arn:aws:iam::{session.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole"
uploaded = {}
for name, error in (("good", 1), ("bad", 100)):
    rows = "".join(f"{i % 50},{i % 50 + (i % 7) / 10 * error}\\n" for i in range(200))
    text = "truth,guess\\n" + rows
    uploaded[name] = session.upload_string_as_file_body(text, session.default_bucket(), f"qc/{name}.csv")
data = ParameterString("Data", default_value=uploaded["good"])
skip = ParameterBoolean("Skip", default_value=False)
statistics = {kind: ParameterString(f"{kind}Statistics", default_value="") for kind in ("Data", "Model")}
constraints = {kind: ParameterString(f"{kind}Constraints", default_value="") for kind in ("Data", "Model")}
where = {
    kind: Join("/", [f"s3://{session.default_bucket()}/qc", ExecutionVariables.PIPELINE_EXECUTION_ID, kind])
    for kind in ("Data", "Model")
}
config = CheckJobConfig(role=ROLE, instance_type="ml.c5.xlarge", sagemaker_session=session)
checks = {
    "Data": DataQualityCheckConfig(
        baseline_dataset=data, dataset_format=DatasetFormat.csv(header=True), output_s3_uri=where["Data"]
    ),
    "Model": ModelQualityCheckConfig(
        baseline_dataset=data, dataset_format=DatasetFormat.csv(header=True), output_s3_uri=where["Model"],
        problem_type="Regression", inference_attribute="guess", ground_truth_attribute="truth",
    ),
}
steps = [
    QualityCheckStep(
        name=f"Check{kind}", quality_check_config=checks[kind], check_job_config=config, skip_check=skip,
        register_new_baseline=skip,
        supplied_baseline_statistics=statistics[kind], supplied_baseline_constraints=constraints[kind],
    )
    for kind in checks
]
pipeline = Pipeline(
    name="quality-checks", sagemaker_session=session, steps=steps,
    parameters=[data, skip, *statistics.values(), *constraints.values()],
)
pipeline.upsert(ROLE)


def ran(**parameters):
    execution = pipeline.start(parameters=parameters)
    while execution.describe()["PipelineExecutionStatus"] == "Executing":
        time.sleep(0.2)
    return {step["StepName"]: step for step in execution.list_steps()}


first = ran(Skip=True)
given = {}
for kind in checks:
    told = first[f"Check{kind}"]["Metadata"]["QualityCheck"]
    for part in ("Statistics", "Constraints"):
        given[f"{kind}{part}"] = told[f"BaselineUsedForDriftCheck{part}"]
again, drifted = ran(**given), ran(**given, Data=uploaded["bad"])
print(json.dumps({
    "steps": [[step["StepStatus"] for step in each.values()] for each in (first, again, drifted)],
    "reasons": sorted(step.get("FailureReason", "").split(" s3:")[0] for step in drifted.values()),
    "reports": sum("ViolationReport" in step["Metadata"]["QualityCheck"] for step in drifted.values()),
    "types": sorted(step["Metadata"]["QualityCheck"]["CheckType"] for step in drifted.values()),
}))
"""


def test_sagemaker_sdk_v2_checks_data_and_predictions(server: object, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    output = run(server, by("sagemaker2", str(program)), tmp_path)
    answers = json.loads(output.splitlines()[-1])
    done = ["Succeeded", "Succeeded"]
    assert answers["steps"] == [done, done, ["Failed", "Failed"]]
    assert answers["reasons"] == ["ClientError: Quality check failed. See violation report:"] * 2
    assert (answers["reports"], answers["types"]) == (2, ["DATA_QUALITY", "MODEL_QUALITY"])
