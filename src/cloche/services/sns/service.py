"""Amazon SNS: standard and FIFO topics, their subscriptions, and what is published to them."""

from __future__ import annotations

from cloche.aws.operation import Service
from cloche.services.sns.errors import CODES

SERVICE = Service(
    name="sns",
    modules=(
        "cloche.services.sns.topic",
        "cloche.services.sns.subscription",
        "cloche.services.sns.publish",
        "cloche.services.sns.permission",
        "cloche.services.sns.tags",
    ),
    errors=CODES,
)
