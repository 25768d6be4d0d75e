"""Claims what is due, has its driver work on it outside any transaction, applies what came of it.

One thread looks for due rows, a bounded pool works. What is to be looked at now (``wake``, and a state that was
entered, once that is on the disk) goes to the pool at once: the thread need not look for it, and is only woken where
something falls due sooner than it had thought. A lease is extended while its work goes on; what a worker answers after
its lease was lost is thrown away.

An event is always looked up against the state the row is in *now*: when a stop was asked for while a download
ran, ``ChannelsReady`` means nothing any more and the row's new state is worked on instead.
"""

from __future__ import annotations

import itertools
import logging
import math
import secrets
import sqlite3
import threading
import time
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from cloche.foundation.bus import Bus, LifecycleChanged
from cloche.foundation.clock import Clock
from cloche.foundation.errors import Conflict, NotFound
from cloche.lifecycle import rows
from cloche.lifecycle.machine import BROKEN, Driver, Event, Item, Outcome, Wait
from cloche.storage.metadata.database import Database

log = logging.getLogger(__name__)

LEASE_SECONDS: Final = 60.0
LOOK_SECONDS_MAX: Final = 5.0
WORKERS: Final = 16
ATTEMPTS_MAX: Final = 5
BACK_OFF_SECONDS: Final = 0.2


class _Retry(Wait):
    """A wait that counts as a failed attempt."""


