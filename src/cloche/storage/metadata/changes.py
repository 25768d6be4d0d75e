"""What happened to records, in order: for those who follow everybody's things, such as events and lineage.

A change is a row written by a trigger, so that it is one transaction with its cause whoever caused it. A *follower*
is handed changes inside a transaction that also moves its cursor: what it writes there happens exactly once, whatever
is killed when. What all followers have been handed is deleted.

    records ──trigger──► changes ──► follower "lineage"  (cursor 41)
                                └──► follower "events"   (cursor 42)

Followers are handed the same changes in turn, in the order in which they were added, before any is handed newer ones:
what lineage makes of a job (its tags) is there when events tell of the job.

A follower that is new begins with what happens from then on. One that fails is tried again, then alone with each
change; a change it cannot take is logged and passed over, so that one row does not hold up all that follow.

``on_commit`` tells the same in memory and at once, for those who only want to look again.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from cloche.foundation.woken import Woken
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.documents import from_text

log = logging.getLogger(__name__)

BATCH: Final = 200
TRIES: Final = 5
PAUSE_SECONDS: Final = 0.2
KEPT_MAX: Final = 1000
"""Changes that are kept where nobody follows."""
REST_SECONDS: Final = 0.1
"""Between two rounds of handing over, unless somebody waits for one: a commit costs as much for one change as for all
that have come meanwhile, and a record that changed three times is told once."""

_COLUMNS: Final = "what, arn, account, region, kind, name, status, before, at, request, state"
_NEW: Final = "NEW.arn, NEW.account, NEW.region, NEW.kind, NEW.name, NEW.status"

# A migration's statements end at the end of a line; those inside of a trigger do not.
MIGRATIONS: Final[list[tuple[str, str]]] = [
    (
        "changes-1",
        f"""
CREATE TABLE changes (sequence INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT NOT NULL, arn TEXT NOT NULL,
    account TEXT NOT NULL, region TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL,
    before TEXT NOT NULL, at REAL NOT NULL, request TEXT, state TEXT) STRICT;
