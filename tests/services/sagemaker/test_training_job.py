"""The story of training jobs, told by unmodified boto3 clients to a real server."""

from __future__ import annotations

import io
import signal
import tarfile
import time
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from training_requests import BUCKET, NO_TRUST, Bench, channel

from cloche.compute.local.sandbox import bubblewrap


@pytest.fixture(scope="module")
def bench(server: Any) -> Bench:
    return Bench(server)


def refused(call: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


# -- a job that goes well ------------------------------------------------------------------------------------


def test_a_job_from_creation_to_its_model(bench: Bench) -> None:
    arn = bench.create(
        "story",
        InputDataConfig=[channel("one", "input/one")],
        HyperParameters={"depth": "3"},
        AlgorithmSpecification={
            **bench.request("x")["AlgorithmSpecification"],
            "MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9.]+);"}],
            "ContainerEntrypoint": ["/bin/sh", "-c"],
            "ContainerArguments": [
                "cd $CLOCHE_ML_ROOT; cat input/data/one/rows.csv; cat input/config/hyperparameters.json; echo;"
                "echo 'loss=0.5;'; echo 'loss=0.25;'; printf 'a\\tb'; echo weights > $CLOCHE_ML_ROOT/model/weights;"
                "echo plot > $CLOCHE_ML_ROOT/output/data/plot"
            ],
        },
    )["TrainingJobArn"]
    assert arn == "arn:aws:sagemaker:us-east-1:123456789012:training-job/story"
    job = bench.ended("story")
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Completed", job
    steps = [(step["Status"], step["StatusMessage"]) for step in job["SecondaryStatusTransitions"]]
    assert steps == [
        ("Starting", "Preparing the instances for training"),
        ("Downloading", "Downloading input data"),
        ("Training", "Training image download completed. Training in progress."),
        ("Uploading", "Uploading generated training model"),
        ("Completed", "Training job completed"),
    ]
    times = [(step["StartTime"], step["EndTime"]) for step in job["SecondaryStatusTransitions"]]
    assert all(start <= end for start, end in times)
    assert [end for _, end in times[:-1]] == [start for start, _ in times[1:]]
    assert bench.lines("story") == ["1,2", "3,4", '{"depth": "3"}', "loss=0.5;", "loss=0.25;", "a#011b"]
    assert [(m["MetricName"], m["Value"]) for m in job["FinalMetricDataList"]] == [("loss", 0.25)]
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{BUCKET}/output/story/output/model.tar.gz"
    assert members(bench, "output/story/output/model.tar.gz") == {"weights": b"weights\n"}
    assert members(bench, "output/story/output/output.tar.gz") == {"plot": b"plot\n"}
    assert job["TrainingStartTime"] <= job["TrainingEndTime"]
    assert job["TrainingTimeInSeconds"] == job["BillableTimeInSeconds"] >= 1
    assert job["OutputDataConfig"]["KmsKeyId"] == ""
    assert "VpcConfig" not in job
    assert "FailureReason" not in job


def test_metrics_reach_cloudwatch(bench: Bench) -> None:
    algorithm = bench.request("x", 'for n in 1 2 3; do echo "loss=$n;"; done')["AlgorithmSpecification"]
    algorithm["MetricDefinitions"] = [{"Name": "loss", "Regex": "loss=([0-9.]+);"}]
    job = bench.run("measured", AlgorithmSpecification=algorithm)
    points = bench.cloudwatch.get_metric_statistics(
        Namespace="/aws/sagemaker/TrainingJobs",
        MetricName="loss",
        Dimensions=[{"Name": "TrainingJobName", "Value": "measured"}],
        StartTime=job["CreationTime"].timestamp() - 60,
        EndTime=job["TrainingEndTime"].timestamp() + 60,
        Period=60,
        Statistics=["Sum", "SampleCount"],
    )["Datapoints"]
    assert sum(point["Sum"] for point in points) == 6
    assert sum(point["SampleCount"] for point in points) == 3


PROBE = """
import json, os, urllib.request
token = {"Authorization": os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]}
request = urllib.request.Request(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"], headers=token)
keys = json.load(urllib.request.urlopen(request))
print(keys["RoleArn"], keys["AccessKeyId"][:4], os.environ["AWS_ENDPOINT_URL"], os.environ["AWS_REGION"])
"""


