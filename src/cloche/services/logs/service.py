"""Amazon CloudWatch Logs, as far as jobs and endpoints write it and SDKs and the CLI read it."""

from __future__ import annotations

from cloche.aws.operation import Service
from cloche.services.logs.errors import CODES

SERVICE = Service(
    name="logs",
    modules=(
        "cloche.services.logs.log_group",
        "cloche.services.logs.log_stream",
        "cloche.services.logs.log_events",
        "cloche.services.logs.live_tail",
        "cloche.services.logs.export_task",
        "cloche.services.logs.metric_filter",
        "cloche.services.logs.subscription_filter",
        "cloche.services.logs.log_record",
        "cloche.services.logs.query",
        "cloche.services.logs.query_definition",
        "cloche.services.logs.resource_policy",
        "cloche.services.logs.tags",
    ),
    errors=CODES,
)
