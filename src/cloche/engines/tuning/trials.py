"""The trials of tuning jobs as rows: what was chosen, which training job it is, what came of it.

A trial is written down, with the name of its training job, before that job is created. So whatever is killed when, the
same trial is created once: what is found without a status is created again under the same name.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import orjson

MIGRATIONS: Final[list[tuple[str, str]]] = [
    (
        "tuning-1",
        """
        CREATE TABLE tuning_trials (
            tuning TEXT NOT NULL, number INTEGER NOT NULL, definition INTEGER NOT NULL,
            name TEXT NOT NULL, arn TEXT NOT NULL, chosen TEXT NOT NULL, point TEXT NOT NULL,
            status TEXT NOT NULL, objective REAL, created_at REAL NOT NULL, started_at REAL, ended_at REAL,
            reason TEXT, stop_asked INTEGER NOT NULL,
            PRIMARY KEY (tuning, number)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX tuning_trials_by_arn ON tuning_trials (arn);
        """,
    )
]
ENDED: Final = frozenset({"Completed", "Failed", "Stopped"})
_COLUMNS: Final = (
    "number, definition, name, arn, chosen, point, status, objective, created_at, started_at, ended_at, reason,"
    " stop_asked"
)


@dataclass(frozen=True, slots=True)
class Trial:
    """Times are seconds since 1970."""

    number: int
    """From 1 on."""
    definition: int
    name: str
    """The training job's."""
    arn: str
    chosen: dict[str, str]
    """The tuned hyperparameters, as the training job gets them."""
    point: tuple[float, ...]
    status: str = ""
    """The training job's; empty until it is known to be created."""
    objective: float | None = None
    """The last value of the objective metric, once the training job has ended."""
    created_at: float = 0.0
    started_at: float | None = None
    ended_at: float | None = None
    reason: str | None = None
    """Why the training job failed."""
    stop_asked: bool = False

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED

    @property
    def objective_status(self) -> str:
        if not self.has_ended:
            return "Pending"
        return "Failed" if self.objective is None or self.status == "Failed" else "Succeeded"

    @property
    def succeeded(self) -> bool:
        """Its objective counts."""
        return self.objective_status == "Succeeded"


def keep(tx: sqlite3.Connection, tuning: str, trials: Sequence[Trial]) -> None:
    """Write these rows, new or changed."""
    tx.executemany(
        f"INSERT OR REPLACE INTO tuning_trials (tuning, {_COLUMNS}) VALUES ({', '.join('?' * 14)})",  # noqa: S608
        [
            (
                tuning,
                trial.number,
                trial.definition,
                trial.name,
                trial.arn,
                orjson.dumps(trial.chosen).decode(),
                orjson.dumps(trial.point).decode(),
                trial.status,
                trial.objective,
                trial.created_at,
                trial.started_at,
                trial.ended_at,
                trial.reason,
                int(trial.stop_asked),
            )
            for trial in trials
        ],
    )


def drop(tx: sqlite3.Connection, tuning: str, number: int) -> None:
    """A trial that never became a training job."""
    tx.execute("DELETE FROM tuning_trials WHERE tuning = ? AND number = ?", (tuning, number))


def forget(tx: sqlite3.Connection, tuning: str) -> None:
    tx.execute("DELETE FROM tuning_trials WHERE tuning = ?", (tuning,))


def of_tuning(connection: sqlite3.Connection, tuning: str) -> list[Trial]:
    """In the order they were begun."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM tuning_trials WHERE tuning = ? ORDER BY number",  # noqa: S608
        (tuning,),
    )
    return [_trial(row) for row in rows]


def tuning_of(connection: sqlite3.Connection, arn: str) -> str | None:
    """The tuning job that a training job is of."""
    row = connection.execute("SELECT tuning FROM tuning_trials WHERE arn = ?", (arn,)).fetchone()
    return None if row is None else str(row[0])


def _trial(row: sqlite3.Row) -> Trial:
    values = dict(row)
    return Trial(
        **{
            **values,
            "chosen": orjson.loads(values["chosen"]),
            "point": tuple(orjson.loads(values["point"])),
            "stop_asked": bool(values["stop_asked"]),
        }
    )
