"""What each state of an endpoint demands, done outside any transaction and repeatable after a crash.

The order within a step is always the same: what is to be is made durable first (an attempt's number, a fleet's
instances), then it is done under that name. So a crash leaves nothing that the document does not know, and doing
it again finds what was done before.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from typing import Any, Final

from cloche.compute.runtime import Running
from cloche.engines.hosting import machine
from cloche.engines.hosting.document import Endpoint, Fleet, Instance
from cloche.engines.hosting.instances import Seat
from cloche.engines.hosting.invocation import STREAM_SECONDS
from cloche.engines.hosting.plan import STARTUP_SECONDS
from cloche.engines.hosting.routes import Routes
from cloche.engines.hosting.view import view
from cloche.foundation.clock import Clock
from cloche.lifecycle import rows
from cloche.lifecycle.machine import Event, Item, Lifecycle, Outcome, Wait
from cloche.serving.laying_out import Unfit
from cloche.storage.metadata import records

log = logging.getLogger(__name__)

STARTS_MAX: Final = 3
"""Model servers that end by themselves this often before their first good ping are given up on."""
SLICE_SECONDS: Final = 2.0
"""How long one call waits for servers that are starting, before it lets others have the worker."""
PING_PAUSE_SECONDS: Final = 0.02
SETTLED_LOOK_SECONDS: Final = 60.0
LEAVING_SECONDS_MIN: Final = 1.0
LEAVING_SECONDS_MAX: Final = STREAM_SECONDS + 5.0
"""An instance off the route has this long to finish: a request may take 60 seconds, a stream eight minutes."""
BACK_OFF_SECONDS_MAX: Final = 30.0
REASON_CHARACTERS_MAX: Final = 1_024
"""Of the model's ``FailureReason``."""


class EndpointDriver:
    def __init__(
        self,
        seat: Seat,
        routes: Routes,
        clock: Clock,
        is_current: Callable[[Item], bool],
        startup_seconds: float = STARTUP_SECONDS,
    ) -> None:
        self._seat = seat
        self._routes = routes
        self._clock = clock
        self._is_current = is_current
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
        """The undo of an update that broke: its instances leave, the old fleet serves on."""
        kept = set(endpoint.serving.instances) if endpoint.serving else set()
        now = self._clock.real()
        leaving = {id: {"leaving_at": now} for id in endpoint.instances if id not in kept}
        return Wait(0.0, {"pending": None, "instances": leaving})

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
        round_ = _Round(self, endpoint)
        while True:
            outcome = round_.go()
            if outcome is not None:
                return outcome
            if time.monotonic() >= until or not self._is_current(item):
                return Wait(0.05, round_.changes())
            time.sleep(PING_PAUSE_SECONDS)


