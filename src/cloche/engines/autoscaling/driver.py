"""What a scaling activity does: its service is asked for a capacity, and waited for until that is there.

Asking again after a crash asks for the same number; if the resource has been given it already, it is not asked again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Final

from cloche.engines.autoscaling import activities, machine, words
from cloche.engines.autoscaling.dimensions import Dimension
from cloche.engines.autoscaling.ports import Capacity, Resources
from cloche.foundation.api import Refused
from cloche.foundation.clock import Clock
from cloche.foundation.ids import request_id
from cloche.lifecycle import rows
from cloche.lifecycle.machine import Event, Item, Lifecycle, Outcome, Wait
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database

LOOK_SECONDS: Final = 1.0
"""Of the machine's time, if nobody wakes it: whoever changes a resource's record does."""
MINUTE: Final = 60.0
"""Of Cloche's time: a resource may be waiting for that, as an update does that is watched for an hour, and time that is
made to pass must not wait for the activity meanwhile."""

Reached = Callable[[sqlite3.Connection, Item], None]


class ActivityDriver:
    """``ended``: told in the transaction in which an activity ends."""

    def __init__(self, database: Database, clock: Clock, resources: Resources, ended: Reached) -> None:
        self._database, self._clock, self._resources, self._ended = database, clock, resources, ended

    @property
    def lifecycle(self) -> Lifecycle:
        return machine.ACTIVITY

    def entered(self, tx: sqlite3.Connection, item: Item) -> None:
        if item.state == machine.PENDING:
            return
        what, capacity = _dimension(item).words, item.data["to"]
        if item.state == machine.IN_PROGRESS:
            activities.tell(tx, item.id, item.state, words.waiting(what, capacity), None)
            return
        said = {
            machine.SUCCESSFUL: words.fulfilled(what, capacity),
            machine.OVERRIDDEN: words.overridden(what, capacity),
            machine.UNFULFILLED: words.unfulfilled(what, capacity, item.message),
            machine.FAILED: words.failed(what, capacity, item.message),
        }
        activities.tell(tx, item.id, item.state, said[item.state], item.entered_at)
        self._ended(tx, item)
        rows.forget(tx, item.id)

    def work(self, item: Item) -> Outcome:
        capacity = self._capacity(item)
        if capacity is None:
            return Event(machine.REFUSED, message=f"{item.data['resource_id']} is not there any more.")
        if item.state == machine.IN_PROGRESS:
            return self._progress(item, capacity)
        return self._ask(item, capacity)

    def _ask(self, item: Item, capacity: Capacity) -> Outcome:
        if records.find_arn(self._database.reader, item.data["target"]) is None:
            return Event(machine.SUPERSEDED)  # it was deregistered meanwhile
        if capacity.desired == item.data["to"]:
            return Event(machine.ASKED)
        if not capacity.is_scalable:
            return self._later()
        data = item.data
        try:
            self._resources.scale(data["account"], data["region"], data["role"], _dimension(item), data["to"])
        except Refused as error:
            now = self._capacity(item)
            if now is not None and not now.is_scalable:
                return self._later()  # somebody else was quicker; the time of this comes after
            return Event(machine.REFUSED, message=words.refused(error.code, str(error), request_id()))
        return Event(machine.ASKED)

    def _progress(self, item: Item, capacity: Capacity) -> Outcome:
        if capacity.is_active and capacity.current == capacity.desired == item.data["to"]:
            return Event(machine.REACHED)
        if capacity.is_active and not capacity.is_scalable:
            return self._later()
        return Event(machine.MISSED, message=capacity.failure or f"The capacity is {capacity.current}.")

    def _later(self) -> Wait:
        return Wait(LOOK_SECONDS, until=self._clock.time() + MINUTE)

    def _capacity(self, item: Item) -> Capacity | None:
        data = item.data
        return self._resources.read(self._database.reader, data["account"], data["region"], _dimension(item))


def _dimension(item: Item) -> Dimension:
    return Dimension(item.data["dimension"], item.data["resource_id"])
