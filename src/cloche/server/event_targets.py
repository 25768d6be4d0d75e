"""What events are delivered to: the engines that take them, behind the port that the engine of events knows.

Within an account a queue takes what its account's rules send, as everywhere in Cloche until identity policies are
enforced; another account's queue needs a policy that lets EventBridge in, as on AWS
(docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sqs-permissions).
"""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Final

from cloche.engines.events import Parcel
from cloche.engines.identity.policy import Outcome, Principal, Request, compile_document
from cloche.engines.identity.policy.resource import evaluate_resource_policy
from cloche.engines.queues import Draft, Queue, Queues
from cloche.foundation.errors import Denied, Invalid

SERVICE: Final = "events.amazonaws.com"


class QueueTarget:
    """SQS queues, as targets and for dead letters: the message is there with the row that owed it gone."""

    in_transaction = True

    def __init__(self, queues: Queues) -> None:
        self._queues = queues

    def deliver(self, tx: sqlite3.Connection | None, parcel: Parcel) -> None:
        assert tx is not None
        queue = self._queues.find_arn(tx, parcel.arn)
        if queue.account != parcel.account and not _lets_in(queue, parcel):
            raise Denied(f"The policy of {parcel.arn} does not let {SERVICE} send to it.")
        group, deduplication = "", ""
        if queue.settings.fifo:
            group = (parcel.target.get("SqsParameters") or {}).get("MessageGroupId") or ""
            if not group:
                raise Invalid("SqsParameters.MessageGroupId is needed for a FIFO queue.")
            deduplication = hashlib.sha256(parcel.payload.encode()).hexdigest()
        attributes = {name: {"DataType": "String", "StringValue": text} for name, text in parcel.attributes.items()}
        details = {"sender": parcel.account, "attributes": attributes, "group": group, "deduplication": deduplication}
        kept = {name: value for name, value in details.items() if value}
        self._queues.send_within(tx, queue, [Draft(parcel.payload, kept, group, deduplication)])


def _lets_in(queue: Queue, parcel: Parcel) -> bool:
    text = queue.attributes.get("Policy")
    if not text:
        return False
    context = {"aws:sourcearn": (parcel.rule_arn,), "aws:sourceaccount": (parcel.account,)}
    request = Request("sqs:SendMessage", queue.arn, context)
    return evaluate_resource_policy(compile_document(text), Principal(service=SERVICE), request) is Outcome.ALLOWED
