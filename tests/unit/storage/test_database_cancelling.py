"""A write that nobody waits for any more: left out before its turn, and no harm to the others at any time."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from cloche.foundation.errors import LimitReached
from cloche.storage.metadata import database as database_module
from cloche.storage.metadata.database import Database


def test_a_cancelled_write_is_left_out_and_the_writer_goes_on(tmp_path: Path) -> None:
    database = Database(tmp_path / "cloche.db")
    database.write(lambda tx: tx.execute("CREATE TABLE seen (name TEXT)"))
    began, may_end = threading.Event(), threading.Event()

    def slow(tx: sqlite3.Connection) -> None:
        began.set()
        may_end.wait(30)
        tx.execute("INSERT INTO seen VALUES ('slow')")

    def add(name: str) -> None:
        database.write(lambda tx: tx.execute("INSERT INTO seen VALUES (?)", (name,)))

    running = database.submit(slow)
    assert began.wait(30)
    waiting = database.submit(lambda tx: tx.execute("INSERT INTO seen VALUES ('cancelled')"))
    assert waiting.cancel()
    assert not running.cancel()  # its turn has come
    may_end.set()
    running.result(30)
    add("after")
    assert [row[0] for row in database.reader.execute("SELECT name FROM seen")] == ["slow", "after"]
    database.close()


def test_a_crowd_waits_for_a_while_and_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than may wait are held back, for a time; the others are served as ever."""
    monkeypatch.setattr(database_module, "QUEUE_MAX", 2)
    monkeypatch.setattr(database_module, "QUEUE_SECONDS_MAX", 0.05)
    database = Database(tmp_path / "cloche.db")
    going, begun = threading.Event(), threading.Event()

    def slow(_tx: sqlite3.Connection) -> int:
        begun.set()
        going.wait(30)
        return 0

    first = database.submit(slow)
    assert begun.wait(30)
    others = [database.submit(lambda _tx, number=number: number) for number in (1, 2)]
    with pytest.raises(LimitReached, match="too many writes"):
        database.submit(lambda _tx: 3)
    going.set()
    assert [each.result(30) for each in (first, *others)] == [0, 1, 2]
    assert database.write(lambda _tx: 4) == 4
    database.close()
