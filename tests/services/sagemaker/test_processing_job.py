"""The story of a processing job, as boto3 tells it."""

from __future__ import annotations

import io
import json
import tarfile
import time
import zipfile
from typing import Any

import pytest
from botocore.exceptions import ClientError
from processing_requests import BUCKET, ML, SKLEARN, Bench, sink, source


@pytest.fixture(scope="module")
def bench(server: Any) -> Bench:
    return Bench(server)


def test_files_go_in_and_files_come_out(bench: Bench) -> None:
    bench.put("in/rows/a.csv", "1,2\n")
    bench.put("in/rows/deep/b.csv", "3,4\n")
    bench.sagemaker.create_experiment(ExperimentName="processed")
    bench.sagemaker.create_trial(ExperimentName="processed", TrialName="once")
    experiment = {"ExperimentName": "processed", "TrialName": "once"}
    request = bench.request(
        "story",
        f"cat {ML}/input/rows/a.csv {ML}/input/rows/deep/b.csv > {ML}/output/all/rows.csv; mkdir {ML}/output/all/sub;"
        f" echo $COLOUR \"$@\" > {ML}/output/all/sub/said; printf 'the end' > /opt/ml/output/message; echo printed",
        ProcessingInputs=[source("rows", "in/rows/")],
        ProcessingOutputConfig={"Outputs": [sink("all", "out/story/")], "KmsKeyId": "alias/mine"},
        Environment={"COLOUR": "blue"},
        ExperimentConfig=experiment,
        Tags=[{"Key": "team", "Value": "red"}],
    )
    request["AppSpecification"]["ContainerArguments"] = ["--rate", "0.1"]
    arn = bench.sagemaker.create_processing_job(**request)["ProcessingJobArn"]
    assert arn == "arn:aws:sagemaker:us-east-1:123456789012:processing-job/story"
    job = bench.ended("story")
    assert job["ProcessingJobStatus"] == "Completed", job
    assert bench.get("out/story/rows.csv") == b"1,2\n3,4\n"
    assert bench.get("out/story/sub/said") == b"blue --rate 0.1\n"
    assert bench.lines("story", "algo-1-") == ["printed"]
    assert (job["ExitMessage"], job.get("FailureReason")) == ("the end", None)
    assert job["ProcessingInputs"][1]["S3Input"]["S3InputMode"] == "File"
    assert job["ProcessingOutputConfig"]["Outputs"][0]["AppManaged"] is False
    assert job["ProcessingOutputConfig"]["KmsKeyId"] == "alias/mine"
    assert job["ExperimentConfig"] == experiment
    assert job["CreationTime"] <= job["ProcessingStartTime"] <= job["ProcessingEndTime"]
    assert bench.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "red"}]
    summary = bench.sagemaker.list_processing_jobs(NameContains="story")["ProcessingJobSummaries"][0]
    assert (summary["ProcessingJobStatus"], summary["ExitMessage"]) == ("Completed", "the end")


def test_a_job_is_told_of_itself(bench: Bench) -> None:
    bench.put("in/told/x", "x")
    job = bench.run(
        "told",
        "cat /opt/ml/config/processingjobconfig.json /opt/ml/config/resourceconfig.json; pwd; echo $AWS_REGION",
        ProcessingInputs=[source("told", "in/told/x")],
        Environment={"A": "1"},
    )
    config, rest = json.JSONDecoder().raw_decode(lines := "\n".join(bench.lines("told")))
    resources, end = json.JSONDecoder().raw_decode(lines[rest:])
    assert resources == {"current_host": "algo-1", "hosts": ["algo-1"]}
    assert lines[rest + end :].split() == ["/opt/ml", "us-east-1"]
    assert config["ProcessingJobArn"] == job["ProcessingJobArn"]
    assert config["AppSpecification"]["ImageUri"] == SKLEARN
    assert config["AppSpecification"]["ContainerArguments"] is None
    assert config["Environment"] == {"A": "1"}
    assert config["ProcessingInputs"][1]["S3Input"]["S3CompressionType"] == "None"
    assert config["ProcessingOutputConfig"] == {"KmsKeyId": None, "Outputs": []}
    assert config["StoppingCondition"] == {"MaxRuntimeInSeconds": 300}


