"""A world in which a server with transform jobs may die at any moment, and so may the runners of their processes.

The model is a word in upper case, and the program that feeds it a dice's throw a file: both follow the orders that the
engine wrote, as the real program does. They outlive servers.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloche.compute.runtime import Capabilities, Ended, Lost, Observation, ProcessSpec, Running, Usage
from cloche.engines.transform import Capture, Plan, Transforms
from cloche.engines.transform.machine import KIND
from cloche.foundation.bus import Bus
from cloche.foundation.errors import Conflict
from cloche.jobs import reading, shortages
from cloche.jobs.equipment import Equipment
from cloche.jobs.inputs import S3Input
from cloche.lifecycle import rows
from cloche.lifecycle.reconciler import Reconciler
from cloche.serving.model import ServedModel
from cloche.storage import logs, metrics, objects
from cloche.storage.logs import LogStore
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.metrics import MetricStore
from cloche.storage.objects import ObjectStore
from cloche_jobs.transform.batch import Orders

from .by_hand import ByHand
from .world import ACCOUNT, REGION, Crash, Credentials, FakeClock, Images

MIGRATIONS = [
    *records.MIGRATIONS,
    *objects.MIGRATIONS,
    *logs.MIGRATIONS,
    *metrics.MIGRATIONS,
    *rows.MIGRATIONS,
    *reading.MIGRATIONS,
    *shortages.MIGRATIONS,
]
DEATH = 0.06


@dataclass
class Served:
    spec: ProcessSpec
    started_at: float
    end: Observation | None = None
    stop_asked: bool = False

    @property
    def orders(self) -> Orders:
        return Orders.read(Path(self.spec.companions[0][-1]))


class FakeRuntime:
    """``transformed`` counts how often each output was made whole."""

    def __init__(self, folder: Path, clock: FakeClock, dice: random.Random) -> None:
        self.folder, self.clock, self.dice = folder, clock, dice
        self.processes: dict[str, Served] = {}
        self.starts: dict[str, int] = {}
        self.transformed: dict[str, int] = {}
        self.listeners: list[Callable[[str], None]] = []
        self.capabilities = Capabilities(True, True, True, True, True, "a simulation")
        folder.mkdir()

    def start(self, spec: ProcessSpec) -> None:
        if spec.id not in self.processes:
            self.starts[spec.id] = self.starts.get(spec.id, 0) + 1
            self.processes[spec.id] = Served(spec, self.clock.time())
            self.output(spec.id).write_text("up\n")

    def observe(self, id: str) -> Observation | None:
        process = self.processes.get(id)
        return None if process is None else process.end or Running(process.started_at, 1)

    def stop(self, id: str, grace_seconds: float | None = None) -> None:
        if id in self.processes:
            self.processes[id].stop_asked = True

    def usage(self, ids: Iterable[str]) -> dict[str, Usage]:
        return {}

    def usage_on_hosts(self, ids: Iterable[str]) -> dict[str, tuple[Usage, ...]]:
        return {}

    def disk_bytes(self, folder: Path) -> int:
        return 0

    def interface(self, *, network: bool) -> str:
        return "lo"

    def output(self, id: str, host: int = 0) -> Path:
        return self.folder / f"{id}-{host}"

    def on_change(self, listener: Callable[[str], None]) -> None:
        self.listeners.append(listener)

    def forget(self, id: str) -> None:
        self.processes.pop(id, None)
        for path in self.folder.glob(f"{id}-*"):
            path.unlink()

    def known(self) -> list[str]:
        return sorted(self.processes)

    def tick(self) -> None:
        """Something happens to one process."""
        running = [process for process in self.processes.values() if process.end is None]
        if not running:
            return
        process = self.dice.choice(running)
        now = self.clock.time()
        missing = [number for number, file in enumerate(process.orders.files) if not self._is_done(process, number)]
        if process.stop_asked and self.dice.random() < 0.5:
            self._end(process, Ended("stopped", None, 15, process.started_at, now))
        elif self.dice.random() < 0.08:
            self._end(process, Lost(process.started_at))
        elif self.dice.random() < 0.03:
            self._end(process, Ended("exited", 7, None, process.started_at, now))
        elif missing:
            self._transform(process.orders, self.dice.choice(missing))
        else:
            self._end(process, Ended("companion_done", 0, None, process.started_at, now))

    def _is_done(self, process: Served, number: int) -> bool:
        return Path(process.orders.files[number].out).exists() or number in _reported(process.orders)

    def _transform(self, orders: Orders, number: int) -> None:
        file = orders.files[number]
        out = Path(file.out)
        out.parent.mkdir(exist_ok=True)
        text = Path(file.path).read_text()
        with Path(orders.log).open("a") as log:
            log.write(f"{file.name}\n")
        if "bad" in text:
            entry = {"file": number, "kind": "ClientError", "where": "line 1", "message": "bad"}
            with Path(orders.report).open("a") as report:
                report.write(json.dumps(entry) + "\n")
            return
        out.write_text(text.upper())
        self.transformed[file.out] = self.transformed.get(file.out, 0) + 1

    def _end(self, process: Served, end: Observation) -> None:
        process.end = end
        for listener in self.listeners:
            listener(process.spec.id)


def _reported(orders: Orders) -> set[int]:
    path = Path(orders.report)
    return {json.loads(line)["file"] for line in path.read_text().splitlines()} if path.exists() else set()


class TransformWorld:
    """``step`` makes one thing happen; ``settle`` goes on without deaths until all is quiet."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.dice = random.Random(seed)
        self.clock = FakeClock()
        self.runtime = FakeRuntime(folder / "processes", self.clock, self.dice)
        self.deadly = False
        self.deaths = 0
        self.asked_to_stop: set[str] = set()
        self.jobs: list[str] = []
        self._boot()
        self.objects.buckets.create("data", ACCOUNT, REGION)
        for number in range(4):
            self.objects.put_bytes("data", f"good/{number}.txt", b"word %d" % number)
            self.objects.put_bytes("data", f"mixed/{number}.txt", b"bad" if number == 2 else b"word %d" % number)

    def _boot(self) -> None:
        self.runtime.listeners.clear()
        self.database = Database(self.folder / "cloche.db")
        migrate(self.database, MIGRATIONS)
        self.objects = ObjectStore(self.folder / "objects", self.database, self.clock)
        self.logs = LogStore(self.folder / "logs", self.database, self.clock)
        self.metrics = MetricStore(self.database, self.clock)
        self.reconciler = Reconciler(self.database, self.clock, Bus(), workers=1)
        self.by_hand = ByHand(self.reconciler)
        self.equipment = Equipment(
            database=self.database,
            clock=self.clock,
            objects=self.objects,
            logs=self.logs,
            metrics=self.metrics,
            runtime=self.runtime,
            images=Images(),
            reconciler=self.reconciler,
            credentials=Credentials(),
            place_count=2,
        )
        self.transforms = Transforms(self.folder / "transform", self.folder / "sockets", self.equipment)
        self.cleaner = self.transforms._cleaner
        self.to_clean: list[str] = []
        self.cleaner.later = self.to_clean.append  # type: ignore[method-assign]
        self.transforms.start()
        self.database.write(lambda tx: rows.release_all(tx, self.clock.time()))
        seams = ((self.database, "write"), (self.logs, "append"), (self.objects, "put_file"), (self.runtime, "start"))
        for thing, name in (*seams, (self.objects, "link_into"), (self.objects, "put_bytes")):
            self._make_deadly(thing, name)

    def _make_deadly(self, thing: Any, name: str) -> None:
        real = getattr(type(thing), name).__get__(thing)

        def deadly(*arguments: Any, **named: Any) -> Any:
            self._perhaps_die()
            answer = real(*arguments, **named)
            self._perhaps_die()
            return answer

        setattr(thing, name, deadly)

    def _perhaps_die(self) -> None:
        if self.deadly and threading.current_thread() is threading.main_thread() and self.dice.random() < DEATH:
            raise Crash

    def die(self) -> None:
        self.deaths += 1
        self.close()
        self._boot()

    def close(self) -> None:
        self.deadly = False
        for arn in {arn for arn, _ in self.equipment.follower._followed}:
            self.equipment.follower.drop(arn)
        self.objects.removal.close()
        self.logs.close()
        self.reconciler._pool.shutdown()
        self.database.close()

    # -- what happens ------------------------------------------------------------------------------------

    def step(self) -> None:
        self.clock.seconds += self.dice.random() * 3
        happenings = [self._work] * 6 + [self.runtime.tick] * 5 + [self._pump] * 2 + [self._stop_one, self._clean]
        self.deadly = True
        try:
            self.dice.choice(happenings)()
        except Crash:
            self.die()
        finally:
            self.deadly = False

    def settle(self) -> None:
        for _ in range(5000):
            if not self.reconciler.items(KIND, active_only=True):
                break
            self.clock.seconds += 1
            self._work()
            self.runtime.tick()
        while self.to_clean:
            self.cleaner.remove(self.to_clean.pop())

    def submit(self) -> None:
        name = f"job-{len(self.jobs)}"
        arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:transform-job/{name}"
        plan = Plan(
            arn=arn,
            name=name,
            account=ACCOUNT,
            region=REGION,
            model=ServedModel("683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1", None),
            instance_type="ml.m5.large",
            instance_count=1,
            input=S3Input("TransformInput", "data", self.dice.choice(["good/", "mixed/"])),
            output_bucket="data",
            output_prefix=f"out/{name}",
            capture=Capture("data", f"captured/{name}", ids=False),
        )

        def insert(tx: Any) -> None:
            records.insert(
                tx,
                account=ACCOUNT,
                region=REGION,
                kind="sagemaker/TransformJob",
                name=name,
                arn=arn,
                at=self.clock.time(),
                request={},
            )
            self.transforms.submit(tx, plan)

        self.database.write(insert)
        self.jobs.append(arn)

    def _work(self) -> None:
        self.by_hand.work()

    def _pump(self) -> None:
        for job in list(self.equipment.follower._followed.values()):
            job.pump()

    def _stop_one(self) -> None:
        if self.jobs and self.dice.random() < 0.3:
            arn = self.dice.choice(self.jobs)
            self.asked_to_stop.add(arn)
            with suppress(Conflict):  # it has ended
                self.database.write(lambda tx: self.transforms.stop(tx, arn))

    def _clean(self) -> None:
        if self.to_clean:
            self.cleaner.remove(self.to_clean.pop(0))
