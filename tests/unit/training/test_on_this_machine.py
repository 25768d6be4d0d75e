"""The engine with the real compute backend, in each sandbox: what the wire's tests cannot wait 120 seconds for."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from cloche.compute.images.software import BuiltIn
from cloche.compute.local import LocalRuntime
from cloche.compute.local.sandbox import bubblewrap
from cloche.engines.training import Channel, Plan, Training, TrainingState
from cloche.engines.training.machine import State
from cloche.foundation.bus import Bus
from cloche.foundation.clock import SystemClock
from cloche.jobs import reading, shortages
from cloche.jobs.equipment import Equipment
from cloche.lifecycle import rows
from cloche.lifecycle.reconciler import Reconciler
from cloche.storage import logs, metrics, objects
from cloche.storage.logs import LogStore
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.metrics import MetricStore
from cloche.storage.objects import ObjectStore

from .test_stage_inputs import PLAN

MIGRATIONS = [
    *records.MIGRATIONS,
    *objects.MIGRATIONS,
    *logs.MIGRATIONS,
    *metrics.MIGRATIONS,
    *rows.MIGRATIONS,
    *reading.MIGRATIONS,
    *shortages.MIGRATIONS,
]


class SystemPython:
    def software(self, image: Any) -> BuiltIn:
        return BuiltIn("sagemaker-xgboost:1.7-1", Path("/usr/bin/python3"))


class NoCredentials:
    def environment(self, name: str, role_arn: str, session_name: str) -> dict[str, str]:
        return {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}

    def promised(self, name: str, role_arn: str, session_name: str) -> tuple[dict[str, str], Callable[[], None]]:
        return {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, lambda: None

    def keep(self, tx: sqlite3.Connection, name: str, role_arn: str, session_name: str) -> None:
        pass

    def drop(self, tx: sqlite3.Connection, name: str) -> None:
        pass

    def forget(self, name: str) -> None:
        pass


@dataclass
class Machine:
    training: Training
    database: Database
    objects: ObjectStore
    runtime: LocalRuntime

    def submit(self, script: str, **changes: Any) -> Plan:
        plan = replace(PLAN, entrypoint=("/bin/sh", "-c", script), channels=(), **changes)

        def insert(tx: Any) -> None:
            records.insert(
                tx,
                account=plan.account,
                region=plan.region,
                kind="sagemaker/TrainingJob",
                name=plan.name,
                arn=plan.arn,
                at=time.time(),
                request={},
            )
            self.training.submit(tx, plan)

        self.database.write(insert)
        return plan

    def ended(self, plan: Plan) -> TrainingState:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            state = self.training.state_of(plan.arn)
            if state.ended_at is not None:
                return state
            time.sleep(0.01)
        raise AssertionError(state)


@pytest.fixture(params=["bubblewrap", "process"])
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    if request.param == "bubblewrap" and bubblewrap() is None:
        pytest.skip("bubblewrap is not there or cannot make a sandbox here: THE SANDBOX IS NOT TESTED")
    clock = SystemClock()
    database = Database(tmp_path / "cloche.db")
    migrate(database, MIGRATIONS)
    store = ObjectStore(tmp_path / "objects", database, clock)
    log_store = LogStore(tmp_path / "logs", database, clock)
    metric_store = MetricStore(database, clock)
    reconciler = Reconciler(database, clock, Bus())
    runtime = LocalRuntime(tmp_path / "processes", request.param)
    equipment = Equipment(
        database=database,
        clock=clock,
        objects=store,
        logs=log_store,
        metrics=metric_store,
        runtime=runtime,
        images=SystemPython(),
        reconciler=reconciler,
        credentials=NoCredentials(),
        stop_grace_seconds=0.3,
    )
    training = Training(tmp_path / "training", equipment)
    training.start()
    reconciler.start()
    store.buckets.create("data", PLAN.account, PLAN.region)
    yield Machine(training, database, store, runtime)
    for id in runtime.known():
        runtime.forget(id)
    reconciler.stop()
    equipment.close()
    training.close()
    runtime.close()
    metric_store.close()
    log_store.close()
    store.removal.close()
    database.close()


IGNORING = "trap '' TERM; echo kept > $CLOCHE_ML_ROOT/model/w; while true; do sleep 0.05; done"


def test_a_job_that_ignores_sigterm_at_its_time_limit(machine: Machine) -> None:
    state = machine.ended(machine.submit(IGNORING, max_runtime_seconds=0.3))
    assert (state.status, state.secondary_status) == ("Stopped", "MaxRuntimeExceeded")
    assert state.transitions[-1].message == State.MaxRuntimeExceeded.message
    assert machine.objects.head("data", "out/j/output/model.tar.gz").size > 0


def test_a_job_that_ignores_sigterm_when_stopped(machine: Machine) -> None:
    plan = machine.submit(IGNORING)
    while machine.training.state_of(plan.arn).secondary_status != "Training":
        time.sleep(0.01)
    machine.database.write(lambda tx: machine.training.stop(tx, plan.arn))
    assert machine.ended(plan).status == "Stopped"


def test_a_job_whose_runner_is_killed_fails_as_our_fault(machine: Machine) -> None:
    import json
    import os
    import signal

    plan = machine.submit("sleep 60")
    while machine.training.state_of(plan.arn).secondary_status != "Training":
        time.sleep(0.01)
    (id,) = machine.runtime.known()
    runner = machine.runtime.output(id).with_name("runner.json")
    os.kill(json.loads(runner.read_text())["pid"], signal.SIGKILL)
    state = machine.ended(plan)
    assert state.status == "Failed"
    assert state.failure_reason is not None
    assert state.failure_reason.startswith("InternalServerError: ")


def test_inputs_are_found_by_name_in_either_sandbox(machine: Machine) -> None:
    machine.objects.put_bytes("data", "in/a.csv", b"1,2\n")
    plan = replace(
        PLAN,
        name="with-input",
        arn=PLAN.arn + "-input",
        channels=(Channel("train", "data", "in"),),
        entrypoint=("/bin/sh", "-c", "cp $CLOCHE_ML_ROOT/input/data/train/a.csv $CLOCHE_ML_ROOT/model/"),
    )

    def insert(tx: Any) -> None:
        records.insert(tx, account="1", region="r", kind="k", name=plan.name, arn=plan.arn, at=time.time(), request={})
        machine.training.submit(tx, plan)

    machine.database.write(insert)
    assert machine.ended(plan).status == "Completed"


def test_the_end_leaves_nothing(machine: Machine, tmp_path: Path) -> None:
    machine.ended(machine.submit("true"))
    deadline = time.monotonic() + 10
    while machine.runtime.known() or list((tmp_path / "training").iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
