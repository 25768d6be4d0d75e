"""Output files become log streams: every line once, whatever happens between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloche.engines.training import Metric
from cloche.engines.training.driver import LOG_GROUP, NAMESPACE
from cloche.engines.training.scraping import Scraper
from cloche.foundation.clock import SystemClock
from cloche.foundation.limits import LOG_LINE_BYTES_MAX
from cloche.jobs.following import JobLog, Metrics, Stream
from cloche.storage import logs, metrics
from cloche.storage.logs import LogStore
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.metrics import MetricStore

from .test_stage_inputs import PLAN

FOLLOWED = Stream(
    PLAN.arn,
    PLAN.account,
    PLAN.region,
    LOG_GROUP,
    "j/algo-1-1",
    Metrics(NAMESPACE, (("TrainingJobName", "j"),), lambda: Scraper([Metric("loss", "loss=([0-9.]+)")])),
)


@dataclass
class Desk:
    path: Path
    logs: LogStore
    metrics: MetricStore
    database: Database

    def follow(self) -> JobLog:
        return JobLog(self.path, FOLLOWED, self.logs, self.metrics, SystemClock())

    def write(self, text: str | bytes) -> None:
        with self.path.open("ab") as file:
            file.write(text.encode() if isinstance(text, str) else text)

    def stored(self) -> list[str]:
        page = self.logs.read(PLAN.account, PLAN.region, LOG_GROUP, "j/algo-1-1", from_head=True)
        return [event.message for event in page.events]

    def points(self) -> int:
        total = self.database.reader.execute(
            "SELECT coalesce(sum(p.count), 0) FROM metric_points p JOIN metrics m ON m.id = p.metric_id"
            " WHERE m.namespace = ? AND m.name = 'loss'",
            (NAMESPACE,),
        ).fetchone()[0]
        return int(total)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    database = Database(tmp_path / "cloche.db")
    migrate(database, [*logs.MIGRATIONS, *metrics.MIGRATIONS])
    store = LogStore(tmp_path / "logs", database, SystemClock())
    metric_store = MetricStore(database, SystemClock())
    yield Desk(tmp_path / "output", store, metric_store, database)
    metric_store.close()
    store.close()
    database.close()


def test_lines_are_stored_when_they_are_whole(desk: Desk) -> None:
    followed = desk.follow()
    followed.pump()  # the file is not there yet
    desk.write("one\ntw")
    followed.pump()
    assert desk.stored() == ["one"]
    desk.write("o\n\nlast")
    followed.pump()
    assert desk.stored() == ["one", "two", ""]
    followed.finish()
    assert desk.stored() == ["one", "two", "", "last"]
    followed.close()


def test_a_restart_loses_and_doubles_nothing(desk: Desk) -> None:
    desk.write("loss=3\nloss=2\npart")
    first = desk.follow()
    first.pump()
    first.close()
    desk.write("ial\nloss=1\n")
    second = desk.follow()
    second.pump()
    final = second.finish()
    second.close()
    assert desk.stored() == ["loss=3", "loss=2", "partial", "loss=1"]
    assert [(metric.name, metric.value) for metric in final] == [("loss", 1.0)]
    assert desk.points() == 3


def test_finishing_twice_is_finishing_once(desk: Desk) -> None:
    desk.write("loss=1\nloss=2")
    first = desk.follow()
    first.finish()
    first.close()
    again = desk.follow()
    assert [metric.value for metric in again.finish()] == [2.0]
    again.close()
    assert desk.stored() == ["loss=1", "loss=2"]
    assert desk.points() == 2


def test_a_store_that_fails_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    followed = desk.follow()
    desk.write("one\n")
    followed.pump()
    with monkeypatch.context() as patch:
        patch.setattr(desk.logs, "append", _fail)
        desk.write("two\nthree")
        with pytest.raises(OSError, match="full"):
            followed.pump()
    followed.finish()
    followed.close()
    assert desk.stored() == ["one", "two", "three"]


def _fail(*arguments: object) -> None:
    raise OSError("the disk is full")


def test_control_characters_bad_utf8_and_carriage_returns(desk: Desk) -> None:
    desk.write(b"a\tb\r\n\xff\xfe\n\x1b[31mred\n")
    followed = desk.follow()
    followed.finish()
    followed.close()
    assert desk.stored() == ["a#011b", "\ufffd\ufffd", "#033[31mred"]


def test_very_long_lines_are_cut_not_lost(desk: Desk) -> None:
    desk.write("x" * (2 * LOG_LINE_BYTES_MAX + 10) + "\nnext\n")
    followed = desk.follow()
    followed.finish()
    followed.close()
    found = desk.stored()
    page_two = desk.logs.read(PLAN.account, PLAN.region, LOG_GROUP, "j/algo-1-1", limit=10).events
    assert [len(event.message) for event in page_two] == [LOG_LINE_BYTES_MAX, LOG_LINE_BYTES_MAX, 10, 4] or len(
        found
    ) == 4
