"""One look at a target for which something rings: what its policies want, what may be, and which one has its way."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from cloche.engines.autoscaling import activities, triggers, words
from cloche.engines.autoscaling.activities import dimension_of
from cloche.engines.autoscaling.bounds import bounds_of
from cloche.engines.autoscaling.cooling import cooldown_of
from cloche.engines.autoscaling.deciding import AT_MAX, AT_MIN, UNSCALABLE, Reading, Wish, largest, wish
from cloche.engines.autoscaling.dimensions import parts_of
from cloche.engines.autoscaling.ports import Capacity
from cloche.engines.autoscaling.tracking import LOW, LOW_PERIODS, PERIOD
from cloche.engines.autoscaling.triggers import Trigger
from cloche.storage.metadata.records import Record

ALARM: Final = "ALARM"
_A_MOMENT: Final = 0.001


class Chosen(NamedTuple):
    capacity: int
    cause: str
    policy_arn: str


class Round:
    """In a transaction. ``readings``: what the alarms say, of those that ring and of all that track the target."""

    def __init__(
        self,
        tx: sqlite3.Connection,
        target: Record,
        policies: Sequence[Record],
        capacity: Capacity,
        readings: Mapping[str, Reading],
        now: float,
    ) -> None:
        self._tx, self._target, self._capacity, self._readings, self._now = tx, target, capacity, readings, now
        self._policies = {policy.arn: policy for policy in policies}

    def go(self, due: Sequence[Trigger]) -> Chosen | None:
        wanted: dict[str, int] = {}
        causes: dict[str, str] = {}
        for trigger in due:
            policy, reading = self._policies.get(trigger.policy_arn), self._readings.get(trigger.alarm_arn)
            if policy is None or reading is None or not _still_rings(trigger, reading):
                triggers.end(self._tx, trigger)
                continue
            asked = self._wish(policy, reading)
            cause = words.by_alarm(reading.name, reading.state, parts_of(policy.name)[1])
            if asked.capacity is not None:
                wanted[policy.arn], causes[policy.arn] = asked.capacity, cause
            if asked.reason:
                reason = self._told(asked.reason)
                activities.note_not_scaled(self._tx, self._target, words.NOT_SCALED, cause, reason, self._now)
            self._settle(trigger, asked)
        arn = largest(wanted)
        return None if arn is None else Chosen(wanted[arn], causes[arn], arn)

    def _wish(self, policy: Record, reading: Reading) -> Wish:
        current = self._capacity.desired
        asked = wish(policy.request, reading, current, bounds_of(self._target), cooldown_of(policy), self._now)
        if asked.capacity is None:
            return asked
        is_out = asked.capacity > current
        suspended = self._target.request.get("SuspendedState") or {}
        if suspended.get("DynamicScalingOutSuspended" if is_out else "DynamicScalingInSuspended"):
            return Wish(None, wait_until=math.inf)
        if not self._capacity.is_scalable:
            return Wish(None, UNSCALABLE)
        if is_out or policy.request["PolicyType"] == "StepScaling":
            return asked
        return self._slowly(policy, asked)

    def _slowly(self, policy: Record, asked: Wish) -> Wish:
        """What target tracking takes away, it takes away when all such policies would
        (application-auto-scaling-target-tracking.html, "Considerations"); and where no data count as no requests, not
        before there have been none for as long as the alarm looks back."""
        for other in self._policies.values():
            low = (other.state.get("alarms") or {}).get(LOW)
            reading = None if low is None else self._readings.get(low["arn"])
            if low is not None and (reading is None or reading.state != ALARM):
                return Wish(None)
        if dimension_of(self._target).fills_silence:
            known_since = max(policy.modified_at, self._target.state.get("scaled_out_at", 0.0))
            ready_at = known_since + LOW_PERIODS * PERIOD
            if self._now < ready_at:
                return Wish(None, wait_until=ready_at)
        return asked

    def _settle(self, trigger: Trigger, asked: Wish) -> None:
        """When it is looked at again: with a wish, or at a bound, not before something else has changed."""
        if asked.capacity is not None or asked.reason in (AT_MAX, AT_MIN) or asked.wait_until == math.inf:
            triggers.sleep(self._tx, [trigger])
        else:
            triggers.again(self._tx, trigger, trigger.tick(max(self._now, (asked.wait_until or 0.0) - _A_MOMENT)))

    def _told(self, reason: str) -> dict[str, Any]:
        bounds = bounds_of(self._target)
        if reason == AT_MAX:
            return {"Code": reason, "MaxCapacity": bounds.high}
        if reason == AT_MIN:
            return {"Code": reason, "MinCapacity": bounds.low}
        return {"Code": reason, "CurrentCapacity": self._capacity.desired}


def _still_rings(trigger: Trigger, reading: Reading) -> bool:
    return reading.state == trigger.state and reading.is_acting and trigger.policy_arn in reading.actions
