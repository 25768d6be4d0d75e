"""What events are delivered to: the engines that take them, behind the port that the engine of events knows."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import uuid
from datetime import datetime
from typing import Final

from cloche.engines.events import Parcel
from cloche.engines.functions import LATEST, Functions, Owner
from cloche.engines.functions.registry import resolve
from cloche.engines.queues import Draft, Queues
from cloche.engines.topics import Message, Topics
from cloche.foundation.clock import Clock
from cloche.foundation.errors import Denied, Invalid, NotFound
from cloche.foundation.ids import request_id
from cloche.server.queue_policies import require_let_in
from cloche.storage.logs import LogStore

SERVICE: Final = "events.amazonaws.com"


class QueueTarget:
    """SQS queues, as targets and for dead letters: the message is there with the row that owed it gone."""

    in_transaction = True

    def __init__(self, queues: Queues) -> None:
        self._queues = queues

    def deliver(self, tx: sqlite3.Connection | None, parcel: Parcel) -> None:
        assert tx is not None
        queue = self._queues.find_arn(tx, parcel.arn)
        require_let_in(queue, SERVICE, parcel.account, parcel.rule_arn)
        group, deduplication = "", ""
        if queue.settings.fifo:
            group = (parcel.target.get("SqsParameters") or {}).get("MessageGroupId") or ""
            if not group:
                raise Invalid("SqsParameters.MessageGroupId is needed for a FIFO queue.")
            said = parcel.target["SqsParameters"].get("MessageDeduplicationId")
            deduplication = said or hashlib.sha256(parcel.payload.encode()).hexdigest()
        attributes = {name: {"DataType": "String", "StringValue": text} for name, text in parcel.attributes.items()}
        details = {"sender": parcel.account, "attributes": attributes, "group": group, "deduplication": deduplication}
        kept = {name: value for name, value in details.items() if value}
        self._queues.send_within(tx, queue, [Draft(parcel.payload, kept, group, deduplication)])


class FunctionTarget:
    """Lambda functions, invoked asynchronously: what Lambda owes the function is a row of this database as well."""

    in_transaction = True

    def __init__(self, functions: Functions, clock: Clock) -> None:
        self._functions, self._clock = functions, clock

    def deliver(self, tx: sqlite3.Connection | None, parcel: Parcel) -> None:
        assert tx is not None
        parts = parcel.arn.split(":")
        if len(parts) not in (7, 8) or parts[5] != "function":
            raise NotFound(f"{parcel.arn} is not the ARN of a function.")
        owner = Owner(parts[4], parts[3], parts[6])
        if owner.account != parcel.account:
            raise Denied(f"{parcel.arn} belongs to another account.")
        qualifier = parts[7] if len(parts) == 8 else LATEST
        resolve(tx, owner, qualifier)
        payload, now = parcel.payload.encode(), self._clock.time()
        self._functions.events.insert(tx, owner, qualifier, request_id(), payload, now)


class TopicTarget:
    """SNS topics: what subscribers are owed is written with the row that owed it gone."""

    in_transaction = True

    def __init__(self, topics: Topics) -> None:
        self._topics = topics

    def deliver(self, tx: sqlite3.Connection | None, parcel: Parcel) -> None:
        assert tx is not None
        topic = self._topics.find(tx, parcel.arn)
        if topic.account != parcel.account:
            raise Denied(f"{parcel.arn} belongs to another account.")
        self._topics.publish_within(tx, parcel.arn, Message(parcel.payload))


class LogTarget:
    """Log groups: an event in a stream of its rule's. ``timestamp`` and ``message`` may be made by a template
    (docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html, "CloudWatch Logs")."""

    in_transaction = False

    def __init__(self, logs: LogStore, clock: Clock) -> None:
        self._logs, self._clock = logs, clock

    def deliver(self, tx: sqlite3.Connection | None, parcel: Parcel) -> None:
        _, _, _, region, account, resource = parcel.arn.split(":", 5)
        group = resource.removeprefix("log-group:").removesuffix(":*")
        if not resource.startswith("log-group:") or account != parcel.account:
            raise NotFound(f"{parcel.arn} is no log group of this account.")
        self._logs.group(account, region, group)
        at, message = int(self._clock.time() * 1000), parcel.payload
        if parcel.target.get("InputTransformer"):
            at, message = _timed(parcel.payload, at)
        elif str(said := parcel.target.get("Timestamp", "")).isdigit():
            at = int(said)
        of_sender = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{parcel.rule_arn} {parcel.arn}"))
        stream = parcel.target.get("LogStreamName") or of_sender
        self._logs.append(account, region, group, stream, [(at, message)])


def _timed(text: str, now: int) -> tuple[int, str]:
    """Raises ``Invalid`` for a template that made neither a time nor a message."""
    try:
        made = json.loads(text)
        at, message = made.get("timestamp", now), made["message"]
        ms = int(at) if str(at).isdigit() else int(datetime.fromisoformat(str(at)).timestamp() * 1000)
    except (ValueError, KeyError, AttributeError, RecursionError):
        raise Invalid("A log group's template makes an object of timestamp and message.") from None
    return ms, message if isinstance(message, str) else json.dumps(message)
