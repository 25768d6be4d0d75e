"""Steps that need not run again: the cache and its rules, and selective execution (case pipe-03)."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from pipeline_requests import PipelineBench, condition, equals, fail, get
from training_requests import BUCKET, channel


@pytest.fixture(scope="module")
def bench(server: Any) -> PipelineBench:
    return PipelineBench(server)


def cached(bench: PipelineBench, expire: str | None, **members: Any) -> dict[str, Any]:
    config = {"Enabled": True} if expire is None else {"Enabled": True, "ExpireAfter": expire}
    parameter = {"HyperParameters": {"depth": get("Parameters.Depth")}}
    return bench.training("cached", "echo one > /opt/ml/model/m", CacheConfig=config, Arguments=parameter, **members)


PARAMETERS = [{"Name": "Depth", "Type": "String", "DefaultValue": "1"}]


def test_the_same_arguments_are_not_run_again(bench: PipelineBench) -> None:
    bench.pipeline("spared", cached(bench, "PT1H"), parameters=PARAMETERS)
    runs = []
    for depth in ("1", "1", "2", "1"):
        arn = bench.start("spared", {"Depth": depth})
        assert bench.execution_ended(arn)["PipelineExecutionStatus"] == "Succeeded"
        runs.append((arn, bench.step(arn, "cached")))
    first, second, third, fourth = (step for _, step in runs)
    assert "CacheHitResult" not in first and "CacheHitResult" not in third
    assert second["CacheHitResult"] == {"SourcePipelineExecutionArn": runs[0][0]}
    assert second["Metadata"] == first["Metadata"] == fourth["Metadata"]
    assert fourth["CacheHitResult"] == {"SourcePipelineExecutionArn": runs[0][0]}


def test_a_hit_whose_output_was_deleted_is_none(bench: PipelineBench) -> None:
    bench.pipeline("deleted-output", cached(bench, None), parameters=PARAMETERS)
    first = bench.start("deleted-output")
    bench.execution_ended(first)
    job = bench.step(first, "cached")["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2]
    artifact = bench.describe(job)["ModelArtifacts"]["S3ModelArtifacts"].removeprefix(f"s3://{BUCKET}/")
    bench.s3.put_object(Bucket=BUCKET, Key=f"{artifact}.old", Body=b"its name begins alike")
    bench.s3.delete_object(Bucket=BUCKET, Key=artifact)
    second = bench.start("deleted-output")
    bench.execution_ended(second)
    assert "CacheHitResult" not in bench.step(second, "cached")


def test_the_output_address_is_not_part_of_the_key(bench: PipelineBench) -> None:
    step = cached(bench, "T1h")
    step["Arguments"]["OutputDataConfig"]["S3OutputPath"] = {
        "Std:Join": {"On": "/", "Values": [f"s3://{BUCKET}", get("Execution.PipelineExecutionId")]}
    }
    bench.pipeline("elsewhere", step, parameters=PARAMETERS)
    first = bench.start("elsewhere")
    bench.execution_ended(first)
    second = bench.start("elsewhere")
    bench.execution_ended(second)
    assert bench.step(second, "cached")["CacheHitResult"]["SourcePipelineExecutionArn"] == first


def selective(bench: PipelineBench, name: str) -> None:
    """As case pipe-03: prepare, train, check, and a model behind the check."""
    address = {"Std:Join": {"On": "/", "Values": [f"s3://{BUCKET}", get("Execution.PipelineExecutionId")]}}
    output = {"OutputDataConfig": {"S3OutputPath": address, "CompressionType": "NONE"}}
    prepared = bench.training("prepare", "echo 1,2 > /opt/ml/model/rows.csv", Arguments=output)
    data = channel("train", "x")
    data["DataSource"]["S3DataSource"]["S3Uri"] = get("Steps.prepare.ModelArtifacts.S3ModelArtifacts")
    trained = bench.training("train", "cat /opt/ml/input/data/train/rows.csv", Arguments={"InputDataConfig": [data]})
    after = bench.training("after", DependsOn=["train"])
    check = condition("check", equals(get("Steps.train.TrainingJobStatus"), "Completed"), then=[after])
    bench.pipeline(name, prepared, trained, check)


def test_selected_steps_run_on_the_results_of_another_execution(bench: PipelineBench) -> None:
    selective(bench, "selected")
    whole = bench.start("selected")
    assert bench.execution_ended(whole)["PipelineExecutionStatus"] == "Succeeded", bench.steps(whole)
    config = {"SourcePipelineExecutionArn": whole, "SelectedSteps": [{"StepName": "train"}]}
    part = bench.start("selected", SelectiveExecutionConfig=config)
    ended = bench.execution_ended(part)
    assert ended["PipelineExecutionStatus"] == "Succeeded"
    assert ended["SelectiveExecutionConfig"] == config
    steps = {step["StepName"]: step for step in bench.steps(part)}
    assert set(steps) == {"prepare", "train"}
    assert steps["prepare"]["SelectiveExecutionResult"] == {"SourcePipelineExecutionArn": whole}
    assert steps["prepare"]["Metadata"] == bench.step(whole, "prepare")["Metadata"]
    assert "SelectiveExecutionResult" not in steps["train"]
    assert steps["train"]["Metadata"] != bench.step(whole, "train")["Metadata"]


def test_selections_that_cannot_be_run(bench: PipelineBench) -> None:
    selective(bench, "unselectable")
    broken = bench.start("unselectable")
    bench.sagemaker.stop_pipeline_execution(PipelineExecutionArn=broken)
    bench.execution_ended(broken)
    for config, said in (
        (
            {},
            r"Invalid SourcePipelineExecutionArn: null. The selected steps \[train\] have dependencies on \[prepare\]",
        ),
        ({"SourcePipelineExecutionArn": broken}, "which did not succeed in it"),
        ({"SelectedSteps": [{"StepName": "other"}]}, r"\[other\] are not in the pipeline"),
    ):
        with pytest.raises(ClientError, match=said):
            bench.start("unselectable", SelectiveExecutionConfig={"SelectedSteps": [{"StepName": "train"}], **config})


def test_a_step_of_a_branch_runs_where_its_condition_held(bench: PipelineBench) -> None:
    selective(bench, "of-a-branch")
    whole = bench.start("of-a-branch")
    bench.execution_ended(whole)
    config = {"SourcePipelineExecutionArn": whole, "SelectedSteps": [{"StepName": "after"}]}
    part = bench.start("of-a-branch", SelectiveExecutionConfig=config)
    assert bench.execution_ended(part)["PipelineExecutionStatus"] == "Succeeded"
    steps = {step["StepName"]: "SelectiveExecutionResult" in step for step in bench.steps(part)}
    assert steps == {"prepare": True, "train": True, "check": True, "after": False}


def test_fail_steps_are_never_reused(bench: PipelineBench) -> None:
    bench.pipeline("fails", condition("ask", equals(1, 2), other=[fail("end")]))
    whole = bench.start("fails")
    bench.execution_ended(whole)
    config = {"SourcePipelineExecutionArn": whole, "SelectedSteps": [{"StepName": "end"}]}
    part = bench.start("fails", SelectiveExecutionConfig=config)
    assert bench.execution_ended(part)["PipelineExecutionStatus"] == "Failed"