class Reconciler:
    def __init__(self, database: Database, clock: Clock, bus: Bus, *, workers: int = WORKERS) -> None:
        self._database = database
        self._clock = clock
        self._bus = bus
        self._drivers: dict[str, Driver] = {}
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="reconciler")
        self._condition = threading.Condition()
        self._hinted = False
        self._busy: dict[str, str] = {}
        """Worked on now, under which lease."""
        self._leases = itertools.count()
        self._mark = secrets.token_hex(8)
        self._again: set[str] = set()
        """Woken while worked on: to be looked at once more when that is done."""
        self._sleeps_until = -math.inf
        """When the thread looks again, by the machine's clock; in the past while it does not sleep."""
        self._is_running = False
        self._thread: threading.Thread | None = None

    def add(self, driver: Driver) -> None:
        """Take on a kind of thing. Before ``start``."""
        self._drivers[driver.lifecycle.kind] = driver

    # -- what engines call -------------------------------------------------------------------------------

    def submit(self, tx: sqlite3.Connection, kind: str, id: str, data: Mapping[str, Any], message: str = "") -> Item:
        """Begin a thing in its lifecycle's initial state, in the transaction that creates its record."""
        driver = self._drivers[kind]
        item = rows.insert(
            tx, kind, id, driver.lifecycle.initial, data, message, self._clock.time(), self._clock.real()
        )
        driver.entered(tx, item)
        self._after(tx, item, 0.0, None)
        return item

    def post(self, tx: sqlite3.Connection, id: str, event: Event) -> Item:
        """Tell a thing that something happened. Raises ``NotFound``, or ``Conflict`` where it cannot matter."""
        item = rows.read(tx, id)
        if item is None:
            raise NotFound(f"{id} is not there")
        moved = self._move(tx, item, event)
        if moved is None:
            raise Conflict(f"{event.name} cannot happen to {id} while it is {item.state}")
        return moved

    def forget(self, tx: sqlite3.Connection, id: str) -> None:
        """The thing is deleted: drop its row and its transitions."""
        rows.forget(tx, id)

    def wake(self, id: str) -> None:
        """Look at this thing now: its process ended, its file appeared. Cheap; from any thread. Before ``start``
        nothing: that looks at everything."""
        with self._condition:
            if id in self._busy:
                self._again.add(id)
            elif self._is_running:
                self._hand_out(id)

    def item(self, id: str) -> Item | None:
        return rows.read(self._database.reader, id)

    def items(self, kind: str, *, active_only: bool = False) -> list[Item]:
        return rows.of_kind(self._database.reader, kind, active_only=active_only)

    def active(self, *kinds: str) -> list[tuple[str, str, str]]:
        """(id, kind, state) of those that have not ended, oldest first. Quick: no document is read."""
        return rows.active(self._database.reader, *kinds)

    def transitions(self, id: str) -> list[rows.Transition]:
        return rows.transitions(self._database.reader, id)

    def is_current(self, item: Item) -> bool:
        """Whether the thing is still in the state ``item`` was taken in: long work asks, and gives up if not."""
        now = rows.read(self._database.reader, item.id)
        return now is not None and now.state == item.state

    def abandon(self, ids: Collection[str], seconds: float = 30.0) -> None:
        """Drop these things whatever they are at, and wait for the steps under way: nothing works on them after it.

        What they hold (processes, folders) is the caller's to end. Raises ``Conflict`` for a step that does not end.
        """

        def change(tx: sqlite3.Connection) -> None:
            for id in ids:
                rows.forget(tx, id)

        self._database.write(change)
        until = time.monotonic() + seconds
        while True:
            with self._condition:
                busy = [id for id in ids if id in self._busy]
            if not busy:
                return
            if time.monotonic() > until:
                raise Conflict(f"a step of {busy[0]} does not end")
            time.sleep(0.01)

    # -- what the agenda asks ----------------------------------------------------------------------------

    def next_at(self) -> float | None:
        """The earliest moment of Cloche's time that a thing waits for."""
        return rows.next_until(self._database.reader)

    def look(self) -> None:
        """The clock has moved: see who is due."""
        with self._condition:
            self._hinted = True
            self._condition.notify()

    def is_at_work(self) -> bool:
        """Whether a thing is worked on, or waits for work to be done: for a process, for a child, for its turn."""
        with self._condition:
            if self._busy or self._hinted:
                return True
        standing = {(kind, state) for kind, driver in self._drivers.items() for state in driver.lifecycle.standing}
        return any(found not in standing for found in rows.at_work(self._database.reader))

    # -- the loop ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Adopt whatever a former server left unfinished, and begin. The caller holds the data directory."""
        self._database.write(lambda tx: rows.release_all(tx, self._clock.real()))
        self._is_running = True
        self._thread = threading.Thread(target=self._run, name="reconciler", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish the steps under way and begin no other. Rows stay as they are; nothing is undone."""
        with self._condition:
            self._is_running = False
            self._condition.notify()
        if self._thread is not None:
            self._thread.join()
        self._pool.shutdown(wait=True)

    def _run(self) -> None:
        extended_at = self._clock.real()
        while True:
            with self._condition:
                if not self._hinted and self._is_running:
                    pause = self._pause_seconds()
                    self._sleeps_until = self._clock.real() + pause
                    self._condition.wait(pause)
                    self._sleeps_until = -math.inf
                if not self._is_running:
                    return
                self._hinted = False
            try:
                self._take()
                if self._clock.real() - extended_at > LEASE_SECONDS / 3:
                    self._extend()
                    extended_at = self._clock.real()
            except Exception:
                log.exception("the reconciler's look failed; it looks again")
                threading.Event().wait(BACK_OFF_SECONDS)

    def _pause_seconds(self) -> float:
        pause = LOOK_SECONDS_MAX
        reader, busy, real, now = self._database.reader, self._busy.keys(), self._clock.real(), self._clock.time()
        wake_at, until = rows.next_wake(reader, busy, real), rows.next_until(reader, busy, now)
        if wake_at is not None:
            pause = min(pause, wake_at - real)
        if until is not None:
            pause = min(pause, until - now)
        return max(pause, 0.001)

    def _take(self) -> None:
        for id in rows.due(self._database.reader, self._clock.real(), self._clock.time(), 2 * WORKERS):
            with self._condition:
                if id not in self._busy and self._is_running:
                    self._hand_out(id)

    def _hand_out(self, id: str) -> None:
        """To the pool. With ``_condition`` held."""
        self._pool.submit(self._handle, id, self._leased(id))

    def _leased(self, id: str) -> str:
        lease = self._busy[id] = f"{self._mark}{next(self._leases)}"
        return lease

    def _extend(self) -> None:
        with self._condition:
            leases = dict(self._busy)
        if leases:
            until = self._clock.real() + LEASE_SECONDS
            self._database.write(lambda tx: rows.extend(tx, leases, until))

    def _handle(self, id: str, lease: str) -> None:
        while lease:
            try:
                self._step(id, lease)
            except Exception:
                log.exception("a step of %s could not be kept; it is repeated when its lease ends", id)
            finally:
                lease = self._ended(id)

    def _ended(self, id: str) -> str:
        """The step is over; the lease of the next, if it was woken meanwhile."""
        with self._condition:
            del self._busy[id]
            is_wanted = id in self._again and self._is_running
            self._again.discard(id)
            return self._leased(id) if is_wanted else ""

    def _step(self, id: str, lease: str) -> None:
        now = self._clock.real()
        # Nobody waits for the claim: it is written before what comes of it, which counts only if it was there; of
        # work that is done at once, together with it.
        self._database.submit(lambda tx: rows.claim(tx, id, lease, now, now + LEASE_SECONDS), along=True)
        item = rows.read(self._database.reader, id)
        if item is not None and item.ended_at is None:
            outcome = self._work(item)
            self._database.write(lambda tx: self._apply(tx, item, lease, outcome))

    def _work(self, item: Item) -> Outcome | Exception:
        driver = self._drivers.get(item.kind)
        if driver is None:
            return RuntimeError(f"nothing here drives a {item.kind}")
        try:
            return driver.work(item)
        except Exception as error:
            log.exception("working on %s (%s) failed", item.id, item.state)
            return error

    def _apply(self, tx: sqlite3.Connection, claimed: Item, lease: str, outcome: Outcome | Exception) -> None:
        item = rows.held(tx, claimed.id, lease)
        if item is None:
            return
        if isinstance(outcome, Exception):
            outcome = self._after_failure(claimed, outcome)
        if item.ended_at is not None:
            rows.let_go(tx, item.id)
        elif isinstance(outcome, Event):
            if self._move(tx, item, outcome, lets_go=True) is None:
                rows.rest(tx, item.id, self._clock.real(), outcome.changes, 0)
                self._look_at(item.id, 0.0, None)
        else:
            self._rest(tx, claimed, item, outcome)

    def _after_failure(self, claimed: Item, failure: Exception) -> Outcome:
        if claimed.attempts + 1 < ATTEMPTS_MAX:
            return _Retry(BACK_OFF_SECONDS * 2**claimed.attempts)
        return Event(BROKEN, message=f"{type(failure).__name__}: {failure}")

    def _rest(self, tx: sqlite3.Connection, claimed: Item, item: Item, wait: Wait) -> None:
        pause, until = wait.seconds, wait.until
        if (item.state, item.entered_at) != (claimed.state, claimed.entered_at):
            pause, until = 0.0, None  # somebody posted an event meanwhile: the new state wants its own work
        wake_at = None if pause is None else self._clock.real() + pause
        attempts = claimed.attempts + 1 if isinstance(wait, _Retry) else 0
        rows.rest(tx, item.id, wake_at, wait.changes, attempts, until)
        self._look_at(item.id, pause, until)

    def _move(self, tx: sqlite3.Connection, item: Item, event: Event, *, lets_go: bool = False) -> Item | None:
        driver = self._drivers[item.kind]
        state = driver.lifecycle.next(item.state, event.name)
        if state is None:
            return None
        ends = state in driver.lifecycle.terminal
        until = None if ends else event.rest_until
        pause = None if ends or until is not None else event.rest_seconds
        wake_at = None if pause is None else self._clock.real() + pause
        now = self._clock.time()
        moved = rows.enter(
            tx,
            item.id,
            state,
            event.changes,
            event.message,
            now,
            wake_at=wake_at,
            until=until,
            ends=ends,
            lets_go=lets_go,
        )
        driver.entered(tx, moved)
        self._after(tx, moved, pause, until)
        return moved

    def _after(self, tx: sqlite3.Connection, item: Item, pause: float | None, until: float | None) -> None:
        self._look_at(item.id, pause, until)
        event = LifecycleChanged(item.entered_at, item.kind, item.id, item.state, item.message)
        self._database.after_commit(lambda: self._bus.tell(event))

    def _look_at(self, id: str, pause: float | None, until: float | None) -> None:
        """From inside a change: once it is on the disk, look at the thing after ``pause``, or at ``until``."""
        if pause is not None and pause <= 0.0:
            self._database.after_commit(lambda: self.wake(id))
        elif pause is not None or until is not None:
            self._database.after_commit(lambda: self._falls_due(pause, until))

    def _falls_due(self, pause: float | None, until: float | None) -> None:
        seconds = min(
            math.inf if pause is None else pause,
            math.inf if until is None else until - self._clock.time(),
        )
        with self._condition:
            if self._clock.real() + seconds < self._sleeps_until:
                self._hinted = True
                self._condition.notify()
