"""Transform jobs over a script: what the container is told, formats, stopping, and whatever is killed in the middle."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hosting_requests import SKLEARN, archive, hosting_of
from transform_requests import Transforming

SCRIPT = """
import json, os, time

def model_fn(model_dir):
    return None

def transform_fn(model, body, content_type, accept):
    text = body.decode() if isinstance(body, bytes) else body
    rows = [line for line in text.split("\\n") if line]
    if text.startswith("slow"):
        time.sleep(0.4)
    if text.startswith("late"):
        time.sleep(1.5)
    if text.startswith("die"):
        os._exit(7)
    if text.startswith("env"):
        names = [name for name in os.environ if name.startswith(("SAGEMAKER_BATCH", "SAGEMAKER_MAX", "MINE"))]
        return json.dumps({name: os.environ[name] for name in names}), accept
    if content_type == "application/jsonlines":
        return "\\n".join(json.dumps({"sum": sum(json.loads(row))}) for row in rows) + "\\n", accept
    return "\\n".join(row.upper() for row in rows) + "\\n", accept
"""
VARIABLES = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}


def bench_of(server: Any) -> Transforming:
    return Transforming(hosting_of(server), server)


def script_model(bench: Transforming) -> str:
    packed = archive({"code/inference.py": SCRIPT.encode()})
    return bench.hosting.model(bench.hosting.put(packed), image=SKLEARN, environment={**VARIABLES, "MINE": "model's"})


@pytest.fixture(scope="module")
def bench(server: Any) -> Transforming:
    return bench_of(server)


@pytest.fixture(scope="module")
def model(bench: Transforming) -> str:
    return script_model(bench)


def test_what_the_container_is_told(bench: Transforming, model: str) -> None:
    uri = bench.put({"a": b"env"})
    plain = {"Output": {"Accept": "application/json", "AssembleWith": "None"}}
    job = bench.run(model, uri, Environment={"MINE": "the job's"}, **plain)
    assert json.loads(bench.outputs(job)["a.out"]) == {"SAGEMAKER_BATCH": "true", "MINE": "the job's"}
    job = bench.run(
        model,
        uri,
        BatchStrategy="SingleRecord",
        MaxPayloadInMB=7,
        MaxConcurrentTransforms=2,
        Output={"Accept": "application/json", "AssembleWith": "None"},
    )
    assert json.loads(bench.outputs(job)["a.out"]) == {
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "7",
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "2",
        "MINE": "model's",
    }


def test_json_lines_filtered_and_joined(bench: Transforming, model: str) -> None:
    kind = "application/jsonlines"
    rows = b'{"id":1,"features":[1,2]}\n{"id":2,"features":[3,4]}\n'
    job = bench.run(
        model,
        bench.put({"a.jsonl": rows}),
        Input={"ContentType": kind},
        Output={"Accept": kind},
        DataProcessing={
            "InputFilter": "$.features",
            "JoinSource": "Input",
            "OutputFilter": "$['id','SageMakerOutput']",
        },
    )
    assert job["TransformJobStatus"] == "Completed", job
    assert [json.loads(line) for line in bench.outputs(job)["a.jsonl.out"].splitlines()] == [
        {"id": 1, "SageMakerOutput": {"sum": 3}},
        {"id": 2, "SageMakerOutput": {"sum": 7}},
    ]
    job = bench.run(
        model,
        bench.put({"a.jsonl": rows + b'{"id":3,"features":\n'}),
        Input={"ContentType": kind},
        Output={"Accept": kind},
        DataProcessing={"InputFilter": "$.features"},
    )
    assert job["FailureReason"].startswith(
        "ClientError: See job logs for more information: a.jsonl, line 3: Failed to parse input as JSON Lines: "
    )


def test_a_file_of_any_length_in_one_question(bench: Transforming, model: str) -> None:
    """In chunks, while it is read and unpacked: seven megabytes are more than a payload holds otherwise."""
    rows = b"abcdefghi\n" * 700_000
    job = bench.run(
        model,
        bench.put({"a.gz": gzip.compress(rows, 1)}),
        MaxPayloadInMB=0,
        Input={"SplitType": "None", "CompressionType": "Gzip"},
        Output={"AssembleWith": "None"},
    )
    assert job["TransformJobStatus"] == "Completed", job
    assert bench.outputs(job)["a.gz.out"] == rows.upper()


def test_a_model_that_dies_of_a_record(bench: Transforming, model: str) -> None:
    job = bench.run(model, bench.put({"a": b"die\n"}))
    assert job["TransformJobStatus"] == "Failed"
    assert job["FailureReason"] == "AlgorithmError: , exit code: 7"


def test_an_answer_that_comes_after_its_time_is_nobodys(bench: Transforming, model: str) -> None:
    once = {"InvocationsTimeoutInSeconds": 1, "InvocationsMaxRetries": 0}
    job = bench.run(model, bench.put({"a": b"late\n", "b": b"b\n", "c": b"c\n"}), ModelClientConfig=once)
    assert job["TransformJobStatus"] == "Failed"
    assert "Unable to get response from algorithm" in job["FailureReason"]
    assert bench.outputs(job) == {"b.out": b"B\n", "c.out": b"C\n"}


def test_a_job_that_is_stopped_leaves_nothing(bench: Transforming, model: str) -> None:
    uri = bench.put({"fast": b"a\n", **{f"slow-{number}": b"slow\n" for number in range(100)}})
    name = bench.create(model, uri)
    deadline = time.monotonic() + 60
    while not any("MaxConcurrent" in line for line in said(bench, name)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    bench.sagemaker.stop_transform_job(TransformJobName=name)
    bench.sagemaker.stop_transform_job(TransformJobName=name)
    assert bench.describe(name)["TransformJobStatus"] in ("Stopping", "Stopped")
    job = bench.ended(name)
    assert job["TransformJobStatus"] == "Stopped" and "FailureReason" not in job
    assert bench.outputs(job) == {}


def said(bench: Transforming, name: str) -> list[str]:
    try:
        return bench.lines(name, "/data-log")
    except bench.logs.exceptions.ResourceNotFoundException:
        return []


def runner_of(data: Path, name: str) -> int:
    """The pid of the process that watches over the job's newest process."""
    folders = sorted((data / "run" / "processes").glob(f"transform-{name}-*"), key=lambda path: path.stat().st_mtime)
    return int(json.loads((folders[-1] / "runner.json").read_text())["pid"])


