"""``AutoScaling``: targets with their bounds, policies, and what both make of a capacity. A server without any loads
little of it.

    alarm rings ──► trigger ──► (agenda, every minute) ──► decision ──► activity ──► the resource's service
    target registered, scheduled action ──────────────────────────────────┘

All but the last step are transactions; an activity is a row from its decision on, and is carried out once.
"""

from __future__ import annotations

import logging
import secrets
import sqlite3
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from cloche.engines.autoscaling import activities, machine, triggers, words
from cloche.engines.autoscaling.activities import dimension_of
from cloche.engines.autoscaling.bounds import bounds_of, breached, merged
from cloche.engines.autoscaling.dimensions import NAMESPACE, Dimension, parts_of
from cloche.engines.autoscaling.driver import ActivityDriver
from cloche.engines.autoscaling.ports import AlarmBook, Resources
from cloche.engines.autoscaling.schema import ACTION, POLICY, TARGET
from cloche.foundation.clock import Clock
from cloche.foundation.errors import Denied, NotFound
from cloche.lifecycle.machine import Event, Item
from cloche.lifecycle.reconciler import Reconciler
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.records import Record

ScaledToMax = Callable[[sqlite3.Connection, Record, Mapping[str, Any], float, float], None]
"""The target, the document of the activity, when it began and when it ended."""

log = logging.getLogger(__name__)


