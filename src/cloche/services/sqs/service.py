"""Amazon SQS, whole: standard and FIFO queues, over JSON and over the query protocol of before."""

from __future__ import annotations

from cloche.aws.operation import Service
from cloche.services.sqs.errors import CODES

SERVICE = Service(
    name="sqs",
    modules=(
        "cloche.services.sqs.queue",
        "cloche.services.sqs.queue_attributes",
        "cloche.services.sqs.send",
        "cloche.services.sqs.receive",
        "cloche.services.sqs.delete",
        "cloche.services.sqs.visibility",
        "cloche.services.sqs.dead_letters",
        "cloche.services.sqs.permission",
        "cloche.services.sqs.tags",
    ),
    errors=CODES,
)
