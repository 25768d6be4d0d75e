"""Metrics: states that add up, periods, retention."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.metrics import MIGRATIONS, Datum, MetricStore, Statistics, retention, statistics

OWNER = ("123456789012", "us-east-1")
NOW = 1_795_600_020.0  # twenty seconds into a minute
MINUTE = 1_795_600_020 // 60 * 60
JOB = (("TrainingJobName", "j"),)


class SetClock:
    seconds = NOW

    def time(self) -> float:
        return self.seconds

    def now(self) -> Any:
        raise AssertionError("metrics count in seconds")

    def real(self) -> float:
        return self.time()

    def when_turned(self, callback: Callable[[], None]) -> None: ...


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def store(tmp_path: Path, clock: SetClock) -> Iterator[MetricStore]:
    database = Database(tmp_path / "cloche.db")
    migrate(database, MIGRATIONS)
    made = MetricStore(database, clock)
    yield made
    made.close()
    database.close()


samples = st.lists(st.floats(0, 1e6, allow_nan=False).map(lambda value: round(value, 3)), min_size=1, max_size=30)


@given(samples, samples)
def test_merging_equals_the_whole(left: list[float], right: list[float]) -> None:
    first, second = (Statistics.of_values([(value, 1) for value in part]) for part in (left, right))
    whole = Statistics.of_values([(value, 1) for value in left + right])
    first.add(second)
    assert first.count == whole.count
    assert math.isclose(first.total, whole.total)
    assert (first.minimum, first.maximum) == (whole.minimum, whole.maximum)
    assert first.values == whole.values


@given(samples, st.integers(0, 100))
def test_percentiles_are_those_of_the_sorted_samples(values: list[float], percent: int) -> None:
    ordered = sorted(values)
    rank = percent / 100 * (len(ordered) - 1)
    low = ordered[math.floor(rank)]
    high = ordered[math.ceil(rank)]
    expected = low + (high - low) * (rank - math.floor(rank))
    found = Statistics.of_values([(value, 1) for value in values]).percentile(percent)
    assert found is not None and math.isclose(found, expected, abs_tol=1e-6)


def test_many_distinct_values_keep_percentiles_within_a_percent() -> None:
    held = Statistics.of_values([(1 + number / 7, 1) for number in range(5_000)])
    assert held.values is not None and len(held.values) <= statistics.VALUES_MAX
    assert held.percentile(99) == pytest.approx(1 + 0.99 * 4_999 / 7, rel=0.01)
    assert held.count == 5_000 == sum(held.values.values())
    assert held.percentile(0) == 1 and held.percentile(100) == held.maximum


def test_a_statistic_set_has_no_percentiles_unless_all_its_samples_are_equal() -> None:
    assert Statistics.of_set(3, 6, 1, 3).percentile(50) is None
    assert Statistics.of_set(3, 6, 2, 2).percentile(50) == 2
    assert Statistics.of(-1).percentile(50) is None, "nor has a metric with negative values"


def test_points_are_summed_by_period(store: MetricStore) -> None:
    store.put(*OWNER, "ns", [Datum("a", JOB, MINUTE + 30 * number, float(number), "Count") for number in range(8)])
    found = store.query(*OWNER, "ns", "a", JOB, start=MINUTE, end=MINUTE + 180, period=60)
    assert [(at, unit, held.count, held.total) for at, unit, held in found] == [
        (MINUTE, "Count", 2, 1),
        (MINUTE + 60, "Count", 2, 5),
        (MINUTE + 120, "Count", 2, 9),
    ]
    assert store.query(*OWNER, "ns", "a", (), start=0, end=2e9, period=60) == []


def test_units_stay_apart(store: MetricStore) -> None:
    store.put(*OWNER, "ns", [Datum("a", JOB, NOW, 1.0, "Count"), Datum("a", JOB, NOW, 2.0, "Seconds")])
    assert len(store.query(*OWNER, "ns", "a", JOB, start=0, end=2e9, period=60)) == 2
    ((_, unit, held),) = store.query(*OWNER, "ns", "a", JOB, start=0, end=2e9, period=60, unit="Seconds")
    assert (unit, held.total) == ("Seconds", 2.0)


def test_high_resolution_keeps_its_second(store: MetricStore) -> None:
    store.put(*OWNER, "ns", [Datum("a", JOB, NOW + 3.7, 1.0, resolution=1)])
    assert [at for at, _, _ in store.query(*OWNER, "ns", "a", JOB, start=0, end=2e9, period=1)] == [int(NOW) + 3]


def test_recorded_samples_show_once_flushed_and_add_to_the_minute(store: MetricStore, clock: SetClock) -> None:
    for value in (1.0, 3.0):
        store.record(*OWNER, "ns", "a", JOB, value, "Count")
    assert store.query(*OWNER, "ns", "a", JOB, start=0, end=2e9, period=60) == []
    store.flush()
    store.record(*OWNER, "ns", "a", JOB, 5.0, "Count")
    clock.seconds += 60
    store.record(*OWNER, "ns", "a", JOB, 7.0, "Count")
    store.flush()
    found = store.query(*OWNER, "ns", "a", JOB, start=0, end=2e9, period=60)
    assert [(at, held.count, held.percentile(50)) for at, _, held in found] == [(MINUTE, 3, 3.0), (MINUTE + 60, 1, 7.0)]


def test_a_failed_flush_loses_nothing(store: MetricStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.record(*OWNER, "ns", "a", JOB, 1.0)

    def fail(change: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(store._database, "write", fail)
        with pytest.raises(OSError, match="No space"):
            store.flush()
    store.record(*OWNER, "ns", "a", JOB, 2.0)
    store.flush()
    ((_, _, held),) = store.query(*OWNER, "ns", "a", JOB, start=0, end=2e9, period=60)
    assert (held.count, held.total) == (2, 3.0)


def test_metrics_are_listed_by_what_they_have(store: MetricStore) -> None:
    both = (("EndpointName", "e"), ("VariantName", "v"))
    store.put(*OWNER, "ns", [Datum("a", JOB, NOW, 1.0), Datum("b", both, NOW - 10_000, 1.0)])
    store.put(*OWNER, "other", [Datum("a", (), NOW, 1.0)])

    def names(**arguments: Any) -> list[str]:
        return [f"{held.namespace}/{held.name}" for held in store.metrics(*OWNER, limit=10, **arguments)[0]]

    assert names() == ["ns/a", "ns/b", "other/a"]
    assert names(namespace="ns") == ["ns/a", "ns/b"]
    assert names(name="a") == ["ns/a", "other/a"]
    assert names(dimensions=[("VariantName", None)]) == ["ns/b"]
    assert names(dimensions=[("VariantName", "v"), ("EndpointName", "e")]) == ["ns/b"]
    assert names(dimensions=[("VariantName", "w")]) == []
    assert names(active_since=NOW - 100) == ["ns/a", "other/a"]
    first, after = store.metrics(*OWNER, limit=2)
    rest, end = store.metrics(*OWNER, limit=2, after=after)
    assert len(first) == 2 and len(rest) == 1 and end is None


def test_dimensions_are_the_same_in_any_order(store: MetricStore) -> None:
    store.put(*OWNER, "ns", [Datum("a", (("x", "1"), ("y", "2")), NOW, 1.0)])
    found = store.query(*OWNER, "ns", "a", (("y", "2"), ("x", "1")), start=0, end=2e9, period=60)
    assert len(found) == 1


def test_old_points_are_rolled_up_without_losing_their_sums(store: MetricStore, clock: SetClock) -> None:
    hour = MINUTE // 3600 * 3600
    store.put(*OWNER, "ns", [Datum("a", JOB, hour + number, float(number), resolution=1) for number in range(600)])
    expected = 599 * 600 / 2

    def rows() -> int:
        return int(store._database.reader.execute("SELECT count(*) FROM metric_points").fetchone()[0])

    def told(period: int) -> int:
        return len(store.query(*OWNER, "ns", "a", JOB, start=0, end=2e9, period=period))

    assert (told(1), told(60)) == (600, 10)
    for age, left, finest in ((4 * 3600, 10, 60), (16 * retention.DAY, 2, 300), (64 * retention.DAY, 1, 3600)):
        clock.seconds = hour + age
        before = told(finest)
        store.expire()
        assert rows() == left
        assert told(finest) == before == left, "rolling up changes nothing of what is told"
        assert told(finest // 5) == 0, "a finer period is told nothing, whether rolled up yet or not"
        ((_, _, held),) = store.query(*OWNER, "ns", "a", JOB, start=0, end=2e9, period=3600)
        assert (held.count, held.total, held.minimum, held.maximum) == (600, expected, 0.0, 599.0)
        assert held.percentile(50) == pytest.approx(299.5, rel=0.01)
    clock.seconds = hour + 456 * retention.DAY
    store.expire()
    assert rows() == 0
    assert store.metrics(*OWNER, limit=1) == ([], None)