def test_credentials_and_endpoint_inside_are_the_roles(bench: Bench) -> None:
    bench.s3.put_object(Bucket=BUCKET, Key="probe/probe.py", Body=PROBE.encode())
    script = "python3 $CLOCHE_ML_ROOT/input/data/probe/probe.py"
    job = bench.run("credentialed", script, InputDataConfig=[channel("probe", "probe")])
    assert job["TrainingJobStatus"] == "Completed", bench.lines("credentialed")
    assert bench.lines("credentialed") == [f"{bench.role} ASIA {bench.server.url} us-east-1"]


def test_an_entry_point_of_ones_own_may_install_packages(bench: Bench) -> None:
    """The SDKs' ``@step`` and ``@remote`` begin so. The image's environment stays as it is."""
    bench.s3.put_object(Bucket=BUCKET, Key="tiny/tiny-1.0-py3-none-any.whl", Body=tiny_wheel())
    script = (
        "cd $CLOCHE_ML_ROOT/input/data/tiny && pip install --quiet --no-index tiny-1.0-py3-none-any.whl 2>&1"
        " && python3 -c 'import tiny, numpy, sys; print(tiny.WORD, sys.prefix.endswith(\".environment\"))'"
    )
    job = bench.run("installing", script, InputDataConfig=[channel("tiny", "tiny")])
    assert job["TrainingJobStatus"] == "Completed", bench.lines("installing")
    assert bench.lines("installing")[-1] == "hello True"
    job = bench.run("installed-before", "python3 -c 'import tiny'", InputDataConfig=[channel("tiny", "tiny")])
    assert job["TrainingJobStatus"] == "Failed" and "tiny" in "".join(bench.lines("installed-before"))


def tiny_wheel() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("tiny.py", "WORD = 'hello'")
        archive.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr("tiny-1.0.dist-info/WHEEL", wheel)
        archive.writestr("tiny-1.0.dist-info/RECORD", "")
    return content.getvalue()


HTTPS = """
import http.client, os, ssl
proxy = os.environ["HTTPS_PROXY"].rpartition("/")[2]
context = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"])
connection = http.client.HTTPSConnection(proxy, context=context)
connection.set_tunnel("sts.us-east-1.amazonaws.com", 443)
connection.request("POST", "/", "Action=GetCallerIdentity&Version=2011-06-15",
                   {"Content-Type": "application/x-www-form-urlencoded"})
print(connection.getresponse().read().decode())
"""


def test_awss_own_hosts_lead_here_from_inside(bench: Bench) -> None:
    """Unsigned, so refused; but by Cloche's STS, over TLS that the job's bundle trusts."""
    bench.s3.put_object(Bucket=BUCKET, Key="https/https.py", Body=HTTPS.encode())
    job = bench.run(
        "tunnelled", "python3 $CLOCHE_ML_ROOT/input/data/https/https.py", InputDataConfig=[channel("https", "https")]
    )
    assert job["TrainingJobStatus"] == "Completed", bench.lines("tunnelled")
    assert "https://sts.amazonaws.com/doc/2011-06-15/" in "".join(bench.lines("tunnelled"))


@pytest.mark.skipif(bubblewrap() is None, reason="no bubblewrap here: NETWORK ISOLATION IS NOT TESTED")
def test_network_isolation(bench: Bench) -> None:
    script = f"python3 -c \"import urllib.request as u; u.urlopen('{bench.server.url}/_cloche/health', timeout=5)\""
    assert bench.run("connected", script)["TrainingJobStatus"] == "Completed"
    isolated = bench.run("isolated", script, EnableNetworkIsolation=True)
    assert isolated["TrainingJobStatus"] == "Failed"
    assert isolated["EnableNetworkIsolation"] is True


