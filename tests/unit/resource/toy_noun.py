"""A throw-away noun: training jobs that no engine works on, and a desk at which its operations are called."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from cloche.aws.http import Headers, HttpRequest
from cloche.aws.operation import Caller, Context, Members
from cloche.aws.resource import Resource, fact
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.records import Record

START = datetime(2026, 11, 25, 12, tzinfo=UTC)


class ToyJob(Resource):
    """A job that is whatever the tests say."""

    operations = (
        "CreateTrainingJob",
        "DescribeTrainingJob",
        "ListTrainingJobs",
        "UpdateTrainingJob",
        "DeleteTrainingJob",
        "StopTrainingJob",
    )
    arn = "training-job/{TrainingJobName}"
    status = "TrainingJobStatus"
    missing = fact("ValidationException", "Requested resource not found.", source="boto/boto3#2808")
    duplicate = fact("ResourceInUse", "a training job with this name already exists ({arn})", source="test")
    shown_calls = 0

    def check(self, ctx: Context, request: Members) -> None:
        if request.get("RoleArn") == "forbidden":
            raise ValueError("forbidden")

    def created(self, ctx: Context, tx: sqlite3.Connection, record: Record, request: Members) -> None:
        records.set_status(tx, record.arn, request.get("status", "InProgress"), state={"SecondaryStatus": "Starting"})
        if request.get("RoleArn") == "breaks":
            raise RuntimeError("broken halfway")

    def stopping(self, ctx: Context, tx: sqlite3.Connection, record: Record) -> None:
        records.set_status(tx, record.arn, "Stopping", ctx.now.timestamp())

    def shown(self, ctx: Context, record: Record) -> Members:
        ToyJob.shown_calls += 1
        return record.state


@dataclass
class Desk:
    """Calls operations as the chain would, each at a second of its own."""

    database: Database
    operations: dict[str, Callable[[Context, Members], Any]]
    seconds: int = 0
    settled: list[str] = field(default_factory=list)

    def context(self, *, account: str = "123456789012", region: str = "us-east-1") -> Context:
        self.seconds += 1
        return Context(
            caller=Caller(account, f"arn:aws:iam::{account}:root", account, "AKIATEST"),
            region=region,
            request_id="request",
            now=START + timedelta(seconds=self.seconds),
            http=HttpRequest("POST", "/", "", Headers()),
            parts=SimpleNamespace(database=self.database),
        )

    def __call__(self, operation: str, request: Members | None = None, **owner: str) -> Any:
        return self.operations[operation](self.context(**owner), request or {})