def test_what_each_host_uses_is_in_cloudwatch(bench: Bench) -> None:
    """Namespace, names and dimension: docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html, "Processing
    Job Metrics"."""
    names = ("CPUUtilization", "DiskUtilization", "MemoryUtilization")
    hosts = ("measured/algo-1", "measured/algo-2")
    bench.create("measured", "while :; do sleep 0.02; done", count=2)

    def measured(host: str, name: str) -> float | None:
        now = time.time()
        points = bench.cloudwatch.get_metric_statistics(
            Namespace="/aws/sagemaker/ProcessingJobs",
            MetricName=name,
            Dimensions=[{"Name": "Host", "Value": host}],
            StartTime=now - 900,
            EndTime=now + 60,
            Period=900,
            Statistics=["Maximum"],
        )["Datapoints"]
        assert all(point["Unit"] == "Percent" for point in points)
        return points[0]["Maximum"] if points else None

    deadline = time.monotonic() + 40
    while any(measured(host, name) is None for host in hosts for name in names):
        assert time.monotonic() < deadline, "every host has every metric"
        time.sleep(0.2)
    listed = bench.cloudwatch.list_metrics(Namespace="/aws/sagemaker/ProcessingJobs")["Metrics"]
    mine = {(each["Dimensions"][0]["Value"], each["MetricName"]) for each in listed}
    assert mine >= {(host, name) for host in hosts for name in names}
    bench.sagemaker.stop_processing_job(ProcessingJobName="measured")
    bench.ended("measured")
    for host in hosts:
        assert (measured(host, "CPUUtilization") or 0) > 0
        assert 0 < (measured(host, "MemoryUtilization") or 0) < 100


def test_a_job_that_fails_says_why_and_leaves_no_outputs_of_its_end(bench: Bench) -> None:
    outputs = [sink("late", "out/fails/late"), sink("early", "out/fails/early", mode="Continuous")]
    job = bench.run(
        "fails",
        f"echo 1 > {ML}/output/late/a; echo 1 > {ML}/output/early/b; echo no luck > /opt/ml/output/message; exit 3",
        ProcessingOutputConfig={"Outputs": outputs},
    )
    assert (job["ProcessingJobStatus"], job["FailureReason"]) == ("Failed", "AlgorithmError: , exit code: 3")
    assert job["ExitMessage"] == "no luck\n"
    assert bench.keys("out/fails/") == ["out/fails/early/b"]


def test_a_program_that_is_not_there(bench: Bench) -> None:
    request = bench.request("no-program")
    request["AppSpecification"]["ContainerEntrypoint"] = ["/usr/bin/no-such-program"]
    bench.sagemaker.create_processing_job(**request)
    reason = bench.ended("no-program")["FailureReason"]
    assert reason.startswith("ClientError: The container's entry point could not be started: /usr/bin/no-such-program")


def test_an_exit_message_is_a_kilobyte_of_text(bench: Bench) -> None:
    long = bench.run("long-message", "printf 'é%.0s' $(seq 700) > /opt/ml/output/message")
    assert long["ProcessingJobStatus"] == "Completed"
    assert long["ExitMessage"] == "é" * 512
    binary = bench.run("binary-message", "printf '\\377\\376' > /opt/ml/output/message")
    assert binary["ProcessingJobStatus"] == "Failed"
    assert binary["FailureReason"].startswith("ClientError: What the job wrote to /opt/ml/output/message")
    linked = bench.run("linked-message", "ln -s /etc/passwd /opt/ml/output/message")
    assert (linked["ProcessingJobStatus"], linked.get("ExitMessage")) == ("Completed", None)


