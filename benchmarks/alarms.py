"""How much 5,000 alarms cost: evaluations a second while all have data, changes of state a second, and what a quiet
hour of the clock costs them when nothing comes.

    python benchmarks/alarms.py [--alarms 5000] [--minutes 5]

The engine alone, on a file of its own, with a clock in hand; no server, no network.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cloche.engines import alarms as alarms_engine
from cloche.engines.alarms import Alarms, rows
from cloche.engines.alarms.states import States
from cloche.engines.metric_math import statistic
from cloche.server.alarm_expressions import AlarmExpressions
from cloche.storage import metrics as metric_storage
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.metrics import Datum, MetricStore

ACCOUNT, REGION = "123456789012", "us-east-1"


class HandClock:
    seconds = 1_795_600_800.0

    def time(self) -> float:
        return self.seconds

    def now(self) -> Any:
        raise AssertionError

    def real(self) -> float:
        return time.time()

    def when_turned(self, callback: Callable[[], None]) -> None: ...


def pass_time(alarms: Alarms, clock: HandClock, seconds: float) -> int:
    """As the agenda does; how often something was run."""
    end, ran = clock.seconds + seconds, 0
    while True:
        due = alarms.next_at()
        if due is not None and due <= clock.seconds:
            alarms.run(clock.seconds)
            ran += 1
        elif due is None or due > end:
            clock.seconds = end
            return ran
        else:
            clock.seconds = due


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--alarms", type=int, default=5_000)
    parser.add_argument("--minutes", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database, clock = Database(Path(folder) / "cloche.db"), HandClock()
        migrate(database, [*records.MIGRATIONS, *metric_storage.MIGRATIONS, *alarms_engine.MIGRATIONS])
        metrics = MetricStore(database, clock)
        states = States({}, lambda *_: None, lambda region: region)
        alarms = Alarms(
            database, clock, metrics, lambda: states, statistic, lambda found: AlarmExpressions(metrics, found)
        )
        put_all(database, alarms, clock, asked.alarms)
        measure(alarms, metrics, clock, asked.alarms, asked.minutes)
        metrics.close()
        database.close()


def put_all(database: Database, alarms: Alarms, clock: HandClock, count: int) -> None:
    def put(tx: Any) -> None:
        for number in range(count):
            request = {
                "Namespace": "Bench",
                "MetricName": f"m{number}",
                "Statistic": "Average",
                "Period": 60,
                "EvaluationPeriods": 3,
                "DatapointsToAlarm": 2,
                "Threshold": 50.0,
                "ComparisonOperator": "GreaterThanThreshold",
                "Dimensions": [],
                "ActionsEnabled": True,
            }
            alarms.put(tx, ACCOUNT, REGION, f"a{number}", request, clock.time())

    database.write(put)
    begin = time.perf_counter()
    alarms.next_at()
    print(f"{count} alarms read after a start: {(time.perf_counter() - begin) * 1000:.0f} ms")
    assert rows.find(database.reader, rows.arn_of(ACCOUNT, REGION, "a0")) is not None


def measure(alarms: Alarms, metrics: MetricStore, clock: HandClock, count: int, minutes: int) -> None:
    pass_time(alarms, clock, 300)

    def minute(value: float) -> float:
        metrics.put(ACCOUNT, REGION, "Bench", [Datum(f"m{n}", (), clock.time(), value) for n in range(count)])
        begin = time.perf_counter()
        pass_time(alarms, clock, 60)
        return time.perf_counter() - begin

    minute(1.0)
    quiet = [minute(1.0) for _ in range(minutes)]
    best = min(quiet)
    print(
        f"evaluations, all with data, nothing changes: {count / best:,.0f}/s ({best / 60:.1%} of a core, each minute)"
    )
    minute(99.0)
    changing = minute(99.0)
    print(f"evaluations that all change the state, with history: {count / changing:,.0f}/s")
    pass_time(alarms, clock, 3600)
    begin = time.perf_counter()
    ran = pass_time(alarms, clock, 30 * 86_400)
    print(f"30 days without data: {ran} runs, {(time.perf_counter() - begin) * 1000:.1f} ms")


if __name__ == "__main__":
    main()
