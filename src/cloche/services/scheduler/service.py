"""Amazon EventBridge Scheduler, whole: schedules and the groups they are in."""

from __future__ import annotations

from cloche.aws.operation import Service
from cloche.services.scheduler.errors import CODES

SERVICE = Service(
    name="scheduler",
    modules=(
        "cloche.services.scheduler.schedule",
        "cloche.services.scheduler.schedule_list",
        "cloche.services.scheduler.schedule_group",
        "cloche.services.scheduler.tags",
    ),
    errors=CODES,
)
