"""``kill -9`` of server, job runner, job, model server and its runner, thirty times at random, under load.

Afterwards every acknowledged object and job is there, every job has ended exactly once, endpoints answer again, and
nothing runs that nobody knows of. The seed is printed; ``CLOCHE_KILLS_SEED`` and ``CLOCHE_KILLS`` repeat or widen a
run.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from .ledger import GONE, body
from .load import (
    BUCKET,
    LOG_GROUP,
    NAMESPACE,
    Events,
    Invocations,
    Jobs,
    Load,
    Objects,
    Points,
    Roles,
    each,
    tally,
)
from .victims import Victims, kill

sys.path.insert(0, str(Path(__file__).parents[2] / "services" / "sagemaker"))

from hosting_requests import ROLE, ROW, Hosting, trained

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

KILLS = int(os.environ.get("CLOCHE_KILLS", "30"))
SEED = int(os.environ.get("CLOCHE_KILLS_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
KINDS = ("server", "server", "job runner", "job", "model server", "model server's runner")
CALM_SECONDS = (0.1, 1.2)
ENDED = ("Completed", "Failed", "Stopped")
PLATFORM = "InternalServerError: "


class Story:
    """One server, its load, and who was killed."""

    def __init__(self, server: Any) -> None:
        self.dice = random.Random(SEED)
        self.server = server
        self.victims = Victims(server.data)
        self.killed: Counter[str] = Counter()
        self.runner_killed: set[str] = set()
        self.boots: list[float] = []
        self.loads: list[Load] = []

    def prepare(self) -> None:
        hosting = Hosting(self.server.client)
        s3, logs = self.server.client("s3"), self.server.client("logs")
        for bucket in (BUCKET, f"{BUCKET}-models"):
            s3.create_bucket(Bucket=bucket)
        rows = "".join(f"{number % 7},{number % 5},{number % 3}\n" for number in range(60))
        s3.put_object(Bucket=f"{BUCKET}-models", Key="train/rows.csv", Body=rows.encode())
        logs.create_log_group(logGroupName=LOG_GROUP)
        logs.create_log_stream(logGroupName=LOG_GROUP, logStreamName="stream")
        models = [trained(factor) for factor in (1, 2)]
        self.endpoints = [(hosting.endpoint(hosting.put(content)), answer) for content, answer in models]
        self.objects = [Objects(self.server, self.dice.random(), lane) for lane in range(2)]
        self.jobs = Jobs(self.server, self.dice.random(), ROLE)
        self.asking = [Invocations(self.server, 0, name, ROW, answer) for name, answer in self.endpoints]
        self.events, self.points, self.roles = (made(self.server, 0) for made in (Events, Points, Roles))
        self.loads = [*self.objects, self.jobs, *self.asking, self.events, self.points, self.roles]
        each(self.loads, lambda load: load.prepare())

    # -- the kills ---------------------------------------------------------------------------------------

    def run(self) -> None:
        kinds = [KINDS[number % len(KINDS)] for number in range(KILLS)]
        self.dice.shuffle(kinds)
        each(self.loads, lambda load: load.thread.start())
        try:
            for kind in kinds:
                time.sleep(self.dice.uniform(*CALM_SECONDS))
                self._kill(kind)
        finally:
            each(self.loads, lambda load: load.ending.set())
            each(self.loads, lambda load: load.thread.join())

    def _kill(self, kind: str) -> None:
        if kind == "server":
            self.victims.carriers()
            clients, self.server._clients[:] = list(self.server._clients), []
            self.server.stop(signal.SIGKILL)
            began = time.monotonic()
            self.server.start()
            self.boots.append(time.monotonic() - began)
            self.server._clients[:] = clients
        else:
            self._kill_process(kind)
        self.killed[kind] += 1

    def _kill_process(self, kind: str) -> None:
        prefix = "endpoint-" if kind.startswith("model") else "training-"
        look = self.victims.runners if kind.endswith("runner") else self.victims.jobs
        deadline = time.monotonic() + 30
        while not (found := look(prefix)):
            assert time.monotonic() < deadline, f"there was no {kind} to kill\n{self.server.log()[-2000:]}"
            time.sleep(0.01)
        victim = self.dice.choice(found)
        if not kill(victim.pid):
            return
        if kind == "job runner" and victim.folder.exists() and not (victim.folder / "outcome.json").exists():
            self.runner_killed.add(victim.id)

    # -- what must hold ----------------------------------------------------------------------------------

    def faults(self) -> Iterator[str]:
        for load in self.loads:
            yield from load.faults
        yield from self._endpoint_faults()
        yield from self._job_faults()
        yield from self._object_faults()
        yield from self._event_faults()
        yield from self._point_faults()
        yield from self._role_faults()
        yield from self._orphans()
        if "Traceback" in self.server.log():
            yield f"the server was surprised:\n{self.server.log()[-6000:]}"

    def _endpoint_faults(self) -> Iterator[str]:
        hosting = Hosting(self.server.client)
        for name, right in self.endpoints:
            described = hosting.settled(name)
            if described["EndpointStatus"] != "InService":
                yield f"{name} is {described['EndpointStatus']}: {described.get('FailureReason')}"
            elif abs(hosting.ask(name) - right) > 1e-6:
                yield f"{name} answers {hosting.ask(name)}, not {right}"

    def _job_faults(self) -> Iterator[str]:
        sagemaker = self.server.client("sagemaker")
        pages = sagemaker.get_paginator("list_training_jobs").paginate()
        listed = {job["TrainingJobName"] for page in pages for job in page["TrainingJobSummaries"]}
        yield from (
            f"{name} was acknowledged and is not listed"
            for name in self.jobs.ledger.must_be_there()
            if name not in listed
        )
        yield from (f"{name} is listed and nobody asked for it" for name in listed - self.jobs.ledger.may_be_there())
        deadline = time.monotonic() + 90
        for name in sorted(listed):
            while (job := sagemaker.describe_training_job(TrainingJobName=name))["TrainingJobStatus"] not in ENDED:
                if time.monotonic() > deadline:
                    break
                time.sleep(0.05)
            yield from self._faults_of(name, job)

    def _faults_of(self, name: str, job: dict[str, Any]) -> Iterator[str]:
        steps = [step["Status"] for step in job["SecondaryStatusTransitions"]]
        status = job["TrainingJobStatus"]
        if status not in ENDED or "TrainingEndTime" not in job:
            yield f"{name} is {status} still, or without an end: {steps}"
            return
        if steps[-1] != status or sum(step in ENDED for step in steps) != 1 or steps.count("Training") > 1:
            yield f"{name} is {status} and went {steps}"
        if len(steps) < self.jobs.lowest.get(name, 0):
            yield f"{name} lost transitions: {steps}"
        if status == "Failed" and not job.get("FailureReason"):
            yield f"{name} failed for no reason"
        if status == "Completed":
            bucket, _, key = job["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://").partition("/")
            self.server.client("s3").head_object(Bucket=bucket, Key=key)
        if any(id.startswith(f"training-{name}-") for id in self.runner_killed) and not (
            status == "Failed" and job["FailureReason"].startswith(PLATFORM)
        ):
            yield f"{name} lost its runner and is {status}: {job.get('FailureReason')}"

    def _object_faults(self) -> Iterator[str]:
        s3 = self.server.client("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        listed = {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}
        allowed = {key: values for load in self.objects for key, values in load.ledger.allowed.items()}
        yield from (f"{key!r} is listed and was never written" for key in listed.keys() - allowed.keys())
        for key, values in allowed.items():
            try:
                content = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
            except s3.exceptions.NoSuchKey:
                if GONE not in values or key in listed:
                    yield f"{key!r} is gone; acknowledged {values}, listed as {listed.get(key)}"
                continue
            if listed.get(key) != len(content):
                yield f"{key!r} is listed as {listed.get(key)} bytes and has {len(content)}"
            if not any(value is not GONE and content == body(key, *value) for value in values):
                yield f"{key!r} has {len(content)} bytes that are none of {values}"

    def _event_faults(self) -> Iterator[str]:
        logs, said, token = self.server.client("logs"), Counter[str](), {}
        while True:
            page = logs.get_log_events(logGroupName=LOG_GROUP, logStreamName="stream", startFromHead=True, **token)
            said.update(event["message"] for event in page["events"])
            if token.get("nextToken") == page["nextForwardToken"]:
                break
            token = {"nextToken": page["nextForwardToken"]}
        for name in self.events.ledger.must_be_there():
            if said[name] != 1:
                yield f"{name} was acknowledged and is there {said[name]} times"
        strange = {name for name, count in said.items() if count > 1} | (
            said.keys() - self.events.ledger.may_be_there()
        )
        yield from (f"{name} is there {said[name]} times" for name in strange)

    def _point_faults(self) -> Iterator[str]:
        now = datetime.now(UTC)
        answer = self.server.client("cloudwatch").get_metric_statistics(
            Namespace=NAMESPACE,
            MetricName="Puts",
            StartTime=now - timedelta(hours=2),
            EndTime=now + timedelta(hours=1),
            Period=3600,
            Statistics=["SampleCount"],
        )
        count = sum(point["SampleCount"] for point in answer["Datapoints"])
        least, most = len(self.points.ledger.must_be_there()), len(self.points.ledger.may_be_there())
        if not least <= count <= most:
            yield f"{count} data points are there; {least} were acknowledged of {most}"

    def _role_faults(self) -> Iterator[str]:
        pages = self.server.client("iam").get_paginator("list_roles").paginate()
        there = {role["RoleName"] for page in pages for role in page["Roles"] if role["RoleName"].startswith("role-")}
        yield from (
            f"{name} was acknowledged and is not there"
            for name in self.roles.ledger.must_be_there()
            if name not in there
        )
        yield from (f"{name} is there and nobody asked for it" for name in there - self.roles.ledger.may_be_there())

    def _orphans(self) -> Iterator[str]:
        """Once the endpoints are gone too, nothing of all that was started may run, and nothing may lie about."""
        hosting = Hosting(self.server.client)
        for name, _ in self.endpoints:
            hosting.gone(name)
        run = self.server.data / "run"
        deadline = time.monotonic() + 20
        while True:
            alive = self.victims.carriers()
            left = [
                path.name for folder in ("processes", "training", "endpoints") for path in (run / folder).glob("[!.]*")
            ]
            if not alive and not left:
                return
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)
        yield from (f"process {pid} lives on: {Path(f'/proc/{pid}/cmdline').read_bytes()!r}" for pid in alive)
        yield from (f"{name} lies about" for name in left)


def test_thirty_kills_break_no_promise(start_server: Callable[..., Any]) -> None:
    print(f"seed {SEED}")
    began = time.monotonic()
    story = Story(start_server())
    story.prepare()
    story.run()
    faults = list(story.faults())
    print(
        f"{time.monotonic() - began:.0f} s, killed {dict(story.killed)}, runner-killed jobs {len(story.runner_killed)}"
    )
    print(f"starts after a kill: {[round(seconds, 2) for seconds in story.boots]}")
    print(tally(story.loads))
    assert not faults, f"seed {SEED}: {len(faults)} broken promises\n" + "\n".join(faults[:30])
    assert sum(story.killed.values()) == KILLS
    assert all(load.ledger.acknowledged > 10 for load in story.loads if load is not story.jobs), tally(story.loads)
    assert story.jobs.ledger.acknowledged > 5
