"""Amazon CloudWatch metrics: what jobs, endpoints and users put, and what analytics and the CLI ask."""

from __future__ import annotations

from cloche.aws.operation import Service
from cloche.services.cloudwatch.errors import CODES

SERVICE = Service(
    name="cloudwatch",
    modules=(
        "cloche.services.cloudwatch.metric_data",
        "cloche.services.cloudwatch.metric_statistics",
        "cloche.services.cloudwatch.metric_queries",
        "cloche.services.cloudwatch.dashboard",
        "cloche.services.cloudwatch.metric_alarm",
        "cloche.services.cloudwatch.alarm",
        "cloche.services.cloudwatch.alarm_history",
        "cloche.services.cloudwatch.anomaly_detector",
        "cloche.services.cloudwatch.tags",
    ),
    errors=CODES,
)
