"""``Functions``: what services and the server know of Lambda functions.

Control goes through ``registry``, ``layers`` and ``statements``, each change one durable transaction. Invocations come
in on the server's loop (``invoke``) or are kept to be done later (``events``); both meet the former only in ``target``.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from cloche.compute.images import EnvironmentFailed
from cloche.compute.runtime import Runtime
from cloche.engines.functions import capacity, rows
from cloche.engines.functions.events import RETRY_SECONDS, Events
from cloche.engines.functions.invoking import Invoker, Target
from cloche.engines.functions.layers import Layers
from cloche.engines.functions.logbook import Logbook
from cloche.engines.functions.mappings import Mappings
from cloche.engines.functions.outcome import Event, Outcome
from cloche.engines.functions.packages import Packages
from cloche.engines.functions.plan import ACTIVE, FAILED, LATEST, PENDING, Alias, Owner, Version
from cloche.engines.functions.pools import IDLE_SECONDS, Pools
from cloche.engines.functions.registry import Registry, resolve
from cloche.engines.functions.seat import OWN_BYTES, Images, RoleKeys, Seat
from cloche.engines.functions.statements import Statements
from cloche.engines.functions.traffic import Traffic
from cloche.foundation.clock import Clock
from cloche.foundation.errors import NotFound
from cloche.foundation.limits import MIB
from cloche.serving.sockets import socket_folder
from cloche.storage.logs import LogStore
from cloche.storage.metadata.database import Database
from cloche.storage.metrics import MetricStore
from cloche_jobs.catalog import FUNCTIONS

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.25
METRIC_SECONDS: Final = 5.0
TARGETS_MAX: Final = 10_000


class Functions:
    """``folder`` is for environments, ``kept`` for packages; both are made. ``data`` names this Cloche's sockets."""

    def __init__(
        self,
        *,
        folder: Path,
        kept: Path,
        data: Path,
        database: Database,
        clock: Clock,
        runtime: Runtime,
        logs: LogStore,
        metrics: MetricStore,
        images: Images,
        keys: RoleKeys,
        link: Callable[[str], str],
        idle_seconds: float = IDLE_SECONDS,
        retry_seconds: tuple[float, ...] = RETRY_SECONDS,
        concurrency: int | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.concurrency = concurrency or capacity.concurrency_max()
        self._database = database
        self._runtime = runtime
        self._images = images
        self.location = link
        """The URL at which a package can be fetched for some minutes, by the package's name."""
        self.packages = Packages(kept, folder / "layers")
        self.layers = Layers(database, clock, self.packages)
        self.statements = Statements(database)
        self.registry = Registry(database, clock, self._changed, self.concurrency)
        self._targets: dict[tuple[str, str, str, str], tuple[Version, Alias | None, int | None, int]] = {}
        self._generation = 0
        self._logbook = Logbook(database, logs, runtime, clock)
        seat = Seat(folder / "environments", socket_folder(data), runtime, self.packages, images, keys)
        self._pools = Pools(seat, self._logbook, clock, self.concurrency, idle_seconds)
        self._traffic = Traffic(metrics, clock)
        running = capacity.Running(self.concurrency)
        self._invoker = Invoker(self._pools, running, self._traffic, self._logbook, runtime, clock, self._serial_of)
        self.events = Events(database, clock, self._traffic, self._invoke_named, retry_seconds)
        self.mappings = Mappings(database, clock, self._invoke_named)
        self._preparing = ThreadPoolExecutor(1, thread_name_prefix="functions-prepare")
        self._tending = (
            _Tending("functions-memory", LOOK_SECONDS, self._watch_memory),
            _Tending("functions-logs", LOOK_SECONDS, self._logbook.look),
            _Tending("functions-metrics", METRIC_SECONDS, self._traffic.flush),
        )

    # -- life --------------------------------------------------------------------------------------------

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Adopt the environments that run, go on with what was left."""
        if not self._pools.begin(loop, self._current):
            self.packages.clear_merged()
        self.sweep()
        for version in rows.pending(self._database.reader):
            self.prepare(version)
        self.events.begin(loop)
        self.mappings.begin(loop)
        for each in self._tending:
            each.start()

    def close(self) -> None:
        """Let go. Environments go on; the next start adopts them."""
        self.mappings.close()
        self.events.close()
        for each in self._tending:
            each.stop()
        self._preparing.shutdown(wait=True, cancel_futures=True)
        self._pools.close()
        self._invoker.close()

    # -- what the agenda asks ----------------------------------------------------------------------------

    def next_at(self) -> float | None:
        """When an event is due or a message of a mapping's queue may be taken, in Cloche's time."""
        found = (self.events.next_at(), self.mappings.next_at())
        return min((at for at in found if at is not None), default=None)

    def is_at_work(self) -> bool:
        """Whether messages were taken that are not yet handled. (Events under way are due until they are handled.)"""
        return bool(self.mappings.at_work)

    def flush(self) -> None:
        """Write what was logged and counted since the last time."""
        self._logbook.look()
        self._traffic.flush()

    def abandon(self, account: str) -> None:
        """End the account's environments; its rows are the caller's to sweep. From a thread."""
        self._pools.abandon(account)

    def prepare(self, version: Version) -> None:
        """Have a pending function become active, once its environment is built."""
        if version.state == PENDING:
            self._preparing.submit(self._prepare, version)

    def _prepare(self, version: Version) -> None:
        try:
            self._images.tool(FUNCTIONS)
        except EnvironmentFailed as failed:
            self.registry.ready(version, FAILED, failed.message)
        except Exception:
            log.exception("%s could not be prepared", version.owner.arn)
            self.registry.ready(version, FAILED, "The function's environment could not be prepared.")
        else:
            self.registry.ready(version, ACTIVE)

    @property
    def python_version(self) -> str:
        """Of the Python that runs functions, whatever runtime they name."""
        return self._images.version()

    def sweep(self) -> None:
        """Remove packages that nothing needs any more."""
        self.packages.keep(lambda: rows.codes(self._database.reader))

    # -- what a name means ---------------------------------------------------------------------------------

    def target(self, owner: Owner, qualifier: str) -> Target:
        """A point read at most; an alias chooses by its weights. Raises ``NotFound``."""
        key = (*owner.key, qualifier)
        held = self._targets.get(key)
        if held is None:
            generation, reader = self._generation, self._database.reader
            version, alias = resolve(reader, owner, qualifier)
            together = rows.reserved_together(reader, owner.account, owner.region)
            held = version, alias, rows.reserved(reader, owner), together
            if generation == self._generation and len(self._targets) < TARGETS_MAX:
                self._targets[key] = held
        version, alias, reserved, together = held
        if alias is not None and alias.weights:
            version = self._by_weight(owner, alias, version)
        return Target(version, qualifier, reserved, together)

    def _by_weight(self, owner: Owner, alias: Alias, version: Version) -> Version:
        lot = random.random()  # noqa: S311 - a share of traffic
        for number, weight in alias.weights.items():
            lot -= weight
            if lot < 0:
                return self.target(owner, number).version
        return version

    def _changed(self) -> None:
        self._generation += 1
        self._targets.clear()
        self._pools.drop_later(lambda version: self._serial_of(version) != version.serial)

    def _serial_of(self, version: Version) -> str | None:
        try:
            return self.target(version.owner, version.qualifier).version.serial
        except NotFound:
            return None

    def _current(self, told: dict[str, Any]) -> Version | None:
        owner = Owner(told["account"], told["region"], told["name"])
        try:
            found = rows.version(self._database.reader, owner, str(told["number"]) if told["number"] else LATEST)
        except NotFound:
            return None
        return found if found.serial == told["serial"] and found.state == ACTIVE else None

    # -- invocation ----------------------------------------------------------------------------------------

    async def invoke(self, target: Target, event: Event) -> Outcome:
        """On the server's loop. A function that fails is an outcome. Raises what ``Invoker.invoke`` does."""
        return await self._invoker.invoke(target, event)

    async def _invoke_named(self, owner: Owner, qualifier: str, event: Event) -> Outcome:
        return await self._invoker.invoke(self.target(owner, qualifier), event)

    # -- what goes on beside -------------------------------------------------------------------------------

    def _watch_memory(self) -> None:
        busy = {found.process: found for found in self._pools.busy()}
        if not busy:
            return
        for process, usages in self._runtime.usage_on_hosts(busy).items():
            found = busy[process]
            used = sum(usage.memory_bytes for usage in usages)
            if used:
                found.memory_mb = max(found.memory_mb or 0, used // MIB)
            if used > found.version.configuration.memory_mb * MIB + OWN_BYTES:
                found.is_full = True
                self._runtime.stop(process, 0.0)


class _Tending:
    """A thread that does its work again and again, and once more at the end. It never waits for another's."""

    def __init__(self, name: str, seconds: float, work: Callable[[], None]) -> None:
        self._name, self._seconds, self._work = name, seconds, work
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        if self._thread is not None:
            self._thread.join()
            self._do()

    def _run(self) -> None:
        while not self._ending.wait(self._seconds):
            self._do()

    def _do(self) -> None:
        try:
            self._work()
        except Exception:
            log.exception("looking after functions failed (%s); it goes on", self._name)
