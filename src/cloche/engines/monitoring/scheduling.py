"""Schedules: what a change of one means for its next execution, and the executions that fall due.

A schedule's row holds the moment (*slot*) of its next execution. When that has come, one transaction makes the
execution and moves the slot on, so that each execution happens once, whatever is killed when. Slots that went by while
nobody was there are made up for by one execution, that of the first of them: in its hour there was still traffic.
"""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import asdict, dataclass, replace

from cloche.engines.monitoring import alerts, rows
from cloche.engines.monitoring.definition import DATA_QUALITY, Definition, inline_definition, named_definition
from cloche.engines.monitoring.executing import execution_id, execution_of
from cloche.engines.monitoring.machine import FAILED, KIND, PENDING
from cloche.engines.monitoring.rows import ExecutionRow
from cloche.engines.monitoring.schema import DELAY_SECONDS
from cloche.engines.monitoring.times import Schedule, Window, parse_offset, parse_schedule, window_at
from cloche.foundation.clock import Clock
from cloche.lifecycle.reconciler import Reconciler
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

SCHEDULED, STOPPED = "Scheduled", "Stopped"


@dataclass(frozen=True, slots=True)
class Schedules:
    clock: Clock
    reconciler: Reconciler

    def add(self, tx: sqlite3.Connection, record: Record) -> None:
        """A schedule has been created, in this transaction."""
        alerts.create(tx, record.arn, record.account, self.clock.time())
        self._set(tx, record, SCHEDULED)

    def update(self, tx: sqlite3.Connection, record: Record) -> None:
        """``record`` holds the new request. One that is stopped stays so."""
        self._set(tx, record, record.status)

    def start(self, tx: sqlite3.Connection, record: Record) -> None:
        """Once more is no harm; one that runs once does so again."""
        if record.status != SCHEDULED:
            self._set(tx, record, SCHEDULED)

    def stop(self, tx: sqlite3.Connection, record: Record) -> None:
        """No more executions begin; those under way go on."""
        if record.status != STOPPED:
            self._set(tx, record, STOPPED)

    def delete(self, tx: sqlite3.Connection, record: Record) -> None:
        """Its executions, and what its alert was, stay."""
        rows.forget_schedule(tx, record.arn)

    def _set(self, tx: sqlite3.Connection, record: Record, status: str) -> None:
        now = self.clock.time()
        definition = find_definition(tx, record)
        schedule = schedule_of(record)
        slot = None
        if status == SCHEDULED:
            # One that runs now has no hour to wait for.
            slot = now - DELAY_SECONDS if schedule.is_once else schedule.next_slot(now)
        rows.set_slot(tx, record, slot)
        told = {"last": record.state.get("last"), "endpoint": None, "type": DATA_QUALITY}
        if definition is not None:
            told |= {"endpoint": definition.endpoint_name, "type": definition.type}
        records.set_status(tx, record.arn, status, now, state=told)

    def begin_due(self, tx: sqlite3.Connection, now: float) -> None:
        """Make the executions that are due at ``now``."""
        now = round(now, 3)  # as clients see it, who ask for what came after it
        for arn, slot in rows.due(tx, now - DELAY_SECONDS):
            record = records.find_arn(tx, arn)
            if record is None:
                rows.forget_schedule(tx, arn)
                continue
            schedule = schedule_of(record)
            self._begin(tx, record, schedule, now if schedule.is_once else slot, now)
            if schedule.is_once:
                record = records.find_arn(tx, arn)
                assert record is not None
                self._set(tx, record, STOPPED)
            else:
                rows.set_slot(tx, record, schedule.next_slot(max(slot, now - DELAY_SECONDS)))

    def _begin(self, tx: sqlite3.Connection, record: Record, schedule: Schedule, slot: float, now: float) -> None:
        token = hashlib.sha256(f"{record.arn} {record.id} {slot}".encode()).hexdigest()[:24]
        row = ExecutionRow(
            id=execution_id(record.arn, token),
            account=record.account,
            region=record.region,
            schedule=record.name,
            endpoint=record.state.get("endpoint"),
            definition=record.request["MonitoringScheduleConfig"].get("MonitoringJobDefinitionName"),
            type=record.state.get("type", DATA_QUALITY),
            scheduled_at=slot,
            created_at=now,
            modified_at=now,
            status=PENDING,
        )
        definition = find_definition(tx, record)
        if definition is None:
            lost = replace(row, status=FAILED, reason=f"The job definition {row.definition} has been deleted.")
            rows.add_execution(tx, lost)
            records.set_status(tx, record.arn, state={**record.state, "last": rows.summary(lost)})
            alerts.evaluate(tx, record, now)
            return
        data = {
            "schedule": record.arn,
            "record": record.id,
            "account": record.account,
            "region": record.region,
            "name": record.name,
            "token": token,
            "window": asdict(planned_window(record, schedule, definition, slot)),
            "definition": definition.to_data(),
        }
        output = execution_of(data).output
        rows.add_execution(tx, replace(row, endpoint=definition.endpoint_name, output=output))
        self.reconciler.submit(tx, KIND, row.id, data)


def find_definition(connection: sqlite3.Connection, record: Record) -> Definition | None:
    config = record.request["MonitoringScheduleConfig"]
    if "MonitoringJobDefinition" in config:
        return inline_definition(config["MonitoringJobDefinition"])
    type, name = config["MonitoringType"], config["MonitoringJobDefinitionName"]
    found = records.find(connection, record.account, record.region, f"sagemaker/{type}JobDefinition", name)
    return None if found is None else named_definition(type, name, found.request)


def schedule_of(record: Record) -> Schedule:
    """A schedule without an expression runs once a day; AWS "will pick a time", and here that is midnight, UTC."""
    config = record.request["MonitoringScheduleConfig"].get("ScheduleConfig")
    return Schedule((0,)) if config is None else parse_schedule(config["ScheduleExpression"])


def planned_window(record: Record, schedule: Schedule, definition: Definition, slot: float) -> Window:
    """Offsets of the schedule, else of the definition's input. Raises ``Invalid``."""
    config = record.request["MonitoringScheduleConfig"].get("ScheduleConfig") or {}
    source = definition.source
    offsets: dict[str, float] = {}
    for name, mine, theirs in (
        ("start", "DataAnalysisStartTime", "StartTimeOffset"),
        ("end", "DataAnalysisEndTime", "EndTimeOffset"),
    ):
        member, given = (mine, config[mine]) if config.get(mine) else (theirs, source.get(theirs))
        if given:
            offsets[name] = parse_offset(given, member)
    return window_at(schedule, slot, **offsets)