class _Round:
    """One look at every instance of an endpoint; ``go`` is called until there is something to say."""

    def __init__(self, driver: EndpointDriver, endpoint: Endpoint) -> None:
        self._driver = driver
        self._seat = driver._seat
        self._routes = driver._routes
        self._endpoint = endpoint
        self._instances: dict[str, Any] = {}
        self._now = driver._clock.real()

    def changes(self) -> dict[str, Any]:
        return {"instances": self._instances} if self._instances else {}

    def go(self) -> Outcome | None:
        """An outcome, or ``None``: some model server is starting, ask again soon."""
        self._now = self._driver._clock.real()
        endpoint = self._endpoint
        try:
            serving = self._serving()
            self._routes.publish(endpoint, endpoint.serving)
            pending = self._pending()
            leaving = self._leaving()
        except Unfit as unfit:
            return self._unhealthy(str(unfit))
        except _GivenUp as given_up:
            return self._unhealthy(str(given_up))
        if self._instances:
            return Wait(0.0, self.changes())  # durable first, then on
        if endpoint.pending is not None and pending:
            return self._healthy(endpoint.pending)
        if not (serving and pending):
            return None
        return Wait(0.2 if leaving else SETTLED_LOOK_SECONDS)

    # -- groups of instances -----------------------------------------------------------------------------

    def _serving(self) -> bool:
        """Whether every instance that serves answers; those that died are begun anew, for ever."""
        fleet = self._endpoint.serving
        states = [self._keep(self._endpoint.instances[id]) for id in fleet.instances] if fleet else []
        return all(states)

    def _pending(self) -> bool:
        """Whether every instance of the new fleet answers (those that serve already included)."""
        fleet = self._endpoint.pending
        if fleet is None:
            return True
        kept = set(self._endpoint.serving.instances) if self._endpoint.serving else set()
        new = [self._endpoint.instances[id] for id in fleet.instances if id not in kept]
        for instance in new:
            self._seat.prepare(instance)
        states = [self._bring(instance) for instance in new]
        return all(states)

    def _leaving(self) -> bool:
        """Whether some instance is still on its way out."""
        found = False
        for instance in self._endpoint.instances.values():
            if instance.leaving_at is None:
                continue
            found = True
            waited = self._now - instance.leaving_at
            busy = self._routes.outstanding(instance) > 0
            if waited < LEAVING_SECONDS_MIN or (busy and waited < LEAVING_SECONDS_MAX):
                continue
            if self._seat.stop(instance):
                self._driver._forget(instance)
                self._instances[instance.id] = None
        return found

    # -- one instance ------------------------------------------------------------------------------------

    def _keep(self, instance: Instance) -> bool:
        observed = self._seat.observe(instance)
        if isinstance(observed, Running):
            if self._routes.is_answering(instance):
                return True
            if self._answers(instance):
                return True
            late = self._now - observed.started_at > self._startup_seconds(instance)
            if late or self._seat.is_deaf(instance):
                self._seat.stop(instance)
            return False
        self._routes.silent(instance)
        if observed is None:
            self._start(instance)
            return False
        self._again(instance, self._back_off(instance.failures - 1) if instance.failures else 0.0)
        return False

    def _bring(self, instance: Instance) -> bool:
        observed = self._seat.observe(instance)
        late = instance.first_at is not None and self._now - instance.first_at > self._startup_seconds(instance)
        if late and not self._routes.is_answering(instance):
            raise _GivenUp(instance)
        if isinstance(observed, Running):
            return self._routes.is_answering(instance) or self._answers(instance)
        self._routes.silent(instance)
        if observed is None:
            self._start(instance)
            if instance.first_at is None:
                self._instances[instance.id] = {"first_at": self._now}
            return False
        if instance.failures + 1 >= STARTS_MAX:
            raise _GivenUp(instance)
        self._again(instance, self._back_off(instance.failures))
        return False

    def _answers(self, instance: Instance) -> bool:
        if not self._seat.answers(instance):
            return False
        self._routes.answering(instance)
        if instance.failures:
            self._instances[instance.id] = {"failures": 0}
        return True

    def _start(self, instance: Instance) -> None:
        if self._now >= instance.retry_at:
            self._seat.prepare(instance)
            self._seat.start(self._endpoint, instance)

    def _again(self, instance: Instance, delay: float) -> None:
        """Its process ended: the next attempt gets a number, and a process once that is durable."""
        log.warning("the model server %s of endpoint %s ended", instance.process, self._endpoint.name)
        self._seat.forget_attempt(instance)
        self._instances[instance.id] = {
            "attempt": instance.attempt + 1,
            "failures": instance.failures + 1,
            "retry_at": self._now + delay,
        }

    def _back_off(self, failures: int) -> float:
        return min(0.2 * 2.0 ** min(failures, 10), BACK_OFF_SECONDS_MAX)

    def _startup_seconds(self, instance: Instance) -> float:
        return instance.plan.startup_seconds or self._driver._startup_seconds

    # -- how it ends -------------------------------------------------------------------------------------

    def _healthy(self, pending: Fleet) -> Event:
        """The new fleet serves from here on; what it does not keep of the old one leaves."""
        endpoint = self._endpoint
        self._routes.publish(endpoint, pending)
        leaving = set(endpoint.serving.instances if endpoint.serving else ()) - set(pending.instances)
        changes = {
            "serving": pending.document(),
            "pending": None,
            "instances": {id: {"leaving_at": self._now} for id in leaving},
        }
        return Event(machine.HEALTHY, changes)

    def _unhealthy(self, reason: str) -> Event:
        """The new fleet is taken back. Without an old one the endpoint has failed."""
        endpoint = self._endpoint
        kept = set(endpoint.serving.instances) if endpoint.serving else set()
        leaving = [id for id in endpoint.instances if id not in kept]
        changes = {"pending": None, "instances": {id: {"leaving_at": self._now} for id in leaving}}
        return Event(machine.UNHEALTHY, changes, reason[:REASON_CHARACTERS_MAX])


class _GivenUp(Exception):
    def __init__(self, instance: Instance) -> None:
        # aws/amazon-sagemaker-examples#210, #3062
        super().__init__(
            f"The primary container for production variant {instance.plan.name} did not pass the ping health check. "
            "Please check CloudWatch logs for this endpoint."
        )