CREATE TABLE change_followers (name TEXT PRIMARY KEY, sequence INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TRIGGER record_created AFTER INSERT ON records
    BEGIN INSERT INTO changes ({_COLUMNS}) VALUES ('created', {_NEW}, '', NEW.created_at, NULL, NULL); END;
CREATE TRIGGER record_status AFTER UPDATE OF status, state ON records
    WHEN OLD.status IS NOT NEW.status OR OLD.state IS NOT NEW.state
    BEGIN INSERT INTO changes ({_COLUMNS}) VALUES ('status', {_NEW}, OLD.status, NEW.modified_at, NULL, NEW.state); END;
CREATE TRIGGER record_updated AFTER UPDATE OF request ON records WHEN OLD.request IS NOT NEW.request
    BEGIN INSERT INTO changes ({_COLUMNS})
    VALUES ('updated', {_NEW}, OLD.status, NEW.modified_at, OLD.request, NULL); END;
CREATE TRIGGER record_removed AFTER DELETE ON records
    BEGIN INSERT INTO changes ({_COLUMNS}) VALUES ('removed', OLD.arn, OLD.account, OLD.region, OLD.kind, OLD.name,
    OLD.status, OLD.status, OLD.modified_at, OLD.request, OLD.state); END
""",  # noqa: S608 - all of it is written here
    ),
]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened to one record. ``status`` is the one after it, ``before`` that before it."""

    sequence: int
    what: Literal["created", "status", "updated", "removed"]
    arn: str
    account: str
    region: str
    kind: str
    """The noun's, as its records are filed: ``sagemaker/TrainingJob``."""
    name: str
    status: str
    before: str
    at: float
    """Seconds since 1970."""
    request: dict[str, Any] | None
    """For ``updated`` the request as it was before, for ``removed`` the last one."""
    state: dict[str, Any] | None
    """For ``status`` what was published with it, for ``removed`` the last that was."""


@dataclass(frozen=True, slots=True)
class Hint:
    """A record to look at again."""

    what: str
    arn: str
    kind: str
    status: str


Handler = Callable[[sqlite3.Connection, Sequence[Change]], None]
"""Writes what follows from the changes to the transaction. Quick: all other writes wait for it."""


@dataclass(slots=True)
class _Follower:
    name: str
    handle: Handler
    failures: int = field(default=0)


class Changes:
    """Followers and listeners are added before ``start``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._followers: list[_Follower] = []
        self._listeners: list[Callable[[Sequence[Hint]], None]] = []
        self._thread = Woken("changes", self._advance_all)
        self._awaited = threading.Event()
        self._seen = 0
        """The newest change that listeners were told of. The writer's own."""
        self._read: tuple[tuple[int, int], list[Change]] = ((0, 0), [])
        """What was read last, behind which change and up to which: all followers are handed the same in turn. The
        writer's own."""
        self._since = _last(database.reader)
        """Where a follower that is new begins: with what happens from now on, though it is added later."""

    def follow(self, name: str, handle: Handler) -> None:
        """Have ``handle`` called with all that happens from now on; under a name of before, from where it was."""
        self._followers.append(_Follower(name, handle))

    def on_commit(self, listener: Callable[[Sequence[Hint]], None]) -> None:
        """Have ``listener`` called once changes are on the disk: on the writer's thread, so it must be quick."""
        self._listeners.append(listener)

    def start(self) -> None:
        names = [follower.name for follower in self._followers]

        def begin(tx: sqlite3.Connection) -> int:
            marks = ", ".join("?" * len(names))
            tx.execute(f"DELETE FROM change_followers WHERE name NOT IN ({marks})", names)  # noqa: S608 - marks only
            tx.executemany(
                "INSERT OR IGNORE INTO change_followers VALUES (?, ?)", [(name, self._since) for name in names]
            )
            return _last(tx)

        self._seen = self._database.write(begin)
        self._database.after_each_commit(self._committed)
        self._thread.wake()
        self._thread.start()

    def stop(self) -> None:
        """Finish the batch under way. What was not handed over is, after the next start."""
        self._awaited.set()
        self._thread.stop()

    def is_behind(self) -> bool:
        """Whether somebody has yet to be handed what happened; whoever asks waits for it."""
        self._awaited.set()
        return any(self._is_behind(follower) for follower in self._followers)

    def _committed(self, connection: sqlite3.Connection) -> None:
        last = _last(connection)
        if last == self._seen:
            return
        rows = connection.execute(
            "SELECT what, arn, kind, status FROM changes WHERE sequence > ? ORDER BY sequence", (self._seen,)
        ).fetchall()
        self._seen = last
        self._thread.wake()
        hints = [Hint(*row) for row in rows]
        for listener in self._listeners:
            try:
                listener(hints)
            except Exception:
                log.exception("a listener to changes of records failed")

    def _advance_all(self) -> None:
        until = _last(self._database.reader)
        behind = [follower for follower in self._followers if self._is_behind(follower)]
        for follower in self._followers:
            if follower not in behind:
                follower.failures = 0
        handed = [self._begin(follower, until, along=follower is not behind[-1]) for follower in behind]
        more = [self._end(follower, each) for follower, each in zip(behind, handed, strict=True)]
        if not behind:
            self._trim()
        if any(more):
            self._thread.wake()
        elif behind and not self._thread.is_stopping:
            self._awaited.clear()
            self._awaited.wait(REST_SECONDS)

    def _is_behind(self, follower: _Follower) -> bool:
        reader = self._database.reader
        after = "SELECT 1 FROM changes WHERE sequence > ? LIMIT 1"
        return reader.execute(after, (_cursor(reader, follower.name),)).fetchone() is not None

    def _begin(self, follower: _Follower, until: int, *, along: bool) -> Future[int]:
        """Hand over one batch, of no later change than ``until``, in one commit with those of the others."""
        size = _batch(follower)
        return self._database.submit(lambda tx: self._hand_over(tx, follower, size, until), along=along)

    def _hand_over(self, tx: sqlite3.Connection, follower: _Follower, size: int, until: int) -> int:
        found = self._changes_after(tx, _cursor(tx, follower.name), until)[:size]
        if found:
            follower.handle(tx, found)
            _move(tx, follower.name, found[-1].sequence)
            # A change of this very commit stays until listeners have heard of it.
            all_have = tx.execute("SELECT min(sequence) FROM change_followers").fetchone()[0]
            _delete(tx, min(all_have, self._seen))
        return len(found)

    def _changes_after(self, tx: sqlite3.Connection, cursor: int, until: int) -> list[Change]:
        """At most ``BATCH`` of those up to ``until``. Nobody alters what he is handed."""
        if self._read[0] != (cursor, until):
            found = [each for each in _after(tx, cursor, BATCH) if each.sequence <= until]
            self._read = ((cursor, until), found)
        return self._read[1]

    def _end(self, follower: _Follower, handed: Future[int]) -> bool:
        """Whether there is more to hand over."""
        size = _batch(follower)
        try:
            count = handed.result()
        except Exception:
            follower.failures += 1
            log.exception("%s could not follow the changes of records; it is tried again", follower.name)
            if follower.failures >= 2 * TRIES:
                self._pass_over(follower)
            threading.Event().wait(PAUSE_SECONDS)
            return True
        follower.failures = TRIES if size == 1 else 0
        return count == size

    def _pass_over(self, follower: _Follower) -> None:
        def skip(tx: sqlite3.Connection) -> None:
            for change in _after(tx, _cursor(tx, follower.name), 1):
                log.error("%s never took change %s of %s; passed over", follower.name, change.what, change.arn)
                _move(tx, follower.name, change.sequence)

        self._database.write(skip)
        follower.failures = TRIES

    def _trim(self) -> None:
        """Delete what all have been handed in the very commit that made it; where nobody follows, what is too much."""
        reader = self._database.reader
        first = reader.execute("SELECT min(sequence) FROM changes").fetchone()[0]
        until = reader.execute("SELECT min(sequence) FROM change_followers").fetchone()[0]
        if until is None and first is not None and (last := _last(reader)) - first > KEPT_MAX:
            until = last
        if first is not None and until is not None and first <= until:
            self._database.submit(lambda tx: _delete(tx, until), along=True)


def _batch(follower: _Follower) -> int:
    return 1 if follower.failures >= TRIES else BATCH


def _delete(tx: sqlite3.Connection, until: int) -> None:
    tx.execute("DELETE FROM changes WHERE sequence <= ?", (until,))


def _after(connection: sqlite3.Connection, cursor: int, size: int) -> list[Change]:
    found = connection.execute("SELECT * FROM changes WHERE sequence > ? ORDER BY sequence LIMIT ?", (cursor, size))
    return [_change(row) for row in found]


def _change(row: sqlite3.Row) -> Change:
    columns: dict[str, Any] = dict(row)
    for name in ("request", "state"):
        columns[name] = None if columns[name] is None else from_text(columns[name])
    return Change(**columns)


def _cursor(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute("SELECT sequence FROM change_followers WHERE name = ?", (name,)).fetchone()[0])


def _move(tx: sqlite3.Connection, name: str, sequence: int) -> None:
    tx.execute("UPDATE change_followers SET sequence = ? WHERE name = ?", (sequence, name))


def _last(connection: sqlite3.Connection) -> int:
    """The number of the newest change there ever was."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'changes'").fetchone()
    return 0 if row is None else int(row[0])