# -- jobs that fail ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "script", "reason"),
    [
        ("exit-3", "exit 3", "AlgorithmError: , exit code: 3"),
        ("segfault", "kill -SEGV $$", "AlgorithmError: the process was ended by SIGSEGV, exit code: 139"),
        (
            "told",
            "echo 'rows are bad' > $CLOCHE_ML_ROOT/output/failure; exit 1",
            "AlgorithmError: rows are bad, exit code: 1",
        ),
        (
            "users",
            "echo 'ClientError: no label' > $CLOCHE_ML_ROOT/output/failure; exit 1",
            "ClientError: no label, exit code: 1",
        ),
    ],
)
def test_failures_say_whose_they_are(bench: Bench, name: str, script: str, reason: str) -> None:
    job = bench.run(name, script)
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Failed"
    assert job["FailureReason"] == reason
    assert job["SecondaryStatusTransitions"][-1]["StatusMessage"] == "Training job failed"


def test_an_entry_point_that_is_not_there(bench: Bench) -> None:
    algorithm = {**bench.request("x")["AlgorithmSpecification"], "ContainerEntrypoint": ["/no/such/program"]}
    job = bench.run("no-entry", AlgorithmSpecification=algorithm)
    assert job["TrainingJobStatus"] == "Failed"
    assert "/no/such/program" in job["FailureReason"]
    assert job["FailureReason"].startswith("ClientError: ")


def test_a_script_bundle_that_is_not_there(bench: Bench) -> None:
    job = bench.run(
        "no-bundle",
        HyperParameters={"sagemaker_program": "x.py", "sagemaker_submit_directory": f"s3://{BUCKET}/no/bundle.tar.gz"},
    )
    assert job["TrainingJobStatus"] == "Failed"
    assert f"s3://{BUCKET}/no/bundle.tar.gz" in job["FailureReason"]


# -- stopping ------------------------------------------------------------------------------------------------


def test_stop_keeps_what_the_job_saved(bench: Bench) -> None:
    bench.create("stopped", "trap 'echo saved > $CLOCHE_ML_ROOT/model/weights; exit 0' TERM; echo up; sleep 60 & wait")
    bench.says("stopped", "up")
    bench.sagemaker.stop_training_job(TrainingJobName="stopped")
    job = bench.ended("stopped")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert [step["Status"] for step in job["SecondaryStatusTransitions"]][-3:] == ["Stopping", "Uploading", "Stopped"]
    assert members(bench, "output/stopped/output/model.tar.gz") == {"weights": b"saved\n"}
    code, message = refused(lambda: bench.sagemaker.stop_training_job(TrainingJobName="stopped"))
    assert code == "ValidationException"
    assert message == "The request was rejected because the training job is in status Stopped."


def test_max_runtime(bench: Bench) -> None:
    job = bench.run(
        "too-long",
        "echo partial > $CLOCHE_ML_ROOT/model/weights; sleep 60",
        StoppingCondition={"MaxRuntimeInSeconds": 1},
    )
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert members(bench, "output/too-long/output/model.tar.gz") == {"weights": b"partial\n"}


def test_more_jobs_than_places_wait_their_turn(bench: Bench) -> None:
    names = [f"queued-{n}" for n in range(6)]
    for name in names:
        bench.create(name, "sleep 0.3")
    waited = [name for name in names if "Pending" in str(bench.describe(name)["SecondaryStatusTransitions"])]
    jobs = [bench.ended(name) for name in names]
    assert {job["TrainingJobStatus"] for job in jobs} == {"Completed"}
    for name in waited:
        assert "run at once on this machine" in str(bench.describe(name)["SecondaryStatusTransitions"])


# -- what is refused at once ---------------------------------------------------------------------------------


def test_names_are_unique(bench: Bench) -> None:
    bench.run("twice")
    code, message = refused(lambda: bench.create("twice"))
    assert code == "ResourceInUse"
    assert message == (
        "Training job names must be unique within an AWS account and region, and a training job with this name "
        "already exists (arn:aws:sagemaker:us-east-1:123456789012:training-job/twice)"
    )


def test_a_job_that_is_not_there(bench: Bench) -> None:
    missing = ("ValidationException", "Requested resource not found.")
    assert refused(lambda: bench.describe("nobody")) == missing
    assert refused(lambda: bench.sagemaker.stop_training_job(TrainingJobName="nobody")) == missing


