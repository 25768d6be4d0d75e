"""``Pipelines``: check a definition, start an execution of it, stop it, run what failed again, answer a callback."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloche.engines.pipelines import kinds, machine, retrying, schema, steprows
from cloche.engines.pipelines.checking import check
from cloche.engines.pipelines.children import Children, Read
from cloche.engines.pipelines.driver import PipelineDriver
from cloche.engines.pipelines.experiments import experiment_of
from cloche.engines.pipelines.functions import Answered, Call, Functions, listed
from cloche.engines.pipelines.graph import ENDED, FAILED, STOPPED, SUCCEEDED, Graph
from cloche.engines.pipelines.parameters import Value, values_for
from cloche.engines.pipelines.references import Undefined
from cloche.engines.pipelines.reuse import Reuse
from cloche.engines.pipelines.run import Run
from cloche.engines.pipelines.starting import Starting, outputs_end, taken_over
from cloche.engines.pipelines.steprows import PROPERTIES, StepRow, row_from
from cloche.foundation.api import Api, Refused
from cloche.foundation.clock import Clock
from cloche.foundation.errors import Conflict, Invalid, NotFound
from cloche.lifecycle import rows
from cloche.lifecycle.machine import Event
from cloche.lifecycle.reconciler import Reconciler
from cloche.storage.metadata import records
from cloche.storage.metadata.changes import Changes
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.records import Record
from cloche.storage.objects import ObjectStore


@dataclass(frozen=True, slots=True)
class Start:
    """What an execution is started with, beside its pipeline."""

    version: schema.Version
    parameters: Mapping[str, Value]
    reused: Mapping[str, Record]
    """Steps whose results are taken from another execution, with their rows there."""


class Pipelines:
    """Made before the reconciler is started; ``close`` after it stopped."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        objects: ObjectStore,
        reconciler: Reconciler,
        api: Api,
        changes: Changes,
        read: Read,
    ) -> None:
        self._database = database
        self._clock = clock
        self._reconciler = reconciler
        self._functions = Functions(api, self._function_done, self._is_open)
        children = Children(api, database, read)
        starting = Starting(api, clock, children, Reuse(database, objects), self._functions)
        self._starting = starting
        self._driver = PipelineDriver(database, objects, api, clock, reconciler, children, starting)
        reconciler.add(self._driver)
        changes.on_commit(self._driver.changed)

    def close(self) -> None:
        """Call no function any more. Children run on and are found again by the next server."""
        self._functions.close()

    # -- definitions -------------------------------------------------------------------------------------

    @staticmethod
    def check(definition: str) -> Graph:
        """Raises ``Invalid``, in words that name step and field."""
        return check(definition)

    def graph_of(self, version: schema.Version) -> Graph:
        return self._driver.graph_of(version.pipeline, version.version)

    def version(self, pipeline: str, version: int | None = None, alias: str | None = None) -> schema.Version:
        """Raises ``NotFound``."""
        return schema.find_version(self._database.reader, pipeline, version, alias)

    # -- executions --------------------------------------------------------------------------------------

    def plan(
        self,
        version: schema.Version,
        given: Mapping[str, str],
        source: Record | None,
        selected: Sequence[str] | None,
    ) -> Start:
        """``source`` is an execution whose results stand in for steps that are not ``selected``. Raises ``Invalid``."""
        graph = self.graph_of(version)
        earlier = source.request["Parameters"] if source is not None else None
        values = values_for(graph.definition.parameters, given, earlier)
        reused = {} if selected is None else self._reused(graph, source, selected)
        return Start(version, values, reused)

    def _reused(self, graph: Graph, source: Record | None, selected: Sequence[str]) -> dict[str, Record]:
        unknown = [name for name in selected if name not in graph.definition.steps]
        if unknown:
            raise Invalid(f"The selected steps {_list(unknown)} are not in the pipeline", field="SelectedSteps")
        needed = graph.needed_by(selected)
        direct = {other for name in selected for other in graph.waits_for(name)} - set(selected)
        if source is None:
            if direct:
                # aws/sagemaker-python-sdk#4444
                raise Invalid(
                    f"Invalid SourcePipelineExecutionArn: null. The selected steps {_list(selected)} have "
                    f"dependencies on {_list(sorted(direct))}",
                    field="SelectiveExecutionConfig",
                )
            return {}
        found: dict[str, Record] = {}
        for name in needed:
            record = records.find_arn(self._database.reader, steprows.arn_of(source.arn, name))
            if record is not None and record.status == SUCCEEDED:
                found[name] = record
        missing = sorted(direct - set(found))
        if missing:
            raise Invalid(
                f"Invalid SourcePipelineExecutionArn: {source.arn}. The selected steps {_list(selected)} have "
                f"dependencies on {_list(missing)}, which did not succeed in it",
                field="SelectiveExecutionConfig",
            )
        return found

    def experiment(
        self, version: schema.Version, request: Mapping[str, Any], arn: str, now: datetime
    ) -> dict[str, str] | None:
        """The experiment and trial of an execution's jobs, if the definition wants them. Raises ``Invalid``."""
        try:
            return experiment_of(self.graph_of(version).definition.experiment, request, arn, now)
        except Undefined as undefined:
            raise Invalid(f"PipelineExperimentConfig: {undefined}", field="PipelineDefinition") from None

    def start(self, tx: sqlite3.Connection, execution: Record, start: Start) -> None:
        """In the transaction that inserts ``execution``, whose request holds all it is started with."""
        graph = self.graph_of(start.version)
        for name, earlier in start.reused.items():
            self._reuse(tx, execution, graph, name, earlier)
        self._reconciler.submit(tx, machine.KIND, execution.arn, {})
        tx.execute(
            "UPDATE pipeline_versions SET last_execution = ? WHERE pipeline = ? AND version = ?",
            (execution.arn, start.version.pipeline, start.version.version),
        )

    def _reuse(self, tx: sqlite3.Connection, execution: Record, graph: Graph, name: str, earlier: Record) -> None:
        now = self._clock.time()
        state = {
            **taken_over(earlier),
            "attempt": 0,
            "started_at": earlier.state["started_at"],
            "ended_at": earlier.state["ended_at"],
            "reused_from": earlier.state.get("reused_from") or earlier.request["PipelineExecutionArn"],
        }
        row = StepRow(name, SUCCEEDED, state, is_new=True)
        steprows.save(tx, execution, graph.step(name), row, earlier.state[PROPERTIES], now)

    def stop(self, tx: sqlite3.Connection, arn: str) -> None:
        """Once more is no harm. Raises ``NotFound``, and ``Conflict`` once it has ended."""
        try:
            self._reconciler.post(tx, arn, Event(machine.STOP_ASKED))
        except Conflict:
            item = rows.read(tx, arn)
            if item is None or item.ended_at is not None:
                raise

    def retry(self, tx: sqlite3.Connection, execution: Record) -> None:
        """Run again what failed or was stopped; what succeeded stays. Raises ``Conflict`` unless it failed or was
        stopped."""
        item = rows.read(tx, execution.arn)
        if item is None or item.state not in (machine.FAILED, machine.STOPPED):
            raise Conflict(f"{execution.arn} has neither failed nor been stopped")
        attempts = dict(item.data.get("attempts") or {})
        for record in steprows.rows_of(tx, execution.account, execution.region, execution.arn):
            if record.status in (FAILED, STOPPED):
                row = row_from(record)
                attempts[row.name] = row.attempt + 1
                records.remove(tx, record.arn)
        self._reconciler.forget(tx, execution.arn)
        self._reconciler.submit(tx, machine.KIND, execution.arn, {"attempts": attempts})
        self._database.after_commit(lambda: self._driver.drop(execution.arn))

    def forget(self, tx: sqlite3.Connection, pipeline: str, executions: Sequence[str]) -> None:
        """The pipeline is deleted, with all its executions. Raises ``Conflict`` while one has not ended."""
        for arn in executions:
            item = rows.read(tx, arn)
            if item is not None and item.ended_at is None:
                raise Conflict(f"{arn} has not ended")
        for arn in executions:
            record = records.find_arn(tx, arn)
            if record is None:
                continue
            for step in list(steprows.rows_of(tx, record.account, record.region, arn)):
                records.remove(tx, step.arn)
            self._reconciler.forget(tx, arn)
            records.remove(tx, arn)
        schema.forget_pipeline(tx, pipeline)

    def abandon(self, account: str) -> None:
        """Drop the account's executions at once; what they have made is the caller's to end."""
        mine = [item.id for item in self._reconciler.items(machine.KIND) if item.id.split(":")[4] == account]
        self._reconciler.abandon(mine)
        for arn in mine:
            self._driver.drop(arn)

    # -- answers from outside ----------------------------------------------------------------------------

    def answer(
        self, tx: sqlite3.Connection, account: str, token: str, outputs: Mapping[str, str] | None, reason: str
    ) -> str:
        """A Callback step's answer, ``outputs`` or the ``reason`` of its failure; the execution's ARN. Raises
        ``NotFound`` for a token nobody waits for, ``Invalid`` for outputs the step does not declare."""
        found = tx.execute(
            "SELECT execution, step FROM pipeline_callbacks WHERE account = ? AND token = ?", (account, token)
        ).fetchone()
        record = None if found is None else records.find_arn(tx, steprows.arn_of(found[0], found[1]))
        if found is None or record is None or record.status in ENDED:
            raise NotFound(f"No step of a pipeline waits for an answer with the token {token}.")
        execution = records.find_arn(tx, found[0])
        assert execution is not None
        run = self._single(execution, row_from(record))
        row = run.rows[found[1]]
        if outputs is None:
            run.end(row, FAILED, self._clock.time(), reason=reason or "ClientError: The callback step failed")
        else:
            self._answered(run, row, dict(outputs), "Callback")
        self._write_single(tx, run)
        return execution.arn

    def _answered(self, run: Run, row: StepRow, outputs: dict[str, Any], member: str) -> None:
        step = run.step(row.name)
        properties = outputs_end(step, row, outputs)
        held = {name: value for name, value in outputs.items() if name in step.outputs}
        row.state["metadata"][member]["OutputParameters"] = listed(held)
        self._starting.succeed(run, row, _Nobody(), properties)

    def _function_done(self, call: Call, answered: Answered) -> None:
        def change(tx: sqlite3.Connection) -> None:
            execution = records.find_arn(tx, call.execution)
            record = records.find_arn(tx, steprows.arn_of(call.execution, call.step))
            if execution is None or record is None or record.status in ENDED:
                return
            run = self._single(execution, row_from(record))
            row, step = run.rows[call.step], run.step(call.step)
            if answered.refused:
                refused = Refused(answered.refused, answered.reason)
                self._starting.refused(run, step, row, refused, "lambda", "Invoke")
            elif answered.reason:
                self._starting.failed(run, step, row, retrying.exception_of_failure(answered.reason), answered.reason)
            else:
                try:
                    self._answered(run, row, answered.outputs, kinds.LAMBDA)
                except Invalid as invalid:
                    run.end(row, FAILED, self._clock.time(), reason=f"ClientError: {invalid.message}")
            self._write_single(tx, run)

        self._database.write(change)

    def _is_open(self, call: Call) -> bool:
        record = records.find_arn(self._database.reader, steprows.arn_of(call.execution, call.step))
        return (
            record is not None
            and record.status not in ENDED
            and record.state.get("attempt") == call.attempt
            and "retry_at" not in record.state
        )

    def _single(self, execution: Record, row: StepRow) -> Run:
        graph = self._driver.graph_of(execution.request["PipelineArn"], execution.request["PipelineVersionId"])
        return Run(execution, graph, {row.name: row}, {})

    def _write_single(self, tx: sqlite3.Connection, run: Run) -> None:
        for write in run.writes:
            write(tx)

        def look_again() -> None:
            self._driver.drop(run.arn)
            self._reconciler.wake(run.arn)

        self._database.after_commit(look_again)


class _Nobody:
    """Of whoever is not told what a step has become: it reads the row."""

    def remember(self, step: str, properties: dict[str, Any]) -> None:
        return


def _list(names: Sequence[str]) -> str:
    return f"[{', '.join(names)}]"
