"""The alarms that a policy of target tracking has of its own: made with it, changed with it, gone with it."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Mapping
from typing import Any

from cloche.engines.autoscaling.activities import dimension_of
from cloche.engines.autoscaling.ports import AlarmBook
from cloche.engines.autoscaling.tracking import HIGH, LOW, alarm, alarm_name
from cloche.storage.metadata.records import Record


def keep_alarms(
    tx: sqlite3.Connection, alarms: AlarmBook, target: Record, policy: Record, request: Mapping[str, Any], now: float
) -> dict[str, Any]:
    """Names and ARNs by which they are. ``request`` is what the policy is from now on; an alarm that it still wants
    keeps its name."""
    tracked, dimension = request.get("TargetTrackingScalingPolicyConfiguration"), dimension_of(target)
    before: dict[str, Any] = policy.state.get("alarms") or {}
    kept: dict[str, Any] = {}
    if tracked is not None:
        for which in (HIGH,) if tracked.get("DisableScaleIn") else (HIGH, LOW):
            name = before[which]["name"] if which in before else alarm_name(dimension, which, str(uuid.uuid4()))
            asked = alarm(tracked, dimension, which, policy.arn)
            kept[which] = {"name": name, "arn": alarms.put(tx, target.account, target.region, name, asked, now)}
    for which in before.keys() - kept.keys():
        alarms.remove(tx, before[which]["arn"], now)
    return kept
