"""Runs of before that spare a step its own: by the cache, found by key; what was deleted since spares nothing."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from cloche.engines.pipelines import caching, steprows
from cloche.engines.pipelines.definition import Step
from cloche.engines.pipelines.graph import SUCCEEDED
from cloche.engines.pipelines.references import Undefined
from cloche.engines.pipelines.run import Run
from cloche.engines.pipelines.scope import address_of
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.records import Record
from cloche.storage.objects import ObjectStore, StoreError

LOOKED_AT_MAX: Final = 20
"""Of runs with the key, newest first."""


class Reuse:
    def __init__(self, database: Database, objects: ObjectStore) -> None:
        self._database = database
        self._objects = objects

    def find(self, run: Run, step: Step, key: str, now: float) -> Record | None:
        """The step's row in the latest execution of the pipeline that did the same, young enough and still whole."""
        assert step.expire_seconds is not None
        oldest = 0.0 if step.expire_seconds < 0 else now - step.expire_seconds
        found = self._database.reader.execute(
            "SELECT execution FROM pipeline_runs WHERE pipeline = ? AND step = ? AND key = ? AND ended_at >= ?"
            " ORDER BY ended_at DESC LIMIT ?",
            (run.record.request["PipelineArn"], step.name, key, oldest, LOOKED_AT_MAX),
        ).fetchall()
        for (execution,) in found:
            record = records.find_arn(self._database.reader, steprows.arn_of(execution, step.name))
            if record is not None and record.status == SUCCEEDED and self._is_whole(record):
                return record
        return None

    def _is_whole(self, record: Record) -> bool:
        child = record.state.get("child")
        if child is not None and records.find_arn(self._database.reader, child) is None:
            return False
        return all(self._holds(uri) for uri in record.state.get("kept", ()))

    def kept_by(self, properties: dict[str, Any]) -> list[str]:
        """Where the thing described has left something in S3."""
        return [uri for uri in caching.outputs_of(properties) if self._holds(uri)]

    def _holds(self, uri: str) -> bool:
        """Is that object there, or any below that folder? One whose name only begins alike is another's."""
        try:
            bucket, key = address_of(uri)
            found = self._objects.list(bucket, key, limit=1).objects
            if not found or not key or key.endswith("/") or found[0].key == key:
                return bool(found)
            return bool(self._objects.list(bucket, f"{key}/", limit=1).objects)
        except (Undefined, StoreError):
            return False


def note(tx: sqlite3.Connection, run: Run, step: str, key: str, now: float) -> None:
    """The step has run with these arguments: it may spare the next."""
    tx.execute(
        "INSERT OR IGNORE INTO pipeline_runs (account, pipeline, step, key, ended_at, execution)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (run.record.account, run.record.request["PipelineArn"], step, key, now, run.arn),
    )
