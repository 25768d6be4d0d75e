"""Amazon EventBridge: buses, rules with patterns, their targets, and events put on a bus."""

from __future__ import annotations

from cloche.aws.operation import Service
from cloche.services.events.errors import CODES

SERVICE = Service(
    name="events",
    modules=(
        "cloche.services.events.event_bus",
        "cloche.services.events.permission",
        "cloche.services.events.rule",
        "cloche.services.events.target",
        "cloche.services.events.event",
        "cloche.services.events.archive",
        "cloche.services.events.replay",
        "cloche.services.events.tags",
    ),
    errors=CODES,
)
