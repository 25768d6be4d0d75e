"""A hosting engine with everything real below it but the processes, which are toys."""

from __future__ import annotations

import asyncio
import io
import shutil
import tarfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hosting_toys import ToyRuntime

from cloche.compute.images.software import BuiltIn
from cloche.engines import hosting as hosting_engine
from cloche.engines.hosting import (
    Answer,
    EndpointPlan,
    FleetPlan,
    Hosting,
    Known,
    Outcome,
    Policy,
    VariantPlan,
    Wanted,
    request_bytes,
    request_head,
)
from cloche.foundation.bus import Bus
from cloche.foundation.clock import TurnableClock
from cloche.lifecycle import rows
from cloche.lifecycle.reconciler import Reconciler
from cloche.serving.sockets import socket_folder
from cloche.storage import logs, metrics, objects
from cloche.storage.logs import LogStore
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.metrics import MetricStore
from cloche.storage.objects import ObjectStore

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
ACCOUNT, REGION = "123456789012", "us-east-1"
MIGRATIONS = [
    *records.MIGRATIONS,
    *objects.MIGRATIONS,
    *logs.MIGRATIONS,
    *metrics.MIGRATIONS,
    *rows.MIGRATIONS,
    *hosting_engine.MIGRATIONS,
]


class NoCredentials:
    def environment(self, name: str, role_arn: str, session_name: str) -> Mapping[str, str]:
        return {}

    def forget(self, name: str) -> None:
        pass


class AnyImage:
    def software(self, image: object) -> BuiltIn:
        return BuiltIn("sagemaker-xgboost:1.7-1", Path("/usr/bin/python3"))


class World:
    """What outlives a server (data, processes) and the server of the moment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.alarms: dict[str, str] = {}
        """States of CloudWatch alarms."""
        self.clock = TurnableClock()
        self.clock.when_turned(lambda: self.reconciler.look())
        self.runtime = ToyRuntime(folder / "toys")
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.open()
        self.objects.buckets.create("models", ACCOUNT, REGION)

    def open(self) -> None:
        clock = self.clock
        self.database = Database(self.folder / "cloche.db")
        migrate(self.database, MIGRATIONS)
        self.objects = ObjectStore(self.folder / "objects", self.database, clock)
        self.logs = LogStore(self.folder / "logs", self.database, clock)
        self.metrics = MetricStore(self.database, clock)
        self.reconciler = Reconciler(self.database, clock, Bus())
        self.runtime.listeners.clear()
        self.hosting = Hosting(
            folder=self.folder / "endpoints",
            captured=self.folder / "captured",
            data=self.folder,
            database=self.database,
            clock=clock,
            reconciler=self.reconciler,
            runtime=self.runtime,
            objects=self.objects,
            logs=self.logs,
            metrics=self.metrics,
            images=AnyImage(),
            credentials=NoCredentials(),
            alarm_states=lambda account, region, names: {name: self.alarms[name] for name in names},
            startup_seconds=2.0,
            recovery_seconds=5.0,
        )
        self.hosting.start()
        self.reconciler.start()

    def close(self) -> None:
        self.reconciler.stop()
        self.hosting.stop()
        self.metrics.close()
        self.logs.close()
        self.objects.close()
        self.database.close()

    def restart(self) -> None:
        self.close()
        self.open()

    def end(self) -> None:
        self.close()
        for id in self.runtime.known():
            self.runtime.forget(id)
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0.02), self.loop).result()  # connections see the end
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()
        shutil.rmtree(socket_folder(self.folder))

    # -- short ways --------------------------------------------------------------------------------------

    def arn(self, name: str) -> str:
        return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/{name}"

    def create(self, name: str, *variants: VariantPlan) -> None:
        plan = EndpointPlan(self.arn(name), name, ACCOUNT, REGION, FleetPlan("config-1", variants))

        def change(tx: Any) -> None:
            records.insert(
                tx,
                account=ACCOUNT,
                region=REGION,
                kind="sagemaker/Endpoint",
                name=name,
                arn=plan.arn,
                at=time.time(),
                request={},
            )
            self.hosting.submit(tx, plan)

        self.database.write(change)

    def update(self, name: str, *variants: VariantPlan, policy: Policy | None = None) -> None:
        fleet = FleetPlan("config-2", variants)
        self.database.write(lambda tx: self.hosting.update(tx, self.arn(name), fleet, policy))

    def ring(self, alarm: str) -> None:
        self.alarms[alarm] = "ALARM"
        self.hosting.alarm_rang()

    def advance(self, seconds: float) -> None:
        """Let Cloche's time pass in a moment."""
        self.clock.resume(self.clock.time() + seconds)

    def status(self, name: str) -> str:
        record = records.find_arn(self.database.reader, self.arn(name))
        return "gone" if record is None else record.status

    def state(self, name: str) -> dict[str, Any]:
        record = records.find_arn(self.database.reader, self.arn(name))
        assert record is not None
        return record.state

    def until(self, condition: Callable[[], bool], seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not come about in time"
            time.sleep(0.01)

    def until_status(self, name: str, status: str) -> None:
        self.until(lambda: self.status(name) == status)

    def invoke(self, name: str, variant: str = "", body: bytes = b"") -> tuple[str, Outcome]:
        data = request_bytes(request_head([]), body)
        heard = Known(body, b"event", ("text/csv", "", ""))
        work = self.hosting.invoker.invoke((ACCOUNT, REGION, name), Wanted(variant), data, heard)
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def said(self, name: str, variant: str = "") -> str:
        _, outcome = self.invoke(name, variant)
        assert isinstance(outcome, Answer), outcome
        return outcome.body.decode()

    def put_archive(self, key: str, members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            for info, content in members:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        self.objects.put_bytes("models", key, packed.getvalue())


def variant(name: str = "AllTraffic", *, toy: str = "ok", says: str = "one", **others: Any) -> VariantPlan:
    environment = {"TOY": toy, "NAME": says, **others.pop("environment", {})}
    return VariantPlan(name, "model", IMAGE, others.pop("model_data", None), environment, **others)
