"""Rows of the steps that have begun: records, so that whoever follows changes of records sees them, too."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from cloche.engines.pipelines.definition import Step
from cloche.engines.pipelines.graph import ENDED
from cloche.engines.pipelines.schema import EXECUTION, STEP
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

STARTING, EXECUTING, STOPPING = "Starting", "Executing", "Stopping"
PROPERTIES: Final = "properties"
_AFTER_SLASH: Final = chr(ord("/") + 1)


@dataclass(slots=True)
class StepRow:
    """``state`` as the record publishes it, without the properties: those are read where they are asked for."""

    name: str
    status: str
    state: dict[str, Any] = field(default_factory=dict)
    is_new: bool = False

    @property
    def attempt(self) -> int:
        return int(self.state.get("attempt", 0))

    @property
    def child(self) -> str | None:
        """The ARN of what it made, if it has been made."""
        found: str | None = self.state.get("child")
        return found


def arn_of(execution: str, step: str) -> str:
    return f"{execution}/step/{step}"


def name_of(execution: str, step: str = "") -> str:
    """A record's name: what follows ``pipeline/``."""
    start = execution.partition(":pipeline/")[2]
    return f"{start}/step/{step}" if step else start


def rows_of(connection: sqlite3.Connection, account: str, region: str, execution: str) -> Iterator[Record]:
    """Of all steps of the execution that have begun."""
    start = name_of(execution) + "/step/"
    found = connection.execute(
        "SELECT * FROM records WHERE account = ? AND region = ? AND kind = ? AND name >= ? AND name < ?",
        (account, region, STEP, start, start[:-1] + _AFTER_SLASH),
    )
    for row in found:
        yield records.from_row(row)


def executions_of(
    connection: sqlite3.Connection, account: str, region: str, pipeline: str
) -> Iterator[tuple[str, str]]:
    """(ARN, status) of all executions of the pipeline of that name."""
    start = f"{pipeline}/execution/"
    found = connection.execute(
        "SELECT arn, status FROM records WHERE account = ? AND region = ? AND kind = ? AND name >= ? AND name < ?",
        (account, region, EXECUTION, start, start[:-1] + _AFTER_SLASH),
    )
    yield from ((row[0], row[1]) for row in found.fetchall())


def is_ended(connection: sqlite3.Connection, arn: str) -> bool:
    found = connection.execute("SELECT status FROM records WHERE arn = ?", (arn,)).fetchone()
    return found is None or found[0] in ENDED


def row_from(record: Record) -> StepRow:
    state = {key: value for key, value in record.state.items() if key != PROPERTIES}
    return StepRow(record.request["StepName"], record.status, state)


def save(
    tx: sqlite3.Connection,
    execution: Record,
    step: Step,
    row: StepRow,
    properties: dict[str, Any] | None,
    now: float,
) -> None:
    arn = arn_of(execution.arn, row.name)
    if row.is_new:
        request = {
            "StepName": row.name,
            "StepType": step.type,
            "StepDisplayName": step.display_name or None,
            "StepDescription": step.description or None,
            "PipelineArn": execution.request["PipelineArn"],
            "PipelineExecutionArn": execution.arn,
        }
        records.insert(
            tx,
            account=execution.account,
            region=execution.region,
            kind=STEP,
            name=name_of(execution.arn, row.name),
            arn=arn,
            at=row.state["started_at"],
            request={key: value for key, value in request.items() if value is not None},
        )
    elif is_ended(tx, arn):
        return  # answered or done by another hand, which has told whoever holds the row to read it anew
    state = row.state if properties is None else {**row.state, PROPERTIES: properties}
    records.set_status(tx, arn, row.status, now, state=state)
