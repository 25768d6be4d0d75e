"""What a processing job costs that does nothing: from CreateProcessingJob to Completed, beside ``python -c pass``.

Both run the same interpreter of a warm image, in turns. The job has no inputs (as a no-op step of a pipeline has none)
or one small script, as the SDK's processors have. The server dates a job's beginning, start and end, to the
millisecond, as a pipeline on it would see them: a client that asks again and again would take a core of its own.

    python benchmarks/processing_start.py [--rounds 30]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from training_overhead import start

from cloche.compute.images import EnvironmentBuilder
from cloche_jobs import catalog

TARGET_MILLISECONDS = 25
POLL_SECONDS = 0.1
CODE = "/opt/ml/processing/input/code"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    image = catalog.by_key("sagemaker-scikit-learn:1.2-1")
    python = EnvironmentBuilder().ensure(image.environment).python
    with tempfile.TemporaryDirectory() as folder:
        server, url = start(Path(folder))
        try:
            measure(Path(folder) / "data", python, image.uri(), url, rounds)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()


def measure(data: Path, python: Path, image: str, url: str, rounds: int) -> None:
    keys = json.loads((data / "keys" / "root.json").read_text())
    session = boto3.session.Session(keys["AccessKeyId"], keys["SecretAccessKey"], region_name="us-east-1")
    s3, sagemaker, iam = (session.client(name, endpoint_url=url) for name in ("s3", "sagemaker", "iam"))
    s3.create_bucket(Bucket="bench")
    s3.put_object(Bucket="bench", Key="code/pass.py", Body=b"pass\n")
    role = iam.list_roles()["Roles"][0]["Arn"]
    source = {"S3Uri": "s3://bench/code/pass.py", "LocalPath": CODE, "S3DataType": "S3Prefix"}
    with_script = [{"InputName": "code", "S3Input": source}]
    kinds: dict[str, Callable[[int], tuple[float, float]]] = {
        "python -c pass": lambda number: (timed(lambda: subprocess.run([python, "-c", "pass"], check=True)), 0.0),
        "job": lambda number: run_job(sagemaker, role, image, f"none-{number}", ["-c", "pass"], []),
        "job, one script": lambda number: run_job(
            sagemaker, role, image, f"one-{number}", [f"{CODE}/pass.py"], with_script
        ),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
    for number in range(rounds + 2):
        for name, once in kinds.items():
            taken = once(number)
            if number > 1:  # the first two only warm the caches
                found[name].append(taken)
    report(found)


def timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def run_job(
    sagemaker: Any, role: str, image: str, name: str, arguments: list[str], inputs: list[dict[str, Any]]
) -> tuple[float, float]:
    """Seconds from the record to Completed, and to the started process."""
    sagemaker.create_processing_job(
        ProcessingJobName=name,
        RoleArn=role,
        AppSpecification={"ImageUri": image, "ContainerEntrypoint": ["python3", *arguments]},
        ProcessingInputs=inputs,
        ProcessingResources={"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}},
    )
    while (job := sagemaker.describe_processing_job(ProcessingJobName=name))["ProcessingJobStatus"] == "InProgress":
        time.sleep(POLL_SECONDS)
    if job["ProcessingJobStatus"] != "Completed":
        raise SystemExit(job["FailureReason"])
    return tuple(
        (job[member] - job["CreationTime"]).total_seconds() for member in ("ProcessingEndTime", "ProcessingStartTime")
    )


def report(found: dict[str, list[tuple[float, float]]]) -> None:
    print(f"machine: {os.cpu_count()} processors; {len(next(iter(found.values())))} rounds, milliseconds")
    bare = statistics.median(seconds for seconds, _ in found["python -c pass"])
    for name, taken in found.items():
        total = sorted(1000 * seconds for seconds, _ in taken)
        until = statistics.median(1000 * start for _, start in taken)
        print(
            f"{name:<18} median {statistics.median(total):6.1f}  least {total[0]:6.1f}  most {total[-1]:6.1f}"
            f"  until started {until:6.1f}  over python {statistics.median(total) - 1000 * bare:6.1f}"
            f"  (target: {TARGET_MILLISECONDS})"
        )


if __name__ == "__main__":
    main()
