"""Readers are connections of threads: they end with them, or a server would run out of descriptors."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

import pytest

from cloche.foundation.descriptors import is_readable
from cloche.storage.metadata.database import Database


def open_files(path: Path) -> int:
    found = 0
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found += os.readlink(entry) == str(path)
        except OSError:
            continue
    return found


def test_a_threads_connection_ends_with_it(tmp_path: Path) -> None:
    database = Database(tmp_path / "cloche.db")
    before = open_files(database.path)

    def read() -> None:
        database.reader.execute("SELECT 1").fetchone()

    for _ in range(30):
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
    assert open_files(database.path) <= before + 1
    database.close()


def test_a_moment_lasts_until_somebody_has_written(tmp_path: Path) -> None:
    """Whoever was told of a write finds another moment; what was refused has changed nothing."""
    database = Database(tmp_path / "cloche.db")
    database.write(lambda tx: tx.execute("CREATE TABLE numbers (number INTEGER UNIQUE) STRICT").rowcount)
    moments = [database.moment()]
    for number in range(20):
        database.write(lambda tx, number=number: tx.execute("INSERT INTO numbers VALUES (?)", (number,)).rowcount)
        moments.append(database.moment())
    assert len(set(moments)) == len(moments)
    with pytest.raises(sqlite3.IntegrityError):
        database.write(lambda tx: tx.execute("INSERT INTO numbers VALUES (21), (3)"))
    assert database.moment() == moments[-1]
    assert database.reader.execute("SELECT count(*) FROM numbers").fetchone()[0] == 20
    database.close()


def test_a_descriptor_beyond_a_thousand_can_be_waited_for() -> None:
    out, into = os.pipe()
    high = os.dup2(out, 3000)
    try:
        assert not is_readable(high, 0.0)
        os.write(into, b"x")
        assert is_readable(high, 5.0)
    finally:
        for each in (out, into, high):
            os.close(each)
