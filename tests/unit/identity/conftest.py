from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cloche.engines.identity import MIGRATIONS, Identity
from cloche.foundation.settings import Settings
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate


class HandClock:
    def __init__(self) -> None:
        self.at = datetime(2026, 11, 25, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def time(self) -> float:
        return self.at.timestamp()

    def real(self) -> float:
        return self.time()

    def when_turned(self, callback: Callable[[], None]) -> None: ...

    def pass_by(self, **spans: float) -> None:
        self.at += timedelta(**spans)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "metadata.sqlite")
    migrate(opened, MIGRATIONS)
    yield opened
    opened.close()


@pytest.fixture
def identity(database: Database, clock: HandClock, tmp_path: Path) -> Identity:
    return Identity(database, clock, Settings(tmp_path), tmp_path / "keys")
