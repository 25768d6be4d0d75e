"""SQLite as a grown-up store: one writer with group commit, many readers.

All writes go through one thread. It takes whatever has queued up, runs each change in a savepoint of its own
inside one transaction, commits once (WAL, synchronous FULL: the commit is on the disk) and only then wakes the
callers. So a change that raises is undone alone, and an answered write survives a kill or a power cut.

Readers are connections per thread that cannot write. They never wait for the writer.
"""

from __future__ import annotations

import math
import queue
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, TypeVar

from cloche.foundation.errors import Broken, Conflict, LimitReached

T = TypeVar("T")
Moment = int
Change = Callable[[sqlite3.Connection], T]

GROUP_MAX: Final = 256
QUEUE_MAX: Final = 10_000
QUEUE_SECONDS_MAX: Final = 30.0
READER_CACHE_KIB: Final = 512
"""Of each thread's connection; SQLite's 2 MiB would be filled by each in the course of an hour. What is not in it comes
from the system's cache in a microsecond, and mapping the file instead would count it once for each thread."""
ALONG_SECONDS: Final = 0.02
_STOP: Final = object()


class Database:
    """``path`` is made if it is not there. Migrations are applied by ``migrations.migrate`` before use.

    Raises ``Conflict`` where something else lies at ``path``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._readers: weakref.WeakSet[_Reader] = weakref.WeakSet()
        self._readers_lock = threading.Lock()
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._closed = False
        self._commits = 0
        self._after_commit: list[Callable[[], None]] = []
        self._after_each_commit: list[Callable[[sqlite3.Connection], None]] = []
        try:
            self._writer = _connect(path)
        except sqlite3.DatabaseError as error:
            raise Conflict(
                f"{path} cannot be opened as Cloche's database ({error}); nothing was changed: "
                "put back the right file, or choose another directory with --data"
            ) from None
        self._thread = threading.Thread(target=self._write_loop, name="metadata-writer", daemon=True)
        self._thread.start()

    # -- writing -----------------------------------------------------------------------------------------

    def submit(self, change: Change[T], *, along: bool = False) -> Future[T]:
        """Queue ``change(connection)``. The future ends once its transaction is on the disk, or failed. One that is
        cancelled before its turn is left out; later it cannot be cancelled any more. What nobody waits for may go
        ``along``: it is not written by itself as long as something else may follow within a moment."""
        if self._closed:
            raise Broken("the metadata store is closed")
        done: Future[T] = Future()
        if self._queue.qsize() >= QUEUE_MAX and not self._has_room():
            raise LimitReached("too many writes are waiting")
        self._queue.put((change, done, along))
        return done

    def _has_room(self) -> bool:
        """Whether others are worked off within half a minute."""
        until = time.monotonic() + QUEUE_SECONDS_MAX
        while self._queue.qsize() >= QUEUE_MAX:
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
        return True

    def write(self, change: Change[T]) -> T:
        """Run ``change(connection)`` in a durable transaction and answer what it answers (or raises)."""
        return self.submit(change).result()

    def after_commit(self, call: Callable[[], None]) -> None:
        """From inside a change: have ``call`` made, on the writer's thread, once the change is on the disk.

        For hints only ("look again"): it is also made when this very change was undone but its group was not.
        """
        self._after_commit.append(call)

    def after_each_commit(self, call: Callable[[sqlite3.Connection], None]) -> None:
        """From now on have ``call(connection)`` made on the writer's thread after each commit. Microseconds only: the
        next group waits for it."""
        self._after_each_commit.append(call)

    def _write_loop(self) -> None:
        stop = False
        while not stop:
            group: list[tuple[Change[Any], Future[Any]]] = []
            is_urgent = False
            until = math.inf
            while len(group) < GROUP_MAX:
                item = self._next(0.0 if is_urgent else until - time.monotonic())
                stop = item is _STOP
                if item is None or stop:
                    break
                change, done, along = item
                group.append((change, done))
                is_urgent = is_urgent or not along
                until = min(until, time.monotonic() + ALONG_SECONDS)
            if group:
                self._commit(group)

    def _next(self, seconds: float) -> Any:
        """What was queued next; ``None`` if that was nothing within ``seconds``."""
        try:
            if seconds <= 0.0:
                return self._queue.get_nowait()
            return self._queue.get(timeout=None if seconds == math.inf else seconds)
        except queue.Empty:
            return None

    def _commit(self, group: Iterable[tuple[Change[Any], Future[Any]]]) -> None:
        connection = self._writer
        group = [(change, done) for change, done in group if done.set_running_or_notify_cancel()]
        finished: list[tuple[Future[Any], Any, BaseException | None]] = []
        try:
            connection.execute("BEGIN IMMEDIATE")
            if len(group) == 1:  # an error undoes the whole of it, so it needs no savepoint
                ((change, done),) = group
                finished.append((done, change(connection), None))
            else:
                finished += [(done, *_in_savepoint(connection, change)) for change, done in group]
            connection.execute("COMMIT")
            self._commits += 1
        except BaseException as error:  # the disk is full, the file is gone: nobody's change was kept
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._after_commit.clear()
            for _, done in group:
                done.set_exception(error)
            return
        for done, answer, failure in finished:
            if failure is None:
                done.set_result(answer)
            else:
                done.set_exception(failure)
        calls, self._after_commit = self._after_commit, []
        for call in calls:
            call()
        for look in self._after_each_commit:
            look(connection)

    # -- reading -----------------------------------------------------------------------------------------

    @property
    def reader(self) -> sqlite3.Connection:
        """This thread's read-only connection. Each statement sees all that was acknowledged before it."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            reader = _Reader(_connect(self.path, read_only=True))
            connection = reader.connection
            self._local.connection, self._local.reader = connection, reader
            with self._readers_lock:
                self._readers.add(reader)
        return connection

    def moment(self) -> Moment:
        """Equal to one of before as long as nobody was told since of anything written: all writes are this object's
        own, and it counts them before it wakes whoever waits. Ask for it before what is read at it."""
        return self._commits

    def close(self) -> None:
        """Finish queued writes, then close. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(_STOP)
        self._thread.join()
        with self._readers_lock:
            for reader in self._readers:
                reader.connection.close()
        self._writer.close()


class _Reader:
    """A thread's connection, which ends with the thread: threads come and go, and its files would stay open."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def __del__(self) -> None:
        self.connection.close()


def _in_savepoint(connection: sqlite3.Connection, change: Change[Any]) -> tuple[Any, BaseException | None]:
    """What ``change`` answered, or raised and is undone."""
    connection.execute("SAVEPOINT change")
    try:
        answer = change(connection)
    except BaseException as error:
        connection.execute("ROLLBACK TO change")
        connection.execute("RELEASE change")
        return None, error
    connection.execute("RELEASE change")
    return answer, None


def _connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA temp_store=MEMORY")
    if read_only:
        connection.execute(f"PRAGMA cache_size=-{READER_CACHE_KIB}")
        connection.execute("PRAGMA query_only=ON")
    return connection
