"""What each state of an endpoint demands, done outside any transaction and repeatable after a crash."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import Final

from cloche.engines.hosting import machine
from cloche.engines.hosting.document import Endpoint, Instance, fill
from cloche.engines.hosting.instances import Seat
from cloche.engines.hosting.plan import STARTUP_SECONDS
from cloche.engines.hosting.round import AlarmStates, Round
from cloche.engines.hosting.routes import Routes
from cloche.engines.hosting.view import view
from cloche.foundation.clock import Clock
from cloche.lifecycle import rows
from cloche.lifecycle.machine import Event, Item, Lifecycle, Outcome, Wait
from cloche.storage.metadata import records

SLICE_SECONDS: Final = 2.0
"""How long one call waits for servers that are starting, before it lets others have the worker."""
PING_PAUSE_SECONDS: Final = 0.02


class EndpointDriver:
    def __init__(
        self,
        seat: Seat,
        routes: Routes,
        clock: Clock,
        is_current: Callable[[Item], bool],
        alarm_states: AlarmStates,
        startup_seconds: float = STARTUP_SECONDS,
    ) -> None:
        self._seat = seat
        self._routes = routes
        self._clock = clock
        self._is_current = is_current
        self._alarm_states = alarm_states
        self._startup_seconds = startup_seconds

    @property
    def lifecycle(self) -> Lifecycle:
        return machine.ENDPOINT

    def entered(self, tx: sqlite3.Connection, item: Item) -> None:
        """The record says what the row says; a deleted endpoint leaves neither."""
        if item.state == machine.DELETED:
            records.remove(tx, item.id)
            rows.forget(tx, item.id)
            return
        records.set_status(tx, item.id, item.state, item.entered_at, state=view(item))

    def work(self, item: Item) -> Outcome:
        endpoint = Endpoint.of(item)
        if item.state == machine.DELETING:
            return self._take_down(endpoint)
        if item.state == machine.FAILED:
            return self._clear(endpoint)
        if item.state == machine.IN_SERVICE and endpoint.pending is not None:
            return self._take_back(endpoint)
        return self._tend(item, endpoint)

    # -- taking down -------------------------------------------------------------------------------------

    def _take_down(self, endpoint: Endpoint) -> Outcome:
        self._routes.remove(endpoint)
        if self._all_ended(endpoint):
            return Event(machine.GONE)
        return Wait(0.1)

    def _clear(self, endpoint: Endpoint) -> Outcome:
        """The undo of a creation that failed."""
        self._routes.remove(endpoint)
        if self._all_ended(endpoint):
            return Wait(None, {"instances": dict.fromkeys(endpoint.instances)})
        return Wait(0.1)

    def _take_back(self, endpoint: Endpoint) -> Outcome:
        """The undo of an update that broke: its instances leave, the old fleet serves on, whole again."""
        assert endpoint.serving is not None
        serving, added = fill(endpoint.serving, endpoint.serving.planned)
        now = self._clock.real()
        instances = {id: {"leaving_at": now} for id in endpoint.instances if id not in set(serving.instances)}
        instances |= {id: instance.document() for id, instance in added.items()}
        return Wait(0.0, {"serving": serving.document(), "pending": None, "rollout": None, "instances": instances})

    def drop(self, endpoint: Endpoint) -> None:
        """Take it off the routes and end all of its processes now, those too that its document does not name yet."""
        self._routes.remove(endpoint)
        for instance in endpoint.instances.values():
            self._forget(instance)
        for process in [process for process, arn in self._seat.owners.items() if arn == endpoint.arn]:
            self._seat.owners.pop(process, None)
            self._seat.runtime.forget(process)

    def _all_ended(self, endpoint: Endpoint) -> bool:
        ended = [self._seat.stop(instance) for instance in endpoint.instances.values()]
        if not all(ended):
            return False
        for instance in endpoint.instances.values():
            self._forget(instance)
        return True

    def _forget(self, instance: Instance) -> None:
        self._routes.forget(instance)
        self._seat.remove(instance)

    # -- bringing up and keeping up ----------------------------------------------------------------------

    def _tend(self, item: Item, endpoint: Endpoint) -> Outcome:
        until = time.monotonic() + SLICE_SECONDS
        round_ = Round(endpoint, self._seat, self._routes, self._clock, self._alarm_states, self._startup_seconds)
        while True:
            outcome = round_.go()
            if outcome is not None:
                return outcome
            if time.monotonic() >= until or not self._is_current(item):
                return Wait(0.05, round_.changes())
            time.sleep(PING_PAUSE_SECONDS)
