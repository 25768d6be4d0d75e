"""Removing contents that nothing refers to any more: blobs at once, with their rows; data files late, in the
background, and not forgotten by a crash."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from typing import Final

from cloche.storage.metadata.database import Database
from cloche.storage.objects import blobs
from cloche.storage.objects.files import DataFiles

log = logging.getLogger(__name__)

GRACE_SECONDS: Final = 10.0
"""How long the name of a dropped data file stays: a reader may have been told it and not opened it yet."""
ROUND_MAX: Final = 100_000
BATCH: Final = 500


class Removal:
    """A thread that empties ``removals``. It starts with what the last run left in doubt."""

    def __init__(self, files: DataFiles, database: Database) -> None:
        self._files = files
        self._database = database
        self._in_doubt = files.leftovers()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="object-removal", daemon=True)
        self._thread.start()

    def note(self, tx: sqlite3.Connection, names: Iterable[str]) -> None:
        """Within the transaction that drops the last reference to these data files and blobs: they are to go. Empty
        names are passed over."""
        files: list[tuple[str]] = []
        for name in names:
            if blobs.is_blob(name):
                blobs.drop(tx, (name,))
            elif name:
                files.append((name,))
        if files:
            tx.executemany("INSERT OR IGNORE INTO removals VALUES (?)", files)
            self._database.after_commit(self._wake.set)

    def note_selected(self, tx: sqlite3.Connection, select: str, arguments: tuple[str, ...]) -> None:
        """The same for all that ``select`` finds in its one column, ``file``."""
        blobs.drop_selected(tx, select, arguments)
        tx.execute(
            f"INSERT OR IGNORE INTO removals SELECT file FROM ({select}) WHERE NOT {blobs.IS_BLOB}",  # noqa: S608
            arguments,
        )
        self._database.after_commit(self._wake.set)

    def collect(self) -> int:
        """Remove all files noted by now, without grace; answers how many."""
        files = self._noted()
        self._remove(files)
        return len(files)

    def settle(self) -> None:
        """Remove the files the last run left in doubt: those in ``tmp`` that no row holds. Safe to repeat."""
        doubtful, self._in_doubt = self._in_doubt, []
        for batch in _batches(doubtful):
            held = self._held(batch)
            self._files.remove(file for file in batch if file not in held)
            for file in held:
                self._files.forget_temporary(file)

    def close(self) -> None:
        """End the thread; what is noted stays noted. Safe to call twice."""
        self._stop.set()
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self.settle()
            self.collect()
        except Exception:
            log.exception("data files that the last run left in doubt could not be removed")
        while not self._stop.is_set():
            self._wake.wait()
            self._wake.clear()
            try:
                files = self._noted()
                if files and not self._stop.wait(GRACE_SECONDS):
                    self._remove(files)
            except Exception:
                log.exception("data files of replaced or deleted objects could not be removed; trying again later")

    def _noted(self) -> list[str]:
        rows = self._database.reader.execute("SELECT file FROM removals LIMIT ?", (ROUND_MAX,))
        return [row["file"] for row in rows]

    def _remove(self, files: list[str]) -> None:
        for batch in _batches(files):
            self._files.remove(batch)

            def forget(tx: sqlite3.Connection, batch: list[str] = batch) -> None:
                tx.executemany("DELETE FROM removals WHERE file = ?", [(file,) for file in batch])

            self._database.write(forget)

    def _held(self, files: list[str]) -> set[str]:
        marks = ",".join("?" * len(files))
        held: set[str] = set()
        for table in ("objects", "upload_parts"):
            rows = self._database.reader.execute(
                f"SELECT file FROM {table} WHERE file IN ({marks})",  # noqa: S608 - constants and marks
                files,
            )
            held.update(row["file"] for row in rows)
        return held


def _batches(files: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(files), BATCH):
        yield files[start : start + BATCH]
