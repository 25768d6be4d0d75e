"""What a record is in the lineage: which kind of entity, of which type, under which name."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from cloche.engines.lineage.edges import AT_ONCE, End
from cloche.storage.metadata import records
from cloche.storage.metadata.records import Record

ARTIFACT: Final = "sagemaker/Artifact"
ACTION: Final = "sagemaker/Action"
CONTEXT: Final = "sagemaker/Context"
COMPONENT: Final = "sagemaker/TrialComponent"
EXPERIMENT: Final = "sagemaker/Experiment"
KINDS: Final = {
    ARTIFACT: "Artifact",
    ACTION: "Action",
    CONTEXT: "Context",
    COMPONENT: "TrialComponent",
    EXPERIMENT: "Experiment",
}
"""How records are filed → the entity's kind."""
_TYPE_IN_REQUEST: Final = {ARTIFACT: "ArtifactType", ACTION: "ActionType", CONTEXT: "ContextType"}


@dataclass(frozen=True, slots=True)
class Vertex:
    arn: str
    kind: str
    """``Artifact``, ``Action``, ``Context``, ``TrialComponent``, ``Experiment``."""
    type: str
    """``DataSet``, ``Endpoint``, ``TrainingJob`` …; empty for what has none."""
    name: str
    created_at: float
    modified_at: float
    properties: dict[str, str]


def vertex_of(record: Record) -> Vertex:
    return Vertex(
        record.arn,
        KINDS[record.kind],
        type_of(record.kind, record.request, record.state),
        record.request.get("ArtifactName", "") if record.kind == ARTIFACT else record.name,
        record.created_at,
        record.modified_at,
        record.request.get("Properties") or {},
    )


def end_of(record: Record) -> End:
    """What an edge keeps of it."""
    return End(record.arn, type_of(record.kind, record.request, record.state))


def type_of(kind: str, request: dict[str, Any], state: dict[str, Any]) -> str:
    if kind in _TYPE_IN_REQUEST:
        return str(request.get(_TYPE_IN_REQUEST[kind], ""))
    source: str = (state.get("source") or {}).get("SourceType", "")
    return source.removeprefix("SageMaker")


def find(connection: sqlite3.Connection, arn: str) -> Record | None:
    """The record behind a vertex, ``None`` for what is none."""
    record = records.find_arn(connection, arn)
    return record if record is not None and record.kind in KINDS else None


def read(connection: sqlite3.Connection, arns: Iterable[str]) -> dict[str, Vertex]:
    """Those that are there, by ARN."""
    wanted = list(arns)
    found: dict[str, Vertex] = {}
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        marks = ", ".join("?" * len(some))
        for row in connection.execute(f"SELECT * FROM records WHERE arn IN ({marks})", some):  # noqa: S608 - marks only
            record = records.from_row(row)
            if record.kind in KINDS:
                found[record.arn] = vertex_of(record)
    return found