class AutoScaling:
    def __init__(
        self,
        database: Database,
        clock: Clock,
        reconciler: Reconciler,
        resources: Resources,
        alarms: AlarmBook,
        unschedule: Callable[[sqlite3.Connection, str], None],
    ) -> None:
        """``unschedule``: a scheduled action, by its ARN, occurs no more."""
        self._database, self._clock, self._reconciler = database, clock, reconciler
        self.resources, self._alarms, self._unschedule = resources, alarms, unschedule
        self.poke: Callable[[], None] = lambda: None
        """Called when something has come due earlier than was known."""
        self.scaled_to_max: ScaledToMax = lambda *_: None
        """Told in the transaction in which a scale-out has reached the upper bound."""
        reconciler.add(ActivityDriver(database, clock, resources, self._ended))

    # -- targets -----------------------------------------------------------------------------------------

    def register(
        self, tx: sqlite3.Connection, account: str, region: str, dimension: Dimension, given: Mapping[str, Any]
    ) -> Record:
        """Make a target or change one: what is not ``given`` stays. A capacity outside of the bounds is moved."""
        now = self._clock.time()
        found = records.find(tx, account, region, TARGET, dimension.key)
        if found is None:
            found = records.insert(
                tx,
                account=account,
                region=region,
                kind=TARGET,
                name=dimension.key,
                arn=f"arn:aws:application-autoscaling:{region}:{account}:scalable-target/{secrets.token_hex(17)}",
                at=now,
                request={
                    "ServiceNamespace": NAMESPACE,
                    "ResourceId": dimension.resource_id,
                    "ScalableDimension": dimension.name,
                    **given,
                },
            )
        else:
            found = self._changed(tx, found, given, now)
        self._keep_within(tx, found, now)
        return found

    def deregister(self, tx: sqlite3.Connection, target: Record) -> None:
        """With its policies, their alarms, and its scheduled actions."""
        for policy in self.of_target(tx, target, POLICY):
            self.remove_policy(tx, policy)
        for action in self.of_target(tx, target, ACTION):
            self.remove_action(tx, action)
        triggers.drop(tx, "target_arn", target.arn)
        records.remove(tx, target.arn)
        for id in activities.under_way(tx, target):
            self._database.after_commit(partial(self._reconciler.wake, id))

    def of_target(self, connection: sqlite3.Connection, target: Record, kind: str) -> list[Record]:
        """Its policies or its actions, by name."""
        rows = connection.execute(
            "SELECT * FROM records WHERE account = ? AND region = ? AND kind = ? AND name > ? AND name < ?"
            " ORDER BY name",
            (target.account, target.region, kind, f"{target.name}|", f"{target.name}}}"),  # the sign after the bar
        )
        return [records.from_row(row) for row in rows]

    def resource_gone(
        self, tx: sqlite3.Connection, account: str, region: str, dimension: str, resource: str, before: float
    ) -> None:
        """``resource``, an endpoint's or a component's name, is gone, and so is what was registered for it; one of that
        name that was made at ``before`` keeps its own."""
        for target in triggers.targets(tx, account, region, dimension, resource):
            if target.created_at < before:
                self.deregister(tx, target)

    def resource_changed(
        self, tx: sqlite3.Connection, account: str, region: str, dimension: str, resource: str
    ) -> None:
        """Its capacity or its state is another: what rings is looked at again."""
        for target in triggers.targets(tx, account, region, dimension, resource):
            self._wake(tx, target)

    # -- policies ----------------------------------------------------------------------------------------

    def put_policy(self, tx: sqlite3.Connection, target: Record, name: str, request: dict[str, Any]) -> Record:
        """``request`` is a checked one of PutScalingPolicy, whole. A policy of target tracking gets its alarms."""
        from cloche.engines.autoscaling.own_alarms import keep_alarms

        now, dimension = self._clock.time(), dimension_of(target)
        found = records.find(tx, target.account, target.region, POLICY, f"{target.name}|{name}")
        if found is None:
            resource = f"resource/{NAMESPACE}/{dimension.resource_id}:policyName/{name}"
            found = records.insert(
                tx,
                account=target.account,
                region=target.region,
                kind=POLICY,
                name=f"{target.name}|{name}",
                arn=f"arn:aws:autoscaling:{target.region}:{target.account}:scalingPolicy:{uuid.uuid4()}:{resource}",
                at=now,
                request=request,
            )
        else:
            records.replace_request(tx, found.arn, request, now)
        kept = keep_alarms(tx, self._alarms, target, found, request, now)
        records.set_status(tx, found.arn, state={**found.state, "alarms": kept})
        self._wake(tx, target)
        changed = records.find_arn(tx, found.arn)
        assert changed is not None
        return changed

    def remove_policy(self, tx: sqlite3.Connection, policy: Record) -> None:
        """The alarms of target tracking go with it; those that people made stay."""
        for each in (policy.state.get("alarms") or {}).values():
            self._alarms.remove(tx, each["arn"], self._clock.time())
        triggers.drop(tx, "policy_arn", policy.arn)
        records.remove(tx, policy.arn)

    # -- scheduled actions -------------------------------------------------------------------------------

    def remove_action(self, tx: sqlite3.Connection, action: Record) -> None:
        self._unschedule(tx, action.arn)
        records.remove(tx, action.arn)

    def occurs(self, tx: sqlite3.Connection, action: Record) -> None:
        """A scheduled action's time has come: it gives the target other bounds."""
        now = self._clock.time()
        target = records.find(tx, action.account, action.region, TARGET, parts_of(action.name)[0])
        if target is None or (target.request.get("SuspendedState") or {}).get("ScheduledScalingSuspended"):
            return
        given = action.request.get("ScalableTargetAction") or {}
        said = words.bounds(given.get("MinCapacity"), given.get("MaxCapacity"))
        cause = words.by_schedule(parts_of(action.name)[1])
        wanted = merged(target, given)
        if wanted.low > wanted.high:
            message = f"Failed to set {said}. Reason: Maximum capacity cannot be less than minimum capacity"
            activities.note(tx, target, f"Setting {said}", cause, message, now)
            return
        activities.note(tx, target, f"Setting {said}", cause, f"Successfully set {said}", now)
        self._keep_within(tx, self._changed(tx, target, given, now), now)

    # -- alarms ------------------------------------------------------------------------------------------

    def rang(self, tx: sqlite3.Connection, account: str, policy_arn: str, alarm_arn: str, state: str) -> None:
        """An alarm has gone into a state whose actions name the policy. Raises ``NotFound``, ``Denied``."""
        policy = records.find_arn(tx, policy_arn)
        if policy is None or policy.kind != POLICY:
            raise NotFound(f"There is no scaling policy {policy_arn}")
        if policy.account != account:
            raise Denied(f"{policy_arn} belongs to another account")
        target = records.find(tx, policy.account, policy.region, TARGET, parts_of(policy.name)[0])
        assert target is not None, "policies go with their target"
        triggers.put(tx, policy, alarm_arn, target.arn, state, self._clock.time())
        self._database.after_commit(self.poke)

    # -- the agenda --------------------------------------------------------------------------------------

    def next_at(self) -> float | None:
        return triggers.next_at(self._database.reader)

    def run(self, now: float) -> None:
        """Decide about the targets for which something rings. Done again it changes nothing: what was decided has
        moved on."""
        due = triggers.due(self._database.reader, now)
        if not due:
            return
        readings = self._alarms.readings(self._alarms_of(due))
        for target_arn in dict.fromkeys(each.target_arn for each in due):
            mine = [each for each in due if each.target_arn == target_arn]
            try:
                self._database.write(partial(self._decide, target_arn=target_arn, due=mine, readings=readings, now=now))
            except Exception:  # of this one; the others are decided about, and so is this in a minute
                log.exception("it could not be decided about %s", target_arn)
                self._database.write(partial(triggers.postpone, those=mine, now=now))

    def expire(self) -> None:
        """Remove what is too old of the history, in short transactions."""
        while self._database.write(lambda tx: activities.expire(tx, self._clock.time())):
            pass

    def abandon(self, account: str) -> None:
        """Do nothing more for this account; its rows are the caller's."""
        items = self._reconciler.items(machine.KIND, active_only=True)
        self._reconciler.abandon([item.id for item in items if item.data["account"] == account])

    def look(self) -> None:
        """Some resource may have reached its capacity. Quick; from any thread."""
        for id, _, _ in self._reconciler.active(machine.KIND):
            self._reconciler.wake(id)

    # -- inside ------------------------------------------------------------------------------------------

    def _alarms_of(self, due: list[triggers.Trigger]) -> list[str]:
        """Those that ring, and those that must ring too before one of them may scale in."""
        found = dict.fromkeys(each.alarm_arn for each in due)
        for arn in dict.fromkeys(each.target_arn for each in due):
            target = records.find_arn(self._database.reader, arn)
            for policy in [] if target is None else self.of_target(self._database.reader, target, POLICY):
                found |= dict.fromkeys(each["arn"] for each in (policy.state.get("alarms") or {}).values())
        return list(found)

    def _decide(
        self, tx: sqlite3.Connection, target_arn: str, due: list[triggers.Trigger], readings: Any, now: float
    ) -> None:
        from cloche.engines.autoscaling.round import Round

        target = records.find_arn(tx, target_arn)
        if target is None:
            triggers.drop(tx, "target_arn", target_arn)
            return
        capacity = self.resources.read(tx, target.account, target.region, dimension_of(target))
        if capacity is None or activities.under_way(tx, target):
            triggers.sleep(tx, due)  # the end of the activity, or of the resource, is what they wait for
            return
        chosen = Round(tx, target, self.of_target(tx, target, POLICY), capacity, readings, now).go(due)
        if chosen is not None:
            self._begin(tx, target, capacity.desired, chosen.capacity, chosen.cause, chosen.policy_arn, now)

    def _changed(self, tx: sqlite3.Connection, target: Record, given: Mapping[str, Any], now: float) -> Record:
        suspended = {**(target.request.get("SuspendedState") or {}), **(given.get("SuspendedState") or {})}
        request = {**target.request, **given, "SuspendedState": suspended}
        records.replace_request(tx, target.arn, request, now)
        self._wake(tx, target)
        changed = records.find_arn(tx, target.arn)
        assert changed is not None
        return changed

    def _keep_within(self, tx: sqlite3.Connection, target: Record, now: float) -> None:
        """ "If the specified resource is not active in the target service, this operation does not change the
        resource's current capacity" (API_RegisterScalableTarget.html)."""
        capacity = self.resources.read(tx, target.account, target.region, dimension_of(target))
        if capacity is None or not capacity.is_active:
            return
        moved = breached(bounds_of(target), capacity.desired)
        if moved is not None:
            which, wanted = moved
            self._begin(tx, target, capacity.desired, wanted, words.by_bound(which, wanted), "", now)

    def _begin(
        self, tx: sqlite3.Connection, target: Record, began_with: int, to: int, cause: str, policy: str, now: float
    ) -> None:
        for id in activities.under_way(tx, target, machine.PENDING):
            self._reconciler.post(tx, id, Event(machine.SUPERSEDED))
        dimension = dimension_of(target)
        id = activities.begin(tx, target, words.setting(dimension.words, to), cause, now)
        document = {
            "target": target.arn,
            "account": target.account,
            "region": target.region,
            "role": target.request["RoleARN"],
            "dimension": dimension.name,
            "resource_id": dimension.resource_id,
            "policy": policy,
            "from": began_with,
            "to": to,
        }
        self._reconciler.submit(tx, machine.KIND, id, document)

    def _ended(self, tx: sqlite3.Connection, item: Item) -> None:
        target = records.find_arn(tx, item.data["target"])
        if target is None:
            return
        if item.state == machine.SUCCESSFUL:
            from cloche.engines.autoscaling.cooling import after_success

            if item.data["to"] == bounds_of(target).high > item.data["from"]:
                self.scaled_to_max(tx, target, item.data, item.created_at, item.entered_at)
            after_success(tx, target, self.of_target(tx, target, POLICY), item.data, item.entered_at)
        self._wake(tx, target)

    def _wake(self, tx: sqlite3.Connection, target: Record) -> None:
        if triggers.wake(tx, target.arn, self._clock.time()):
            self._database.after_commit(self.poke)