def feeders_of(data: Path) -> set[int]:
    """The pids of the programs that feed jobs of that server."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if b"feed.py" in line and os.fsencode(data) in line:
            found.add(int(path.parent.name))
    return found


@pytest.mark.slow
def test_killed_in_the_middle_it_ends_once_with_every_file(start_server: Callable[..., Any]) -> None:
    server = start_server()
    bench = bench_of(server)
    uri = bench.put({f"{number:02}": b"slow %d\n" % number for number in range(16)})
    name = bench.create(script_model(bench), uri)
    deadline = time.monotonic() + 90
    while not list((server.data / "run" / "transform").glob(f"*{name}*/batch/out/*")):
        assert time.monotonic() < deadline, server.log()[-2000:]
        time.sleep(0.02)
    before = feeders_of(server.data)
    for feeder in before:  # a server may take longer to start than the job would
        os.kill(feeder, signal.SIGSTOP)
    server.stop(signal.SIGKILL)
    server.start()
    bench = bench_of(server)
    assert bench.describe(name)["TransformJobStatus"] == "InProgress"
    os.kill(runner_of(server.data, name), signal.SIGKILL)
    deadline = time.monotonic() + 60
    while not (feeders := feeders_of(server.data) - before):
        assert time.monotonic() < deadline, "nobody feeds it"
        time.sleep(0.02)
    os.kill(feeders.pop(), signal.SIGKILL)
    job = bench.ended(name)
    assert job["TransformJobStatus"] == "Completed", job
    found = bench.outputs(job)
    assert found == {f"{number:02}.out": b"SLOW %d\n" % number for number in range(16)}
    starts = [line for line in bench.lines(name, "/data-log") if "MaxConcurrentTransforms" in line]
    assert len(starts) >= 2, "each run went on where the one before was killed"
    printed = subprocess.run(
        [str(Path(sys.executable).with_name("cloche")), "logs", name, "--data", str(server.data)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "[data-log] " in printed and "MaxConcurrentTransforms" in printed
    kept = list((server.data / "run" / "transform").iterdir())
    deadline = time.monotonic() + 20
    while kept and time.monotonic() < deadline:
        time.sleep(0.05)
        kept = list((server.data / "run" / "transform").iterdir())
    assert not kept, "nothing is left on the disk"
