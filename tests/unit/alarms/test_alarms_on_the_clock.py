"""The engine with a clock in hand: what is evaluated when, and what follows, once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from cloche.engines import alarms as alarms_engine
from cloche.engines.alarms import Alarms, rows
from cloche.engines.alarms.states import Notice, States
from cloche.engines.metric_math import statistic
from cloche.foundation.errors import NotFound
from cloche.server.alarm_expressions import AlarmExpressions
from cloche.storage import metrics as metric_storage
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.metrics import Datum, MetricStore, Statistics

ACCOUNT, REGION = "123456789012", "us-east-1"
START = 1_795_600_800.0
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:t"
GONE = f"arn:aws:sns:{REGION}:{ACCOUNT}:gone"


class HandClock:
    seconds = START

    def time(self) -> float:
        return self.seconds

    def now(self) -> Any:
        raise AssertionError("alarms count in seconds")

    def real(self) -> float:
        return self.seconds

    def when_turned(self, callback: Callable[[], None]) -> None: ...


class World:
    """One engine on one file, with a topic that remembers."""

    def __init__(self, path: Path, clock: HandClock) -> None:
        self.path, self.clock = path, clock
        self.told: list[tuple[str, str, str]] = []
        self.events: list[tuple[str, str, dict[str, Any]]] = []
        self.pokes = 0
        self.open()

    def open(self) -> None:
        self.database = Database(self.path)
        migrate(self.database, [*records.MIGRATIONS, *metric_storage.MIGRATIONS, *alarms_engine.MIGRATIONS])
        self.metrics = MetricStore(self.database, self.clock)
        states = States({"sns": self._publish}, self._emit, lambda region: f"<{region}>")
        self.alarms = Alarms(
            self.database,
            self.clock,
            self.metrics,
            lambda: states,
            statistic,
            lambda detectors: AlarmExpressions(self.metrics, detectors),
        )
        self.alarms.poke = self._poked

    def close(self) -> None:
        self.metrics.close()
        self.database.close()

    def _poked(self) -> None:
        self.pokes += 1

    def _publish(self, tx: Any, notice: Notice) -> None:
        if notice.action == GONE:
            raise NotFound("Topic does not exist")
        self.told.append((notice.alarm_arn.rpartition(":")[2], notice.subject, notice.message))

    def _emit(self, tx: Any, record: Any, kind: str, detail: Any) -> None:
        self.events.append((record.name, kind, dict(detail)))

    # -- what tests do -----------------------------------------------------------------------------------

    def put(self, name: str, **request: Any) -> None:
        self.database.write(lambda tx: self.alarms.put(tx, ACCOUNT, REGION, name, request, self.clock.time()))
        self.alarms.changed([rows.arn_of(ACCOUNT, REGION, name)])

    def metric(self, name: str, **further: Any) -> None:
        given: dict[str, Any] = {
            "Namespace": "N",
            "MetricName": "m",
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 5.0,
            "ComparisonOperator": "GreaterThanThreshold",
            "AlarmActions": [TOPIC],
            "OKActions": [TOPIC],
            "ActionsEnabled": True,
        }
        self.put(name, **{key: value for key, value in (given | further).items() if value is not None})

    def composite(self, name: str, rule: str, **further: Any) -> None:
        self.put(name, AlarmRule=rule, AlarmActions=[TOPIC], OKActions=[TOPIC], ActionsEnabled=True, **further)

    def set(self, name: str, value: str) -> None:
        def change(tx: Any) -> None:
            record = rows.find(tx, rows.arn_of(ACCOUNT, REGION, name))
            assert record is not None
            self.alarms.set_state(tx, record, value, "by hand", None, self.clock.time())

        self.database.write(change)

    def datum(self, value: float, at: float | None = None, name: str = "m", resolution: int = 60) -> None:
        moment = self.clock.time() if at is None else at
        self.metrics.put(ACCOUNT, REGION, "N", [Datum(name, (), moment, value, resolution=resolution)])

    def advance(self, seconds: float) -> int:
        """As the agenda does; how often something was run."""
        end, ran = self.clock.seconds + seconds, 0
        while True:
            due = self.alarms.next_at()
            if due is not None and due <= self.clock.seconds:
                self.alarms.run(self.clock.seconds)
                ran += 1
                continue
            if due is None or due > end:
                break
            self.clock.seconds = due
        self.clock.seconds = end
        return ran

    def state(self, name: str) -> str:
        return self.alarms.states(ACCOUNT, REGION, [name])[name]

    def record(self, name: str) -> Any:
        return rows.find(self.database.reader, rows.arn_of(ACCOUNT, REGION, name))

    def history(self, name: str, item: str | None = None) -> list[str]:
        found = rows.read_history(
            self.database.reader,
            ACCOUNT,
            REGION,
            name=name,
            types=("MetricAlarm", "CompositeAlarm"),
            item=item,
            start=None,
            end=None,
            ascending=True,
            after=None,
            limit=100,
        )
        return [each.summary for each in found]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "cloche.db", HandClock())
    yield made
    made.close()


def test_it_rings_and_calms_down(world: World) -> None:
    world.metric("a")
    assert world.state("a") == "INSUFFICIENT_DATA"
    world.advance(60)
    world.datum(9.0)
    world.advance(59)
    assert world.state("a") == "INSUFFICIENT_DATA", "the minute is not over"
    world.advance(1)
    assert world.state("a") == "ALARM"
    held = world.record("a").state
    assert held["reason"].startswith("Threshold Crossed: 1 datapoint [9.0 (")
    assert held["transitioned"] == START + 120
    world.datum(1.0)
    world.advance(60)
    assert world.state("a") == "OK"
    world.advance(600)
    assert world.state("a") == "INSUFFICIENT_DATA"
    assert world.history("a") == [
        'Alarm "a" created',
        "Alarm updated from INSUFFICIENT_DATA to ALARM",
        f"Successfully executed action {TOPIC}",
        "Alarm updated from ALARM to OK",
        f"Successfully executed action {TOPIC}",
        "Alarm updated from OK to INSUFFICIENT_DATA",
    ]
    assert [subject for _, subject, _ in world.told] == ['ALARM: "a" in <us-east-1>', 'OK: "a" in <us-east-1>']
    changes = [detail for _, kind, detail in world.events if kind == "CloudWatch Alarm State Change"]
    assert [(each["previousState"]["value"], each["state"]["value"]) for each in changes] == [
        ("INSUFFICIENT_DATA", "ALARM"),
        ("ALARM", "OK"),
        ("OK", "INSUFFICIENT_DATA"),
    ]


def test_an_alarm_without_data_sleeps(world: World) -> None:
    world.metric("a")
    world.advance(60)
    assert world.alarms.next_at() is None
    assert world.advance(30 * 86_400) == 0, "a month without data is no work"
    world.pokes = 0
    world.metrics.record(ACCOUNT, REGION, "N", "m", (), 7.0)
    assert world.pokes == 1, "a first sample wakes it, before it is on the disk"
    world.advance(60)
    assert world.state("a") == "ALARM"


def test_five_thousand_alarms_cost_what_their_data_cost(world: World) -> None:
    for number in range(50):
        world.metric(f"a{number}", MetricName=f"m{number}", AlarmActions=[], OKActions=[])
    world.advance(120)
    world.datum(9.0, name="m7")
    assert world.advance(600) <= 6, "only the one with data is looked at: as its point comes, moves and goes"
    assert world.state("a7") == "INSUFFICIENT_DATA" and len(world.history("a7")) == 3


def test_a_point_of_the_future_is_seen_when_its_time_comes(world: World) -> None:
    world.metric("a")
    world.advance(60)
    world.datum(9.0, at=world.clock.time() + 3600)
    world.advance(3600)
    assert world.state("a") == "INSUFFICIENT_DATA"
    world.advance(60)
    assert world.state("a") == "ALARM"


def test_m_of_n_and_sliding_periods(world: World) -> None:
    world.metric("a", Period=300, EvaluationPeriods=3, DatapointsToAlarm=2, TreatMissingData="notBreaching")
    world.advance(120)
    world.datum(9.0)
    world.advance(300)
    world.datum(9.0)
    world.advance(59)
    assert world.state("a") == "OK"
    world.advance(1)
    assert world.state("a") == "ALARM", "periods end with the minute, not where the clock's five minutes do"
    assert "2 out of the last 3 datapoints [9.0 (" in world.record("a").state["reason"]


def test_high_resolution(world: World) -> None:
    world.metric("a", Period=10)
    world.advance(10)
    world.datum(9.0, resolution=1)
    world.advance(10)
    assert world.state("a") == "ALARM"


def test_percentiles_with_few_samples_change_nothing(world: World) -> None:
    few = {"Statistic": None, "ExtendedStatistic": "p90", "EvaluateLowSampleCountPercentile": "ignore"}
    world.metric("a", **few)
    world.metric("b", **few | {"EvaluateLowSampleCountPercentile": "evaluate"})
    world.advance(60)
    world.datum(9.0)
    world.advance(60)
    assert (world.state("a"), world.state("b")) == ("INSUFFICIENT_DATA", "ALARM")
    many = Statistics.of_values([(9.0, 100.0)])
    world.metrics.put(ACCOUNT, REGION, "N", [Datum("m", (), world.clock.time(), 0.0, statistics=many)])
    world.advance(60)
    assert world.state("a") == "ALARM"


def test_expressions(world: World) -> None:
    def stat(name: str) -> dict[str, Any]:
        metric = {"Namespace": "N", "MetricName": name}
        return {"Id": name, "MetricStat": {"Metric": metric, "Period": 300, "Stat": "Sum"}, "ReturnData": False}

    rate = {"Id": "rate", "Expression": "100 * errors / calls", "ReturnData": True}
    common = {"EvaluationPeriods": 1, "Threshold": 10.0, "ComparisonOperator": "GreaterThanThreshold"}
    world.put("a", Metrics=[rate, stat("errors"), stat("calls")], ActionsEnabled=True, **common)
    broken = {"Id": "rate", "Expression": "errors / nobody", "ReturnData": True}
    world.put("b", Metrics=[broken, stat("errors")], ActionsEnabled=True, **common)
    world.advance(120)
    assert world.state("b") == "INSUFFICIENT_DATA"
    assert world.record("b").state["evaluation"] == "EVALUATION_ERROR"
    assert "nobody" in world.record("b").state["reason"]
    world.datum(100.0, name="calls")
    world.datum(11.0, name="errors")
    world.advance(60)
    assert world.state("a") == "ALARM"
    data = orjson.loads(world.record("a").state["reason_data"])
    assert data["recentDatapoints"] == [11.0] and "statistic" not in data
    assert data["startDate"].endswith(":00.000+0000")
    world.datum(100.0, name="calls")
    world.advance(60)
    assert world.state("a") == "OK", "one period holds both minutes"


def test_a_band(world: World) -> None:
    begin = world.clock.time()
    for hour in range(5 * 24):
        value = (100.0 if hour % 24 == 3 else 10.0) + hour % 2
        world.datum(value, at=begin + hour * 3600)
    world.clock.seconds = begin + 5 * 86_400
    metric = {"Namespace": "N", "MetricName": "m"}
    queries = [
        {"Id": "m1", "MetricStat": {"Metric": metric, "Period": 3600, "Stat": "Average"}, "ReturnData": True},
        {"Id": "ad1", "Expression": "ANOMALY_DETECTION_BAND(m1, 3)", "ReturnData": True},
    ]
    world.put(
        "a",
        Metrics=queries,
        ThresholdMetricId="ad1",
        EvaluationPeriods=1,
        ComparisonOperator="LessThanLowerOrGreaterThanUpperThreshold",
        TreatMissingData="ignore",
        ActionsEnabled=True,
    )
    expected = 10.0
    assert world.advance(0) <= 1
    for hour in range(24):
        usual = (100.0 if hour % 24 == 3 else expected) + hour % 2
        world.datum(usual, at=world.clock.time())
        assert world.advance(3600) <= 3, "an hourly band is looked at when its hour ends, and as its point comes"
        assert world.state("a") == "OK", f"hour {hour} is as on the days before"
    world.datum(100.0, at=world.clock.time())
    world.advance(3600)
    assert world.state("a") == "ALARM"
    data = orjson.loads(world.record("a").state["reason_data"])
    assert data["recentUpperThresholds"][0] < 100.0 and "threshold" not in data


def test_a_composite_alarm_follows_its_children(world: World) -> None:
    world.metric("a", AlarmActions=[], OKActions=[])
    world.metric("b", AlarmActions=[], OKActions=[])
    world.composite("both", 'ALARM(a) AND ALARM("b")')
    world.composite("outer", "ALARM(both) OR INSUFFICIENT_DATA(both)")
    arn = rows.arn_of(ACCOUNT, REGION, "both")
    assert world.state("both") == "OK"
    assert world.record("both").state["reason"] == f"{arn} was created and its alarm rule evaluates to OK"
    world.set("a", "ALARM")
    assert world.state("both") == "OK"
    world.set("b", "ALARM")
    assert (world.state("both"), world.state("outer")) == ("ALARM", "ALARM")
    reason = world.record("both").state["reason"]
    assert reason.startswith(f"{rows.arn_of(ACCOUNT, REGION, 'b')} transitioned to ALARM at ")
    assert reason.endswith("UTC")
    told = orjson.loads(next(message for name, _, message in world.told if name == "both" and '"ALARM"' in message))
    assert told["TriggeringChildren"][0]["State"]["Value"] == "ALARM" and "Trigger" not in told
    world.set("a", "OK")
    assert (world.state("both"), world.state("outer")) == ("OK", "OK")


def test_a_circle_ends(world: World) -> None:
    world.metric("a")
    world.composite("x", "ALARM(a)")
    world.composite("y", "ALARM(x)")
    world.composite("x", "ALARM(a) OR NOT ALARM(y)")
    world.set("a", "ALARM")
    world.set("a", "OK")
    assert {world.state("x"), world.state("y")} <= {"OK", "ALARM"}


def suppressed(world: World) -> str:
    held = world.record("c").state["suppressed"]
    return held["by"] if held else ""


# docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-suppression.html, its six examples: WaitPeriod is 2 units
# of time, ExtensionPeriod 3. At which unit what changes its state (a: the alarm the composite one is made of, s: the
# suppressor), and at which unit the composite alarm acts for which state.
SUPPRESSIONS = {
    "not suppressed after WaitPeriod": ({2: "a ALARM"}, {4: "ALARM"}),
    "suppressed before WaitPeriod expires": ({2: "a ALARM", 3: "s ALARM"}, {}),
    "a change within WaitPeriod": ({2: "a ALARM", 3: "a OK"}, {5: "OK"}),
    "a change while suppressed": ({1: "s ALARM", 2: "a ALARM"}, {}),
    "not suppressed after ExtensionPeriod": ({2: "a ALARM", 3: "s ALARM", 6: "s OK"}, {9: "ALARM"}),
    "a change within ExtensionPeriod": ({2: "a ALARM", 3: "s ALARM", 6: "s OK", 7: "a OK"}, {9: "OK"}),
}


@pytest.mark.parametrize("case", SUPPRESSIONS)
def test_suppression_as_in_the_examples(world: World, case: str) -> None:
    changes, expected = SUPPRESSIONS[case]
    for name in ("a", "s"):
        world.metric(name, MetricName=name, AlarmActions=[], OKActions=[], TreatMissingData="ignore")
    periods = {"ActionsSuppressorWaitPeriod": 2, "ActionsSuppressorExtensionPeriod": 3}
    world.composite("c", "ALARM(a)", ActionsSuppressor="s", **periods)
    world.advance(60)
    world.told.clear()
    acted = {}
    for unit in range(1, 13):
        world.advance(1)
        for _, subject, _ in world.told:
            acted[unit] = subject.split(":")[0]
        world.told.clear()
        if unit in changes:
            world.set(*changes[unit].split(" "))
            assert world.told == []
    assert acted == expected


def test_what_suppresses_is_told_and_forgotten_with_the_suppressor(world: World) -> None:
    for name in ("a", "s", "t"):
        world.metric(name, MetricName=name, AlarmActions=[], OKActions=[], TreatMissingData="ignore")
    periods = {"ActionsSuppressorWaitPeriod": 120, "ActionsSuppressorExtensionPeriod": 60}
    world.composite("c", "ALARM(a)", ActionsSuppressor="s", **periods)
    world.advance(300)
    world.told.clear()
    world.set("a", "ALARM")
    assert suppressed(world) == "WaitPeriod"
    change = world.events[-1][2]["state"]
    assert (change["actionsSuppressedBy"], change["actionsSuppressedReason"]) == (
        "WaitPeriod",
        "Actions suppressed by WaitPeriod",
    )
    world.composite("c", "ALARM(a)", ActionsSuppressor="t", **periods)
    assert suppressed(world) == ""
    world.advance(3600)
    assert world.told == []


def test_an_action_that_fails_is_told_and_harms_nobody(world: World) -> None:
    world.metric("a", AlarmActions=[GONE, TOPIC], InsufficientDataActions=["arn:aws:nobody:us-east-1:1:x"])
    world.set("a", "ALARM")
    assert world.state("a") == "ALARM" and len(world.told) == 1
    assert world.history("a", "Action") == [
        f'Failed to execute action {GONE}. Received error: "Topic does not exist"',
        f"Successfully executed action {TOPIC}",
    ]


def test_switched_off_it_is_silent_and_still_evaluated(world: World) -> None:
    world.metric("a", ActionsEnabled=False)
    world.set("a", "ALARM")
    assert world.told == [] and world.history("a", "StateUpdate")


def test_what_is_written_with_the_state_is_undone_with_it(world: World) -> None:
    world.metric("a")

    def fail(tx: Any) -> None:
        record = rows.find(tx, rows.arn_of(ACCOUNT, REGION, "a"))
        assert record is not None
        world.alarms.set_state(tx, record, "ALARM", "never", None, world.clock.time())
        raise RuntimeError

    with pytest.raises(RuntimeError):
        world.database.write(fail)
    assert world.state("a") == "INSUFFICIENT_DATA" and world.history("a", "Action") == []


def test_after_a_start_everything_is_looked_at_once_and_rings_once(world: World) -> None:
    world.metric("a", TreatMissingData="ignore")
    world.advance(60)
    world.datum(9.0)
    world.close()
    world.clock.seconds += 90
    world.open()
    assert world.advance(0) == 1
    assert world.state("a") == "ALARM" and len(world.told) == 1
    world.close()
    world.open()
    world.advance(600)
    assert len(world.told) == 1, "nothing rings again for having been restarted"


def test_what_could_not_be_written_is_due_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.metric("a")
    world.advance(60)
    world.datum(9.0)
    world.clock.seconds += 60

    def full(change: Any) -> Any:
        raise OSError("no space left on device")

    with monkeypatch.context() as patched, pytest.raises(OSError, match="no space"):
        patched.setattr(world.database, "write", full)
        world.alarms.run(world.clock.time())
    assert world.state("a") == "INSUFFICIENT_DATA"
    assert world.alarms.next_at() == world.clock.time()
    world.advance(0)
    assert world.state("a") == "ALARM" and len(world.told) == 1


def test_history_goes_after_a_month(world: World) -> None:
    world.metric("a")
    world.set("a", "OK")
    world.clock.seconds += 31 * 86_400
    world.set("a", "ALARM")
    world.alarms.expire()
    assert world.history("a", "StateUpdate") == ["Alarm updated from OK to ALARM"]
