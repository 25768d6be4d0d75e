"""``Hosting``: what services and the server know of endpoints.

Control goes through transactions and the reconciler (``submit``, ``update``, ``rescale``, ``delete``); requests go
through ``invoker`` on the event loop and meet the former only in the table of routes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from cloche.compute.packages import PackageSources
from cloche.compute.runtime import Runtime
from cloche.engines.hosting import document, logbook, machine, sessions
from cloche.engines.hosting.capture import Captures
from cloche.engines.hosting.document import Endpoint, Instance
from cloche.engines.hosting.driver import EndpointDriver
from cloche.engines.hosting.instances import Images, JobCredentials, Seat
from cloche.engines.hosting.invocation import INVOCATION_SECONDS, RECOVERY_SECONDS, STREAM_SECONDS, Invoker
from cloche.engines.hosting.logbook import Logbook
from cloche.engines.hosting.plan import STARTUP_SECONDS, Capacity, EndpointPlan, FleetPlan
from cloche.engines.hosting.policy import Policy
from cloche.engines.hosting.rollout import parts_of
from cloche.engines.hosting.round import AlarmStates
from cloche.engines.hosting.router import Key, Router
from cloche.engines.hosting.routes import Routes
from cloche.engines.hosting.sessions import Sessions
from cloche.engines.hosting.tending import Tending
from cloche.engines.hosting.utilization import Utilization
from cloche.foundation.clock import Clock
from cloche.foundation.errors import Conflict, NotFound
from cloche.lifecycle import rows
from cloche.lifecycle.machine import Event
from cloche.lifecycle.reconciler import Reconciler
from cloche.serving.sockets import socket_folder
from cloche.storage.logs import LogStore
from cloche.storage.metadata.database import Database
from cloche.storage.metrics import MetricStore
from cloche.storage.objects import ObjectStore

MIGRATIONS: Final = [*logbook.MIGRATIONS, *sessions.MIGRATIONS]


class Hosting:
    """``folder`` is for the instances' models, ``captured`` for what is captured and not yet in S3, ``data`` names this
    Cloche's sockets; all may be made here."""

    def __init__(
        self,
        *,
        folder: Path,
        captured: Path,
        data: Path,
        database: Database,
        clock: Clock,
        reconciler: Reconciler,
        runtime: Runtime,
        objects: ObjectStore,
        logs: LogStore,
        metrics: MetricStore,
        images: Images,
        credentials: JobCredentials,
        packages: PackageSources | None = None,
        alarm_states: AlarmStates,
        startup_seconds: float = STARTUP_SECONDS,
        invocation_seconds: float = INVOCATION_SECONDS,
        stream_seconds: float = STREAM_SECONDS,
        recovery_seconds: float = RECOVERY_SECONDS,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._database = database
        self._reconciler = reconciler
        self._runtime = runtime
        self._clock = clock
        self.alarm_states = alarm_states
        self._logbook = Logbook(database, logs, runtime, clock)
        self.sessions = Sessions(database, clock)
        self._seat = Seat(
            folder, socket_folder(data), runtime, objects, images, credentials, packages, self._logbook, self.sessions
        )
        self.captures = Captures(captured, objects, clock)
        self._routes = Routes(Router(), self._seat.ways, self.captures)
        self._driver = EndpointDriver(
            self._seat, self._routes, clock, reconciler.is_current, alarm_states, startup_seconds
        )
        utilization = Utilization(self._routes, runtime, metrics, clock, self._seat.folder_of)
        self._tending = Tending(
            self._routes, self._logbook, metrics, clock, lambda id: runtime.stop(id, 1.0), utilization.look
        )
        self.invoker = Invoker(
            self._routes.router,
            self._unreachable,
            timeout_seconds=invocation_seconds,
            stream_seconds=stream_seconds,
            recovery_seconds=recovery_seconds,
        )
        reconciler.add(self._driver)
        runtime.on_change(self._ended)

    # -- control -----------------------------------------------------------------------------------------

    def submit(self, tx: sqlite3.Connection, plan: EndpointPlan) -> None:
        """Begin an endpoint whose record is inserted in the same transaction."""
        self._reconciler.submit(tx, machine.KIND, plan.arn, document.begin(plan))

    def update(self, tx: sqlite3.Connection, arn: str, fleet: FleetPlan, policy: Policy | None = None) -> None:
        """Bring ``fleet`` up beside what serves, then let it serve: at once, or guarded by ``policy``.

        Raises ``NotFound`` and ``Conflict``.
        """
        serving = self._must_serve(tx, arn, machine.IN_SERVICE, machine.UPDATE_ROLLBACK_FAILED).serving
        assert serving is not None
        now = self._clock.time()
        changes = document.bring(fleet) if policy is None else document.guard(serving, fleet, policy, now)
        self._reconciler.post(tx, arn, Event(machine.UPDATE_ASKED, changes))

    def rescale(self, tx: sqlite3.Connection, arn: str, capacities: Iterable[Capacity]) -> None:
        """Change weights and instance counts. Raises ``NotFound``, ``Conflict`` and ``Invalid``."""
        serving = self._must_serve(tx, arn, machine.IN_SERVICE).serving
        assert serving is not None
        changes = document.rescale(serving, capacities)
        self._reconciler.post(tx, arn, Event(machine.UPDATE_ASKED, changes))

    def delete(self, tx: sqlite3.Connection, arn: str) -> None:
        """Take it down; row and record go when nothing runs any more. Raises ``NotFound`` and ``Conflict``."""
        self._reconciler.post(tx, arn, Event(machine.DELETE_ASKED))

    def abandon(self, account: str) -> None:
        """Take the account's endpoints down at once and drop them: nothing of them serves when this returns. Their
        records are the caller's."""
        items = self._reconciler.items(machine.KIND)
        mine = [endpoint for endpoint in map(Endpoint.of, items) if endpoint.account == account]
        self._reconciler.abandon([endpoint.arn for endpoint in mine])
        for endpoint in mine:
            self._driver.drop(endpoint)
        self.captures.abandon(account)

    def _must_serve(self, tx: sqlite3.Connection, arn: str, *states: str) -> Endpoint:
        item = rows.read(tx, arn)
        if item is None:
            raise NotFound(f"there is no endpoint {arn}")
        if item.state not in states:
            raise Conflict(f"endpoint {arn} is {item.state}")
        return Endpoint.of(item)

    # -- running -----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Publish what served before this server did, and tend it. Before the reconciler starts."""
        self.captures.start()
        known: dict[str, Instance] = {}
        for item in self._reconciler.items(machine.KIND, active_only=True):
            endpoint = Endpoint.of(item)
            known |= {instance.process: instance for instance in endpoint.instances.values()}
            if item.state in machine.SERVING:
                self._routes.publish(endpoint, parts_of(endpoint), unseen=True)
            for instance in endpoint.instances.values():
                self._seat.seen(endpoint, instance)
        for process in self._runtime.known():
            if process.startswith(document.PROCESS_PREFIX) and process not in known:
                self._runtime.forget(process)
        self._tending.start()

    def flush(self) -> None:
        """Write what was logged and counted since the last time."""
        self._tending.take()

    def stop(self) -> None:
        """Let go. Model servers go on; the next start adopts them."""
        self._tending.stop()
        self.captures.stop()
        with suppress(OSError):  # somebody listens there still
            self._seat.sockets.rmdir()

    def _ended(self, process: str) -> None:
        arn = self._seat.owners.get(process)
        if arn is not None:
            self._reconciler.wake(arn)

    def alarm_rang(self) -> None:
        """Some CloudWatch alarm has just gone into ``ALARM``: updates are to look at theirs. Quick; from any thread."""
        for arn, _, state in self._reconciler.active(machine.KIND):
            if state == machine.UPDATING:
                self._reconciler.wake(arn)

    def _unreachable(self, key: Key, instance: str) -> None:
        self._routes.doubt(instance)
        arn = self._routes.arn(key)
        if arn is not None:
            self._reconciler.wake(arn)
