"""Managed spot training and retries: jobs of several runs, as unmodified boto3 sees them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from training_requests import BUCKET, LOG_GROUP, Bench, channel

COUNTING = """
set -e
cd $CLOCHE_ML_ROOT/checkpoints
trap 'echo given notice; exit 0' TERM
n=0; [ -e count ] && n=$(cat count)
echo "goes on from $n"
while [ $n -lt $1 ]; do n=$((n + 1)); echo $n > .count; mv .count count; echo "round $n"; sleep 0.2; done
cp count $CLOCHE_ML_ROOT/model/
"""
SPOT = {
    "EnableManagedSpotTraining": True,
    "StoppingCondition": {"MaxRuntimeInSeconds": 300, "MaxWaitTimeInSeconds": 600},
}


@pytest.fixture(scope="module")
def bench(server: Any) -> Bench:
    made = Bench(server)
    made.s3.put_object(Bucket=BUCKET, Key="counting/count.sh", Body=COUNTING.encode())
    return made


def counting(rounds: int) -> str:
    return f"exec sh $CLOCHE_ML_ROOT/input/data/code/count.sh {rounds}"


def spot(name: str, **changes: Any) -> dict[str, Any]:
    code = [channel("code", "counting/")]
    return {**SPOT, "InputDataConfig": code, "CheckpointConfig": {"S3Uri": f"s3://{BUCKET}/spot/{name}"}, **changes}


def interrupt(bench: Bench, name: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cloche.cli.main", "jobs", "interrupt", name, *options]
    return subprocess.run(
        [*command, "--data", str(bench.server.data)], capture_output=True, text=True, check=False, timeout=60
    )


def runs(bench: Bench, name: str) -> list[list[str]]:
    streams = bench.logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=f"{name}/")["logStreams"]
    found = []
    for stream in sorted(streams, key=lambda stream: stream["logStreamName"]):
        events = bench.logs.get_log_events(
            logGroupName=LOG_GROUP, logStreamName=stream["logStreamName"], startFromHead=True
        )["events"]
        found.append([event["message"] for event in events])
    return found


def statuses(job: dict[str, Any]) -> list[str]:
    return [step["Status"] for step in job["SecondaryStatusTransitions"]]


def test_an_interrupted_job_goes_on_from_its_checkpoints(bench: Bench) -> None:
    bench.create("spotted", counting(25), **spot("spotted"))
    bench.says("spotted", "round 3")
    asked = interrupt(bench, "spotted", "--away", "2")
    assert (asked.returncode, asked.stdout) == (0, "spotted has been given notice\n"), asked.stderr
    deadline = time.monotonic() + 30
    while bench.describe("spotted")["SecondaryStatus"] != "Interrupted":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert bench.describe("spotted")["TrainingJobStatus"] == "InProgress"
    job = bench.ended("spotted")
    assert job["TrainingJobStatus"] == "Completed", job
    assert statuses(job) == [
        *("Starting", "Downloading", "Training", "Interrupted"),
        *("Starting", "Downloading", "Training", "Uploading", "Completed"),
    ]
    first, second = runs(bench, "spotted")
    assert first[0] == "goes on from 0"
    assert first[-1] == "given notice"
    last = [line for line in first if line.startswith("round")][-1]
    assert second[0] == f"goes on from {last.split()[1]}"
    assert second[-1] == "round 25"
    assert job["EnableManagedSpotTraining"] is True
    assert job["TrainingTimeInSeconds"] >= job["BillableTimeInSeconds"] + 2
    assert job["StoppingCondition"]["MaxWaitTimeInSeconds"] == 600


def test_a_job_is_stopped_while_there_is_no_capacity(bench: Bench) -> None:
    bench.create("abandoned", counting(200), **spot("abandoned"))
    bench.says("abandoned", "round 1")
    assert interrupt(bench, "abandoned", "--away", "600").returncode == 0
    deadline = time.monotonic() + 30
    while bench.describe("abandoned")["SecondaryStatus"] != "Interrupted":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    bench.run("not-held-up")
    bench.sagemaker.stop_training_job(TrainingJobName="abandoned")
    assert bench.ended("abandoned")["TrainingJobStatus"] == "Stopped"


def test_waiting_ends_too(bench: Bench) -> None:
    given = spot("waited", StoppingCondition={"MaxRuntimeInSeconds": 4, "MaxWaitTimeInSeconds": 5})
    bench.create("waited", counting(200), **given)
    bench.says("waited", "round 1")
    assert interrupt(bench, "waited", "--away", "600").returncode == 0
    job = bench.ended("waited")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxWaitTimeExceeded")


def test_the_last_run_ends_when_the_time_of_all_is_over(bench: Bench) -> None:
    given = spot("timed", StoppingCondition={"MaxRuntimeInSeconds": 8, "MaxWaitTimeInSeconds": 600})
    bench.create("timed", counting(900), **given)
    bench.says("timed", "round 1")
    assert interrupt(bench, "timed").returncode == 0
    job = bench.ended("timed")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert len(runs(bench, "timed")) == 2


def test_only_spot_training_that_runs_is_interrupted(bench: Bench) -> None:
    bench.create("steady", "sleep 60")
    asked = interrupt(bench, "steady")
    assert asked.returncode != 0
    assert "is no managed spot training" in asked.stderr
    bench.sagemaker.stop_training_job(TrainingJobName="steady")
    bench.run("over", **spot("over"))
    assert "cannot happen" in interrupt(bench, "over").stderr
    assert "not found" in interrupt(bench, "never-there").stderr


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 90}},
            "Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is set to true",
        ),
        (
            {**SPOT, "StoppingCondition": {"MaxRuntimeInSeconds": 60}},
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds",
        ),
        (
            {**SPOT, "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 59}},
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds",
        ),
    ],
)
def test_waiting_times_that_cannot_be(bench: Bench, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError) as caught:
        bench.create("refused", **changes)
    assert caught.value.response["Error"]["Message"] == message


# -- retries -------------------------------------------------------------------------------------------------

PLATFORM = 'echo "InternalServerError: the disk of the host broke" > $CLOCHE_ML_ROOT/output/failure; exit 1'


def test_a_failure_that_was_the_platforms_is_retried(bench: Bench) -> None:
    job = bench.run("retried", PLATFORM, RetryStrategy={"MaximumRetryAttempts": 2})
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("InternalServerError: the disk of the host broke")
    assert job["RetryStrategy"] == {"MaximumRetryAttempts": 2}
    assert statuses(job).count("Training") == 3
    assert statuses(job)[-2:] == ["Uploading", "Failed"]


def test_what_the_caller_can_mend_is_not(bench: Bench) -> None:
    job = bench.run("not-retried", "exit 1", RetryStrategy={"MaximumRetryAttempts": 2})
    assert statuses(job).count("Training") == 1
    assert bench.run("no-strategy", PLATFORM)["TrainingJobStatus"] == "Failed"
    assert statuses(bench.describe("no-strategy")).count("Training") == 1


def test_a_lost_process_is_retried(bench: Bench) -> None:
    bench.s3.put_object(Bucket=BUCKET, Key="pid/pid.py", Body=b"import os; print('up', os.getpid(), flush=True)")
    script = (
        "[ -e $CLOCHE_ML_ROOT/checkpoints/seen ] && exit 0; touch $CLOCHE_ML_ROOT/checkpoints/seen; echo up; sleep 60"
    )
    bench.create(
        "lost",
        script,
        InputDataConfig=[channel("pid", "pid/")],
        CheckpointConfig={"S3Uri": f"s3://{BUCKET}/lost"},
        RetryStrategy={"MaximumRetryAttempts": 1},
    )
    bench.says("lost", "up")
    folder = next(path for path in (bench.server.data / "run" / "processes").iterdir() if "-lost-" in path.name)
    os.kill(_runner(folder), signal.SIGKILL)
    job = bench.ended("lost")
    assert job["TrainingJobStatus"] == "Completed", job
    assert statuses(job).count("Training") == 2


def _runner(folder: Path) -> int:
    import json

    return int(json.loads((folder / "runner.json").read_text())["pid"])


# -- a server that is killed ---------------------------------------------------------------------------------

ACROSS = """
cd $CLOCHE_ML_ROOT
cat input/data/train_0; echo first > checkpoints/first; echo ready
sleep 5
cat input/data/train_1; echo second > checkpoints/second
"""


def test_pipes_checkpoints_and_pools_outlive_a_killed_server(start_server: Callable[..., Any]) -> None:
    server = start_server()
    bench = Bench(server)
    bench.s3.put_object(Bucket=BUCKET, Key="code/across.sh", Body=ACROSS.encode())
    bench.s3.put_object(Bucket=BUCKET, Key="streamed/a", Body=b"streamed\n")
    channels = [channel("code", "code/"), channel("train", "streamed/", InputMode="Pipe")]
    given = {**spot("across"), "InputDataConfig": channels}
    resources = {**bench.request("x")["ResourceConfig"], "KeepAlivePeriodInSeconds": 600}
    script = "exec sh $CLOCHE_ML_ROOT/input/data/code/across.sh"
    bench.create("across", script, **given, ResourceConfig=resources)
    bench.says("across", "ready")
    server.stop(signal.SIGKILL)
    server.start()
    bench.connect()
    job = bench.ended("across")
    assert job["TrainingJobStatus"] == "Completed", job
    assert bench.lines("across") == ["streamed", "ready", "streamed"]
    stored = bench.s3.list_objects_v2(Bucket=BUCKET, Prefix="spot/across/")["Contents"]
    assert [each["Key"].rpartition("/")[2] for each in stored] == ["first", "second"]
    assert job["WarmPoolStatus"]["Status"] in ("InUse", "Available")
