"""A log store that is opened again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stored_logs import SetClock

from cloche.storage.logs import MIGRATIONS, LogStore
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def open_store(tmp_path: Path, clock: SetClock) -> Iterator[Callable[[], LogStore]]:
    """Each call opens the same directory anew, as a start after a kill does: nothing was closed."""
    databases: list[Database] = []

    def make() -> LogStore:
        database = Database(tmp_path / "cloche.db")
        databases.append(database)
        migrate(database, MIGRATIONS)
        return LogStore(tmp_path / "logs", database, clock)

    yield make
    for database in databases:
        database.close()


@pytest.fixture
def store(open_store: Callable[[], LogStore]) -> LogStore:
    return open_store()
