"""What is kept of Application Auto Scaling: three kinds of records, what rings, and what was done.

Targets, policies and scheduled actions are records. ``scaling_triggers`` holds the alarms that are in a state whose
actions name a policy: such actions are taken again every minute for as long as the state lasts. ``scaling_activities``
is the history; what of it is under way is a row of the lifecycle, too.
"""

from __future__ import annotations

from typing import Final

TARGET: Final = "application-autoscaling/ScalableTarget"
POLICY: Final = "application-autoscaling/ScalingPolicy"
ACTION: Final = "application-autoscaling/ScheduledAction"

HISTORY_SECONDS: Final = 42 * 86_400
"""API_DescribeScalingActivities.html: "from the previous six weeks"."""

MIGRATIONS: Final[list[tuple[str, str]]] = [
    (
        "autoscaling-1",
        """
        CREATE TABLE scaling_triggers (
            policy_arn TEXT NOT NULL,
            alarm_arn TEXT NOT NULL,
            target_arn TEXT NOT NULL,
            account TEXT NOT NULL,
            state TEXT NOT NULL,
            since REAL NOT NULL,
            due_at REAL,
            PRIMARY KEY (policy_arn, alarm_arn)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX scaling_triggers_by_time ON scaling_triggers (due_at);
        CREATE INDEX scaling_triggers_by_target ON scaling_triggers (target_arn);
        CREATE TABLE scaling_activities (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            dimension TEXT NOT NULL,
            resource_id TEXT NOT NULL,
            at REAL NOT NULL,
            ended_at REAL,
            status TEXT NOT NULL,
            description TEXT NOT NULL,
            cause TEXT NOT NULL,
            message TEXT NOT NULL,
            not_scaled TEXT
        ) STRICT;
        CREATE INDEX scaling_activities_by_place ON scaling_activities (account, region, sequence);
        CREATE INDEX scaling_activities_by_target ON scaling_activities (account, region, dimension, resource_id,
            sequence);
        CREATE INDEX scaling_activities_by_age ON scaling_activities (at);
        """,
    ),
]
