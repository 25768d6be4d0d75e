"""Queues of messages: standard and FIFO, durable before an answer. Which words AWS has for them is the service's."""

from cloche.engines.queues.messages import Draft, Received, Sent
from cloche.engines.queues.queue import Queue, Settings, queue_arn
from cloche.engines.queues.queues import Counts, Queues
from cloche.engines.queues.schema import MIGRATIONS
from cloche.engines.queues.tag_owner import QueueTagOwner

__all__ = [
    "MIGRATIONS",
    "Counts",
    "Draft",
    "Queue",
    "QueueTagOwner",
    "Queues",
    "Received",
    "Sent",
    "Settings",
    "queue_arn",
]