@pytest.mark.parametrize("role", ["missing", "untrusting"])
def test_a_role_that_cannot_be_assumed(bench: Bench, role: str) -> None:
    arn = bench.role_that("untrusting", NO_TRUST) if role == "untrusting" else "arn:aws:iam::123456789012:role/missing"
    assert refused(lambda: bench.create("no-role", RoleArn=arn)) == (
        "ValidationException",
        f"Could not assume role {arn}. Please ensure that the role exists and allows principal "
        "'sagemaker.amazonaws.com' to assume the role.",
    )


@pytest.mark.parametrize("prefix", ["input/nothing", "nobucket"])
def test_data_that_is_not_there(bench: Bench, prefix: str) -> None:
    given = channel("one", prefix)
    if prefix == "nobucket":
        given["DataSource"]["S3DataSource"]["S3Uri"] = "s3://no-such-bucket-here/x"
    url = given["DataSource"]["S3DataSource"]["S3Uri"]
    code, message = refused(lambda: bench.create("no-data", InputDataConfig=[given]))
    assert code == "ValidationException"
    assert message.startswith(f'No S3 objects found under S3 URL "{url}" given in input data source.')
    assert bench.role in message


def test_an_output_bucket_that_is_not_there(bench: Bench) -> None:
    output = {"S3OutputPath": "s3://no-such-bucket-here/x"}
    code, message = refused(lambda: bench.create("no-output", OutputDataConfig=output))
    assert code == "ValidationException"
    assert "no-such-bucket-here" in message


def test_an_unknown_image_is_told_what_is_known(bench: Bench) -> None:
    image = "210987654321.dkr.ecr.us-east-1.amazonaws.com/mine:latest"
    algorithm = {"TrainingImage": image, "TrainingInputMode": "File"}
    code, message = refused(lambda: bench.create("no-image", AlgorithmSpecification=algorithm))
    assert code == "ValidationException"
    assert image in message
    assert "sagemaker-xgboost" in message


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"OutputDataConfig": {"S3OutputPath": "s3://x/y", "KmsKeyId": "k"}}, "KmsKeyId"),
        ({"RemoteDebugConfig": {"EnableRemoteDebug": True}}, "RemoteDebugConfig"),
        ({"InfraCheckConfig": {"EnableInfraCheck": True}}, "InfraCheckConfig"),
        ({"AlgorithmSpecification": {"AlgorithmName": "mine", "TrainingInputMode": "File"}}, "AlgorithmName"),
    ],
)
def test_what_is_not_done_is_refused_by_name(bench: Bench, changes: dict[str, Any], named: str) -> None:
    code, message = refused(lambda: bench.create("refused", **changes))
    assert code == "ValidationException"
    assert named in message
    assert "does not support" in message


@pytest.mark.parametrize("regex", ["no group", "("])
def test_metric_expressions_that_cannot_be_used_are_refused(bench: Bench, regex: str) -> None:
    algorithm = bench.request("x")["AlgorithmSpecification"]
    algorithm["MetricDefinitions"] = [{"Name": "slow-metric", "Regex": regex}]
    code, message = refused(lambda: bench.create("slow", AlgorithmSpecification=algorithm))
    assert code == "ValidationException"
    assert "slow-metric" in message


def test_a_limit_on_waiting_is_for_accelerated_instances(bench: Bench) -> None:
    condition = {"MaxRuntimeInSeconds": 60, "MaxPendingTimeInSeconds": 7200}
    assert bench.run("patient", StoppingCondition=condition)["StoppingCondition"] == condition
    resources = {**bench.request("x")["ResourceConfig"], "InstanceType": "ml.g5.xlarge"}
    code, message = refused(lambda: bench.create("refused", StoppingCondition=condition, ResourceConfig=resources))
    assert (code, "StoppingCondition.MaxPendingTimeInSeconds" in message) == ("ValidationException", True)


