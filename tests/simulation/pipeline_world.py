"""A world in which a server with pipelines may die at any moment, between any two writes and any two calls.

What steps make are records in the same database, as the services would keep them; they run, succeed and fail as their
names say. Functions are called and messages answered when the dice say so. After a death everything in memory is gone.
"""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import wait
from pathlib import Path
from typing import Any

from cloche.engines.pipelines import EXECUTION, MIGRATIONS, PIPELINE, Pipelines, add_version, name_of
from cloche.engines.pipelines.functions import Call
from cloche.foundation.api import Behalf, Refused
from cloche.foundation.bus import Bus
from cloche.foundation.errors import Conflict, NotFound
from cloche.lifecycle import rows
from cloche.lifecycle.reconciler import Reconciler
from cloche.storage import objects
from cloche.storage.metadata import changes, records
from cloche.storage.metadata.changes import Changes
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.objects import ObjectStore

from .by_hand import ByHand
from .world import ACCOUNT, REGION, Crash, FakeClock

PREFIX = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:"
JOBS = {
    "CreateTrainingJob": ("TrainingJob", "training-job"),
    "CreateProcessingJob": ("ProcessingJob", "processing-job"),
    "CreateModel": ("Model", "model"),
}
RUNNING = ("TrainingJob", "ProcessingJob")
DEATH = 0.03
THROTTLED = Refused("ThrottlingException", "Rate exceeded")
FAULT = Refused("InternalFailure", "The request processing has failed because of an unknown error.")
LIMIT = Refused("ResourceLimitExceeded", "The account-level service limit is 0 Instances")


def fails(name: str) -> bool:
    """Steps are called what becomes of them."""
    return name.startswith("bad")