def test_continuous_outputs_come_while_the_job_runs(bench: Bench) -> None:
    bench.create(
        "goes-on",
        f"echo first > {ML}/output/parts/1; until [ -e {ML}/output/parts/stop ]; do sleep 0.1; done",
        ProcessingOutputConfig={"Outputs": [sink("parts", "out/goes-on", mode="Continuous")]},
    )
    waiter = bench.s3.get_waiter("object_exists")
    waiter.wait(Bucket=BUCKET, Key="out/goes-on/1", WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    assert bench.describe("goes-on")["ProcessingJobStatus"] == "InProgress"
    bench.sagemaker.stop_processing_job(ProcessingJobName="goes-on")
    job = bench.ended("goes-on")
    assert (job["ProcessingJobStatus"], job.get("FailureReason")) == ("Stopped", None)


def test_a_job_has_so_long(bench: Bench) -> None:
    job = bench.run("too-long", "sleep 60", StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert (job["ProcessingJobStatus"], job.get("FailureReason")) == ("Stopped", None)


def test_only_what_runs_is_stopped_and_only_what_ended_is_deleted(bench: Bench) -> None:
    bench.create("to-delete", "sleep 60")
    with pytest.raises(ClientError, match="The processing job to-delete is in status InProgress"):
        bench.sagemaker.delete_processing_job(ProcessingJobName="to-delete")
    bench.sagemaker.stop_processing_job(ProcessingJobName="to-delete")
    bench.ended("to-delete")
    with pytest.raises(ClientError, match="because the processing job is in status Stopped"):
        bench.sagemaker.stop_processing_job(ProcessingJobName="to-delete")
    bench.sagemaker.delete_processing_job(ProcessingJobName="to-delete")
    with pytest.raises(ClientError, match="Could not find requested job with name: to-delete"):
        bench.describe("to-delete")


def test_instances_share_an_input_and_say_their_ends_together(bench: Bench) -> None:
    for name in "abc":
        bench.put(f"in/shards/{name}", name)
    job = bench.run(
        "several",
        f"ls {ML}/input/part > {ML}/output/seen/$(hostname); ls {ML}/input/whole | wc -l;"
        " hostname > /opt/ml/output/message; grep -c algo-2 /opt/ml/config/resourceconfig.json",
        count=2,
        ProcessingInputs=[
            source("part", "in/shards/", S3DataDistributionType="ShardedByS3Key"),
            source("whole", "in/shards/"),
        ],
        ProcessingOutputConfig={"Outputs": [sink("seen", "out/several")]},
    )
    assert job["ProcessingJobStatus"] == "Completed", (job, bench.lines("several"))
    assert bench.get("out/several/algo-1").split() == [b"a", b"c"]
    assert bench.get("out/several/algo-2").split() == [b"b"]
    assert bench.lines("several", "algo-2") == ["3", "1"]
    assert job["ExitMessage"] == "algo-1\nalgo-2\n"


def test_a_job_cut_from_the_network(bench: Bench) -> None:
    probe = "python3 -c \"import socket; socket.create_connection(('127.0.0.1', PORT), 2)\" 2>&1 | tail -1"
    script = probe.replace("PORT", str(bench.server.port))
    assert bench.run("cut-off", script, NetworkConfig={"EnableNetworkIsolation": True})["ProcessingJobStatus"]
    assert "refused" in "".join(bench.lines("cut-off"))
    bench.run("not-cut-off", script)
    assert bench.lines("not-cut-off") == []


def test_boto3_inside_acts_as_the_role(bench: Bench) -> None:
    script = 'import boto3; print(boto3.client("sts").get_caller_identity()["Arn"])'
    request = bench.request("boto3-in-processing")
    request["AppSpecification"]["ContainerEntrypoint"] = ["python3", "-c", script]
    bench.sagemaker.create_processing_job(**request)
    assert bench.ended("boto3-in-processing")["ProcessingJobStatus"] == "Completed"
    role = bench.role.rsplit("/", 1)[-1]
    (line,) = bench.lines("boto3-in-processing")
    assert line.startswith(f"arn:aws:sts::123456789012:assumed-role/{role}/")


def test_packages_go_into_the_jobs_own_environment(bench: Bench) -> None:
    """As ``runproc.sh`` of the SDK installs a bundle's requirements; here from a wheel beside them."""
    with zipfile.ZipFile(wheel := io.BytesIO(), "w") as archive:
        archive.writestr("greeting.py", "import numpy\nWORDS = f'hello {numpy.__version__}'\n")
        info = "greeting-1.0.dist-info"
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\nRequires-Dist: numpy\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    bench.put("in/wheels/greeting-1.0-py3-none-any.whl", wheel.getvalue())
    job = bench.run(
        "installs",
        f"set -e; cd {ML}/input/wheels; echo ./greeting-1.0-py3-none-any.whl > requirements.txt;"
        " pip install --no-index -r requirements.txt >&2; python -m pip uninstall --yes greeting >&2;"
        " python3 -m pip install --no-index -q -r requirements.txt;"
        " python3 -c 'import greeting; print(greeting.WORDS)'",
        ProcessingInputs=[source("wheels", "in/wheels/")],
    )
    said = bench.lines("installs")
    assert job["ProcessingJobStatus"] == "Completed", said
    assert said[-1].startswith("hello ") or said[-2].startswith("hello "), said
    assert any("Successfully installed greeting-1.0" in line for line in said), "numpy is the image's"


def test_archives_of_other_users_are_unpacked(bench: Bench) -> None:
    """As SDK 3 unpacks a ``source_dir`` that is an archive. Root in a sandbox can be nobody else."""
    with tarfile.open(fileobj=(packed := io.BytesIO()), mode="w:gz") as archive:
        member = tarfile.TarInfo("code/said.txt")
        member.uid, member.gid, member.size = 503, 20, 5
        archive.addfile(member, io.BytesIO(b"words"))
    bench.put("in/packed/code.tar.gz", packed.getvalue())
    job = bench.run(
        "unpacks",
        f"cd /tmp && tar -xzf {ML}/input/packed/code.tar.gz && cat code/said.txt",
        ProcessingInputs=[source("packed", "in/packed/")],
    )
    assert (job["ProcessingJobStatus"], bench.lines("unpacks")) == ("Completed", ["words"])


def test_an_output_is_written_anew_by_every_job(bench: Bench) -> None:
    outputs = {"Outputs": [sink("same", "out/same")]}
    bench.run("same-1", f"echo same > {ML}/output/same/x", ProcessingOutputConfig=outputs)
    first = bench.s3.head_object(Bucket=BUCKET, Key="out/same/x")
    bench.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    bench.run("same-2", f"echo same > {ML}/output/same/x", ProcessingOutputConfig=outputs)
    second = bench.s3.head_object(Bucket=BUCKET, Key="out/same/x")
    bench.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    assert first["ETag"] == second["ETag"]
    assert second.get("VersionId"), "a version of its own"
