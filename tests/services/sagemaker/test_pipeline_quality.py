"""QualityCheck steps: the definition is as ``QualityCheckStep`` of SDK 2 writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pipeline_requests import PipelineBench, Step, get
from training_requests import BUCKET

from cloche_jobs import catalog

CASE = Path(__file__).parents[4] / "shared" / "reference" / "cases" / "mm-dq-03-hundred-rows"
IMAGE = catalog.find(
    "156813124566.dkr.ecr.us-east-1.amazonaws.com/sagemaker-model-monitor-analyzer", processing=True
).uri()
HERE = f"s3://{BUCKET}/quality"
ROWS = "".join(f"{number % 50},{('red', 'blue')[number % 2]}\n" for number in range(100))
KINDS = ("Statistics", "Constraints")
SUPPLIED = [
    {"Name": name, "Type": "String", "DefaultValue": ""} for name in ("SuppliedStatistics", "SuppliedConstraints")
]


@pytest.fixture(scope="module")
def bench(server: Any) -> PipelineBench:
    bench = PipelineBench(server)
    put(bench, "rows.csv", ROWS)
    return bench


def put(bench: PipelineBench, key: str, text: str) -> str:
    bench.s3.put_object(Bucket=BUCKET, Key=f"quality/{key}", Body=text.encode())
    return f"{HERE}/{key}"


def read(bench: PipelineBench, uri: str) -> Any:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return json.loads(bench.s3.get_object(Bucket=bucket, Key=key)["Body"].read())


def check(bench: PipelineBench, name: str, dataset: Any, output: str, **members: Any) -> Step:
    environment = {
        "output_path": "/opt/ml/processing/output",
        "publish_cloudwatch_metrics": "Disabled",
        "dataset_format": json.dumps({"csv": {"header": False, "output_columns_position": "START"}}),
        "dataset_source": "/opt/ml/processing/input/baseline_dataset_input",
    }
    source = {
        "S3Uri": dataset,
        "LocalPath": "/opt/ml/processing/input/baseline_dataset_input",
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
        "S3DataDistributionType": "FullyReplicated",
        "S3CompressionType": "None",
    }
    sink = {"S3Uri": f"{HERE}/{output}", "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}
    return {
        "Name": name,
        "Type": "QualityCheck",
        "Arguments": {
            "ProcessingResources": {
                "ClusterConfig": {"InstanceType": "ml.c5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30}
            },
            "AppSpecification": {"ImageUri": IMAGE},
            "RoleArn": bench.role,
            "ProcessingInputs": [{"InputName": "baseline_dataset_input", "AppManaged": False, "S3Input": source}],
            "ProcessingOutputConfig": {
                "Outputs": [{"OutputName": "quality_check_output", "AppManaged": False, "S3Output": sink}]
            },
            "Environment": environment,
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        },
        "CheckType": "DATA_QUALITY",
        "ModelPackageGroupName": None,
        "SkipCheck": False,
        "FailOnViolation": True,
        "RegisterNewBaseline": False,
        "SuppliedBaselineStatistics": None,
        "SuppliedBaselineConstraints": None,
        **members,
    }


@pytest.mark.skipif(not CASE.is_dir(), reason="../shared/reference/cases is not there")
def test_the_recorded_step_succeeds_and_fails_as_aws_s_did(bench: PipelineBench) -> None:
    dataset = put(bench, "case/data.csv", (CASE / "input/baseline_dataset.csv").read_text())
    statistics = put(bench, "case/statistics.json", (CASE / "expected/statistics.json").read_text())
    good = put(bench, "case/constraints.json", (CASE / "expected/constraints.json").read_text())
    bad = put(bench, "case/constraints_bad.json", (CASE / "input/constraints_bad.json").read_text())
    step = check(
        bench,
        "DataQualityCheckStep",
        dataset,
        "case/out",
        SuppliedBaselineStatistics=get("Parameters.SuppliedStatistics"),
        SuppliedBaselineConstraints=get("Parameters.SuppliedConstraints"),
        CacheConfig={"Enabled": True, "ExpireAfter": "P1D"},
    )
    bench.pipeline("quality-case", step, parameters=SUPPLIED)
    given = {"SuppliedStatistics": statistics, "SuppliedConstraints": good}
    first = arn = bench.start("quality-case", given)
    assert bench.execution_ended(arn, 100)["PipelineExecutionStatus"] == "Succeeded", bench.steps(arn)
    told = bench.steps(arn)[0]["Metadata"]["QualityCheck"]
    job = told.pop("CheckJobArn").rpartition("/")[2]
    assert bench.sagemaker.describe_processing_job(ProcessingJobName=job)["ProcessingJobStatus"] == "Completed"
    calculated = {f"CalculatedBaseline{part}": f"{HERE}/case/out/{part.lower()}.json" for part in KINDS}
    assert told == {
        "CheckType": "DATA_QUALITY",
        "SkipCheck": False,
        "RegisterNewBaseline": False,
        "BaselineUsedForDriftCheckStatistics": statistics,
        "BaselineUsedForDriftCheckConstraints": good,
        **calculated,
    }
    for part in KINDS:
        assert read(bench, calculated[f"CalculatedBaseline{part}"]) == json.loads(
            (CASE / f"expected/{part.lower()}.json").read_text()
        )
    arn = bench.start("quality-case", {**given, "SuppliedConstraints": bad})
    assert bench.execution_ended(arn, 100)["PipelineExecutionStatus"] == "Failed"
    (step,) = bench.steps(arn)
    report = f"{HERE}/case/out/constraint_violations.json"
    assert step["FailureReason"] == f"ClientError: Quality check failed. See violation report: {report}"
    assert step["Metadata"]["QualityCheck"]["ViolationReport"] == report
    (violation,) = read(bench, report)["violations"]
    assert (violation["feature_name"], violation["constraint_check_type"]) == ("_c5", "data_type_check")
    arn = bench.start("quality-case", given)
    assert bench.execution_ended(arn, 100)["PipelineExecutionStatus"] == "Succeeded"
    (step,) = bench.steps(arn)
    assert step["CacheHitResult"]["SourcePipelineExecutionArn"] == first
    assert step["Metadata"]["QualityCheck"]["CheckJobArn"].endswith(job)


def test_without_a_baseline_of_before_the_step_fails_and_starts_no_job(bench: PipelineBench) -> None:
    bench.sagemaker.create_model_package_group(ModelPackageGroupName="nothing-approved")
    wanted = {
        "neither": ({}, "neither a supplied one nor a ModelPackageGroupName"),
        "carried": ({"SkipCheck": True}, "neither a supplied one nor a ModelPackageGroupName"),
        "checked": ({"RegisterNewBaseline": True}, "neither a supplied one nor a ModelPackageGroupName"),
        "half": ({"SuppliedBaselineStatistics": f"{HERE}/x"}, "SuppliedBaselineConstraints is missing"),
        "empty": ({"ModelPackageGroupName": "nothing-approved"}, "nothing-approved has no approved model package"),
        "gone": ({"ModelPackageGroupName": "gone"}, "gone has no approved model package"),
        "odd": ({"ModelPackageGroupName": "odd name"}, "Failed to invoke sagemaker:ListModelPackages"),
        "flag": ({"SkipCheck": "perhaps"}, "SkipCheck is 'perhaps', neither true nor false"),
    }
    for name, (members, said) in wanted.items():
        step = check(bench, name, f"{HERE}/rows.csv", name, **members)
        arn, _ = bench.run_pipeline(f"quality-{name}", step)
        (row,) = bench.steps(arn)
        assert row["StepStatus"] == "Failed" and said in row["FailureReason"], row
        assert row["FailureReason"].startswith("ClientError: ")
        assert "Metadata" not in row


def test_a_group_hands_its_baseline_on_until_a_new_one_is_registered(bench: PipelineBench) -> None:
    group = "quality-group"
    bench.sagemaker.create_model_package_group(ModelPackageGroupName=group)
    flags = {name: get(f"Parameters.{name}") for name in ("SkipCheck", "FailOnViolation", "RegisterNewBaseline")}
    first = check(bench, "check", get("Parameters.Data"), "group", ModelPackageGroupName=group, **flags)
    package = {
        "ModelPackageGroupName": group,
        "ModelApprovalStatus": "Approved",
        "DriftCheckBaselines": {
            "ModelDataQuality": {
                part: {"ContentType": "application/json", "S3Uri": get(f"Steps.check.BaselineUsedForDriftCheck{part}")}
                for part in KINDS
            }
        },
    }
    register = {"Name": "register", "Type": "RegisterModel", "Arguments": package}
    parameters = [
        {"Name": "Data", "Type": "String", "DefaultValue": f"{HERE}/rows.csv"},
        *({"Name": name, "Type": "Boolean", "DefaultValue": name == "FailOnViolation"} for name in flags),
    ]
    first["Arguments"]["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"] = {
        "Std:Join": {"On": "/", "Values": [HERE, get("Execution.PipelineExecutionId")]}
    }
    bench.pipeline("quality-group", first, register, parameters=parameters)

    def run(**given: str) -> tuple[dict[str, Any], str, str]:
        arn = bench.start("quality-group", given)
        ended = bench.execution_ended(arn, 100)["PipelineExecutionStatus"]
        return bench.step(arn, "check"), ended, f"{HERE}/{arn.rpartition('/')[2]}"

    step, ended, folder = run(SkipCheck="true", RegisterNewBaseline="true")
    assert ended == "Succeeded", step
    old = {f"BaselineUsedForDriftCheck{part}": f"{folder}/{part.lower()}.json" for part in KINDS}
    assert old.items() <= step["Metadata"]["QualityCheck"].items()
    drifted = put(bench, "drifted.csv", "".join(f"x{number},red\n" for number in range(100)))
    step, ended, folder = run(Data=drifted)
    assert ended == "Failed" and step["Metadata"]["QualityCheck"]["ViolationReport"].startswith(folder)
    step, ended, folder = run(Data=drifted, FailOnViolation="false")
    assert ended == "Succeeded", step
    told = step["Metadata"]["QualityCheck"]
    assert old.items() <= told.items() and told["ModelPackageGroupName"] == group
    assert told["ViolationReport"] == f"{folder}/constraint_violations.json"
    step, ended, folder = run(Data=drifted, FailOnViolation="false", RegisterNewBaseline="true")
    assert ended == "Succeeded", step
    told = step["Metadata"]["QualityCheck"]
    assert told["BaselineUsedForDriftCheckConstraints"] == told["CalculatedBaselineConstraints"]
    step, ended, _ = run(Data=drifted)
    assert ended == "Succeeded", step  # the latest approved version has the new baseline
    assert "ViolationReport" not in step["Metadata"]["QualityCheck"]
    step, ended, _ = run(SkipCheck="true")
    assert ended == "Succeeded", step
    assert step["Metadata"]["QualityCheck"]["BaselineUsedForDriftCheckStatistics"] == f"{folder}/statistics.json"
