"""Queues and functions as subscribers of topics: what they are handed is theirs with the transaction that hands it."""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Final

from cloche.engines.functions import LATEST, Functions, Owner
from cloche.engines.queues import Draft, Queues
from cloche.engines.topics import Parcel
from cloche.foundation.errors import Denied, Invalid, NotFound
from cloche.server.queue_policies import require_let_in

SERVICE: Final = "sns.amazonaws.com"
ATTRIBUTES_MAX: Final = 10
"""docs.aws.amazon.com/sns/latest/dg/sns-large-payload-raw-message-delivery.html: with more, raw delivery to a queue
"discards the message" as a client-side error."""


class QueueReceiver:
    def __init__(self, queues: Queues) -> None:
        self._queues = queues

    def deliver(self, tx: sqlite3.Connection, parcel: Parcel) -> None:
        queue = self._queues.find_arn(tx, parcel.endpoint)
        require_let_in(queue, SERVICE, parcel.account, parcel.topic_arn)
        if len(parcel.attributes) > ATTRIBUTES_MAX:
            raise Invalid(f"A message of a queue has at most {ATTRIBUTES_MAX} attributes.")
        if len(parcel.body.encode()) > int(queue.attributes.get("MaximumMessageSize", "1048576")):
            raise Invalid(f"The message is longer than {parcel.endpoint} takes.")
        group, deduplication = parcel.group, parcel.deduplication
        if queue.settings.fifo:
            if not group:
                raise Invalid("A FIFO queue needs a message group.")
            deduplication = deduplication or hashlib.sha256(parcel.body.encode()).hexdigest()
        elif deduplication:  # of a FIFO topic, whose groups mean nothing to a standard queue
            group = deduplication = ""
        details = {"sender": parcel.account, "attributes": parcel.attributes, "group": group}
        kept = {name: value for name, value in {**details, "deduplication": deduplication}.items() if value}
        self._queues.send_within(tx, queue, [Draft(parcel.body, kept, group, deduplication)])


class FunctionReceiver:
    def __init__(self, functions: Functions) -> None:
        self._functions = functions

    def deliver(self, tx: sqlite3.Connection, parcel: Parcel) -> None:
        parts = parcel.endpoint.split(":")
        if len(parts) not in (7, 8) or parts[5] != "function":
            raise NotFound(f"{parcel.endpoint} is not the ARN of a function.")
        owner = Owner(parts[4], parts[3], parts[6])
        if owner.account != parcel.account:
            raise Denied(f"{parcel.endpoint} belongs to another account.")
        qualifier = parts[7] if len(parts) == 8 else LATEST
        self._functions.events.accept(tx, owner, qualifier, parcel.body.encode())
