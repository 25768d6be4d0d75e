"""Amazon EventBridge Pipes, whole as far as its sources are queues."""

from __future__ import annotations

from cloche.aws.operation import Service
from cloche.services.pipes.errors import CODES

SERVICE = Service(
    name="pipes",
    modules=(
        "cloche.services.pipes.pipe",
        "cloche.services.pipes.pipe_state",
        "cloche.services.pipes.tags",
    ),
    errors=CODES,
)
