"""An execution while it is worked on: what it was started with, its graph, its steps' rows, and what is to be kept."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final

from cloche.engines.pipelines import kinds, steprows
from cloche.engines.pipelines.definition import Step
from cloche.engines.pipelines.graph import ENDED, FAILED, STOPPED, SUCCEEDED, Graph
from cloche.engines.pipelines.steprows import StepRow
from cloche.foundation.api import Behalf
from cloche.storage.metadata.records import Record

Write = Callable[[sqlite3.Connection], None]
REASON_CHARACTERS_MAX: Final = 1024
"""Of a step's FailureReason, by the model."""


@dataclass
class Run:
    record: Record
    graph: Graph
    rows: dict[str, StepRow]
    attempts: dict[str, int]
    """Of steps that ``RetryPipelineExecution`` runs again: the number of the next attempt."""
    writes: list[Write] = field(default_factory=list)
    """To be done in the next transaction."""
    on_their_way: list[Future[None]] = field(default_factory=list)
    """Transactions that were not waited for yet."""
    statuses: dict[str, str] = field(init=False)
    taken: dict[str, bool] = field(init=False)
    is_blocked: bool = field(init=False, default=False)
    """A step has ended in a way that nobody waits for: no other begins."""
    has_unwritten_ends: bool = False
    """Some of ``writes`` are ends of steps that leave no other trace, and others follow from them."""
    tracked: dict[str, str] | None = None
    """The ``ExperimentConfig`` of what it makes, once experiment and trial are there."""
    has_asked_tracking: bool = False

    open: dict[str, StepRow] = field(init=False)
    """Of steps that have begun and not ended."""

    def __post_init__(self) -> None:
        self.open = {name: row for name, row in self.rows.items() if row.status not in ENDED}
        self.statuses = {name: row.status for name, row in self.rows.items()}
        self.taken = {name: row.state["outcome"] for name, row in self.rows.items() if "outcome" in row.state}
        for name, row in self.rows.items():
            self._note_end(name, row.status)
        selected = self.record.request.get("SelectiveExecutionConfig")
        names = [each["StepName"] for each in selected["SelectedSteps"]] if selected else list(self.graph.order)
        self.chosen = frozenset(names)

    @property
    def arn(self) -> str:
        return self.record.arn

    @property
    def id(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def behalf(self) -> Behalf:
        """The session's name: as in an AccessDenied of a real execution, which has the step's name behind it."""
        return Behalf(
            self.record.account, self.record.region, self.record.request["RoleArn"], f"sagemaker-pipeline-{self.id}"
        )

    @property
    def parallel_max(self) -> int | None:
        config = self.record.request.get("ParallelismConfiguration") or {}
        found: int | None = config.get("MaxParallelExecutionSteps")
        return found

    @property
    def active(self) -> list[StepRow]:
        return list(self.open.values())

    def step(self, name: str) -> Step:
        return self.graph.step(name)

    def begin(self, name: str, now: float) -> StepRow:
        row = StepRow(name, steprows.STARTING, {"attempt": self.attempts.get(name, 0), "started_at": now}, True)
        self.rows[name] = self.open[name] = row
        self.statuses[name] = row.status
        return row

    def keep(self, row: StepRow, now: float, properties: dict[str, Any] | None = None) -> None:
        """Have the row written as it is now."""
        held = StepRow(row.name, row.status, dict(row.state), row.is_new)
        row.is_new = False
        step = self.step(row.name)
        self.writes.append(lambda tx: steprows.save(tx, self.record, step, held, properties, now))
        self.statuses[row.name] = row.status

    def end(
        self, row: StepRow, status: str, now: float, properties: dict[str, Any] | None = None, reason: str = ""
    ) -> None:
        row.status = status
        row.state["ended_at"] = now
        row.state.pop("retry_at", None)
        if reason:
            row.state["failure_reason"] = reason[:REASON_CHARACTERS_MAX]
        self.open.pop(row.name, None)
        self.has_unwritten_ends = self.has_unwritten_ends or row.child is None
        self._note_end(row.name, status)
        self.keep(row, now, properties)

    def _note_end(self, name: str, status: str) -> None:
        if status in (FAILED, STOPPED):
            is_fail = self.step(name).type == kinds.FAIL
            self.is_blocked = self.is_blocked or is_fail or not self.graph.is_caught(name, status)

    @property
    def has_hit_fail_step(self) -> bool:
        return any(self.step(name).type == kinds.FAIL for name, status in self.statuses.items() if status == FAILED)

    def ended_as(self) -> str:
        """What all the ends come to: Succeeded, Failed, or FailedCaught."""
        failures = [(name, status) for name, status in self.statuses.items() if status in (FAILED, STOPPED)]
        if not failures:
            return SUCCEEDED
        return FAILED if self.is_blocked else "FailedCaught"
