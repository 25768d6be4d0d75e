"""A world in which a server with training jobs may die at any moment: a clock and a compute backend that survive
it, and everything else rebuilt from the data directory, as after ``kill -9``.

Deaths happen at the seams: before or after any durable write, any start of a process, any object or log line stored.
Whatever was not on the disk by then is forgotten.
"""

from __future__ import annotations

import random
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cloche.compute.images.software import BuiltIn
from cloche.compute.runtime import Capabilities, Ended, Lost, Observation, ProcessSpec, Running, Usage
from cloche.engines.training import Channel, Metric, Plan, Training
from cloche.engines.training.driver import LOG_GROUP
from cloche.foundation.bus import Bus
from cloche.foundation.errors import Conflict
from cloche.jobs import shortages
from cloche.jobs.cleaning import Cleaner
from cloche.jobs.equipment import Equipment
from cloche.jobs.hosts import Group
from cloche.lifecycle import rows
from cloche.lifecycle.reconciler import Reconciler
from cloche.storage import logs, metrics, objects
from cloche.storage.logs import LogStore
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.metrics import MetricStore
from cloche.storage.objects import ObjectStore

from .by_hand import ByHand

ACCOUNT, REGION = "123456789012", "us-east-1"
MIGRATIONS = [
    *records.MIGRATIONS,
    *objects.MIGRATIONS,
    *logs.MIGRATIONS,
    *metrics.MIGRATIONS,
    *rows.MIGRATIONS,
    *shortages.MIGRATIONS,
]


class Crash(BaseException):
    """The server is gone."""


