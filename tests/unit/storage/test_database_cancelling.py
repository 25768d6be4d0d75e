"""A write that nobody waits for any more: left out before its turn, and no harm to the others at any time."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

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
