"""What a pipeline costs beyond its work: chains of steps that do nothing, in Cloche and in its peers, in turns.

A chain of Condition steps has no processes: what is left is the pipeline. A chain of no-op processing steps starts one
process a step, as do Metaflow and a shell; Dagster runs its steps in one process (``execute_in_process``). For Cloche
the times are the server's own, from the execution's start to its end on the disk. Peers have environments of their own
below the user's cache folder; one that cannot be built is left out.

    python benchmarks/pipelines.py [--steps 20] [--rounds 3] [--without-peers]
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import boto3
from invoke import peer_environment
from training_overhead import start

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
CONDITION_MS, PROCESSING_MS = 2.0, 25.0
DAGSTER = """
import sys, time
from dagster import DagsterInstance, graph, op

@op
def first() -> int:
    return 1

@op
def step(value: int) -> int:
    return value

@graph
def chain():
    value = first()
    for _ in range(int(sys.argv[1]) - 1):
        value = step(value)

job = chain.to_job()
with DagsterInstance.ephemeral() as instance:
    job.execute_in_process(instance=instance)
    began = time.perf_counter()
    assert job.execute_in_process(instance=instance).success
    print("SECONDS", time.perf_counter() - began)
"""
METAFLOW_STEP = """
    @step
    def s{number}(self):
        self.next(self.{after})
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without-peers", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        server, url = start(work)
        try:
            subjects = ours(work, url, options.steps) | bare(options.steps)
            if not options.without_peers:
                subjects |= peers(work, options.steps)
            report(subjects, options)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()


def report(subjects: dict[str, Callable[[], float]], options: argparse.Namespace) -> None:
    found: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(options.rounds):
        for name, run in subjects.items():
            found[name].append(run() * 1000 / options.steps)
    print(f"milliseconds a step of a chain of {options.steps}, median of {options.rounds}")
    for name, each in found.items():
        print(f"{name:>42} {statistics.median(each):>9.2f}")
    conditions = statistics.median(found["Cloche, Condition steps"])
    whole = statistics.median(found["Cloche, no-op Processing steps"])
    print(f"target {CONDITION_MS} ms a condition: {'met' if conditions <= CONDITION_MS else 'MISSED'}")
    print(f"target {PROCESSING_MS} ms a no-op Processing step: {'met' if whole <= PROCESSING_MS else 'MISSED'}")


def ours(work: Path, url: str, steps: int) -> dict[str, Callable[[], float]]:
    keys = json.loads((work / "data" / "keys" / "root.json").read_text())
    session = boto3.session.Session(keys["AccessKeyId"], keys["SecretAccessKey"], region_name="us-east-1")
    client = session.client("sagemaker", endpoint_url=url)
    iam = session.client("iam", endpoint_url=url)
    role = iam.create_role(RoleName="pipelines", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    programs = {"jobs": ["/bin/true"], "scripts": ["python3", "-c", "pass"]}
    kinds = {name: partial(_processing, role, program) for name, program in programs.items()}
    for name, make in ({"conditions": _condition} | kinds).items():
        chain = [{"Name": f"s{number}", **make()} for number in range(steps)]
        for earlier, later in pairwise(chain):
            later["DependsOn"] = [earlier["Name"]]
        text = json.dumps({"Version": "2020-12-01", "Steps": chain})
        client.create_pipeline(PipelineName=name, PipelineDefinition=text, RoleArn=role)
    for name in programs:
        _run(client, name)  # the image is built and warm
    return {
        "Cloche, Condition steps": lambda: _run(client, "conditions")[0],
        "Cloche, no-op Processing steps": lambda: _run(client, "jobs")[0],
        "Cloche, the same of python -c pass": lambda: _run(client, "scripts")[0],
        "Cloche, no-op Processing steps: overhead": lambda: _run(client, "jobs")[1],
    }


def _condition() -> dict[str, Any]:
    return {
        "Type": "Condition",
        "Arguments": {"Conditions": [{"Type": "Equals", "LeftValue": 1, "RightValue": 1}]},
    }


def _processing(role: str, program: list[str]) -> dict[str, Any]:
    cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    arguments = {
        "RoleArn": role,
        "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": program},
        "ProcessingResources": {"ClusterConfig": cluster},
    }
    return {"Type": "Processing", "Arguments": arguments}


def _run(client: Any, name: str) -> tuple[float, float]:
    """Seconds from the execution's start to its end; and those of them that belong to no job."""
    arn = client.start_pipeline_execution(PipelineName=name)["PipelineExecutionArn"]
    while client.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"] == "Executing":
        time.sleep(0.05)
    pages = client.get_paginator("list_pipeline_execution_steps").paginate(
        PipelineExecutionArn=arn, SortOrder="Ascending"
    )
    steps = [step for page in pages for step in page["PipelineExecutionSteps"]]
    assert all(step["StepStatus"] == "Succeeded" for step in steps), steps
    execution = client.describe_pipeline_execution(PipelineExecutionArn=arn)
    whole = (execution["LastModifiedTime"] - execution["CreationTime"]).total_seconds()
    jobs = 0.0
    for step in steps:
        if made := step["Metadata"].get("ProcessingJob"):
            job = client.describe_processing_job(ProcessingJobName=made["Arn"].rpartition("/")[2])
            jobs += (job["ProcessingEndTime"] - job["CreationTime"]).total_seconds()
    return whole, whole - jobs


def bare(steps: int) -> dict[str, Callable[[], float]]:
    def run() -> float:
        began = time.perf_counter()
        for _ in range(steps):
            subprocess.run([sys.executable, "-c", "pass"], check=True)
        return time.perf_counter() - began

    return {"a bare python -c pass": run}


def peers(work: Path, steps: int) -> dict[str, Callable[[], float]]:
    found: dict[str, Callable[[], float]] = {}
    for name, make in (("dagster", dagster), ("metaflow", metaflow)):
        try:
            python = peer_environment(name, [name])
        except subprocess.CalledProcessError as error:
            print(f"{name} is left out, its environment cannot be built: {error}")
            continue
        found |= make(work, python, steps)
    return found


def dagster(work: Path, python: Path, steps: int) -> dict[str, Callable[[], float]]:
    def run() -> float:
        command = [str(python), "-W", "ignore", "-c", DAGSTER, str(steps)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=work)
        return float(done.stdout.rpartition("SECONDS ")[2])

    return {"Dagster, in one process": run}


def metaflow(work: Path, python: Path, steps: int) -> dict[str, Callable[[], float]]:
    names = ["start", *[f"s{number}" for number in range(1, steps - 1)], "end"]
    body = "".join(METAFLOW_STEP.replace("s{number}", name).format(after=after) for name, after in pairwise(names))
    end = "\n    @step\n    def end(self):\n        pass\n"
    text = f"from metaflow import FlowSpec, step\n\n\nclass Chain(FlowSpec):{body}{end}\n\nChain()\n"
    (work / "chain.py").write_text(text)

    def run() -> float:
        began = time.perf_counter()
        home = {"METAFLOW_USER": "bench", "METAFLOW_HOME": str(work), "USERNAME": "bench", "PATH": "/usr/bin:/bin"}
        subprocess.run([str(python), "chain.py", "run"], check=True, capture_output=True, cwd=work, env=home)
        return time.perf_counter() - began

    return {"Metaflow, a process a step": run}


if __name__ == "__main__":
    main()
