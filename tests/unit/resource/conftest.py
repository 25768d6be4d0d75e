"""A store, and the toy noun over it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from toy_noun import Desk, ToyJob

from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "cloche.db")
    migrate(made, records.MIGRATIONS)
    yield made
    made.close()


@pytest.fixture
def desk(database: Database) -> Desk:
    ToyJob.shown_calls = 0
    return Desk(database, {held.name: held.handler for held in ToyJob.operations_brought()})
