"""What a CreateProcessingJob is refused for, by name; and programs that mean no good."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from processing_requests import ML, Bench, sink, source


@pytest.fixture(scope="module")
def bench(server: Any) -> Bench:
    made = Bench(server)
    made.put("in/refused/x", "1")
    return made


ATHENA = {"Catalog": "c", "Database": "d", "QueryString": "q", "OutputS3Uri": "s3://b/x", "OutputFormat": "PARQUET"}
REDSHIFT = {
    "ClusterId": "c",
    "Database": "d",
    "DbUser": "u",
    "QueryString": "q",
    "ClusterRoleArn": "arn:aws:iam::123456789012:role/any",
    "OutputS3Uri": "s3://b/x",
    "OutputFormat": "PARQUET",
}
CLUSTER = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {"ProcessingInputs": [{"InputName": "q", "DatasetDefinition": {"AthenaDatasetDefinition": ATHENA}}]},
        "ProcessingInputs.2.DatasetDefinition.AthenaDatasetDefinition",
    ),
    (
        {"ProcessingInputs": [{"InputName": "q", "DatasetDefinition": {"RedshiftDatasetDefinition": REDSHIFT}}]},
        "ProcessingInputs.2.DatasetDefinition.RedshiftDatasetDefinition",
    ),
    (
        {
            "ProcessingOutputConfig": {
                "Outputs": [{"OutputName": "f", "AppManaged": True, "FeatureStoreOutput": {"FeatureGroupName": "g"}}]
            }
        },
        "ProcessingOutputConfig.Outputs.1.FeatureStoreOutput",
    ),
    ({"NetworkConfig": {"VpcConfig": {"SecurityGroupIds": ["s"], "Subnets": ["n"]}}}, "SecurityGroupIds has 's'"),
    ({"ProcessingInputs": [source("a", "in/refused/", "/opt/ml/model")]}, "must begin with /opt/ml/processing/"),
    ({"ProcessingInputs": [source("a", "in/refused/", "/opt/ml/processing/")]}, "must begin with"),
    ({"ProcessingInputs": [source("a", "in/refused/", f"{ML}/../x")]}, "must begin with"),
    ({"ProcessingInputs": [source("a", "in/refused/", f"{ML}/input/code/")]}, "have the same LocalPath"),
    ({"ProcessingInputs": [source("code", "in/refused/", f"{ML}/b")]}, "is used twice"),
    ({"ProcessingInputs": [source("a", "nowhere/")]}, "No S3 objects found under S3 URL"),
    ({"ProcessingInputs": [source("a", "in/refused/", S3CompressionType="Gzip")]}, "S3InputMode Pipe"),
    ({"ProcessingOutputConfig": {"Outputs": [sink("a", "x", "/tmp/out")]}}, "must begin with"),
    ({"ProcessingOutputConfig": {"Outputs": [sink("a", "x", f"{ML}/input")]}}, "overlap"),
    ({"ProcessingOutputConfig": {"Outputs": [sink("a", "x"), sink("a", "y", f"{ML}/b")]}}, "is used twice"),
    ({"ProcessingResources": {"ClusterConfig": {**CLUSTER, "InstanceCount": 99}}}, "a job may have"),
    ({"RoleArn": "arn:aws:iam::123456789012:role/nobody-knows"}, "Could not assume role"),
]


@pytest.mark.parametrize(("changes", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_refused(bench: Bench, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ClientError) as refused:
        bench.create("refused", **changes)
    assert words in refused.value.response["Error"]["Message"]


def test_a_bucket_that_is_not_there(bench: Bench) -> None:
    outputs = [sink("a", "x")]
    outputs[0]["S3Output"]["S3Uri"] = "s3://no-such-bucket-here/x"
    with pytest.raises(ClientError, match="no-such-bucket-here"):
        bench.create("refused", ProcessingOutputConfig={"Outputs": outputs})


@pytest.mark.parametrize(
    ("repository", "words"),
    [
        ("205585389593.dkr.ecr.us-east-1.amazonaws.com/sagemaker-clarify-processing:1.0", "Clarify's analyzer"),
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com/my-own:1", "Cannot find repository: my-own"),
        ("210987654321.dkr.ecr.us-east-1.amazonaws.com/theirs:1", "nothing that stands in for the image"),
    ],
)
def test_images_that_are_not_there(bench: Bench, repository: str, words: str) -> None:
    with pytest.raises(ClientError, match=words):
        bench.create("refused", AppSpecification={"ImageUri": repository})


def test_an_image_without_a_program_of_its_own(bench: Bench) -> None:
    request = bench.request("refused")
    del request["AppSpecification"]["ContainerEntrypoint"]
    with pytest.raises(ClientError, match="without AppSpecification"):
        bench.sagemaker.create_processing_job(**request)


def test_links_out_of_an_output_are_not_followed(bench: Bench) -> None:
    root = bench.server.data
    (root / "secret").write_text("of the server alone")
    job = bench.run(
        "links-out",
        f"cd {ML}/output/all; ln -s {root}/secret file; ln -s {root} folder; ln -s /etc etc; mkfifo pipe; echo 1 > own;"
        f" ln own twice; rmdir {ML}/output/gone; ln -s /etc {ML}/output/gone",
        ProcessingOutputConfig={"Outputs": [sink("all", "out/links"), sink("gone", "out/gone")]},
    )
    assert job["ProcessingJobStatus"] == "Completed"
    assert bench.keys("out/links/") == ["out/links/own", "out/links/twice"]
    assert bench.keys("out/gone/") == []


def test_a_job_that_fills_its_disk(bench: Bench) -> None:
    job = bench.run(
        "fills-disk",
        f"i=0; while [ $i -lt 40 ]; do head -c 64M /dev/zero > {ML}/output/all/$i; i=$((i+1)); done; sleep 60",
        ProcessingOutputConfig={"Outputs": [sink("all", "out/full")]},
    )
    assert job["ProcessingJobStatus"] == "Failed"
    assert "exit code" in job["FailureReason"]
    assert bench.keys("out/full/") == []


def test_a_bucket_that_goes_while_the_job_runs(bench: Bench) -> None:
    bench.s3.create_bucket(Bucket="goes-away-soon")
    output = sink("all", "x")
    output["S3Output"]["S3Uri"] = "s3://goes-away-soon/x"
    bench.create(
        "bucket-goes",
        f"echo 1 > {ML}/output/all/1; echo up; until [ -e {ML}/input/code/never ]; do sleep 0.1; i=$((i+1));"
        " [ $i -gt 20 ] && exit 0; done",
        ProcessingOutputConfig={"Outputs": [output]},
    )
    bench.says("bucket-goes", "up")
    bench.s3.delete_bucket(Bucket="goes-away-soon")
    job = bench.ended("bucket-goes")
    assert job["FailureReason"].startswith("ClientError: Upload of outputs failed: ")


def test_stopped_before_it_has_begun(bench: Bench) -> None:
    """Two places are taken, so the third waits; stopping it is at once, and it never runs."""
    for number in range(4):
        bench.create(f"crowd-{number}", "sleep 30")
    waiting = [f"crowd-{number}" for number in range(4)]
    for name in reversed(waiting):
        bench.sagemaker.stop_processing_job(ProcessingJobName=name)
    for name in waiting:
        assert bench.ended(name)["ProcessingJobStatus"] == "Stopped"


def test_stopped_while_it_is_fetched(bench: Bench) -> None:
    for number in range(600):
        bench.put(f"in/flood/{number}", "x" * 10)
    inputs = [source(f"flood-{number}", "in/flood/") for number in range(9)]
    bench.create("flooded", "echo ran; sleep 30", ProcessingInputs=inputs)
    time.sleep(0.05)
    bench.sagemaker.stop_processing_job(ProcessingJobName="flooded")
    assert bench.ended("flooded")["ProcessingJobStatus"] == "Stopped"


def test_spark_where_there_is_no_java(start_server: Any, tmp_path: Any) -> None:
    (tmp_path / "bin").mkdir()
    server = start_server(environment={"PATH": str(tmp_path / "bin"), "JAVA_HOME": ""}, data=tmp_path / "data")
    bench = Bench(server)
    spark = "173754725891.dkr.ecr.us-east-1.amazonaws.com/sagemaker-spark-processing:3.1-cpu-py37-v1.2"
    with pytest.raises(ClientError, match="Spark needs Java, and there is none on this machine: install Java 17"):
        bench.create("spark", AppSpecification={"ImageUri": spark, "ContainerEntrypoint": ["smspark-submit", "x.py"]})


def test_spark_is_for_processing_alone(bench: Bench) -> None:
    spark = "173754725891.dkr.ecr.us-east-1.amazonaws.com/sagemaker-spark-processing:3.1-cpu-py37-v1.2"
    with pytest.raises(ClientError, match="nothing that stands in for the image"):
        bench.sagemaker.create_model(ModelName="spark", ExecutionRoleArn=bench.role, PrimaryContainer={"Image": spark})


def test_without_a_sandbox_a_command_line_finds_its_folder(start_server: Any) -> None:
    """There is no ``/opt/ml``: what the command line names of it is the job's folder, and variables name that too."""
    bench = Bench(start_server("--sandbox", "process"))
    bench.put("in/plain/x", "plain")
    job = bench.run(
        "plain",
        "cat $CLOCHE_ML_ROOT/processing/input/rows/x > $CLOCHE_ML_ROOT/processing/output/all/y; echo $0",
        ProcessingInputs=[source("rows", "in/plain/")],
        ProcessingOutputConfig={"Outputs": [sink("all", "out/plain")]},
    )
    assert job["ProcessingJobStatus"] == "Completed", (job, bench.lines("plain"))
    assert bench.get("out/plain/y") == b"plain"
    assert bench.lines("plain")[0].endswith("/ml/processing/input/code/run.sh")
    with pytest.raises(ClientError, match="EnableNetworkIsolation needs a sandbox"):
        bench.create("plain-isolated", NetworkConfig={"EnableNetworkIsolation": True})
    with pytest.raises(ClientError, match="Processing on more than one instance needs a sandbox"):
        bench.create("plain-several", count=2)
