"""What Cloche adds to a training: from CreateTrainingJob to Completed, less the same training in a bare process.

Both train built-in XGBoost on scikit-learn's breast-cancer data with the same interpreter, entry point and files, in
turns, so that whatever else the machine does hits both alike. Prints every phase of the job as the server dated it.

    python benchmarks/training_overhead.py [--rounds 7]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import boto3

from cloche.compute.images import EnvironmentBuilder
from cloche_jobs import catalog
from cloche_jobs.contract import Layout, command, package_folder
from cloche_jobs.contract.configuration import Channel, Hosts, write_configuration
from cloche_jobs.contract.environment import training_environment

HYPERPARAMETERS = {"objective": "binary:logistic", "eval_metric": "auc", "num_round": "50", "max_depth": "4"}
CHANNELS = ("train", "validation")
TARGET_SECONDS = 1.5
DATA = """
import sys
from sklearn.datasets import load_breast_cancer
data = load_breast_cancer()
for name, first in (("train", True), ("validation", False)):
    with open(f"{sys.argv[1]}/{name}.csv", "w") as file:
        for number, (row, label) in enumerate(zip(data.data, data.target)):
            if (number % 4 != 0) == first:
                file.write(",".join([str(label), *map(str, row)]) + "\\n")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    image = next(each for each in catalog.IMAGES if each.key == "sagemaker-xgboost:1.7-1")
    python = EnvironmentBuilder().ensure(image.environment).python
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        subprocess.run([str(python), "-c", DATA, str(work)], check=True)
        server, url = start(work)
        try:
            measure(work, python, image, url, rounds)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()


def start(work: Path) -> tuple[subprocess.Popen[bytes], str]:
    line = [sys.executable, "-m", "cloche.cli.main", "up", "--port", "0", "--data", str(work / "data")]
    server = subprocess.Popen(line, stdout=subprocess.DEVNULL)
    while True:
        try:
            port = json.loads((work / "data" / "server.json").read_text())["port"]
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_cloche/health")
            return server, f"http://127.0.0.1:{port}"
        except (OSError, ValueError):
            if server.poll() is not None:
                raise SystemExit("the server did not start") from None
            time.sleep(0.02)


def measure(work: Path, python: Path, image: catalog.Image, url: str, rounds: int) -> None:
    keys = json.loads((work / "data" / "keys" / "root.json").read_text())
    session = boto3.session.Session(keys["AccessKeyId"], keys["SecretAccessKey"], region_name="us-east-1")
    s3, sagemaker, iam = (session.client(name, endpoint_url=url) for name in ("s3", "sagemaker", "iam"))
    s3.create_bucket(Bucket="bench")
    for name in CHANNELS:
        s3.upload_file(str(work / f"{name}.csv"), "bench", f"{name}/data.csv")
    role = iam.list_roles()["Roles"][0]["Arn"]
    jobs, bares, phases = [], [], []
    for number in range(rounds + 1):
        bare = run_bare(work, python, image, number)
        seconds, steps = run_job(sagemaker, role, image, number)
        if number:  # the first of both only warms the caches
            jobs.append(seconds)
            bares.append(bare)
            phases.append(steps)
    report(jobs, bares, phases)


def run_bare(work: Path, python: Path, image: catalog.Image, number: int) -> float:
    layout = Layout(work / f"bare-{number}").make()
    for name in CHANNELS:
        layout.channel(name).mkdir()
        os.link(work / f"{name}.csv", layout.channel(name) / "data.csv")
    write_configuration(layout, HYPERPARAMETERS, [Channel(name, "text/csv") for name in CHANNELS], Hosts())
    environment = training_environment(
        image=image.key,
        python=python,
        package_root=package_folder().parent,
        job_name="bare",
        job_arn="bare",
        region="us-east-1",
        ml_root=layout.root,
    )
    began = time.perf_counter()
    subprocess.run(
        command(python, "train"),
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=layout.root,
    )
    return time.perf_counter() - began


def run_job(sagemaker: Any, role: str, image: catalog.Image, number: int) -> tuple[float, dict[str, float]]:
    name = f"overhead-{number}"
    began = time.perf_counter()
    sagemaker.create_training_job(
        TrainingJobName=name,
        RoleArn=role,
        AlgorithmSpecification={"TrainingImage": image.uri(), "TrainingInputMode": "File"},
        HyperParameters=HYPERPARAMETERS,
        InputDataConfig=[
            {
                "ChannelName": channel,
                "ContentType": "text/csv",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://bench/{channel}"}},
            }
            for channel in CHANNELS
        ],
        OutputDataConfig={"S3OutputPath": "s3://bench/output"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 600},
    )
    while (job := sagemaker.describe_training_job(TrainingJobName=name))["TrainingJobStatus"] == "InProgress":
        time.sleep(0.005)
    seconds = time.perf_counter() - began
    if job["TrainingJobStatus"] != "Completed":
        raise SystemExit(job["FailureReason"])
    steps = job["SecondaryStatusTransitions"]
    return seconds, {step["Status"]: (step["EndTime"] - step["StartTime"]).total_seconds() for step in steps}


def report(jobs: list[float], bares: list[float], phases: list[dict[str, float]]) -> None:
    overhead = statistics.median(job - bare for job, bare in zip(jobs, bares, strict=True))
    print(f"machine: {os.cpu_count()} processors; {len(jobs)} rounds, medians")
    print(f"job, CreateTrainingJob to Completed  {statistics.median(jobs):7.3f} s")
    print(f"the same in a bare process           {statistics.median(bares):7.3f} s")
    print(f"overhead                             {overhead:7.3f} s   (target: under {TARGET_SECONDS} s)")
    for name in phases[0]:
        print(f"    {name:<33}{statistics.median(step.get(name, 0.0) for step in phases):7.3f} s")


if __name__ == "__main__":
    main()
