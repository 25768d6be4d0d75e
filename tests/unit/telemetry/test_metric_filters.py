"""Data points of log events: values, dimensions, and the default of minutes in which nothing matched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloche.engines.filter_patterns import compile_pattern
from cloche.engines.metric_filters import MetricFilters, number
from cloche.storage.logs import filters
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.metrics import MIGRATIONS, MetricStore

OWNER = ("123456789012", "us-east-1")
MINUTE = 1_795_600_020 // 60 * 60


class SetClock:
    seconds = MINUTE + 20.0

    def time(self) -> float:
        return self.seconds

    def now(self) -> Any:
        raise AssertionError("metrics count in seconds")

    def real(self) -> float:
        return self.time()

    def when_turned(self, callback: Callable[[], None]) -> None: ...


class Desk:
    def __init__(self, folder: Path) -> None:
        self.database = Database(folder / "cloche.db")
        migrate(self.database, [*records.MIGRATIONS, *MIGRATIONS])
        self.clock = SetClock()
        self.metrics = MetricStore(self.database, self.clock)
        self.filters = MetricFilters(self.database, self.clock, self.metrics, compile_pattern)

    def put(self, group: str, pattern: str, value: str = "1", **more: Any) -> None:
        told = {"metricName": "M", "metricNamespace": "N", "metricValue": value, **more}
        request = {"logGroupName": group, "filterPattern": pattern, "metricTransformations": [told]}
        name = filters.filed_name(group, pattern)
        kept = {"account": OWNER[0], "region": OWNER[1], "kind": filters.METRIC, "name": name, "arn": name, "at": 0.0}
        self.database.write(lambda tx: records.insert(tx, request=request, **kept))
        self.filters.changed()

    def take(self, group: str, *messages: str, at: float | None = None) -> None:
        moment = int((self.clock.seconds if at is None else at) * 1000)
        self.filters.appended(*OWNER, group, [(moment, message) for message in messages])

    def points(self, dimensions: tuple[tuple[str, str], ...] = ()) -> list[tuple[float, float, float]]:
        """Minute after ``MINUTE``, number of samples, sum."""
        span = {"start": MINUTE - 3600, "end": MINUTE + 3600, "period": 60}
        found = self.metrics.query(*OWNER, "N", "M", dimensions, **span)
        return [((at - MINUTE) / 60, held.count, held.total) for at, _, held in found]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.filters.close()
    made.metrics.close()
    made.database.close()


def test_matches_count_at_their_own_time(desk: Desk) -> None:
    desk.take("g", "ERROR before there was a filter")
    desk.put("g", "ERROR", "2.5")
    desk.take("g", "ERROR one", "fine", "ERROR two")
    desk.take("g", "ERROR late", at=MINUTE - 100)
    desk.take("another", "ERROR elsewhere")
    assert desk.points() == [(-2, 1, 2.5), (0, 2, 5.0)]


def test_values_are_fields_that_are_numbers(desk: Desk) -> None:
    desk.put("g", "{ $.latency = * }", "$.latency")
    desk.take("g", '{"latency": 3}', '{"latency": "4"}', '{"latency": "slow"}', '{"latency": "inf"}', '{"other": 1}')
    assert desk.points() == [(0, 2, 7.0)]


def test_columns(desk: Desk) -> None:
    desk.put("g", "[ip, status = 5*, size]", "$size", dimensions={"Status": "$status"})
    desk.take("g", "127.0.0.1 500 17", "127.0.0.1 404 3", "127.0.0.1 502 5", "127.0.0.1 500 3")
    assert desk.points((("Status", "500"),)) == [(0, 2, 20.0)]
    assert desk.points((("Status", "502"),)) == [(0, 1, 5.0)]
    assert not desk.points()


def test_an_event_without_a_dimension_makes_no_point(desk: Desk) -> None:
    desk.put("g", "{ $.a = 1 || $.b = * }", dimensions={"B": "$.b"})
    desk.take("g", '{"a": 1}', '{"a": 1, "b": "x"}', '{"a": 1, "b": ""}')
    assert desk.points((("B", "x"),)) == [(0, 1, 1.0)]
    assert not desk.points()
    assert not desk.points((("B", ""),))


def test_the_default_is_for_minutes_without_a_match(desk: Desk) -> None:
    desk.put("g", "ERROR", defaultValue=0.0)
    desk.take("g", "fine")
    desk.take("g", "fine too")
    desk.clock.seconds += 60
    desk.take("g", "fine")
    desk.take("g", "ERROR")
    desk.take("g", "fine")
    desk.clock.seconds += 120  # a minute without any event has no value
    desk.filters.write_defaults(desk.clock.seconds)
    assert desk.points() == [(0, 1, 0.0), (1, 1, 1.0)]
    desk.take("g", "fine")
    desk.filters.write_defaults(desk.clock.seconds)
    assert len(desk.points()) == 2, "this minute is not over"
    desk.filters.close()
    assert desk.points()[-1] == (3, 1, 0.0)


def test_what_cannot_be_written_does_not_reach_who_appends(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    desk.put("g", "ERROR")

    def fail(*_: Any) -> None:
        raise OSError("no room")

    monkeypatch.setattr(desk.metrics, "put", fail)
    desk.take("g", "ERROR")
    assert "the metric filters of g failed" in caplog.text


def test_clearing_an_account(desk: Desk) -> None:
    desk.put("g", "ERROR", defaultValue=7.0)
    desk.take("g", "fine")
    desk.database.write(lambda tx: filters.remove_all(tx, *OWNER, "g"))
    desk.filters.clear(OWNER[0])
    desk.filters.close()
    assert not desk.points()


@pytest.mark.parametrize(("text", "value"), [("1", 1.0), ("-2e3", -2000.0), ("", None), ("nan", None), ("1x", None)])
def test_numbers(text: str, value: float | None) -> None:
    assert number(text) == value