class FakeApi:
    """The services, as far as steps of these types ask them. It outlives servers, for it is in the database."""

    def __init__(self, world: PipelineWorld) -> None:
        self.world = world
        self.starts: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.baselines = 0
        self.messages: dict[str, dict[str, Any]] = {}
        self.refusals: dict[str, list[Refused]] = {}
        """What the next creates for steps of those names are answered with."""

    def call(
        self,
        behalf: Behalf,
        service: str,
        operation: str,
        request: Mapping[str, Any],
        origin: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        self.world.perhaps_die()
        answer = self._answer(service, operation, request)
        self.world.perhaps_die()
        return answer

    def _answer(self, service: str, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        if service == "sqs":
            body = json.loads(request["MessageBody"])
            self.messages[body["token"]] = body
            return {}
        if service == "lambda":
            arguments = json.loads(request["Payload"])
            self.calls[arguments["call"]] += 1
            return {"FunctionError": "Unhandled", "Payload": b"{}"} if fails(arguments["step"]) else {"Payload": b"{}"}
        if operation in JOBS:
            return self._create(operation, request)
        if operation == "DescribeModelPackage":
            self.baselines += 1  # every look finds a newer one
            held = {part: {"S3Uri": f"s3://b/{self.baselines}/{part}"} for part in ("Statistics", "Constraints")}
            return {"DriftCheckBaselines": {"ModelDataQuality": held}}
        if operation.startswith("Describe"):
            return self._describe(operation.removeprefix("Describe"), request)
        if operation == "ListModelPackages":
            return {"ModelPackageSummaryList": [{"ModelPackageArn": "arn:package"}]}
        if operation.startswith("Stop"):
            self._stop(operation.removeprefix("Stop"), request)
            return {}
        raise Refused("UnknownOperationException", operation)

    def _create(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        noun, path = JOBS[operation]
        name = request[f"{noun}Name"]
        arn = f"{PREFIX}{path}/{name}"
        if refusals := self.refusals.get(request.get("Step", "")):
            raise refusals.pop()

        def insert(tx: Any) -> None:
            if records.find_arn(tx, arn) is not None:
                raise Refused("ResourceInUse", f"{name} already exists")
            records.insert(
                tx,
                account=ACCOUNT,
                region=REGION,
                kind=f"sagemaker/{noun}",
                name=name,
                arn=arn,
                at=self.world.clock.time(),
                request=dict(request),
            )
            if noun in RUNNING:
                records.set_status(tx, arn, "InProgress")
            self.starts[name] += 1

        self.world.database.write(insert)
        return {f"{noun}Arn": arn}

    def _describe(self, noun: str, request: Mapping[str, Any]) -> dict[str, Any]:
        record = records.find(self.world.database.reader, ACCOUNT, REGION, f"sagemaker/{noun}", request[f"{noun}Name"])
        assert record is not None
        described = {**record.request, f"{noun}Arn": record.arn}
        if noun in RUNNING:
            described |= {f"{noun}Status": record.status, "FailureReason": "AlgorithmError: it was bad"}
        if noun == "ProcessingJob" and fails(record.request["Step"]):
            described["ExitMessage"] = "CompletedWithViolations: Job completed successfully with 1 violations."
        return described

    def _stop(self, noun: str, request: Mapping[str, Any]) -> None:
        arn = f"{PREFIX}{JOBS[f'Create{noun}'][1]}/{request[f'{noun}Name']}"
        record = records.find_arn(self.world.database.reader, arn)
        assert record is not None
        if record.status == "InProgress":
            self.world.database.write(lambda tx: records.set_status(tx, arn, "Stopping"))

    def tick(self) -> None:
        """One of the jobs that run goes on."""
        running = [job for job in self.jobs() if job.status in ("InProgress", "Stopping")]
        if running:
            job = self.world.dice.choice(running)
            is_bad = fails(job.request["Step"]) and job.kind == "sagemaker/TrainingJob"
            end = "Stopped" if job.status == "Stopping" else "Failed" if is_bad else "Completed"
            self.world.database.write(lambda tx: records.set_status(tx, job.arn, end))

    def jobs(self) -> list[records.Record]:
        found = self.world.database.reader.execute(
            "SELECT * FROM records WHERE kind IN ('sagemaker/TrainingJob', 'sagemaker/ProcessingJob')"
        )
        return [records.from_row(row) for row in found]


class PipelineWorld:
    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.dice = random.Random(seed)
        self.clock = FakeClock()
        self.deadly = False
        self.deaths = 0
        self.api = FakeApi(self)
        self.executions: dict[str, dict[str, Any]] = {}
        """ARN → the definition it runs."""
        self.asked_to_stop: set[str] = set()
        self.retried: Counter[str] = Counter()
        self._boot()

    # -- life and death ----------------------------------------------------------------------------------

    def _boot(self) -> None:
        self.database = Database(self.folder / "cloche.db")
        every = [*records.MIGRATIONS, *objects.MIGRATIONS, *rows.MIGRATIONS, *changes.MIGRATIONS, *MIGRATIONS]
        migrate(self.database, every)
        self.objects = ObjectStore(self.folder / "objects", self.database, self.clock)
        self.reconciler = Reconciler(self.database, self.clock, Bus(), workers=1)
        self.by_hand = ByHand(self.reconciler)
        self.changes = Changes(self.database)
        self.pipelines = Pipelines(
            database=self.database,
            clock=self.clock,
            objects=self.objects,
            reconciler=self.reconciler,
            api=self.api,
            changes=self.changes,
            read=lambda service, operation, document: dict(document),
        )
        self.functions: dict[tuple[str, str, int], Call] = {}
        self.pipelines._functions.call = self._queue_function  # type: ignore[method-assign]
        self.changes.start()
        self.database.write(lambda tx: rows.release_all(tx, self.clock.time()))
        real = self.database.submit

        def deadly(change: Callable[[Any], Any], **_: Any) -> Any:
            self.perhaps_die()
            answer = real(change)  # at once, and not along with what comes next: there is a death between any two
            wait([answer])
            self.perhaps_die()
            return answer

        self.database.submit = deadly  # type: ignore[method-assign]

    def _queue_function(self, call: Call) -> None:
        self.functions[(call.execution, call.step, call.attempt)] = call

    def perhaps_die(self) -> None:
        here = threading.current_thread() is threading.main_thread()
        if self.deadly and here and self.dice.random() < DEATH:
            raise Crash

    def die(self) -> None:
        self.deaths += 1
        self.deadly = False
        self.close()
        self._boot()

    def close(self) -> None:
        self.deadly = False
        self.changes.stop()
        self.objects.removal.close()
        self.reconciler._pool.shutdown()
        self.database.close()

    # -- what happens ------------------------------------------------------------------------------------

    def start(self, definition: dict[str, Any], *, limited: bool = True) -> str:
        """Of those that are ``limited`` each third does two steps at once at most."""
        number = len(self.executions)
        pipeline = f"{PREFIX}pipeline/p{number}"
        arn = f"{pipeline}/execution/{number:012d}"
        text = json.dumps(definition)

        def make(tx: Any) -> None:
            add_version(tx, ACCOUNT, pipeline, text, self.clock.time(), [])
            self._insert(tx, PIPELINE, f"p{number}", pipeline, {})

        self.database.write(make)
        start = self.pipelines.plan(self.pipelines.version(pipeline), {}, None, None)

        def begin(tx: Any) -> None:
            request = {
                "PipelineArn": pipeline,
                "PipelineName": f"p{number}",
                "PipelineVersionId": 1,
                "RoleArn": "arn:aws:iam::123456789012:role/r",
                "Parameters": {},
            }
            if number % 3 == 0 and limited:
                request["ParallelismConfiguration"] = {"MaxParallelExecutionSteps": 2}
            self._insert(tx, EXECUTION, name_of(arn), arn, request)
            record = records.find_arn(tx, arn)
            assert record is not None
            self.pipelines.start(tx, record, start)

        self.database.write(begin)
        self.executions[arn] = definition
        return arn

    def _insert(self, tx: Any, kind: str, name: str, arn: str, request: dict[str, Any]) -> None:
        at = self.clock.time()
        records.insert(tx, account=ACCOUNT, region=REGION, kind=kind, name=name, arn=arn, at=at, request=request)

    def step(self) -> None:
        self.clock.seconds += self.dice.random() * 3
        happenings = [self._work] * 6 + [self.api.tick] * 4 + [self._call_one] * 2 + [self._answer_one] * 2
        happenings += [self._stop_one, self._retry_one]
        self.deadly = True
        try:
            self.dice.choice(happenings)()
        except Crash:
            self.die()
        finally:
            self.deadly = False

    def settle(self) -> None:
        for _ in range(4_000):
            if not self.reconciler.items("pipeline-execution", active_only=True):
                return
            self.clock.seconds += 5
            for happening in (self._work, self.api.tick, self._call_one, self._answer_one):
                happening()
        left = self.reconciler.items("pipeline-execution", active_only=True)
        raise AssertionError(f"{len(left)} executions do not end: {left[0].id}")

    def _work(self) -> None:
        self.by_hand.work()

    def _call_one(self) -> None:
        if self.functions:
            key = self.dice.choice(sorted(self.functions))
            self.pipelines._functions._make(self.functions.pop(key), key)

    def _answer_one(self) -> None:
        if not self.api.messages:
            return
        token = self.dice.choice(sorted(self.api.messages))
        bad = fails(self.api.messages[token]["arguments"]["step"])
        try:
            self.database.write(
                lambda tx: self.pipelines.answer(tx, ACCOUNT, token, None if bad else {}, "no" if bad else "")
            )
        except NotFound:
            pass  # answered before, by one who died of it; or the execution has ended
        self.api.messages.pop(token, None)

    def _stop_one(self) -> None:
        arn = self.dice.choice(sorted(self.executions))
        if self.dice.random() < 0.15:
            self.asked_to_stop.add(arn)
            try:
                self.database.write(lambda tx: self.pipelines.stop(tx, arn))
            except Conflict:
                pass

    def _retry_one(self) -> None:
        arn = self.dice.choice(sorted(self.executions))
        record = records.find_arn(self.database.reader, arn)
        assert record is not None
        if self.retried[arn] < 2:
            try:
                self.retried[arn] += 1
                self.database.write(lambda tx: self.pipelines.retry(tx, record))
            except Conflict:
                self.retried[arn] -= 1
