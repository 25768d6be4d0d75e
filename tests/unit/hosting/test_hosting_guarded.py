"""Guarded updates: shares that really shift, watching by Cloche's clock, the way back, servers that take over."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest
from hosting_world import World, variant

from cloche.engines.hosting import Answer, Capacity, Policy, Size
from cloche.engines.hosting.policy import ALL_AT_ONCE, CANARY, LINEAR, ROLLING
from cloche.foundation.errors import Conflict
from cloche.lifecycle import reconciler
from cloche.serving.model import ModelData

ALARM = "trouble"


def counted(value: int) -> Size:
    return Size(value, is_percent=False)


def percent(value: int) -> Size:
    return Size(value, is_percent=True)


def shares(world: World, name: str, times: int = 20) -> dict[str, int]:
    return dict(Counter(world.said(name) for _ in range(times)))


def phase(world: World, name: str) -> str:
    pending = world.state(name).get("pending")
    return pending["variants"][0]["status"]["phase"] if pending else ""


def message(world: World, name: str) -> str:
    return str(world.state(name)["pending"]["variants"][0]["status"]["message"])


def until_phase(world: World, name: str, wanted: str) -> None:
    world.until(lambda: phase(world, name) == wanted)


@pytest.fixture
def served(world: World) -> World:
    """An endpoint ``e`` that says ``old``, and an alarm that does not ring."""
    world.alarms[ALARM] = "OK"
    world.create("e", variant(says="old"))
    world.until_status("e", "InService")
    return world


def test_a_canary_gets_its_share_and_then_everything(served: World) -> None:
    served.update("e", variant(says="new"), policy=Policy(CANARY, percent(10), 600, 300, alarms=(ALARM,)))
    until_phase(served, "e", "Baking")
    assert message(served, "e") == (
        "Baking for 600 seconds (WaitIntervalInSeconds) with traffic enabled on canary capacity of 1 instance(s)."
    )
    assert shares(served, "e") == {"old": 18, "new": 2}
    served.advance(500)
    assert served.status("e") == "Updating" and shares(served, "e", 10) == {"old": 9, "new": 1}
    served.advance(101)
    served.until(lambda: "full capacity" in message(served, "e") and phase(served, "e") == "Baking")
    assert shares(served, "e", 10) == {"new": 10}
    served.advance(301)
    served.until_status("e", "InService")
    assert (served.state("e")["configuration"], served.state("e")["failure"]) == ("config-2", None)
    served.until(lambda: len(served.runtime.servers) == 1)  # the old fleet is gone


def test_requests_for_a_variant_by_its_name_are_shared_too(served: World) -> None:
    served.update("e", variant(says="new"), policy=Policy(CANARY, percent(50), 600))
    until_phase(served, "e", "Baking")
    assert Counter(served.said("e", "AllTraffic") for _ in range(10)) == {"old": 5, "new": 5}


def test_an_alarm_takes_everything_back(served: World) -> None:
    served.update("e", variant(says="new"), policy=Policy(CANARY, percent(20), 600, alarms=(ALARM,)))
    until_phase(served, "e", "Baking")
    assert shares(served, "e", 10) == {"old": 8, "new": 2}
    served.ring(ALARM)
    served.until(lambda: served.status("e") != "Updating")
    served.until(lambda: shares(served, "e", 10) == {"old": 10})
    served.until_status("e", "InService")
    assert served.state("e")["failure"] == "The deployment was rolled back by CloudWatch alarm trouble."
    assert served.state("e")["configuration"] == "config-1"
    served.until(lambda: len(served.runtime.servers) == 1)


def test_an_alarm_that_rings_at_the_last_moment_counts(served: World) -> None:
    served.update("e", variant(says="new"), policy=Policy(ALL_AT_ONCE, None, 0, 300, alarms=(ALARM,)))
    until_phase(served, "e", "Baking")
    served.alarms[ALARM] = "ALARM"
    served.advance(10_000)  # the watching is over as well
    served.until_status("e", "InService")
    assert served.state("e")["configuration"] == "config-1"
    assert served.said("e") == "old"


def test_linear_steps(served: World) -> None:
    served.update("e", variant(says="new"), policy=Policy(LINEAR, percent(25), 60, 0))
    for step in (1, 2, 3):
        served.until(lambda step=step: shares(served, "e", 20).get("new", 0) == 5 * step)
        until_phase(served, "e", "Baking")
        assert served.status("e") == "Updating"
        served.advance(61)
    served.until_status("e", "InService")
    assert shares(served, "e", 8) == {"new": 8}


def test_variants_keep_their_weights_on_both_sides(world: World) -> None:
    world.create("e", variant("A", says="a1", weight=3.0), variant("B", says="b1", weight=1.0))
    world.until_status("e", "InService")
    fleet = (variant("A", says="a2", weight=30.0), variant("B", says="b2", weight=10.0))
    world.update("e", *fleet, policy=Policy(CANARY, percent(50), 600))
    until_phase(world, "e", "Baking")
    assert shares(world, "e", 16) == {"a1": 6, "a2": 6, "b1": 2, "b2": 2}


def test_rolling_replaces_instances_in_batches(world: World) -> None:
    world.create("e", variant(says="old", instance_count=3))
    world.until_status("e", "InService")
    world.update("e", variant(says="new", instance_count=3), policy=Policy(ROLLING, counted(1), 60))
    most = 0
    for step in (1, 2, 3):
        until_phase(world, "e", "Baking")
        assert message(world, "e").endswith(f"capacity of {step} instance(s).")
        assert shares(world, "e", 9).get("new", 0) == 3 * step
        most = max(most, len(world.runtime.servers))
        world.advance(61)
        world.until(lambda: phase(world, "e") != "Baking")
    world.until_status("e", "InService")
    assert most == 4, "one batch beside the fleet"
    assert shares(world, "e", 6) == {"new": 6}


@pytest.mark.parametrize("back", [None, counted(1)])
def test_a_rolling_update_goes_back_and_restores_what_was_taken_down(world: World, back: Size | None) -> None:
    world.alarms[ALARM] = "OK"
    world.create("e", variant(says="old", instance_count=2))
    world.until_status("e", "InService")
    policy = Policy(ROLLING, counted(1), 60, rollback_size=back, alarms=(ALARM,))
    world.update("e", variant(says="new", instance_count=2), policy=policy)
    until_phase(world, "e", "Baking")
    world.advance(61)
    world.until(lambda: shares(world, "e", 4) == {"new": 4})
    until_phase(world, "e", "Baking")
    world.ring(ALARM)
    world.until_status("e", "InService")
    assert shares(world, "e", 8) == {"old": 8}
    world.until(lambda: len(world.runtime.servers) == 2)
    assert world.state("e")["variants"][0]["instance_count"] == 2


def test_a_way_back_that_is_barred_leaves_a_mix_that_serves_and_can_be_updated(world: World) -> None:
    world.alarms[ALARM] = "OK"
    world.objects.put_bytes("models", "old.tar.gz", b"")
    world.put_archive("old.tar.gz", [])
    world.create("e", variant(says="old", instance_count=2, model_data=ModelData("models", "old.tar.gz")))
    world.until_status("e", "InService")
    world.update("e", variant(says="new", instance_count=2), policy=Policy(ROLLING, counted(1), 60, alarms=(ALARM,)))
    until_phase(world, "e", "Baking")
    world.advance(61)
    world.until(lambda: shares(world, "e", 4) == {"new": 4})
    world.objects.delete("models", "old.tar.gz")
    until_phase(world, "e", "Baking")
    world.ring(ALARM)
    world.until_status("e", "UpdateRollbackFailed")
    assert "alarm trouble" in world.state("e")["failure"] and "old.tar.gz" in world.state("e")["failure"]
    world.restart()
    world.until(lambda: set(shares(world, "e", 12)) == {"old", "new"})
    world.update("e", variant(says="newer"))
    world.until_status("e", "InService")
    assert shares(world, "e", 4) == {"newer": 4}
    world.until(lambda: len(world.runtime.servers) == 1)


def test_a_new_model_that_never_becomes_healthy_is_rolled_back(served: World) -> None:
    served.update("e", variant(says="new", toy="crash"), policy=Policy(CANARY, percent(10), 600))
    served.until(lambda: served.status("e") == "InService")
    assert "did not pass the ping health check" in served.state("e")["failure"]
    assert shares(served, "e", 10) == {"old": 10}


def test_an_update_has_only_so_much_time(served: World) -> None:
    policy = Policy(LINEAR, percent(50), 400, 100, timeout_seconds=600)
    served.update("e", variant(says="new"), policy=policy)
    until_phase(served, "e", "Baking")
    served.advance(601)
    served.until_status("e", "InService")
    assert served.state("e")["failure"] == "The deployment exceeded its maximum execution time of 600 seconds."
    assert shares(served, "e", 4) == {"old": 4}


def test_nothing_else_may_be_asked_meanwhile(served: World) -> None:
    served.update("e", variant(says="new"), policy=Policy(CANARY, percent(10), 600))
    with pytest.raises(Conflict):
        served.update("e", variant(says="newer"))
    with pytest.raises(Conflict):
        served.database.write(lambda tx: served.hosting.delete(tx, served.arn("e")))


def test_a_server_that_takes_over_goes_on_where_the_other_was(served: World) -> None:
    served.update("e", variant(says="new"), policy=Policy(LINEAR, percent(50), 600, 600, alarms=(ALARM,)))
    until_phase(served, "e", "Baking")
    began = served.state("e")["pending"]["variants"][0]["status"]["at"]
    served.restart()
    served.until(lambda: shares(served, "e", 10) == {"old": 5, "new": 5})
    assert served.state("e")["pending"]["variants"][0]["status"]["at"] == began
    served.advance(601)
    served.until(lambda: shares(served, "e", 4) == {"new": 4})
    served.alarms[ALARM] = "ALARM"
    served.close()
    served.clock.resume(served.clock.time() + 20)  # it rings while there is no server
    served.open()
    served.until_status("e", "InService")
    assert shares(served, "e", 4) == {"old": 4}
    assert len(served.runtime.started) == 2, "no model was loaded anew"


def test_a_canary_that_dies_while_it_is_watched_is_started_again(served: World) -> None:
    served.update("e", variant(says="new"), policy=Policy(CANARY, percent(50), 600))
    until_phase(served, "e", "Baking")
    (process,) = [id for id, spec in served.runtime.specs.items() if spec.environment.get("NAME") == "new"]
    served.advance(30)  # longer than a start may take: that it is past does not make the start late
    served.runtime.kill(process)
    assert set(shares(served, "e", 10)) <= {"old", "new"}, "no request is lost: it waits, or the old one answers"
    assert served.status("e") == "Updating"
    served.advance(600)
    served.until_status("e", "InService")
    assert served.state("e")["configuration"] == "config-2"


def test_no_request_is_lost_while_an_update_goes_and_comes_back(served: World) -> None:
    answers: Counter[str] = Counter()
    trouble: list[Any] = []
    ending = threading.Event()

    def load() -> None:
        while not ending.is_set():
            _, outcome = served.invoke("e")
            if isinstance(outcome, Answer):
                answers[outcome.body.decode()] += 1
            else:
                trouble.append(outcome)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for alarm in ("OK", "ALARM", "OK"):
        served.alarms[ALARM] = alarm
        served.update("e", variant(says="new"), policy=Policy(LINEAR, percent(50), 60, 60, alarms=(ALARM,)))
        while served.status("e") == "Updating":
            until_phase(served, "e", "Baking") if served.status("e") == "Updating" and alarm == "OK" else None
            served.advance(61)
            ending.wait(0.05)
        served.until_status("e", "InService")
    ending.set()
    for thread in threads:
        thread.join()
    assert trouble == []
    assert set(answers) == {"old", "new"}


def test_rescaling_is_told_of_the_variant_itself(served: World) -> None:
    served.database.write(lambda tx: served.hosting.rescale(tx, served.arn("e"), [Capacity("AllTraffic", None, 2)]))
    state = served.state("e")
    (shown,) = state["variants"]
    assert shown["status"]["message"] == "Scaling out desired instance count to 2." and "pending" not in state
    assert (shown["instance_count"], shown["desired_instance_count"]) == (1, 2)
    served.until_status("e", "InService")
    assert "status" not in served.state("e")["variants"][0]


def test_an_update_that_breaks_gives_the_old_fleet_everything_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciler, "BACK_OFF_SECONDS", 0.001)
    world.alarms[ALARM] = "OK"
    world.create("e", variant(says="old", instance_count=2))
    world.until_status("e", "InService")
    world.update("e", variant(says="new", instance_count=2), policy=Policy(ROLLING, counted(1), 60, alarms=(ALARM,)))
    until_phase(world, "e", "Baking")
    world.advance(61)
    world.until(lambda: len(world.runtime.servers) == 3 and phase(world, "e") == "Baking")
    del world.alarms[ALARM]  # the port raises: a fault of ours
    world.advance(61)
    world.until_status("e", "InService")
    world.until(lambda: shares(world, "e", 4) == {"old": 4} and len(world.runtime.servers) == 2)
    assert "KeyError" in world.state("e")["failure"]


def test_metrics_tell_the_fleets_apart(served: World) -> None:
    served.update("e", variant(says="new"), policy=Policy(CANARY, percent(25), 600))
    until_phase(served, "e", "Baking")
    at = served.clock.time()
    shares(served, "e", 20)
    served.hosting._tending.flush()

    def invocations(**more: str) -> float:
        dimensions = {"EndpointName": "e", "VariantName": "AllTraffic", **more}
        found = served.metrics.query(
            *("123456789012", "us-east-1", "AWS/SageMaker", "Invocations"),
            tuple(dimensions.items()),
            start=at - 120,
            end=at + 120,
            period=60,
        )
        return sum(statistics.total for _, _, statistics in found)

    assert invocations(EndpointConfigName="config-2") == 5
    assert invocations(EndpointConfigName="config-1") == 15
    assert invocations() == 20
