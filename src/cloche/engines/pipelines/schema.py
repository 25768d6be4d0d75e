"""What is kept beside the records of pipelines, executions and steps: versions, what a cache finds, callbacks."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from cloche.foundation.errors import NotFound

PIPELINE: Final = "sagemaker/Pipeline"
EXECUTION: Final = "sagemaker/PipelineExecution"
"""Records named ``<pipeline>/execution/<id>``."""
VERSION: Final = "sagemaker/PipelineVersion"
"""Versions are no records; this is what they are called where they are shown as such."""
STEP: Final = "sagemaker/PipelineExecutionStep"
"""Records named ``<pipeline>/execution/<id>/step/<step>``: one for every step that has begun."""

MIGRATIONS: Final[list[tuple[str, str]]] = [
    (
        "pipelines-1",
        """
        CREATE TABLE pipeline_versions (account TEXT NOT NULL, pipeline TEXT NOT NULL, version INTEGER NOT NULL,
            definition TEXT NOT NULL, created_at REAL NOT NULL, display_name TEXT NOT NULL DEFAULT '',
            description TEXT NOT NULL DEFAULT '', aliases TEXT NOT NULL DEFAULT '[]', last_execution TEXT,
            PRIMARY KEY (pipeline, version)) STRICT;
        CREATE TABLE pipeline_runs (account TEXT NOT NULL, pipeline TEXT NOT NULL, step TEXT NOT NULL,
            key TEXT NOT NULL, ended_at REAL NOT NULL, execution TEXT NOT NULL,
            PRIMARY KEY (pipeline, step, key, ended_at, execution)) STRICT, WITHOUT ROWID;
        CREATE TABLE pipeline_callbacks (account TEXT NOT NULL, token TEXT NOT NULL, execution TEXT NOT NULL,
            step TEXT NOT NULL, PRIMARY KEY (account, token)) STRICT, WITHOUT ROWID;
        CREATE INDEX pipeline_callbacks_of ON pipeline_callbacks (execution);
        """,
    ),
    # Who made and changed a version, and when it was changed: NULL of versions of before.
    (
        "pipelines-2",
        """
        ALTER TABLE pipeline_versions ADD COLUMN created_by TEXT;
        ALTER TABLE pipeline_versions ADD COLUMN modified_by TEXT;
        ALTER TABLE pipeline_versions ADD COLUMN modified_at REAL;
        """,
    ),
]
VERSIONS_AS_RECORDS: Final = f"""(
    SELECT v.rowid AS id, p.account, p.region, '{VERSION}' AS kind, p.name || '/version/' || v.version AS name,
        v.pipeline || '/version/' || v.version AS arn, '' AS status, v.created_at AS created_at,
        coalesce(v.modified_at, v.created_at) AS modified_at, v.version AS version, NULL AS token,
        json_patch('{{}}', json_object(
            'PipelineArn', v.pipeline, 'PipelineVersionId', v.version,
            'PipelineVersionDisplayName', nullif(v.display_name, ''),
            'PipelineVersionDescription', nullif(v.description, ''),
            'PipelineVersionAliases', json(nullif(v.aliases, '[]')),
            'CreatedBy', json(v.created_by), 'LastModifiedBy', json(coalesce(v.modified_by, v.created_by)),
            'LastExecutedPipelineExecutionArn', e.arn, 'LastExecutedPipelineExecutionStatus', e.status,
            'LastExecutedPipelineExecutionDisplayName', json_extract(e.request, '$.PipelineExecutionDisplayName')
        )) AS request, '{{}}' AS state
    FROM pipeline_versions v JOIN records p ON p.arn = v.pipeline LEFT JOIN records e ON e.arn = v.last_execution
)"""  # noqa: S608 - made of a constant
"""Versions with the columns of ``records``, so that they are found as those are; what is not there is left out of the
request's document."""


@dataclass(frozen=True, slots=True)
class Version:
    pipeline: str
    version: int
    definition: str
    created_at: float
    display_name: str
    description: str
    aliases: tuple[str, ...]
    last_execution: str | None
    created_by: str | None = None
    """As JSON: who signed the request; so the next."""
    modified_by: str | None = None
    modified_at: float | None = None


def version_from(row: sqlite3.Row) -> Version:
    held: Mapping[str, Any] = dict(row)
    members = {name: held[name] for name in Version.__slots__ if name != "aliases"}
    return Version(**members, aliases=tuple(orjson.loads(held["aliases"])))


def add_version(
    tx: sqlite3.Connection,
    account: str,
    pipeline: str,
    definition: str,
    now: float,
    aliases: list[str],
    who: Mapping[str, Any] | None = None,
) -> int:
    row = tx.execute("SELECT max(version) FROM pipeline_versions WHERE pipeline = ?", (pipeline,)).fetchone()
    number = (row[0] or 0) + 1
    tx.execute(
        "INSERT INTO pipeline_versions (account, pipeline, version, definition, created_at, created_by)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (account, pipeline, number, definition, now, None if who is None else orjson.dumps(who).decode()),
    )
    set_aliases(tx, pipeline, number, aliases)
    return number


def touch_version(tx: sqlite3.Connection, pipeline: str, version: int, now: float, who: Mapping[str, Any]) -> None:
    """It was changed now, by ``who``."""
    tx.execute(
        "UPDATE pipeline_versions SET modified_at = ?, modified_by = ? WHERE pipeline = ? AND version = ?",
        (now, orjson.dumps(who).decode(), pipeline, version),
    )


def set_aliases(tx: sqlite3.Connection, pipeline: str, version: int, aliases: list[str]) -> None:
    """An alias names one version: others of the pipeline lose it."""
    for other in versions_of(tx, pipeline):
        kept = aliases if other.version == version else [each for each in other.aliases if each not in aliases]
        if tuple(kept) != other.aliases:
            tx.execute(
                "UPDATE pipeline_versions SET aliases = ? WHERE pipeline = ? AND version = ?",
                (orjson.dumps(list(kept)).decode(), pipeline, other.version),
            )


def versions_of(connection: sqlite3.Connection, pipeline: str) -> list[Version]:
    rows = connection.execute("SELECT * FROM pipeline_versions WHERE pipeline = ? ORDER BY version", (pipeline,))
    return [version_from(row) for row in rows]


def find_version(connection: sqlite3.Connection, pipeline: str, version: int | None, alias: str | None) -> Version:
    """That version, that alias's, or the latest. Raises ``NotFound``."""
    if version is not None:
        rows = connection.execute(
            "SELECT * FROM pipeline_versions WHERE pipeline = ? AND version = ?", (pipeline, version)
        )
    elif alias is not None:
        rows = connection.execute(
            "SELECT * FROM pipeline_versions WHERE pipeline = ? AND"
            " EXISTS (SELECT 1 FROM json_each(aliases) WHERE value = ?)",
            (pipeline, alias),
        )
    else:
        rows = connection.execute(
            "SELECT * FROM pipeline_versions WHERE pipeline = ? ORDER BY version DESC LIMIT 1", (pipeline,)
        )
    row = rows.fetchone()
    if row is None:
        which = f"version {version}" if version is not None else f"version called {alias}" if alias else "version"
        raise NotFound(f"Pipeline {pipeline} has no {which}.")
    return version_from(row)


def forget_pipeline(tx: sqlite3.Connection, pipeline: str) -> None:
    tx.execute("DELETE FROM pipeline_versions WHERE pipeline = ?", (pipeline,))
    tx.execute("DELETE FROM pipeline_runs WHERE pipeline = ?", (pipeline,))
