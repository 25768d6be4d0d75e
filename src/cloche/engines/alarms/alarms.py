"""``Alarms``: what the service puts and asks, and what the agenda runs."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final

from cloche.engines.alarms import rows, windows
from cloche.engines.alarms.schema import KIND
from cloche.engines.alarms.watching import Watch, Watches
from cloche.foundation.clock import Clock
from cloche.foundation.errors import Invalid, NotSupported
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.records import Record
from cloche.storage.metrics import MetricStore

if TYPE_CHECKING:
    from cloche.engines.alarms.detectors import Detectors
    from cloche.engines.alarms.evaluating import Expressions, Outcome
    from cloche.engines.alarms.judging import Point
    from cloche.engines.alarms.plan import Compute, Metric
    from cloche.engines.alarms.states import States

log = logging.getLogger(__name__)

AT_ONCE: Final = 100
"""Changes of state in a transaction: others write in between."""


class Alarms:
    """What it evaluates and writes with is imported, and made by ``states`` and ``expressions``, when there is a first
    alarm: a server without alarms does without. ``statistic`` gives what a statistic's name computes."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        metrics: MetricStore,
        states: Callable[[], States],
        statistic: Callable[[str], Compute],
        expressions: Callable[[Detectors], Expressions],
    ) -> None:
        self._database, self._clock, self._metrics = database, clock, metrics
        self._make_states, self._statistic, self._make_expressions = states, statistic, expressions
        self._watches = Watches()
        self._load_lock = threading.Lock()
        self._is_loaded = False
        self._last_run = 0.0
        self.poke: Callable[[], None] = lambda: None
        """Called when something has come due earlier than was known."""
        metrics.on_written(self._written)

    @cached_property
    def detectors(self) -> Detectors:
        from cloche.engines.alarms.detectors import Detectors

        return Detectors(self._database, self._metrics)

    @cached_property
    def _states(self) -> States:
        return self._make_states()

    @cached_property
    def _expressions(self) -> Expressions:
        return self._make_expressions(self.detectors)

    # -- what the service does, in its transaction -----------------------------------------------------------

    def put(
        self, tx: sqlite3.Connection, account: str, region: str, name: str, request: dict[str, Any], now: float
    ) -> Record:
        """Create it, or give it another configuration; its state stays then."""
        from cloche.engines.alarms import rule as rules
        from cloche.engines.alarms.judging import INSUFFICIENT_DATA
        from cloche.engines.alarms.reasons import INITIAL

        arn = rows.arn_of(account, region, name)
        before = rows.find(tx, arn)
        if before is None:
            made = records.insert(
                tx, account=account, region=region, kind=KIND, name=name, arn=arn, at=now, request=request
            )
            state: dict[str, Any] = {"reason": INITIAL, "reason_data": None, "updated": now, "transitioned": now}
            records.set_status(tx, arn, INSUFFICIENT_DATA, state=state)
            record = replace(made, status=INSUFFICIENT_DATA, state=state)
        else:
            records.replace_request(tx, arn, request, now)
            record = replace(before, request=request, modified_at=round(now, 3))
            if before.request.get("ActionsSuppressor") != request.get("ActionsSuppressor"):
                record = self._states.forget_suppression(tx, record)
        composite = "AlarmRule" in request
        if composite:
            named = rules.children(rules.read(request["AlarmRule"]))
            suppressor = request.get("ActionsSuppressor")
            rows.link(
                tx,
                arn,
                [rows.arn_meant(account, region, child) for child in named],
                None if suppressor is None else rows.arn_meant(account, region, suppressor),
            )
        self._configured(tx, record, "Create" if before is None else "Update", before, now)
        if before is not None:
            self._states.take_up(tx, record, before, now)
        if composite:
            record = self._states.evaluate_composite(tx, record, "created" if before is None else "updated", now)
        return record

    def remove(self, tx: sqlite3.Connection, record: Record, now: float) -> None:
        self._configured(tx, record, "Delete", None, now)
        rows.unlink(tx, record.arn)
        rows.set_timer(tx, record.arn, None)
        records.remove(tx, record.arn)

    def enable(self, tx: sqlite3.Connection, record: Record, enabled: bool, now: float) -> None:
        request = {**record.request, "ActionsEnabled": enabled}
        records.replace_request(tx, record.arn, request, now)
        changed = replace(record, request=request, modified_at=round(now, 3))
        self._configured(tx, changed, "Update", record, now)
        self._states.take_up(tx, changed, record, now)

    def set_state(
        self, tx: sqlite3.Connection, record: Record, value: str, reason: str, data: str | None, now: float
    ) -> None:
        """Until the next evaluation."""
        self._states.change(tx, record, value, reason, data, now)

    def changed(self, arns: Sequence[str]) -> None:
        """Alarms were put, set or removed, and that is on the disk."""
        self._load()
        now = self._clock.time()
        for arn in arns:
            record = rows.find(self._database.reader, arn)
            if record is None or "AlarmRule" in record.request:
                self._watches.forget(arn)
            else:
                watch = self._watch(record)
                self._watches.put(watch)
                self._watches.schedule(arn, windows.upwards(now, watch.plan.interval))
        self.poke()

    def forget(self, account: str) -> None:
        """All that was the account's has gone."""
        self._watches.forget_account(account)

    # -- what others ask -------------------------------------------------------------------------------------

    def states(self, account: str, region: str, names: Sequence[str]) -> Mapping[str, str]:
        """Of the alarms of those names that there are: ``OK``, ``ALARM`` or ``INSUFFICIENT_DATA``."""
        reader, found = self._database.reader, {}
        for name in names:
            record = rows.find(reader, rows.arn_of(account, region, name))
            if record is not None:
                found[name] = record.status
        return found

    def seen(self, arn: str) -> tuple[Record, Sequence[Point]] | None:
        """A metric alarm, and the data points that it looks at now, newest first; ``None`` where there is no such
        alarm. Outside of any transaction."""
        from cloche.engines.alarms.evaluating import points

        self._load()
        record, watch = rows.find(self._database.reader, arn), self._watches.get(arn)
        if record is None or watch is None:
            return None
        self._metrics.flush()
        try:
            now = self._clock.time()
            return record, points(self._metrics, self._expressions, record.account, record.region, watch.plan, now)
        except (Invalid, NotSupported):
            return record, ()

    def expire(self) -> None:
        """Remove what is too old of histories, in short transactions."""
        while self._database.write(lambda tx: rows.expire(tx, self._clock.time())):
            pass

    # -- the agenda ------------------------------------------------------------------------------------------

    def next_at(self) -> float | None:
        """When something is to be evaluated, or a suppression ends."""
        self._load()
        moments = [at for at in (self._watches.next_at(), rows.next_timer(self._database.reader)) if at is not None]
        return min(moments, default=None)

    def run(self, now: float) -> None:
        """Evaluate what is due. Done again it changes nothing: states are written only where they differ."""
        self._load()
        if now < self._last_run:
            self._watches.all_due(now)
        self._last_run = now
        first = self._watches.next_at()
        if first is not None and first <= now:
            self._metrics.flush()
            self._write(self._evaluate(self._watches.take_due(now), now), now)
        for arn in rows.timers_due(self._database.reader, now):
            self._end_suppression(arn, now)

    # -- inside ----------------------------------------------------------------------------------------------

    def _evaluate(self, due: Sequence[Watch], now: float) -> list[tuple[Watch, Outcome]]:
        """Those that say something else than they did."""
        from cloche.engines.alarms.evaluating import evaluate

        moved: list[tuple[Watch, Outcome]] = []
        for watch in due:
            try:
                outcome = evaluate(
                    self._metrics, self._expressions, watch.account, watch.region, watch.plan, watch.state, now
                )
            except Exception:
                log.exception("%s could not be evaluated", watch.arn)
                self._watches.schedule(watch.arn, int(now) + watch.plan.interval)
                continue
            if outcome.next_at is not None:
                self._watches.schedule(watch.arn, outcome.next_at)
            is_other = outcome.state is not None and outcome.state != watch.state
            if is_other or outcome.evaluation != watch.evaluation:
                moved.append((watch, outcome))
        return moved

    def _write(self, moved: Sequence[tuple[Watch, Outcome]], now: float) -> None:
        """What could not be written is due again."""
        for first in range(0, len(moved), AT_ONCE):
            some = moved[first : first + AT_ONCE]
            try:
                self._database.write(partial(self._apply, moved=some, now=now))
            except BaseException:
                for watch, _ in moved[first:]:
                    self._watches.schedule(watch.arn, int(now))
                raise
            for watch, outcome in some:
                watch.state, watch.evaluation = outcome.state or watch.state, outcome.evaluation

    def _end_suppression(self, arn: str, now: float) -> None:
        self._database.write(lambda tx: self._states.release(tx, arn, now))

    def _apply(self, tx: sqlite3.Connection, moved: Sequence[tuple[Watch, Outcome]], now: float) -> None:
        for watch, outcome in moved:
            record = rows.find(tx, watch.arn)
            if record is None or record.modified_at != watch.configured_at:
                continue  # it was put anew meanwhile, and is due again
            held = record.state
            if outcome.state is None:
                told = (record.status, held["reason"], held["reason_data"])
            else:
                told = (outcome.state, outcome.reason, outcome.data)
            if told[0] != record.status or outcome.evaluation != held.get("evaluation"):
                self._states.change(tx, record, *told, now, evaluation=outcome.evaluation)

    def _configured(self, tx: sqlite3.Connection, record: Record, kind: str, before: Record | None, now: float) -> None:
        from cloche.engines.alarms import messages

        summary = f'Alarm "{record.name}" {kind.lower()}d'
        rows.write_item(tx, record, rows.CONFIGURATION, now, summary, messages.configuration_history(record, kind))
        detail = messages.configuration_detail(record, kind.lower(), before)
        self._states.tell(tx, record, messages.CONFIGURATION_CHANGE, detail)

    def _written(self, account: str, region: str, metric: Metric, at: float) -> None:
        if self._watches.is_empty:
            return
        namespace, name, dimensions = metric
        series = (account, region, (namespace, name, tuple(sorted(dimensions))))
        if self._watches.written(series, at, self._clock.time()):
            self.poke()

    def _watch(self, record: Record) -> Watch:
        from cloche.engines.alarms import plan

        read = plan.read(record.request, self._statistic)
        evaluation = record.state.get("evaluation")
        return Watch(record.arn, record.account, record.region, record.modified_at, record.status, evaluation, read)

    def _load(self) -> None:
        """From the disk, once: on the agenda's thread, as a rule, after the start."""
        if not self._is_loaded:
            with self._load_lock:
                self._load_once()

    def _load_once(self) -> None:
        if self._is_loaded:
            return
        for record in rows.every(self._database.reader):
            if "AlarmRule" not in record.request:
                self._watches.put(self._watch(record))
        self._watches.all_due(self._clock.time())
        self._is_loaded = True
