"""Which streams' files are open. Bounded: the one longest unused is closed, its times written to the index."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from cloche.storage.logs import index
from cloche.storage.logs.stream import Held, StreamFiles
from cloche.storage.metadata.database import Database

OPEN_STREAMS_MAX: Final = 64


class OpenStreams:
    def __init__(self, root: Path, database: Database) -> None:
        self._root = root
        self._database = database
        self._lock = threading.RLock()
        self._open: OrderedDict[int, StreamFiles] = OrderedDict()
        self._writing: set[int] = set()
        self._telling = threading.Lock()
        self._told: dict[int, Held] = {}
        """What the index knows of open streams: readers ask often, and mostly nothing is new."""

    def path(self, stream_id: int) -> Path:
        return self._root / f"{stream_id % 256:02x}" / str(stream_id)

    @contextlib.contextmanager
    def use(self, stream_id: int) -> Iterator[StreamFiles]:
        """The stream's files, which stay open as long as the block runs."""
        with self._lock:
            files = self._open.get(stream_id)
            if files is None:
                self._make_room()
                files = self._open[stream_id] = StreamFiles(self.path(stream_id))
            self._open.move_to_end(stream_id)
            files.uses += 1
        try:
            yield files
        finally:
            with self._lock:
                files.uses -= 1

    def writing(self, stream_id: int) -> None:
        """Before the first append since it was opened: mark the stream so that a crash has it looked at."""
        if stream_id in self._writing:
            return
        self._database.write(lambda tx: tx.execute("UPDATE log_streams SET active = 1 WHERE id = ?", (stream_id,)))
        with self._lock:
            self._writing.add(stream_id)

    def write_times(self) -> None:
        """Bring the index up to date with what was appended since it was last told."""
        with self._telling:
            with self._lock:
                held = {number: self._open[number].held for number in self._writing if number in self._open}
                times = {number: new for number, new in held.items() if new is not self._told.get(number)}

            def change(tx: sqlite3.Connection) -> None:
                for number, held in times.items():
                    index.set_times(tx, number, held, active=True)

            if times:
                self._database.write(change)
            with self._lock:
                self._told.update((number, new) for number, new in times.items() if number in self._open)

    def keep_times(self, stream_id: int, files: StreamFiles) -> None:
        """Write to the index what the files hold now."""
        held, active = files.held, stream_id in self._writing
        self._database.write(lambda tx: index.set_times(tx, stream_id, held, active=active))

    def remove(self, stream_ids: Iterable[int]) -> None:
        """Close and delete the files of streams that are no longer in the index."""
        for stream_id in stream_ids:
            with self._lock:
                files = self._open.pop(stream_id, None)
                self._writing.discard(stream_id)
                self._told.pop(stream_id, None)
            if files is not None:
                files.close()
            shutil.rmtree(self.path(stream_id), ignore_errors=True)

    def recover(self) -> None:
        """After a start: repair what was being written to, remove files that the index does not know."""
        rows = self._database.reader.execute("SELECT id FROM log_streams WHERE active = 1").fetchall()
        times: dict[int, Held] = {}
        for row in rows:
            files = StreamFiles(self.path(row["id"]))
            times[row["id"]] = files.held
            files.close()

        def change(tx: sqlite3.Connection) -> None:
            for number, held in times.items():
                index.set_times(tx, number, held, active=False)

        if times:
            self._database.write(change)
        known = {row["id"] for row in self._database.reader.execute("SELECT id FROM log_streams")}
        for path in self._root.glob("??/*"):
            if not path.name.isdigit() or int(path.name) not in known:
                shutil.rmtree(path, ignore_errors=True)

    def close(self) -> None:
        with self._lock:
            numbers = list(self._open)
        self._close(numbers)

    def _make_room(self) -> None:
        spare = [number for number, files in self._open.items() if files.uses == 0]
        while len(self._open) >= OPEN_STREAMS_MAX and spare:
            self._close([spare.pop(0)])

    def _close(self, numbers: list[int]) -> None:
        times: dict[int, Held] = {}
        with self._lock:
            for number in numbers:
                files = self._open.pop(number)
                self._told.pop(number, None)
                if number in self._writing:
                    times[number] = files.held
                    self._writing.discard(number)
                files.close()

        def change(tx: sqlite3.Connection) -> None:
            for number, held in times.items():
                index.set_times(tx, number, held, active=False)

        if times:
            self._database.write(change)
