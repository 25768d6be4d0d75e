"""Whenever the server dies, every slot of every schedule is one execution, and each of its jobs is made once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cloche.engines.monitoring import machine
from cloche.engines.monitoring.schema import DELAY_SECONDS
from cloche.engines.monitoring.times import HOUR
from cloche.storage.metadata import records

from .monitoring_world import MonitoringWorld, with_data
from .world import ACCOUNT, REGION

RESOURCES = {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}}
ENDS = {machine.COMPLETED, machine.VIOLATED, machine.FAILED, machine.STOPPED}
JOB_OF_END = {"Completed": {"Completed", "CompletedWithViolations"}, "Failed": {"Failed"}, "Stopped": {"Stopped"}}
ROLE = "arn:aws:iam::123456789012:role/r"


def inline(expression: str) -> dict[str, Any]:
    output = {"S3Uri": "s3://bucket/out", "LocalPath": "/opt/ml/processing/output"}
    return {
        "MonitoringScheduleConfig": {
            "ScheduleConfig": {"ScheduleExpression": expression},
            "MonitoringJobDefinition": {
                "MonitoringInputs": [{"EndpointInput": {"EndpointName": "e", "LocalPath": "/opt/ml/processing/input"}}],
                "MonitoringOutputConfig": {"MonitoringOutputs": [{"S3Output": output}]},
                "MonitoringResources": RESOURCES,
                "MonitoringAppSpecification": {"ImageUri": "analyzer"},
                "RoleArn": ROLE,
            },
        }
    }


def named(world: MonitoringWorld) -> dict[str, Any]:
    output = {"S3Uri": "s3://bucket/out", "LocalPath": "/opt/ml/processing/output"}
    request = {
        "ModelQualityAppSpecification": {"ImageUri": "analyzer", "ProblemType": "Regression"},
        "ModelQualityJobInput": {
            "EndpointInput": {"EndpointName": "e", "LocalPath": "/opt/ml/processing/input"},
            "GroundTruthS3Input": {"S3Uri": "s3://bucket/truth"},
        },
        "ModelQualityJobOutputConfig": {"MonitoringOutputs": [{"S3Output": output}]},
        "JobResources": RESOURCES,
        "RoleArn": ROLE,
    }
    kind, arn = "sagemaker/ModelQualityJobDefinition", "arn:aws:sagemaker:x:1:model-quality-job-definition/q"
    world.real_write(lambda tx: world.insert(tx, kind, "q", arn, request))
    return {
        "MonitoringScheduleConfig": {
            "ScheduleConfig": {"ScheduleExpression": "cron(0 0/2 ? * * *)"},
            "MonitoringJobDefinitionName": "q",
            "MonitoringType": "ModelQuality",
        }
    }


def executions(world: MonitoringWorld, name: str) -> list[Any]:
    found = world.database.reader.execute(
        "SELECT * FROM monitoring_executions WHERE schedule = ? ORDER BY scheduled_at", (name,)
    )
    return found.fetchall()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_slot_is_one_execution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    with_data(monkeypatch)
    world = MonitoringWorld(tmp_path, seed)
    world.clock.seconds = world.clock.seconds // (24 * HOUR) * 24 * HOUR + 10.0
    begin = world.clock.seconds
    schedules = {"hourly": inline("cron(0 * ? * * *)"), "twelve": inline("cron(0 5/12 ? * * *)"), "mq": named(world)}
    for name, request in schedules.items():
        world.schedule(name, request)
    while world.clock.seconds < begin + 30 * HOUR:
        world.clock.seconds += world.dice.random() * 600
        world.guarded(world.agenda)  # the server is down for moments only: no slot may be passed over
        for happening in (world.work, world.api.tick, world.work, world.api.tick):
            world.guarded(happening)
        while world.monitoring.next_at() <= world.clock.seconds:
            world.guarded(world.agenda)
    for _ in range(2_000):
        world.clock.seconds += 60
        if not world.reconciler.items(machine.KIND, active_only=True):
            break
        world.work()
        world.api.tick()
    assert world.deaths > 20
    slots = {name: [row["scheduled_at"] for row in executions(world, name)] for name in schedules}
    last = begin // HOUR * HOUR + 30 * HOUR
    assert slots["hourly"][:29] == [begin // HOUR * HOUR + hour * HOUR for hour in range(1, 30)]
    assert [slot for slot in slots["twelve"] if slot < last] == [begin - 10 + hour * HOUR for hour in (5, 17, 29)]
    assert [slot for slot in slots["mq"] if slot < last] == [begin - 10 + hour * HOUR for hour in range(2, 30, 2)]
    made = 0
    for name in schedules:
        for row in executions(world, name):
            assert row["status"] in ENDS
            job = records.find_arn(world.database.reader, row["job"])
            assert job is not None and row["status"] in JOB_OF_END[job.status]
            assert (row["reason"] is None) == (row["status"] != "Failed")
            made += 1 + ("model-quality" in row["job"])
    assert set(world.api.creates.values()) == {1}
    assert made == len(world.api.creates)
    world.close()


def test_slots_missed_while_the_server_was_down_are_made_up_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_data(monkeypatch)
    world = MonitoringWorld(tmp_path, 1)
    start = world.clock.seconds = world.clock.seconds // HOUR * HOUR + 1800.0
    record = world.schedule("hourly", inline("cron(0 * ? * * *)"))
    world.clock.seconds += 7 * HOUR
    world.die()
    world.agenda()
    world.agenda()
    (row,) = executions(world, "hourly")
    first = start + 1800
    assert row["scheduled_at"] == first  # the hour before it is the one that had traffic
    assert world.monitoring.next_at() == first + 7 * HOUR + DELAY_SECONDS
    told = records.find_arn(world.database.reader, record.arn)
    assert told is not None and told.state["last"]["status"] == "Pending"
    assert (told.account, told.region) == (ACCOUNT, REGION)
    world.close()


def test_an_account_that_is_emptied_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_data(monkeypatch)
    world = MonitoringWorld(tmp_path, 1)
    world.schedule("hourly", inline("cron(0 * ? * * *)"))
    world.clock.seconds += 2 * HOUR
    world.agenda()
    world.work()
    assert executions(world, "hourly") and world.reconciler.items(machine.KIND)
    world.monitoring.abandon("999999999999")
    assert executions(world, "hourly") and world.monitoring.next_at() is not None
    world.monitoring.abandon(ACCOUNT)
    assert not executions(world, "hourly") and not world.reconciler.items(machine.KIND)
    assert world.monitoring.next_at() is None
    world.close()
