"""What an execution demands: look at what runs, begin what may begin, stop what shall stop; again until nothing moves.

The rows of its steps are all that an execution is; what is not written yet when a server dies is found again by name
or done again (``children``, ``starting``). Chains of steps that end at once (conditions) are walked through in one go
and written in one transaction.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cloche.engines.pipelines import kinds, machine, messages, retrying, schema, steprows
from cloche.engines.pipelines.checking import check
from cloche.engines.pipelines.children import Children
from cloche.engines.pipelines.graph import ACTIVE, ENDED, FAILED, READY, SUCCEEDED, WAITING, Graph
from cloche.engines.pipelines.run import Run
from cloche.engines.pipelines.scope import Known
from cloche.engines.pipelines.starting import Starting
from cloche.engines.pipelines.steprows import StepRow, row_from, rows_of
from cloche.foundation.api import Api, Refused
from cloche.foundation.clock import Clock
from cloche.foundation.errors import Broken
from cloche.lifecycle.machine import Event, Item, Lifecycle, Outcome, Wait
from cloche.lifecycle.reconciler import Reconciler
from cloche.storage.metadata import records
from cloche.storage.metadata.changes import Hint
from cloche.storage.metadata.database import Database
from cloche.storage.objects import ObjectStore

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 15.0
"""The end of a child is told at once; this is for the case that the telling went wrong."""
RUNS_HELD_MAX: Final = 64
GRAPHS_HELD_MAX: Final = 64
MESSAGE: Final = "Step failure: One or multiple steps failed."


@dataclass
class PipelineDriver:
    database: Database
    objects: ObjectStore
    api: Api
    clock: Clock
    reconciler: Reconciler
    children: Children
    starting: Starting
    parents: dict[str, str] = field(default_factory=dict)
    """Which execution a child that runs is of."""
    _runs: OrderedDict[str, Run] = field(default_factory=OrderedDict)
    _graphs: OrderedDict[tuple[str, int], Graph] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def lifecycle(self) -> Lifecycle:
        return machine.LIFECYCLE

    def entered(self, tx: sqlite3.Connection, item: Item) -> None:
        ended = item.state in machine.LIFECYCLE.terminal
        state: dict[str, Any] = {}
        if ended:
            state["ended_at"] = item.entered_at
            tx.execute("DELETE FROM pipeline_callbacks WHERE execution = ?", (item.id,))
            self.database.after_commit(lambda: self.drop(item.id))
        if item.state == machine.FAILED:
            state["failure_reason"] = item.message or MESSAGE
        records.set_status(tx, item.id, item.state, item.entered_at, state=state)

    def work(self, item: Item) -> Outcome:
        try:
            return self._advance(self._run_of(item), item.state == machine.STOPPING)
        except BaseException:
            self.drop(item.id)
            raise

    # -- what is held ------------------------------------------------------------------------------------

    def drop(self, execution: str) -> None:
        """Read it anew when it is next worked on: its rows were changed by another hand, or it has ended."""
        with self._lock:
            self._runs.pop(execution, None)

    def graph_of(self, pipeline: str, version: int) -> Graph:
        key = (pipeline, version)
        with self._lock:
            held = self._graphs.get(key)
        if held is None:
            held = check(schema.find_version(self.database.reader, pipeline, version, None).definition)
            with self._lock:
                self._graphs[key] = held
                while len(self._graphs) > GRAPHS_HELD_MAX:
                    self._graphs.popitem(last=False)
        return held

    def _run_of(self, item: Item) -> Run:
        record = records.find_arn(self.database.reader, item.id)
        if record is None:
            raise Broken(f"{item.id} has no record")
        with self._lock:
            run = self._runs.get(item.id)
        if run is not None:
            run.record = record  # its parallelism may have been changed
            return run
        rows = [row_from(each) for each in rows_of(self.database.reader, record.account, record.region, item.id)]
        graph = self.graph_of(record.request["PipelineArn"], record.request["PipelineVersionId"])
        run = Run(record, graph, {row.name: row for row in rows}, dict(item.data.get("attempts") or {}))
        for row in run.active:
            if row.child is not None:
                self.parents[row.child] = run.arn
        with self._lock:
            self._runs[item.id] = run
            while len(self._runs) > RUNS_HELD_MAX:
                self._runs.popitem(last=False)
        return run

    def changed(self, hints: Sequence[Hint]) -> None:
        """Records have changed: wake the executions whose children they are. On the writer's thread."""
        for hint in hints:
            execution = self.parents.get(hint.arn)
            if execution is not None and (hint.what == "removed" or kinds.may_be_over(hint.kind, hint.status)):
                self.reconciler.wake(execution)

    # -- the work ----------------------------------------------------------------------------------------

    def _advance(self, run: Run, stopping: bool) -> Outcome:
        known = Known(run, self.database, self.objects, self.api, self.clock)
        self._flush(run, waits=False)  # raises if what the last work left to be written could not be
        while True:
            stopping_now = stopping or run.has_hit_fail_step
            self._look(run, known, stopping_now)
            states = self._walk(run, known, adopt_only=stopping_now)
            if stopping_now or run.has_hit_fail_step:
                self._stop(run)
            moved = bool(run.writes)
            self._flush(run, waits=not run.open or self._follows(run))
            self._after_flush(run)
            if not moved and not run.writes:
                break
            self._flush(run, waits=False)
        return self._outcome(run, states, stopping)

    def _flush(self, run: Run, *, waits: bool) -> None:
        """What has happened goes to the disk before all that is written later; with ``waits`` it is there on return.
        Without, it is written together with what comes next, at the latest what comes of this work; if it cannot be,
        the next work finds out. So the last rows of an execution, after which there is no work, are waited for."""
        writes, run.writes, run.has_unwritten_ends = run.writes, [], False

        def change(tx: sqlite3.Connection) -> None:
            for write in writes:
                write(tx)

        if writes:
            run.on_their_way.append(self.database.submit(change, along=not waits))
        while run.on_their_way and (waits or run.on_their_way[0].done()):
            run.on_their_way.pop(0).result()

    def _follows(self, run: Run) -> bool:
        """Whether something is to be done once the rows are on the disk."""
        return any(run.step(row.name).type in (kinds.CALLBACK, kinds.LAMBDA) for row in run.open.values())

    def _after_flush(self, run: Run) -> None:
        """What may only be done once the row that tells of it is on the disk: messages and calls of functions."""
        for row in run.active:
            if "retry_at" in row.state:
                continue
            step = run.step(row.name)
            if step.type == kinds.CALLBACK and row.status == steprows.STARTING:
                self.starting.send(run, step, row)
            elif step.type == kinds.LAMBDA:
                self.starting.call(run, row)

    def _walk(self, run: Run, known: Known, *, adopt_only: bool) -> dict[str, str]:
        def begin(name: str) -> str:
            step = run.step(name)
            if adopt_only or run.is_blocked:
                row = self.starting.adopt(run, step, known)
                if row is None:
                    return WAITING
            else:
                if step.type not in (kinds.CONDITION, kinds.FAIL) and self._is_full(run):
                    return READY
                if step.child is not None and run.has_unwritten_ends:
                    self._flush(run, waits=False)  # whoever comes after a death must find the way to this child
                row = self.starting.begin(run, step, known)
            if row.child is not None and row.status not in ENDED:
                self.parents[row.child] = run.arn
            return row.status if row.status in ENDED else ACTIVE

        return run.graph.walk(run.statuses, run.taken, run.chosen, begin)

    def _is_full(self, run: Run) -> bool:
        most = run.parallel_max
        return most is not None and len(run.open) >= most

    # -- what runs ---------------------------------------------------------------------------------------

    def _look(self, run: Run, known: Known, stopping: bool) -> None:
        now = self.clock.time()
        for row in run.active:
            step = run.step(row.name)
            retry_at = row.state.get("retry_at")
            if retry_at is not None:
                if stopping:
                    self.starting.stopped(run, row)
                elif retry_at <= now:
                    self.starting.attempt(run, step, row, known)
                    if row.child is not None and row.status not in ENDED:
                        self.parents[row.child] = run.arn
            elif row.child is not None:
                self._look_at_child(run, row, known, stopping)
            elif step.type == kinds.CALLBACK and now - row.state["started_at"] > messages.PATIENCE_SECONDS:
                run.end(row, FAILED, now, reason="ClientError: The callback was not answered within 7 days")

    def _look_at_child(self, run: Run, row: StepRow, known: Known, stopping: bool) -> None:
        step = run.step(row.name)
        child, arn = step.child, row.child
        assert child is not None and arn is not None
        record = records.find_arn(self.database.reader, arn)
        if record is None:
            run.end(row, FAILED, self.clock.time(), reason=f"ClientError: {arn} was deleted while the step ran")
            return
        ends = child.good | child.bad | child.stopped
        if record.status not in ends and not child.token:
            return
        try:
            properties = self.children.describe(run, step, arn, row.state.get("child_name", ""))
        except Refused as refused:
            self.starting.refused(run, step, row, refused, "sagemaker", child.describe)
            return
        status = properties.get(child.status)
        if status not in ends:
            return
        self.parents.pop(arn, None)
        if status in child.good:
            self.starting.made_well(run, step, row, known, properties)
        elif status in child.stopped:
            self.starting.stopped(run, row, "" if stopping else f"{arn} was stopped")
        else:
            reason = properties.get("FailureReason") or f"{arn} is {status}"
            self.starting.failed(run, step, row, retrying.exception_of_failure(reason), _told(reason))

    def _stop(self, run: Run) -> None:
        for row in run.active:
            step, state = run.step(row.name), row.state
            child = step.child
            if state.get("stop_sent"):
                continue
            if child is not None and row.child is not None:
                if child.stop:
                    self.children.stop(run, child, state["child_name"])
            elif step.type == kinds.CALLBACK and row.status == steprows.EXECUTING:
                try:
                    messages.send(self.api, run, state["queue"], state["token"], state["arguments"], steprows.STOPPING)
                except Refused as refused:
                    self.starting.stopped(run, row, f"ClientError: {refused.message}")
                    continue
            elif step.type == kinds.CALLBACK:
                self.starting.stopped(run, row)
                continue
            state["stop_sent"] = True
            row.status = steprows.STOPPING
            run.keep(row, self.clock.time())

    # -- what comes of it --------------------------------------------------------------------------------

    def _outcome(self, run: Run, states: dict[str, str], stopping: bool) -> Outcome:
        active = run.active
        if active:
            return self._rest(run, active)
        if stopping:
            failed_function = any(
                run.step(name).type == kinds.LAMBDA and status == FAILED for name, status in run.statuses.items()
            )
            return Event(machine.STEPS_FAILED, message=MESSAGE) if failed_function else Event(machine.ALL_STOPPED)
        left = [name for name, state in states.items() if state == READY]
        if left and not run.is_blocked:
            raise Broken(f"{left[0]} of {run.arn} is ready and does not begin")
        ended = run.ended_as()
        if ended == SUCCEEDED:
            return Event(machine.ALL_DONE)
        caught = ended != FAILED
        return Event(machine.STEPS_FAILED_CAUGHT if caught else machine.STEPS_FAILED, message=MESSAGE)

    def _rest(self, run: Run, active: Iterable[StepRow]) -> Wait:
        """Until a child ends (a hint comes then; a look now and then is for those that were missed), or a time comes:
        that of a next attempt, or the end of the patience with a callback."""
        moments, has_children = [], False
        for row in active:
            if "retry_at" in row.state:
                moments.append(row.state["retry_at"])
            elif run.step(row.name).type == kinds.CALLBACK:
                moments.append(row.state["started_at"] + messages.PATIENCE_SECONDS)
            else:
                has_children = True
        until = None if has_children or not moments else min(moments)
        pause = LOOK_SECONDS if until is None else None
        if has_children and moments:
            pause = max(min(LOOK_SECONDS, min(moments) - self.clock.time()), 0.0)
        return Wait(pause, until=until)


def _told(reason: str) -> str:
    """Of a job that failed: a step says that the failure of an algorithm is the client's (so
    ``test_with_user_and_workdir_set_in_the_image_client_error_case`` of aws/sagemaker-python-sdk)."""
    return f"ClientError: {reason}" if reason.startswith("AlgorithmError") else reason
