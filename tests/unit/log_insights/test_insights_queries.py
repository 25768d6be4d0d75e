"""What is kept of queries: how many may wait, how they end without having begun, when they are forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloche.engines.log_insights import MIGRATIONS, LogInsights, QueryPlan, queries
from cloche.foundation.errors import Conflict, LimitReached, NotFound
from cloche.storage import logs as log_storage
from cloche.storage.logs import LogStore
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate

PLAN = QueryPlan(("g",), "stats count(*)", 0, 2**61, None)


class HandClock:
    seconds = 1_764_115_200.0

    def time(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def real(self) -> float:
        return self.seconds

    def when_turned(self, callback: Callable[[], None]) -> None: ...


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def insights(tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[LogInsights]:
    """None of its queries is ever begun."""
    monkeypatch.setattr(queries, "RUNNING_MAX", 0)
    monkeypatch.setattr(queries, "CONCURRENT_MAX", 3)
    database = Database(tmp_path / "db")
    migrate(database, [*records.MIGRATIONS, *log_storage.MIGRATIONS, *MIGRATIONS])
    store = LogStore(tmp_path / "logs", database, clock)
    yield LogInsights(tmp_path / "insights", database, clock, store)
    store.close()
    database.close()


def test_only_so_many_are_under_way(insights: LogInsights) -> None:
    ids = [insights.submit("1", "r", PLAN) for _ in range(3)]
    with pytest.raises(LimitReached):
        insights.submit("1", "r", PLAN)
    insights.submit("2", "r", PLAN)
    insights.stop(insights.find("1", "r", ids[0]))
    assert insights.find("1", "r", ids[0]).status == "Cancelled"
    insights.submit("1", "r", PLAN)
    with pytest.raises(Conflict):
        insights.stop(insights.find("1", "r", ids[0]))
    with pytest.raises(NotFound):
        insights.find("2", "r", ids[0])


def test_they_are_listed_from_the_newest(insights: LogInsights, clock: HandClock) -> None:
    ids = []
    for _ in range(3):
        ids.append(insights.submit("1", "r", PLAN))
        clock.seconds += 1
    insights.stop(insights.find("1", "r", ids[1]))
    first, after = insights.page("1", "r", group="g", status=None, after=None, limit=2)
    rest, end = insights.page("1", "r", group="g", status=None, after=after, limit=2)
    assert [query.id for query in first + rest] == ids[::-1] and end is None
    waiting, _ = insights.page("1", "r", group=None, status="Scheduled", after=None, limit=9)
    assert [query.id for query in waiting] == [ids[2], ids[0]]
    assert insights.page("1", "r", group="other", status=None, after=None, limit=9) == ([], None)


def test_they_are_forgotten(insights: LogInsights, clock: HandClock) -> None:
    ended, waiting, others = (insights.submit(account, "r", PLAN) for account in "112")
    insights.stop(insights.find("1", "r", ended))
    assert insights.expire() == 0
    clock.seconds += 8 * 24 * 3600
    assert insights.expire() == 1
    with pytest.raises(NotFound):
        insights.find("1", "r", ended)
    insights.abandon("1")
    with pytest.raises(NotFound):
        insights.find("1", "r", waiting)
    assert insights.find("2", "r", others).status == "Scheduled"
