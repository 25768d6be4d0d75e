"""One look at every instance of an endpoint: those that serve are kept up, those that are to serve are brought up,
those that are leaving are ended when they have finished.

The order within a step is always the same: what is to be is made durable first (an attempt's number, a fleet's
instances), then it is done under that name. So a crash leaves nothing that the document does not know, and doing
it again finds what was done before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from cloche.compute.runtime import Running
from cloche.engines.hosting import machine
from cloche.engines.hosting.document import Endpoint, Fleet, Instance
from cloche.engines.hosting.instances import Seat
from cloche.engines.hosting.invocation import STREAM_SECONDS
from cloche.engines.hosting.rollout import parts_of, whole
from cloche.engines.hosting.routes import Routes
from cloche.engines.hosting.shifting import REASON_CHARACTERS_MAX, Facts, arrive, give_up, next_step, turn_round
from cloche.foundation.clock import Clock
from cloche.lifecycle.machine import Event, Outcome, Wait
from cloche.serving.laying_out import Unfit

log = logging.getLogger(__name__)

STARTS_MAX: Final = 3
"""Model servers that end by themselves this often before their first good ping are given up on."""
SETTLED_LOOK_SECONDS: Final = 60.0
LEAVING_SECONDS_MIN: Final = 1.0
LEAVING_SECONDS_MAX: Final = STREAM_SECONDS + 5.0
"""An instance off the route has this long to finish: a request may take 60 seconds, a stream eight minutes."""
BACK_OFF_SECONDS_MAX: Final = 30.0

AlarmStates = Callable[[str, str, Sequence[str]], Mapping[str, str]]
"""States (``OK``, ``ALARM``, ``INSUFFICIENT_DATA``) of an account's CloudWatch alarms in a region, by their names; one
that is not there is missing."""


class Round:
    """One look at every instance of an endpoint; ``go`` is called until there is something to say."""

    def __init__(
        self,
        endpoint: Endpoint,
        seat: Seat,
        routes: Routes,
        clock: Clock,
        alarm_states: AlarmStates,
        startup_seconds: float,
    ) -> None:
        self._endpoint = endpoint
        self._seat = seat
        self._routes = routes
        self._clock = clock
        self._alarm_states = alarm_states
        self._default_startup_seconds = startup_seconds
        self._instances: dict[str, Any] = {}
        pending, rollout = endpoint.pending, endpoint.rollout
        shared = pending.first(rollout.on or {}).instances if pending and rollout else []
        self._shared = {id for id in shared if id in endpoint.instances}
        """New instances that get requests already."""
        self._now = clock.real()
        """The machine's time: processes go on while Cloche's clock is turned."""

    def changes(self) -> dict[str, Any]:
        return {"instances": self._instances} if self._instances else {}

    def go(self) -> Outcome | None:
        """An outcome, or ``None``: some model server is starting, ask again soon."""
        self._now = self._clock.real()
        endpoint = self._endpoint
        try:
            serving = self._serving()
            self._routes.publish(endpoint, parts_of(endpoint))
            pending = self._pending()
            leaving = self._leaving()
        except Unfit as unfit:
            return self._unhealthy(str(unfit))
        except _GivenUp as given_up:
            return self._unhealthy(str(given_up))
        if self._instances:
            return Wait(0.0, self.changes())  # durable first, then on
        if endpoint.rollout is not None:
            return next_step(endpoint, self._facts(serving, pending, leaving))
        if endpoint.pending is not None and pending:
            self._routes.publish(endpoint, whole(endpoint.pending))
            return arrive(endpoint, endpoint.pending, self._now)
        if not (serving and pending):
            return None
        return Wait(0.2 if leaving else SETTLED_LOOK_SECONDS)

    def _facts(self, old_ready: bool, new_ready: bool, leaving: bool) -> Facts:
        endpoint, rollout = self._endpoint, self._endpoint.rollout
        watched = rollout is not None and rollout.is_shared and not rollout.is_back
        alarms = rollout.policy.alarms if rollout is not None and watched else ()
        states = self._alarm_states(endpoint.account, endpoint.region, alarms) if alarms else {}
        return Facts(self._clock.time(), self._now, new_ready, old_ready, leaving, states)

    # -- groups of instances -----------------------------------------------------------------------------

    def _serving(self) -> bool:
        """Whether every instance that serves answers; those that died are begun anew, for ever. On the way back from
        an update: whether those that were started for it do."""
        fleet, rollout = self._endpoint.serving, self._endpoint.rollout
        restored = set(rollout.restored) if rollout is not None else set()
        ready = True
        for instance in self._there(fleet):
            answers = self._bring(instance) if instance.id in restored else self._keep(instance)
            ready = ready and (answers or (rollout is not None and instance.id not in restored))
        for id in self._shared:  # that they answer is to be known before the route is made
            shared = self._endpoint.instances[id]
            if isinstance(self._seat.observe(shared), Running) and not self._routes.is_answering(shared):
                self._answers(shared)
        return ready

    def _pending(self) -> bool:
        """Whether every instance of the new fleet that is to be up answers (those that serve already included)."""
        fleet, rollout = self._endpoint.pending, self._endpoint.rollout
        if fleet is None:
            return True
        if rollout is not None and rollout.is_back:
            for instance in self._there(fleet.first(rollout.on or {})):
                self._keep(instance)
            return True
        kept = set(self._endpoint.serving.instances) if self._endpoint.serving else set()
        wanted = fleet if rollout is None else fleet.first(rollout.stage.new)
        new = [instance for instance in self._there(wanted) if instance.id not in kept]
        for instance in new:
            self._seat.prepare(instance)
        states = [self._bring(instance) for instance in new]
        return all(states)

    def _there(self, fleet: Fleet | None) -> list[Instance]:
        """The fleet's instances that are not on their way out."""
        found = [self._endpoint.instances.get(id) for id in fleet.instances] if fleet else []
        return [instance for instance in found if instance is not None and instance.leaving_at is None]

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
                self._routes.forget(instance)
                self._seat.remove(instance)
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
        if isinstance(observed, Running):
            if self._routes.is_answering(instance) or self._answers(instance):
                return True
            seconds = self._startup_seconds(instance)
            if instance.first_at is not None and self._now - instance.first_at > seconds:
                self._seat.logbook.tell(instance, f"The container passed no health check within {seconds:g} seconds.")
                raise _GivenUp(instance)
            return False
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
        self._seat.forget_attempt(instance, is_unhealthy=True)
        again: dict[str, Any] = {"attempt": instance.attempt + 1, "failures": instance.failures + 1}
        again["retry_at"] = self._now + delay
        if instance.id in self._shared:
            again["first_at"] = None  # it has answered: its time counts anew
        self._instances[instance.id] = again

    def _back_off(self, failures: int) -> float:
        return min(0.2 * 2.0 ** min(failures, 10), BACK_OFF_SECONDS_MAX)

    def _startup_seconds(self, instance: Instance) -> float:
        return instance.plan.startup_seconds or self._default_startup_seconds

    # -- how it ends -------------------------------------------------------------------------------------

    def _unhealthy(self, reason: str) -> Event:
        """The new fleet is taken back. Without an old one the endpoint has failed."""
        endpoint, rollout = self._endpoint, self._endpoint.rollout
        if rollout is not None and rollout.is_back:
            answering = {each.id for each in self._there(endpoint.serving) if self._routes.is_answering(each)}
            return give_up(endpoint, answering, reason, self._now)
        if rollout is not None:
            return turn_round(endpoint, reason, self._clock.time(), self._now)
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
