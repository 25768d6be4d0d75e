"""What is remembered after a change of capacity: how long the policy that caused it cools down, and from where.

A policy's record keeps its cooldown; the target's keeps when it was last scaled out. More capacity ends the cooldowns
of scaling in, whosever they are ("In this case, the cooldown period for the scale-in activity stops",
application-auto-scaling-step-scaling-policies.html).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from cloche.engines.autoscaling.deciding import COOLDOWN_DEFAULT, Cooldown
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record


def cooldown_of(policy: Record) -> Cooldown | None:
    held = policy.state.get("cooldown")
    return None if held is None else Cooldown(held["until"], held["from"], held["to"])


def seconds_of(policy: Mapping[str, Any], is_out: bool) -> int:
    if policy["PolicyType"] == "StepScaling":
        return int(policy["StepScalingPolicyConfiguration"].get("Cooldown", COOLDOWN_DEFAULT))
    name = "ScaleOutCooldown" if is_out else "ScaleInCooldown"
    return int(policy["TargetTrackingScalingPolicyConfiguration"].get(name, COOLDOWN_DEFAULT))


def after_success(
    tx: sqlite3.Connection, target: Record, policies: Iterable[Record], activity: Mapping[str, Any], now: float
) -> None:
    is_out = activity["to"] > activity["from"]
    if is_out:
        records.set_status(tx, target.arn, state={**target.state, "scaled_out_at": now})
    for policy in policies:
        before = cooldown_of(policy)
        if policy.arn == activity["policy"]:
            goes_on = is_out and before is not None and before.is_out and now < before.until
            started = before.began_with if goes_on and before is not None else activity["from"]
            held = {"until": now + seconds_of(policy.request, is_out), "from": started, "to": activity["to"]}
        elif is_out and before is not None and not before.is_out:
            held = None
        else:
            continue
        records.set_status(tx, policy.arn, state={**policy.state, "cooldown": held})