def test_updates_that_are_not_done_are_refused(bench: Bench) -> None:
    bench.run("unchanged")
    profiled = {"ProfilerConfig": {"S3OutputPath": "s3://x/y", "ProfilingIntervalInMilliseconds": 500}}
    for changes in (profiled, {"RemoteDebugConfig": {"EnableRemoteDebug": True}}):
        code, message = refused(lambda: bench.sagemaker.update_training_job(TrainingJobName="unchanged", **changes))  # noqa: B023
        assert (code, message.split(" yet")[0]) == (
            "ValidationException",
            f"Cloche does not support {next(iter(changes))}",
        )
    bench.sagemaker.update_training_job(TrainingJobName="unchanged", ProfilerConfig={"DisableProfiler": True})
    job = bench.describe("unchanged")
    assert (job["ProfilerConfig"], job["ProfilingStatus"]) == ({"DisableProfiler": True}, "Disabled")


# -- listing and deleting ------------------------------------------------------------------------------------


def test_lists_filter_by_status(bench: Bench) -> None:
    bench.run("sifted-well")
    bench.run("sifted-badly", "exit 1")
    for status, name in (("Completed", "sifted-well"), ("Failed", "sifted-badly")):
        found = bench.sagemaker.list_training_jobs(NameContains="sifted-", StatusEquals=status)["TrainingJobSummaries"]
        assert [(job["TrainingJobName"], job["TrainingJobStatus"]) for job in found] == [(name, status)]
        assert found[0]["TrainingEndTime"] >= found[0]["CreationTime"]


def test_only_ended_jobs_are_deleted_and_their_names_are_free_again(bench: Bench) -> None:
    bench.create("deleted", "echo up; sleep 60")
    bench.says("deleted", "up")
    code, message = refused(lambda: bench.sagemaker.delete_training_job(TrainingJobName="deleted"))
    assert code == "ResourceInUse"
    assert "InProgress" in message
    bench.sagemaker.stop_training_job(TrainingJobName="deleted")
    bench.ended("deleted")
    bench.sagemaker.delete_training_job(TrainingJobName="deleted")
    assert refused(lambda: bench.describe("deleted"))[1] == "Requested resource not found."
    assert bench.run("deleted")["TrainingJobStatus"] == "Completed"


# -- the server dies -----------------------------------------------------------------------------------------


def test_a_job_outlives_a_killed_server(start_server: Callable[..., Any]) -> None:
    server = start_server()
    bench = Bench(server)
    bench.create("survivor", "for n in $(seq 30); do echo line $n; sleep 0.1; done; echo w > $CLOCHE_ML_ROOT/model/w")
    bench.says("survivor", "line 5")
    server.stop(signal.SIGKILL)
    time.sleep(0.5)
    server.start()
    bench.connect()
    job = bench.ended("survivor")
    assert job["TrainingJobStatus"] == "Completed", job
    assert bench.lines("survivor") == [f"line {n}" for n in range(1, 31)]
    assert members(bench, "output/survivor/output/model.tar.gz") == {"w": b"w\n"}
    assert [step["Status"] for step in job["SecondaryStatusTransitions"]].count("Training") == 1


def test_a_job_that_ended_while_no_server_was_there(start_server: Callable[..., Any]) -> None:
    server = start_server()
    bench = Bench(server)
    bench.create("alone", "echo up; sleep 0.7; echo down; exit 7")
    bench.says("alone", "up")
    server.stop(signal.SIGKILL)
    time.sleep(1.2)
    server.start()
    bench.connect()
    job = bench.ended("alone")
    assert job["FailureReason"].endswith("exit code: 7")
    assert bench.lines("alone") == ["up", "down"]


def test_nothing_is_left_on_the_disk(start_server: Callable[..., Any]) -> None:
    server = start_server()
    bench = Bench(server)
    bench.run("tidy", "echo data > $CLOCHE_ML_ROOT/model/w", InputDataConfig=[channel("one", "input/one")])
    bench.run("untidy", "exit 1")
    deadline = time.monotonic() + 10
    folders = [server.data / "run" / "training", server.data / "run" / "processes"]
    while any(path for folder in folders for path in folder.glob("training-*")):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def members(bench: Bench, key: str) -> dict[str, bytes]:
    body = bench.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    found = {}
    with tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as archive:
        for member in archive:
            stream = archive.extractfile(member)
            if stream is not None:
                found[member.name] = stream.read()
    return found