class FakeClock:
    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def time(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def real(self) -> float:
        return self.time()

    def when_turned(self, callback: Callable[[], None]) -> None: ...


@dataclass
class FakeProcess:
    spec: ProcessSpec
    outputs: list[Path]
    lines: int
    exit_code: int
    started_at: float
    printed: list[list[str]] = field(default_factory=list)
    end: Observation | None = None
    stop_asked: bool = False


class FakeRuntime:
    """Processes that print, end, are stopped or lost as the dice say. It outlives servers."""

    def __init__(self, folder: Path, clock: FakeClock, dice: random.Random) -> None:
        self.folder, self.clock, self.dice = folder, clock, dice
        self.processes: dict[str, FakeProcess] = {}
        self.starts: dict[str, int] = {}
        self.printed: dict[str, list[list[str]]] = {}
        """All that was ever printed, by job, and by process and host."""
        self.listeners: list[Callable[[str], None]] = []
        self.capabilities = Capabilities(True, True, True, True, True, "a simulation")
        folder.mkdir()

    def start(self, spec: ProcessSpec) -> None:
        if spec.id in self.processes:
            return
        self.starts[spec.id] = self.starts.get(spec.id, 0) + 1
        for number, host in enumerate(spec.hosts):
            assert host.ml_root.joinpath("input/config/hyperparameters.json").exists()
            assert all(mount.source.is_dir() for mount in host.mounts)
            (host.ml_root / "code" / "in-use").touch()
            self.output(spec.id, number).touch()
        self.processes[spec.id] = FakeProcess(
            spec,
            [self.output(spec.id, number) for number in range(len(spec.hosts))],
            self.dice.randrange(8),
            self.dice.choice([0, 0, 0, 1, 3]),
            self.clock.time(),
            [[] for _ in spec.hosts],
        )
        runs = self.printed.setdefault(spec.environment["TRAINING_JOB_ARN"], [])
        runs += self.processes[spec.id].printed

    def observe(self, id: str) -> Observation | None:
        process = self.processes.get(id)
        if process is None:
            return None
        return process.end or Running(process.started_at, 1)

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
        process = self.processes.pop(id, None)
        if process is not None:
            for output in process.outputs:
                output.unlink()

    def known(self) -> list[str]:
        return sorted(self.processes)

    def tick(self) -> None:
        """Something happens to one process."""
        running = [process for process in self.processes.values() if process.end is None]
        if not running:
            return
        process = self.dice.choice(running)
        for host in process.spec.hosts:
            assert (host.ml_root / "code" / "in-use").exists(), "the folder of a running job was touched"
        at = self.dice.randrange(len(process.outputs))
        if process.stop_asked and self.dice.random() < 0.5:
            self._end(process, Ended("stopped", None, 15, process.started_at, self.clock.time()))
        elif sum(map(len, process.printed)) < process.lines:
            self._print(process, at)
        elif self.dice.random() < 0.1:
            self._end(process, Lost(process.started_at))
        elif self.dice.random() < 0.1:
            self._end(process, Ended("max_runtime", None, 15, process.started_at, self.clock.time()))
        else:
            if self.dice.random() < 0.5:
                with process.outputs[at].open("a") as file:
                    file.write("no newline")
                process.printed[at].append("no newline")
            if process.exit_code == 0:
                (process.spec.ml_root / "model" / "weights").write_text("1 2 3")
            self._end(process, Ended("exited", process.exit_code, None, process.started_at, self.clock.time(), at))

    def _print(self, process: FakeProcess, at: int) -> None:
        line = f"loss={len(process.printed[at])}; {secrets.token_hex(4)}"
        half = self.dice.randrange(len(line))
        with process.outputs[at].open("a") as file:
            file.write(line[:half])
            file.flush()
            file.write(line[half:] + "\n")
        process.printed[at].append(line)

    def _end(self, process: FakeProcess, end: Observation) -> None:
        process.end = end
        for listener in self.listeners:
            listener(process.spec.id)


class Images:
    def software(self, image: Any) -> BuiltIn:
        return BuiltIn("sagemaker-xgboost:1.7-1", Path("/usr/bin/python3"))


class Credentials:
    def environment(self, name: str, role_arn: str, session_name: str) -> dict[str, str]:
        return {}

    def promised(self, name: str, role_arn: str, session_name: str) -> tuple[dict[str, str], Callable[[], None]]:
        return {}, lambda: None

    def keep(self, tx: sqlite3.Connection, name: str, role_arn: str, session_name: str) -> None:
        pass

    def drop(self, tx: sqlite3.Connection, name: str) -> None:
        pass

    def forget(self, name: str) -> None:
        pass


class World:
    """``step`` makes one thing happen; ``settle`` goes on without deaths until all is quiet."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.dice = random.Random(seed)
        self.clock = FakeClock()
        self.runtime = FakeRuntime(folder / "processes", self.clock, self.dice)
        self.deadly = False
        self.deaths = 0
        self.asked_to_stop: set[str] = set()
        self.told_it_stops: set[str] = set()
        self.jobs: list[str] = []
        self._boot()
        self.objects.buckets.create("data", ACCOUNT, REGION)
        self.objects.put_bytes("data", "train/a.csv", b"1,2\n")

    # -- life and death ----------------------------------------------------------------------------------

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
        self.training = Training(self.folder / "training", self.equipment)
        self.follower = self.equipment.follower
        self.cleaner: Cleaner = self.training._cleaner
        self.to_clean: list[str] = []
        self.cleaner.later = self.to_clean.append  # type: ignore[method-assign]
        self.training.start()
        self.database.write(lambda tx: rows.release_all(tx, self.clock.time()))
        for thing, name in (
            (self.database, "write"),
            (self.logs, "append"),
            (self.objects, "put_file"),
            (self.objects, "link_into"),
            (self.metrics, "put"),
        ):
            self._make_deadly(thing, name)
        self._start = self.runtime.start

    def _make_deadly(self, thing: Any, name: str) -> None:
        real = getattr(thing, name)

        def deadly(*arguments: Any, **named: Any) -> Any:
            self._perhaps_die()
            answer = real(*arguments, **named)
            self._perhaps_die()
            return answer

        setattr(thing, name, deadly)

    def _perhaps_die(self) -> None:
        if self.deadly and threading.current_thread() is threading.main_thread() and self.dice.random() < 0.08:
            raise Crash

    def _die(self) -> None:
        self.deaths += 1
        self.deadly = False
        for arn, _ in list(self.follower._followed):
            self.follower.drop(arn)
        self.objects.removal.close()
        self.logs.close()
        self.reconciler._pool.shutdown()
        self.database.close()
        self._boot()

    def close(self) -> None:
        self.deadly = False
        self.training.close()
        self.objects.removal.close()
        self.logs.close()
        self.reconciler._pool.shutdown()
        self.database.close()

    # -- what happens ------------------------------------------------------------------------------------

    def step(self) -> None:
        self.clock.seconds += self.dice.random() * 3
        happenings: list[Callable[[], None]] = [self._work] * 6 + [self.runtime.tick] * 4 + [self._pump] * 2
        happenings += [self._stop_one, self._clean, self._interrupt_one]
        self.deadly = True
        try:
            self.dice.choice(happenings)()
        except Crash:
            self._die()
        finally:
            self.deadly = False

    def settle(self) -> None:
        self.deadly = False
        for _ in range(5000):
            if not self.reconciler.items("training-job", active_only=True):
                break
            self.clock.seconds += 1
            self._work()
            self.runtime.tick()
        while self.to_clean:
            self.cleaner.remove(self.to_clean.pop())

    def submit(self) -> None:
        name = f"job-{len(self.jobs)}"
        arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/{name}"
        plan = Plan(
            arn=arn,
            name=name,
            account=ACCOUNT,
            region=REGION,
            role_arn="arn:aws:iam::123456789012:role/r",
            image="sagemaker-xgboost:1.7-1",
            output_bucket="data",
            output_prefix=f"out/{name}",
            groups=(Group("ml.m5.large", 1 + len(self.jobs) % 2),),
            max_runtime_seconds=3600,
            channels=(Channel("train", "data", "train"),),
            metrics=(Metric("loss", "loss=([0-9]+);", built_in=True),),
            max_wait_seconds=self.dice.choice([None, 600, 86_400]),
            retries=self.dice.choice([0, 2]),
            keep_alive_seconds=self.dice.choice([0, 60]),
        )

        def insert(tx: Any) -> None:
            records.insert(
                tx,
                account=ACCOUNT,
                region=REGION,
                kind="sagemaker/TrainingJob",
                name=name,
                arn=arn,
                at=self.clock.time(),
                request={},
            )
            self.training.submit(tx, plan)

        self.database.write(insert)
        self.jobs.append(arn)

    def _work(self) -> None:
        self.by_hand.work()

    def _pump(self) -> None:
        for job in list(self.follower._followed.values()):
            job.pump()

    def _stop_one(self) -> None:
        if self.jobs and self.dice.random() < 0.5:
            arn = self.dice.choice(self.jobs)
            self.asked_to_stop.add(arn)
            try:
                self.database.write(lambda tx: self.training.stop(tx, arn))
            except Conflict:
                pass  # it has ended
            else:
                self.told_it_stops.add(arn)

    def _interrupt_one(self) -> None:
        if self.jobs:
            arn = self.dice.choice(self.jobs)
            try:
                away = self.dice.choice([0.0, 5.0])
                self.database.write(lambda tx: self.training.interrupt(tx, arn, away_seconds=away))
            except Conflict:
                pass  # it is no spot training, or is not on its machines

    def _clean(self) -> None:
        if self.to_clean:
            self.cleaner.remove(self.to_clean.pop(0))

    def stored(self, arn: str) -> list[list[str]]:
        """What its log holds, run by run and host by host."""
        streams, _ = self.logs.streams(ACCOUNT, REGION, LOG_GROUP, prefix=arn.rpartition("/")[2] + "/", limit=50)
        names = sorted(
            (stream.name for stream in streams), key=lambda name: [int(part) for part in name.split("-")[-2:]][::-1]
        )
        pages = [self.logs.read(ACCOUNT, REGION, LOG_GROUP, name, from_head=True) for name in names]
        return [[event.message for event in page.events] for page in pages]
