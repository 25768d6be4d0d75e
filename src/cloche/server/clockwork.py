"""Cloche's clock: where its setting is kept, who takes part when it is turned, and the routes that turn it.

GET  /_cloche/clock                       where it stands, where it is going, what it waits for
POST /_cloche/clock   {"do": "freeze"} · {"do": "resume"} · {"do": "advance", "to": SECONDS} · {"do": "stop"}

An advance is begun when its answer comes; ``stop`` ends it at the moment it has reached. Times are seconds since 1970.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import orjson

from cloche.aws.http import HttpRequest
from cloche.foundation.agenda import Agenda
from cloche.foundation.clock import Setting, TurnableClock
from cloche.foundation.errors import Invalid
from cloche.server.directory import Layout, write_private
from cloche.server.own_routes import OneRoute, members_of

if TYPE_CHECKING:
    from cloche.server.housekeeping import Housekeeping
    from cloche.services.parts import Parts

CLOCK: Final = "/_cloche/clock"


def clock_of(layout: Layout) -> TurnableClock:
    """The clock of a data directory, as it was left."""

    def keep(setting: Setting) -> None:
        kept = {"ahead_seconds": setting.ahead_seconds, "stands_at": setting.stands_at}
        write_private(layout.clock, orjson.dumps(kept).decode())

    try:
        kept: dict[str, Any] = orjson.loads(layout.clock.read_bytes())
    except FileNotFoundError:
        return TurnableClock(keep=keep)
    return TurnableClock(Setting(kept["ahead_seconds"], kept["stands_at"]), keep)


def enter(parts: Parts, housekeeping: Housekeeping) -> None:
    """Who takes part. What falls due at the same moment is done in this order."""
    agenda, reconciler, functions = parts.agenda, parts.reconciler, parts.functions
    parts.clock.when_turned(parts.queues.waiting.wake_all)
    parts.metric_filters.when_due = agenda.poke
    agenda.add("metric filters", parts.metric_filters.next_at, parts.metric_filters.write_defaults)
    parts.events.join(agenda)
    agenda.add("monitoring schedules", parts.monitoring.next_at, parts.monitoring.run)
    parts.alarms.poke = agenda.poke
    agenda.add("alarms", parts.alarms.next_at, parts.alarms.run)
    parts.autoscaling.poke = agenda.poke
    agenda.add("scaling", parts.autoscaling.next_at, parts.autoscaling.run)
    parts.image_registry.join(agenda)
    agenda.watch("changes of records", lambda: None, lambda: None, parts.changes.is_behind)
    agenda.watch("jobs and other long-running things", reconciler.next_at, reconciler.look, reconciler.is_at_work)
    subscriptions = parts.log_subscriptions
    agenda.watch("log subscriptions", subscriptions.next_at, subscriptions.wake, subscriptions.busy)
    agenda.watch("topics", parts.topics.owed.next_at, parts.topics.owed.wake, parts.topics.owed.busy)
    agenda.watch("functions", functions.next_at, functions.events.hint, functions.is_at_work)
    captures = parts.hosting.captures
    agenda.watch("data capture", lambda: None, captures.moved, captures.is_behind)
    agenda.watch("housekeeping", housekeeping.next_at, housekeeping.wake, lambda: False)
    agenda.before_moving(functions.flush)
    agenda.before_moving(parts.hosting.flush)
    agenda.before_moving(parts.metrics.flush)


class ClockRoutes(OneRoute):
    path = CLOCK
    methods = ("GET", "POST")

    def __init__(self, agenda: Agenda, token: str) -> None:
        super().__init__(token)
        self._agenda = agenda

    def work(self, request: HttpRequest) -> object:
        if request.method == "POST":
            self._do(members_of(request.body))
        standing = self._agenda.standing()
        return {
            "now": standing.now,
            "frozen": standing.frozen,
            "advancing_to": standing.advancing_to,
            "waits_for": standing.waits_for,
        }

    def _do(self, given: dict[str, Any]) -> None:
        match given.get("do"):
            case "freeze":
                self._agenda.freeze()
            case "resume":
                self._agenda.resume()
            case "stop":
                self._agenda.give_up()
            case "advance":
                self._agenda.advance(self._moment(given.get("to")))
            case other:
                raise Invalid(f"do is freeze, resume, advance or stop, not {other!r}", field="do")

    def _moment(self, to: Any) -> float:
        if not isinstance(to, int | float) or isinstance(to, bool) or not math.isfinite(to):
            raise Invalid("to is no number of seconds since 1970", field="to")
        return float(to)
