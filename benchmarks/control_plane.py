"""DescribeTrainingJob and ListTrainingJobs against moto's server and a bare echo, with 10 and with 10,000 jobs.

Descriptions are asked for one job again and again, as a client that waits does, and for all the jobs in turn (4,000 of
them at most), each request signed for its own.

Both run on this machine and are loaded in turns by the same wrk with one signed request; answers other than 2xx void
the run. moto's jobs are made through its API. Cloche's are written to its store as finished records, for no job could
be run 10,000 times in a benchmark's patience; they are read the same way as any other. A server that finds 10,000 new
jobs tells those who follow (lineage: some seconds of a core), once, so it is waited for until it rests. The echo is a
process of a few lines on the same event loop library that gives back each request's body, unsigned and unread
(``invoke_clients``).

    python benchmarks/control_plane.py [--seconds 4] [--rounds 3] [--clients 8] [--jobs 10 10000]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from invoke import Subject, _await, _server, peer_environment, signed_request
from invoke_clients import echo

PACKAGES = ["moto[server]==5.2.5"]
REGION, ACCOUNT = "us-east-1", "123456789012"
DIFFERENT_MAX = 4_000
RESTS_BELOW = 0.05
"""Of a core."""


def questions(jobs: int) -> dict[str, tuple[str, list[dict[str, Any]]]]:
    """What is asked: for each line of the table an operation and the requests that are sent in turn."""
    step = max(1, jobs // DIFFERENT_MAX)
    each = [{"TrainingJobName": f"job-{number}"} for number in range(0, jobs, step)][:DIFFERENT_MAX]
    return {
        "DescribeTrainingJob, one": ("DescribeTrainingJob", [{"TrainingJobName": "job-5"}]),
        f"DescribeTrainingJob, {len(each)}": ("DescribeTrainingJob", each),
        "ListTrainingJobs": ("ListTrainingJobs", [{"MaxResults": 10}]),
    }


def job(number: int) -> dict[str, Any]:
    """A request as a real one: XGBoost, two channels, eight hyperparameters."""
    channel = {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/train/", "S3DataDistributionType": "FullyReplicated"}
    return {
        "TrainingJobName": f"job-{number}",
        "HyperParameters": {f"p{n}": "0.1" for n in range(8)},
        "AlgorithmSpecification": {
            "TrainingImage": f"683313688378.dkr.ecr.{REGION}.amazonaws.com/sagemaker-xgboost:1.7-1",
            "TrainingInputMode": "File",
        },
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/service-role/AmazonSageMaker-ExecutionRole",
        "InputDataConfig": [
            {"ChannelName": name, "ContentType": "text/csv", "DataSource": {"S3DataSource": channel}}
            for name in ("train", "validation")
        ],
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/output", "KmsKeyId": ""},
        "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }


def fill(data: Path, count: int) -> None:
    """``count`` finished jobs in a store that no server has open."""
    from cloche.engines.training.publish import TrainingState, Transition, to_document
    from cloche.foundation.clock import SystemClock
    from cloche.storage.metadata import records
    from cloche.storage.metadata.database import Database

    database = Database(data / "cloche.db")
    now = SystemClock().time()
    steps = ("Starting", "Downloading", "Training", "Uploading", "Completed")
    state = TrainingState(
        status="Completed",
        secondary_status="Completed",
        transitions=tuple(Transition(step, "done", now - 5, now) for step in steps),
        started_at=now - 4,
        ended_at=now,
        billable_seconds=4.0,
        metrics=(("validation:auc", 0.99, now),),
        model_artifacts="s3://bucket/output/model.tar.gz",
        failure_reason=None,
    )

    def insert(tx: Any) -> None:
        for number in range(count):
            request = job(number)
            name = request.pop("TrainingJobName")
            arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/{name}"
            records.insert(
                tx,
                account=ACCOUNT,
                region=REGION,
                kind="sagemaker/TrainingJob",
                name=name,
                arn=arn,
                at=now - count + number,
                request=request,
            )
            records.set_status(tx, arn, "Completed", now, state=to_document(state))

    database.write(insert)
    database.close()


@contextlib.contextmanager
def cloche(folder: Path, jobs: int) -> Iterator[dict[str, Subject]]:
    data = folder / f"data-{jobs}"
    command = [sys.executable, "-m", "cloche.cli.main", "up", "--port", "0", "--data", str(data)]
    with _running(command, folder / "cloche.log") as process:
        _server(data, process)
    fill(data, jobs)
    with _running(command, folder / "cloche.log") as process:
        said = _server(data, process)
        _rested(process.pid)
        keys = json.loads((data / "keys" / "root.json").read_text())
        yield subjects("cloche", f"http://127.0.0.1:{said['port']}/", keys, jobs)


def _rested(pid: int) -> None:
    """Waits until the process has nothing of its own to do any more."""
    while True:
        before = _cpu_seconds(pid)
        time.sleep(1)
        if _cpu_seconds(pid) - before < RESTS_BELOW:
            return


def _cpu_seconds(pid: int) -> float:
    spent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, spent)) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def moto(folder: Path, jobs: int) -> Iterator[dict[str, Subject]]:
    import boto3

    port = 45_000 + os.getpid() % 10_000
    url = f"http://127.0.0.1:{port}/"
    keys = {"AccessKeyId": "AKIAEXAMPLE", "SecretAccessKey": "secret"}
    python = peer_environment("moto", PACKAGES)
    command = [str(python.with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)]
    with _running(command, folder / "moto.log") as process:
        _await(url + "moto-api/", process)
        access = {"aws_access_key_id": keys["AccessKeyId"], "aws_secret_access_key": keys["SecretAccessKey"]}
        client = boto3.client("sagemaker", region_name=REGION, endpoint_url=url, **access)
        for number in range(jobs):
            client.create_training_job(**job(number))
        yield subjects("moto", url, keys, jobs)


@contextlib.contextmanager
def _running(command: list[str], log: Path) -> Iterator[subprocess.Popen[Any]]:
    with log.open("a") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@dataclass(frozen=True)
class Turns(Subject):
    """Many signed requests, sent one after the other."""

    requests: tuple[tuple[dict[str, str], str], ...] = ()

    def script(self) -> str:
        rows = [f"{{{_table(headers)}, {json.dumps(body)}}}" for headers, body in self.requests]
        return "\n".join(
            [
                f"local asked = {{{', '.join(rows)}}}",
                "local made, at = {}, 0",
                "function init() for n, r in ipairs(asked) do made[n] = wrk.format('POST', '/', r[1], r[2]) end end",
                "function request() at = at % #made + 1; return made[at] end",
            ]
        )


def _table(headers: dict[str, str]) -> str:
    return "{" + ", ".join(f"[{json.dumps(name)}] = {json.dumps(value)}" for name, value in headers.items()) + "}"


def subjects(name: str, url: str, keys: dict[str, str], jobs: int) -> dict[str, Subject]:
    made: dict[str, Subject] = {}
    for line, (operation, asked) in questions(jobs).items():
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"SageMaker.{operation}"}
        bodies = [json.dumps(members) for members in asked]
        signed = tuple((signed_request(url, body, keys, headers), body) for body in bodies)
        made[line] = Turns(f"{name}-{operation}-{len(asked)}", url, {}, "", signed)
    return made


def rates(asked: list[Subject], chosen: argparse.Namespace, folder: Path) -> list[float]:
    """Requests a second of each, measured in turns; medians."""
    rounds = [
        [each.measure(chosen.clients, chosen.seconds, folder).requests_per_second for each in asked]
        for _ in range(chosen.rounds)
    ]
    return [statistics.median(of_one) for of_one in zip(*rounds, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--jobs", type=int, nargs="+", default=[10, 10_000])
    chosen = parser.parse_args()
    print(
        f"{os.cpu_count()} cores; {chosen.clients} clients; medians of {chosen.rounds} rounds of {chosen.seconds:g} s"
    )
    print(f"{'jobs':>7} {'asked':<26} {'cloche/s':>9} {'moto/s':>8} {'ratio':>7} {'echo/s':>8} {'of it':>6}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for jobs in chosen.jobs:
            with moto(folder, jobs) as theirs, cloche(folder, jobs) as ours, echo(folder) as echo_url:
                ceiling = subjects("echo", f"{echo_url}/", {"AccessKeyId": "A", "SecretAccessKey": "s"}, jobs)
                time.sleep(2)
                for line in questions(jobs):
                    peer, own, bare = rates([theirs[line], ours[line], ceiling[line]], chosen, folder)
                    told = f"{own:>9,.0f} {peer:>8,.0f} {own / peer:>7.1f} {bare:>8,.0f} {own / bare:>6.2f}"
                    print(f"{jobs:>7} {line:<26} {told}", flush=True)


if __name__ == "__main__":
    main()
