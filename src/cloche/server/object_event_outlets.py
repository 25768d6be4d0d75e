"""Queues, topics, functions and the default bus, as those to whom S3 tells what happens to objects."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, Final

from cloche.engines.events import Events, Happening
from cloche.engines.events.rules import DEFAULT_BUS
from cloche.engines.functions import LATEST, Functions, Owner
from cloche.engines.queues import Draft, Queues
from cloche.engines.topics import Message, Topics
from cloche.foundation.errors import Denied, NotFound
from cloche.server.queue_policies import require_let_in
from cloche.storage.objects import Happened

SERVICE: Final = "s3.amazonaws.com"
SUBJECT: Final = "Amazon S3 Notification"
"""Recorded of S3: localstack/localstack, tests/aws/services/s3/test_s3_notifications_sns.snapshot.json."""


class QueueOutlet:
    def __init__(self, queues: Queues) -> None:
        self._queues = queues

    def deliver(self, tx: sqlite3.Connection, account: str, bucket: str, arn: str, body: str) -> None:
        queue = self._queues.find_arn(tx, arn)
        require_let_in(queue, SERVICE, account, f"arn:aws:s3:::{bucket}")
        self._queues.send_within(tx, queue, [Draft(body, {"sender": account})])


class TopicOutlet:
    def __init__(self, topics: Topics) -> None:
        self._topics = topics

    def deliver(self, tx: sqlite3.Connection, account: str, bucket: str, arn: str, body: str) -> None:
        if self._topics.find(tx, arn).account != account:
            raise Denied(f"{arn} belongs to another account.")
        self._topics.publish_within(tx, arn, Message(body, SUBJECT))


class FunctionOutlet:
    def __init__(self, functions: Functions) -> None:
        self._functions = functions

    def deliver(self, tx: sqlite3.Connection, account: str, bucket: str, arn: str, body: str) -> None:
        parts = arn.split(":")
        if len(parts) not in (7, 8) or parts[5] != "function":
            raise NotFound(f"{arn} is not the ARN of a function.")
        if parts[4] != account:
            raise Denied(f"{arn} belongs to another account.")
        qualifier = parts[7] if len(parts) == 8 else LATEST
        self._functions.events.accept(tx, Owner(parts[4], parts[3], parts[6]), qualifier, body.encode())


class DefaultBus:
    def __init__(self, events: Events) -> None:
        self._events = events

    def is_wanted(self, tx: sqlite3.Connection, account: str, region: str, detail_type: str) -> bool:
        return self._events.is_wanted(tx, account, region, "aws.s3", detail_type)

    def tell(self, tx: sqlite3.Connection, change: Happened, detail_type: str, detail: Mapping[str, Any]) -> None:
        bus = (change.bucket.account, change.bucket.region, DEFAULT_BUS)
        about = [f"arn:aws:s3:::{change.bucket.name}"]
        happening = Happening("aws.s3", detail_type, detail, about, change.at)
        self._events.accept(tx, bus, self._events.envelope(bus, happening))
