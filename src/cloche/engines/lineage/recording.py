"""The graph kept up with what happens: a follower of everybody's records (``storage/metadata/changes``).

For each record that changed the teller of its kind says, from the record as it now is, which entities and links there
must be; they are put down in the transaction that also moves the follower's cursor. So nothing is lost and nothing
doubled, whatever is killed when, and a record that changed ten times in one batch is told once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from cloche.engines.lineage.entities import Component, Entity, Link, Owner, Putting
from cloche.storage.metadata import records
from cloche.storage.metadata.changes import Change
from cloche.storage.metadata.records import Record

Teller = Callable[[sqlite3.Connection, Record], Iterable[Entity | Link]]
"""What a record means for the graph. ``tx`` is there to read the records it names."""
Then = Callable[[sqlite3.Connection, Record, Record], None]
"""Called with the job's record and its component's, once both are put down."""


@dataclass(frozen=True, slots=True)
class Recording:
    """``tellers`` by the kind of records; what is of no kind among them is nothing to lineage."""

    tellers: Mapping[str, Teller]
    then: Then
    remembered: frozenset[str]
    """Kinds whose past belongs to the graph: of them is also told what an update replaced."""

    def handle(self, tx: sqlite3.Connection, changes: Sequence[Change]) -> None:
        last = {change.arn: change for change in changes if change.kind in self.tellers}
        now = {arn: records.find_arn(tx, arn) or _as_it_was(change) for arn, change in last.items()}
        for change in changes:
            record = now.get(change.arn)
            if record is None:
                continue
            if change.what == "updated" and change.kind in self.remembered and change.request is not None:
                self._tell(tx, replace(record, request=change.request, status=change.before), change)
            if change is last[change.arn]:
                self._tell(tx, record, change)

    def _tell(self, tx: sqlite3.Connection, record: Record, change: Change) -> None:
        putting = Putting(tx, Owner(record.account, record.region, change.at))
        for told in self.tellers[record.kind](tx, record):
            if isinstance(told, Link):
                putting.link(told)
                continue
            held = putting.entity(told)
            if isinstance(told, Component):
                self.then(tx, record, held)


def _as_it_was(change: Change) -> Record | None:
    """A record that has gone is told as it was when it went."""
    if change.request is None or change.state is None:
        return None
    return Record(
        0,
        change.account,
        change.region,
        change.kind,
        change.name,
        change.arn,
        change.status,
        change.at,
        change.at,
        0,
        None,
        change.request,
        change.state,
    )
