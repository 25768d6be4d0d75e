"""The engine with resources and alarms that do as they are told: what is decided, carried out, put off and let go."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from cloche.engines.autoscaling import ACTION, MIGRATIONS, POLICY, TARGET, AutoScaling
from cloche.engines.autoscaling.deciding import Reading
from cloche.engines.autoscaling.dimensions import COMPONENT, VARIANT, Dimension
from cloche.engines.autoscaling.ports import Capacity
from cloche.foundation.api import Refused
from cloche.foundation.bus import Bus
from cloche.foundation.clock import TurnableClock
from cloche.foundation.errors import NotFound
from cloche.lifecycle import rows as lifecycle_rows
from cloche.lifecycle.reconciler import Reconciler
from cloche.storage.metadata import changes, records
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.metadata.records import Record

ACCOUNT, REGION = "123456789012", "us-east-1"
ALL = Dimension(VARIANT, "endpoint/e/variant/All")


class World:
    """``serves`` is the capacity there is; ``asked`` what the service was asked for."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(folder / "cloche.db")
        migrate(self.database, [*records.MIGRATIONS, *lifecycle_rows.MIGRATIONS, *changes.MIGRATIONS, *MIGRATIONS])
        self.clock = TurnableClock()
        self.clock.freeze(1_800_000_000.0)
        self.reconciler = Reconciler(self.database, self.clock, Bus())
        self.serves: Capacity | None = Capacity(1, 1, is_active=True, is_scalable=True)
        self.refusal: Refused | None = None
        self.asked: list[int] = []
        self.held: dict[str, Reading] = {}
        self.put_alarms: dict[str, dict[str, Any]] = {}
        self.unscheduled: list[str] = []
        self.scaling = AutoScaling(
            self.database, self.clock, self.reconciler, self, self, lambda tx, arn: self.unscheduled.append(arn)
        )

    # -- as its resources and its alarms -----------------------------------------------------------------

    def read(self, connection: sqlite3.Connection, account: str, region: str, dimension: Dimension) -> Capacity | None:
        return self.serves

    def scale(self, account: str, region: str, role: str, dimension: Dimension, capacity: int) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.asked.append(capacity)
        self.serves = Capacity(capacity, capacity, is_active=True, is_scalable=True)

    def put(
        self, tx: sqlite3.Connection, account: str, region: str, name: str, request: dict[str, Any], now: float
    ) -> str:
        self.put_alarms[name] = request
        return f"arn:{name}"

    def remove(self, tx: sqlite3.Connection, arn: str, now: float) -> None:
        self.put_alarms.pop(arn.removeprefix("arn:"), None)

    def readings(self, arns: Sequence[str]) -> Mapping[str, Reading]:
        return {arn: self.held[arn] for arn in arns if arn in self.held}

    # -- what tests do -----------------------------------------------------------------------------------

    def write(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        return self.database.write(work)

    def register(self, low: int = 1, high: int = 9, dimension: Dimension = ALL, **given: Any) -> Record:
        given = {"MinCapacity": low, "MaxCapacity": high, "RoleARN": "role", **given}
        found: Record = self.write(lambda tx: self.scaling.register(tx, ACCOUNT, REGION, dimension, given))
        return found

    def policy(self, target: Record, name: str, request: dict[str, Any]) -> Record:
        found: Record = self.write(lambda tx: self.scaling.put_policy(tx, target, name, request))
        return found

    def track(self, target: Record, name: str, value: float) -> Record:
        metric = {"MetricName": name, "Namespace": "N", "Statistic": "Sum"}
        config = {"TargetValue": value, "CustomizedMetricSpecification": metric}
        request = {"PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": config}
        return self.policy(target, name, request)

    def steps(self, target: Record, name: str, amount: int, cooldown: int = 300) -> Record:
        step = {"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": amount}
        config = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": [step], "Cooldown": cooldown}
        return self.policy(target, name, {"PolicyType": "StepScaling", "StepScalingPolicyConfiguration": config})

    def say(self, policy: Record, alarm: str, *values: float, state: str = "ALARM", upward: bool = True) -> None:
        """What the alarm says from now on, whether or not it has just begun to."""
        actions = frozenset({policy.arn}) if state == "ALARM" else frozenset()
        self.held[alarm] = Reading(alarm, state, True, actions, 10.0, upward, values)

    def ring(self, policy: Record, alarm: str, *values: float, upward: bool = True) -> None:
        """It goes into ALARM."""
        self.say(policy, alarm, *values, upward=upward)
        self.write(lambda tx: self.scaling.rang(tx, ACCOUNT, policy.arn, alarm, "ALARM"))

    def low(self, policy: Record) -> str:
        found = records.find_arn(self.database.reader, policy.arn)
        assert found is not None
        return str(found.state["alarms"]["AlarmLow"]["arn"])

    def run(self) -> None:
        """What is due now, and what comes of it."""
        self.scaling.run(self.clock.time())
        end = time.monotonic() + 20
        while any(status in ("Pending", "InProgress") for _, status, _ in self.history()):
            assert time.monotonic() < end, self.history()
            time.sleep(0.002)

    def minutes(self, count: float) -> None:
        for _ in range(int(count)):
            self.clock.freeze(self.clock.time() + 60)
            self.run()

    def history(self) -> list[tuple[str, str, str]]:
        rows = self.database.reader.execute(
            "SELECT description, status, coalesce(not_scaled, cause) AS why FROM scaling_activities ORDER BY sequence"
        )
        return [(row["description"], row["status"], row["why"]) for row in rows]

    @property
    def capacity(self) -> int:
        assert self.serves is not None
        return self.serves.desired


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    made.reconciler.start()
    yield made
    made.reconciler.stop()
    made.database.close()


def test_the_policy_with_the_largest_capacity_has_its_way(world: World) -> None:
    target = world.register()
    for name, amount in (("three", 3), ("five", 5), ("one", 1)):
        world.ring(world.steps(target, name, amount), f"alarm-{name}", 11)
    world.run()
    assert world.asked == [6]
    assert world.history()[-1][2] == "monitor alarm alarm-five in state ALARM triggered policy five"


def test_scaling_in_needs_all_that_track_and_one_policy_is_enough_to_scale_out(world: World) -> None:
    world.serves = Capacity(6, 6, is_active=True, is_scalable=True)
    target = world.register()
    first, second = world.track(target, "first", 10), world.track(target, "second", 10)
    world.say(second, world.low(second), 9.5, state="OK", upward=False)
    world.ring(first, world.low(first), 1.0, upward=False)
    world.minutes(2)
    assert world.asked == []
    world.ring(second, world.low(second), 5.0, upward=False)
    world.run()
    assert world.asked == [3]  # of one and three
    world.ring(first, "arn:high", 20.0)
    world.run()
    assert world.asked == [3, 6]


def test_a_resource_that_is_being_updated_is_left_alone_and_tried_again(world: World) -> None:
    target = world.register()
    world.ring(world.steps(target, "steps", 2), "alarm", 11)
    world.serves = Capacity(1, 1, is_active=True, is_scalable=False)
    world.run()
    world.minutes(2)
    reasons = [why for _, _, why in world.history()]
    assert reasons == ['{"Code":"TargetServicePutResourceAsUnscalable","CurrentCapacity":1}']  # said once
    world.serves = Capacity(1, 1, is_active=True, is_scalable=True)
    world.minutes(1)
    assert world.asked == [3]


def test_a_bound_waits_for_the_resource_and_the_newer_one_overrides_it(world: World) -> None:
    world.serves = Capacity(1, 1, is_active=True, is_scalable=False)
    world.register(2)
    world.register(3)
    time.sleep(0.05)
    assert [status for _, status, _ in world.history()] == ["Overridden", "Pending"]
    end = time.monotonic() + 20
    while world.reconciler.is_at_work():  # so that an hour may pass that the resource waits for
        assert time.monotonic() < end
        time.sleep(0.001)
    world.serves = Capacity(1, 1, is_active=True, is_scalable=True)
    world.scaling.look()
    world.run()
    assert world.asked == [3]
    assert [status for _, status, _ in world.history()] == ["Overridden", "Successful"]
    world.serves = None
    world.register(4)
    assert len(world.history()) == 2  # what is not there, or not active, is not changed


def test_what_the_service_refuses_and_what_it_does_not_reach(world: World) -> None:
    world.refusal = Refused("ResourceLimitExceeded", "too many")
    world.register(2)
    world.run()
    message = world.database.reader.execute("SELECT message FROM scaling_activities").fetchone()[0]
    assert message.startswith("Failed to set desired instance count to 2. Reason: too many (Service: AmazonSageMaker;")
    assert "Error Code: ResourceLimitExceeded; Request ID: " in message

    def falls_back(*_: Any) -> None:
        world.serves = Capacity(1, 1, is_active=True, is_scalable=True, failure="it does not start")

    world.scale = falls_back  # type: ignore[method-assign]
    world.register(3)
    world.run()
    assert world.history()[-1][1] == "Unfulfilled"
    message = world.database.reader.execute("SELECT message FROM scaling_activities ORDER BY sequence DESC").fetchone()
    assert message[0].endswith("Change was not fulfilled by sagemaker. Reason: it does not start")


def test_what_was_asked_for_before_a_crash_is_not_asked_for_again(world: World) -> None:
    world.serves = Capacity(1, 1, is_active=True, is_scalable=False)
    world.register(2)
    world.serves = Capacity(1, 2, is_active=True, is_scalable=False)  # it was, and nobody could write that down
    world.scaling.look()
    end = time.monotonic() + 20
    while world.history()[0][1] != "InProgress":
        assert time.monotonic() < end
        time.sleep(0.002)
    world.serves = Capacity(2, 2, is_active=True, is_scalable=True)
    world.scaling.look()
    world.run()
    assert world.history()[0][1] == "Successful" and world.asked == []


def test_actions_are_taken_for_as_long_as_the_alarm_rings(world: World) -> None:
    target = world.register()
    policy = world.steps(target, "steps", 1, cooldown=120)
    world.ring(policy, "alarm", 11)
    world.run()
    assert world.capacity == 2
    world.minutes(1)
    assert world.capacity == 2  # it cools down
    world.minutes(1)
    assert world.capacity == 3
    world.say(policy, "alarm", 9, state="OK")
    world.minutes(4)
    assert world.capacity == 3 and world.scaling.next_at() is None


def test_all_that_was_added_while_it_cools_counts(world: World) -> None:
    """Two, then one more for a greater breach, and no more for the same again before the cooldown has ended."""
    target = world.register()
    bounds: list[tuple[float, float | None, int]] = [(0.0, 10.0, 2), (10.0, None, 3)]
    steps = [
        {
            "MetricIntervalLowerBound": low,
            **({} if high is None else {"MetricIntervalUpperBound": high}),
            "ScalingAdjustment": n,
        }
        for low, high, n in bounds
    ]
    config = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": steps, "Cooldown": 150}
    policy = world.policy(target, "steps", {"PolicyType": "StepScaling", "StepScalingPolicyConfiguration": config})
    world.ring(policy, "alarm", 11)
    world.run()
    world.say(policy, "alarm", 25)
    world.minutes(3)
    assert world.asked == [3, 4]
    world.minutes(1)  # 150 seconds after the second
    assert world.asked == [3, 4, 7]


def test_what_can_change_nothing_sleeps_until_something_else_changes(world: World) -> None:
    target = world.register(1, 2)
    policy = world.steps(target, "steps", 5)
    world.ring(policy, "alarm", 11)
    world.run()
    assert world.capacity == 2 and world.scaling.next_at() is not None
    world.minutes(1)
    assert world.scaling.next_at() is None  # at the bound: a month may pass
    assert world.history()[-1][2] == '{"Code":"AlreadyAtMaxCapacity","MaxCapacity":2}'
    world.clock.freeze(world.clock.time() + 30 * 86_400 + 7)
    world.register(1, 9)
    assert world.scaling.next_at() == world.clock.time() + 53  # its own minute
    world.minutes(1)
    assert world.capacity == 7


def test_silence_counts_as_no_requests_after_a_quarter_of_an_hour(world: World) -> None:
    dimension = Dimension(COMPONENT, "inference-component/c")
    target = world.register(0, 3, dimension)
    policy = world.track(target, "track", 10)
    low = world.put_alarms[world.low(policy).removeprefix("arn:")]
    assert low["TreatMissingData"] == "breaching"
    world.ring(policy, world.low(policy), upward=False)
    world.minutes(14)
    assert world.asked == []
    world.minutes(1)
    assert world.asked == [0]


def test_a_target_takes_all_that_is_its_own_with_it(world: World) -> None:
    target = world.register()
    world.track(target, "track", 10)
    other = world.register(dimension=Dimension(VARIANT, "endpoint/e2/variant/All"))
    world.track(other, "track", 10)
    policy = world.steps(target, "steps", 1)

    def act(tx: sqlite3.Connection) -> None:
        made = {"account": ACCOUNT, "region": REGION, "kind": ACTION, "name": f"{ALL.key}|up", "arn": "action"}
        records.insert(tx, **made, at=0.0, request={"ScalableTargetAction": {"MinCapacity": 1}})
        world.scaling.resource_gone(tx, ACCOUNT, REGION, VARIANT, "e", target.created_at)  # of one before
        assert records.find_arn(tx, target.arn) is not None
        world.scaling.resource_gone(tx, ACCOUNT, REGION, VARIANT, "e", math.inf)

    world.ring(policy, "alarm", 11)
    world.write(act)
    assert world.unscheduled == ["action"] and world.scaling.next_at() is None
    kinds = [row["kind"] for row in world.database.reader.execute("SELECT kind FROM records ORDER BY id")]
    assert kinds == [TARGET, POLICY]  # those of the other endpoint, whose name begins alike
    assert all(name.startswith("TargetTracking-endpoint/e2/") for name in world.put_alarms)
    with pytest.raises(NotFound):
        world.ring(policy, "alarm", 11)


def test_one_target_that_cannot_be_decided_about_does_not_hold_up_others(world: World) -> None:
    broken = world.register(dimension=Dimension(VARIANT, "endpoint/a/variant/All"))
    world.ring(world.policy(broken, "broken", {"PolicyType": "StepScaling"}), "alarm-1", 11)
    world.ring(world.steps(world.register(), "steps", 2), "alarm-2", 11)
    world.run()
    assert world.asked == [3]
    next_at = world.scaling.next_at()
    assert next_at is not None and next_at > world.clock.time()


def test_concurrent_requests_of_a_component_have_a_quick_alarm_and_a_slow_one(world: World) -> None:
    component = Dimension(COMPONENT, "inference-component/c")
    target = world.register(low=0, dimension=component)
    metric = {"PredefinedMetricType": "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution"}
    config = {"TargetValue": 4.0, "PredefinedMetricSpecification": metric}
    request = {"PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": config}
    world.policy(target, "busy", request)
    told = {
        (alarm["Period"], alarm["EvaluationPeriods"], alarm["Threshold"], alarm.get("TreatMissingData"))
        for alarm in world.put_alarms.values()
    }
    assert told == {(10, 3, 4.0, None), (60, 15, 3.6, "breaching")}
    for alarm in world.put_alarms.values():
        assert (alarm["MetricName"], alarm["Statistic"]) == ("ConcurrentRequestsPerCopy", "Maximum")
        assert alarm["Dimensions"] == [{"Name": "InferenceComponentName", "Value": "c"}]
