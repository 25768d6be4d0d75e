"""``LogStore``: what engines append to and the Logs service reads from.

An append is on the disk when it returns. Events are given back in the order of their timestamps, and among
equals in the order they were taken in. Messages are text; what is longer than a log line may be
(``limits.LOG_LINE_BYTES_MAX``) is the caller's to cut. Whoever follows a stream by its places (``order.Place``) sees
every event once, also those that come in late with an earlier timestamp. Nothing here may be called from inside a
metadata transaction: appends write to the index by themselves.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

from cloche.foundation.clock import Clock
from cloche.foundation.errors import AlreadyExists, NotFound
from cloche.storage.logs import index
from cloche.storage.logs.files import OpenStreams
from cloche.storage.logs.finding import (
    PAGE_EVENTS_MAX,
    FoundPage,
    Position,
    Question,
    find_events,
)
from cloche.storage.logs.following import Following
from cloche.storage.logs.index import LogGroup, LogStream
from cloche.storage.logs.order import END, Boundary, Place, events_of, forward_steps
from cloche.storage.logs.paging import EventPage, read_backward, read_forward
from cloche.storage.logs.sources import LogSource, event_at
from cloche.storage.logs.stream import LogEvent
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.keyset import Key, Walk, read_page

DAY_MS: Final = 24 * 3600 * 1000
_KEPT: Final = 200
"""Events of a live tail's step that are taken from one stream at most, more than a client is shown of all."""


class LogStore:
    """``root`` holds the files and is made if need be; ``index.MIGRATIONS`` must have been applied."""

    def __init__(self, root: Path, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._files = OpenStreams(root, database)
        self.following = Following(database, self._files)
        self._ids: dict[tuple[str, str, str, str], int] = {}
        self.when_appended: Callable[[str, str, str, list[tuple[int, str]]], None] | None = None
        """Told of account, region, group and events of every append once it is on the disk; must not raise."""
        self.when_grown: Callable[[str, str, str, int], None] | None = None
        """Told of account, region, group and the stream's id likewise."""
        self.is_closing = False
        """The server is about to stop: whoever waits for new events stops waiting."""
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._files.recover()

    # -- writing -----------------------------------------------------------------------------------------

    def append(self, account: str, region: str, group: str, stream: str, events: Iterable[tuple[int, str]]) -> None:
        """Add ``(timestamp_ms, message)`` pairs, durably, making group and stream where they are not there."""
        batch = list(events)
        number = self._ids.get((account, region, group, stream))
        if number is None:
            number = self._stream_to_write(account, region, group, stream)
        if not batch:
            return
        with self._files.use(number) as files:
            self._files.writing(number)
            files.append(batch, self._now_ms())
        if self.when_appended is not None:
            self.when_appended(account, region, group, batch)
        if self.when_grown is not None:
            self.when_grown(account, region, group, number)

    def create_group(
        self,
        account: str,
        region: str,
        group: str,
        *,
        log_class: str = "STANDARD",
        kms_key: str | None = None,
        protected: bool = False,
    ) -> None:
        """Raises ``AlreadyExists``."""

        def change(tx: sqlite3.Connection) -> None:
            now = self._now_ms()
            index.insert_group(
                tx, account, region, group, now, log_class=log_class, kms_key=kms_key, protected=protected
            )

        try:
            self._database.write(change)
        except sqlite3.IntegrityError:
            raise AlreadyExists("The specified log group already exists") from None

    def create_stream(self, account: str, region: str, group: str, stream: str) -> None:
        """Raises ``NotFound`` for the group, ``AlreadyExists`` for the stream."""

        def change(tx: sqlite3.Connection) -> None:
            found = _group(tx, account, region, group)
            index.insert_stream(tx, found.id, stream, self._now_ms())

        try:
            self._database.write(change)
        except sqlite3.IntegrityError:
            raise AlreadyExists("The specified log stream already exists") from None

    def delete_group(self, account: str, region: str, group: str) -> None:
        """With its streams. Raises ``NotFound``."""

        def change(tx: sqlite3.Connection) -> list[int]:
            found = _group(tx, account, region, group)
            rows = tx.execute("SELECT id FROM log_streams WHERE group_id = ?", (found.id,)).fetchall()
            tx.execute("DELETE FROM log_streams WHERE group_id = ?", (found.id,))
            tx.execute("DELETE FROM log_groups WHERE id = ?", (found.id,))
            return [row["id"] for row in rows]

        self._remove(self._database.write(change))

    def delete_stream(self, account: str, region: str, group: str, stream: str) -> None:
        """Raises ``NotFound``."""

        def change(tx: sqlite3.Connection) -> list[int]:
            found = _stream(tx, _group(tx, account, region, group), stream)
            tx.execute("DELETE FROM log_streams WHERE id = ?", (found.id,))
            return [found.id]

        self._remove(self._database.write(change))

    def set_retention(self, account: str, region: str, group: str, days: int | None) -> None:
        """Keep events that long (``None``: for ever). Older ones are hidden at once, removed by ``expire``."""
        self._set(account, region, group, "retention_days", days)

    def set_key(self, account: str, region: str, group: str, kms_key: str | None) -> None:
        self._set(account, region, group, "kms_key", kms_key)

    def set_protected(self, account: str, region: str, group: str, protected: bool) -> None:
        self._set(account, region, group, "protected", int(protected))

    def _set(self, account: str, region: str, group: str, column: str, value: Any) -> None:
        def change(tx: sqlite3.Connection) -> None:
            found = _group(tx, account, region, group)
            tx.execute(f"UPDATE log_groups SET {column} = ? WHERE id = ?", (value, found.id))  # noqa: S608

        self._database.write(change)

    def expire(self) -> int:
        """Remove files that hold only events beyond their group's retention; answers how many. Runs in the
        background, at leisure: what it has not removed yet is not shown."""
        self._files.write_times()
        rows = self._database.reader.execute(
            "SELECT s.id, g.retention_days FROM log_streams s JOIN log_groups g ON g.id = s.group_id"
            " WHERE g.retention_days IS NOT NULL AND s.first_ms < ? - g.retention_days * ?",
            (self._now_ms(), DAY_MS),
        ).fetchall()
        removed = 0
        for row in rows:
            with self._files.use(row["id"]) as files:
                gone = files.expire(self._now_ms() - row["retention_days"] * DAY_MS)
                if gone:
                    self._files.keep_times(row["id"], files)
                removed += gone
        return removed

    def announce_close(self) -> None:
        self.is_closing = True

    def close(self) -> None:
        self.is_closing = True
        self._files.close()

    # -- reading -----------------------------------------------------------------------------------------

    def group(self, account: str, region: str, group: str) -> LogGroup:
        """Raises ``NotFound``."""
        return _group(self._database.reader, account, region, group)

    def stream(self, account: str, region: str, group: str, stream: str) -> LogStream:
        """Raises ``NotFound`` for either."""
        return _stream(self._database.reader, self.group(account, region, group), stream)

    def groups(
        self,
        account: str,
        region: str,
        *,
        prefix: str = "",
        contains: str = "",
        patterns: Sequence[str] = (),
        log_class: str | None = None,
        after: Key | None = None,
        limit: int,
    ) -> tuple[list[LogGroup], Key | None]:
        """Groups by name, and the key to go on after. Of ``patterns`` one has to be in the name; at its beginning if
        the pattern begins with ``^``."""
        conditions, arguments = _name_conditions(prefix, contains)
        if patterns:
            either = ["instr(name, ?) = 1" if text.startswith("^") else "instr(name, ?) > 0" for text in patterns]
            conditions = (*conditions, f"({' OR '.join(either)})")
            arguments = (*arguments, *(text.removeprefix("^") for text in patterns))
        if log_class is not None:
            conditions, arguments = (*conditions, "class = ?"), (*arguments, log_class)
        walk = Walk(
            "log_groups",
            ("name",),
            conditions=("account = ?", "region = ?", *conditions),
            arguments=(account, region, *arguments),
        )
        page = read_page(self._database.reader, walk, after=after, size=limit)
        return [index.group_from_row(row) for row in page.rows], page.last

    def streams(
        self,
        account: str,
        region: str,
        group: str,
        *,
        prefix: str = "",
        by_time: bool = False,
        descending: bool = False,
        after: Key | None = None,
        limit: int,
    ) -> tuple[list[LogStream], Key | None]:
        """Streams by name, or by the time of their last event. Raises ``NotFound`` for the group."""
        found = self.group(account, region, group)
        self._files.write_times()
        conditions, arguments = _name_conditions(prefix, "")
        walk = Walk(
            "log_streams",
            ("last_ms", "name") if by_time else ("name",),
            descending=descending,
            conditions=("group_id = ?", *conditions),
            arguments=(found.id, *arguments),
        )
        page = read_page(self._database.reader, walk, after=after, size=limit)
        return [index.stream_from_row(row) for row in page.rows], page.last

    def stored_bytes(self, groups: Sequence[LogGroup]) -> dict[int, int]:
        """By the group's id: what its streams hold, as AWS counts it (``frames.Frame.stored_bytes``)."""
        self._files.write_times()
        marks = ", ".join("?" * len(groups))
        rows = self._database.reader.execute(
            f"SELECT group_id, sum(stored_bytes) FROM log_streams WHERE group_id IN ({marks}) GROUP BY group_id",  # noqa: S608
            [group.id for group in groups],
        )
        return {row[0]: row[1] for row in rows}

    def sources(self, account: str, region: str, group: str, start_ms: int, end_ms: int) -> list[LogSource]:
        """Streams of the group that may hold events from ``start_ms`` up to and including ``end_ms``. Raises
        ``NotFound``."""
        found = self.group(account, region, group)
        self._files.write_times()
        start_ms = max(start_ms, self._horizon_ms(found))
        streams = self._chosen(found, None, "", start_ms, end_ms + 1)
        return [LogSource(each.id, each.name, self._files.path(each.id), start_ms) for each in streams]

    def event(self, account: str, region: str, number: int, ordinal: int) -> tuple[LogGroup, LogStream, LogEvent]:
        """An event by its stream's number and its own. Raises ``NotFound``."""
        reader = self._database.reader
        missing = NotFound("The specified log record does not exist.")
        stream = index.read_stream(reader, number)
        group = None if stream is None else index.read_group(reader, stream.group_id)
        if stream is None or group is None or (group.account, group.region) != (account, region):
            raise missing
        event = event_at(self._files, number, ordinal)
        if event is None or event.timestamp_ms < self._horizon_ms(group):
            raise missing
        return group, stream, event

    def read(
        self,
        account: str,
        region: str,
        group: str,
        stream: str,
        *,
        start_ms: int = 0,
        end_ms: int | None = None,
        at: Boundary | Place | None = None,
        from_head: bool = False,
        limit: int = PAGE_EVENTS_MAX,
    ) -> EventPage:
        """A page of one stream's events from ``start_ms`` up to, not including, ``end_ms``. With ``from_head`` the
        earliest beyond the place ``at``, else the latest before the boundary ``at``. Raises ``NotFound``."""
        found = self.group(account, region, group)
        number = _stream(self._database.reader, found, stream).id
        start = (max(start_ms, self._horizon_ms(found)), 0)
        end = END if end_ms is None else (end_ms, 0)
        with self._files.use(number) as files:
            if from_head:
                return read_forward(files, start, end, at, limit)
            return read_backward(files, start, end, at, limit)

    def find(
        self,
        account: str,
        region: str,
        group: str,
        question: Question,
        *,
        streams: Sequence[str] | None = None,
        prefix: str = "",
        at: Position | None = None,
        limit: int = PAGE_EVENTS_MAX,
    ) -> FoundPage:
        """Matching events of many streams in the order of time. Raises ``NotFound`` for the group or a stream
        that is named."""
        found = self.group(account, region, group)
        self._files.write_times()
        horizon = self._horizon_ms(found)
        if horizon > question.start_ms:
            question = replace(question, start_ms=horizon)
        chosen = self._chosen(found, streams, prefix, question.start_ms, question.end_ms)
        return find_events(self._files, chosen, question, at, limit)

    def events(
        self, account: str, region: str, group: str, stream: str, *, start_ms: int, end_ms: int
    ) -> Iterator[LogEvent]:
        """All of a stream's events from ``start_ms`` up to, not including, ``end_ms``, earliest first, read as they are
        asked for. Raises ``NotFound``."""
        found = self.group(account, region, group)
        number = _stream(self._database.reader, found, stream).id
        start = (max(start_ms, self._horizon_ms(found)), 0)
        with self._files.use(number) as files:
            until = files.next_ordinal
            yield from takewhile(
                lambda event: event.timestamp_ms < end_ms, events_of(forward_steps(files, start, until=until))
            )

    def taken_in(
        self, account: str, region: str, group: str, since_ms: int, seen: dict[int, int]
    ) -> list[tuple[LogStream, LogEvent]]:
        """What was taken in at ``since_ms`` or later and has not been answered yet, in the order it came, the newest of
        each stream if it is much. ``seen`` is the caller's to keep between calls: what this has answered. Raises
        ``NotFound``."""
        found = self.group(account, region, group)
        rows = self._database.reader.execute(
            "SELECT * FROM log_streams WHERE group_id = ? AND (active = 1 OR ingested_ms >= ?)", (found.id, since_ms)
        )
        events: list[tuple[LogStream, LogEvent]] = []
        for stream in map(index.stream_from_row, rows.fetchall()):
            with self._files.use(stream.id) as files:
                known = seen.get(stream.id, 0)
                seen[stream.id] = files.next_ordinal
                new = [f for f in files.frames_since(known) if f.ingested_ms >= since_ms]
                taken = [event for frame in new[-_KEPT:] for event in files.events(frame)]
                events += [(stream, event) for event in taken[-_KEPT:]]
        events.sort(key=lambda pair: (pair[1].ingested_ms, pair[1].timestamp_ms))
        return events

    # -- inside ------------------------------------------------------------------------------------------

    def _now_ms(self) -> int:
        return int(self._clock.time() * 1000)

    def _horizon_ms(self, group: LogGroup) -> int:
        return 0 if group.retention_days is None else self._now_ms() - group.retention_days * DAY_MS

    def _stream_to_write(self, account: str, region: str, group: str, stream: str) -> int:
        def change(tx: sqlite3.Connection) -> int:
            now = self._now_ms()
            found = index.find_group(tx, account, region, group)
            if found is None:
                index.insert_group(tx, account, region, group, now)
                found = _group(tx, account, region, group)
            held = index.find_stream(tx, found.id, stream)
            if held is None:
                index.insert_stream(tx, found.id, stream, now)
                held = _stream(tx, found, stream)
            return held.id

        number = self._database.write(change)
        if len(self._ids) > 10_000:
            self._ids.clear()
        self._ids[account, region, group, stream] = number
        return number

    def _remove(self, numbers: list[int]) -> None:
        gone = set(numbers)
        for key in [key for key, number in self._ids.items() if number in gone]:
            self._ids.pop(key, None)
        self._files.remove(numbers)

    def _chosen(
        self, group: LogGroup, names: Sequence[str] | None, prefix: str, start_ms: int, end_ms: int
    ) -> list[LogStream]:
        reader = self._database.reader
        if names is not None:
            return [_stream(reader, group, name) for name in dict.fromkeys(names)]
        conditions, arguments = _name_conditions(prefix, "")
        walk = Walk(
            "log_streams",
            ("id",),
            conditions=("group_id = ?", "last_ms >= ?", "first_ms < ?", *conditions),
            arguments=(group.id, start_ms, end_ms, *arguments),
        )
        rows = read_page(reader, walk, after=None, size=1_000_000).rows
        return [index.stream_from_row(row) for row in rows]


def _group(connection: sqlite3.Connection, account: str, region: str, name: str) -> LogGroup:
    found = index.find_group(connection, account, region, name)
    if found is None:
        # botocore's own documentation of ResourceNotFoundException; recorded in boto/boto3 threads word for word
        raise NotFound("The specified log group does not exist.")
    return found


def _stream(connection: sqlite3.Connection, group: LogGroup, name: str) -> LogStream:
    found = index.find_stream(connection, group.id, name)
    if found is None:
        raise NotFound("The specified log stream does not exist.")
    return found


def _name_conditions(prefix: str, contains: str) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    conditions: list[str] = []
    arguments: list[Any] = []
    if prefix:
        # A range, so that the index serves it: up to the first name that cannot begin so.
        conditions.append("name >= ? AND name < ?")
        arguments.extend((prefix, prefix + "\U0010ffff"))
    if contains:
        conditions.append("instr(name, ?) > 0")
        arguments.append(contains)
    return tuple(conditions), tuple(arguments)
