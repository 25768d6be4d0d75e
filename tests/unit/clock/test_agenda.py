"""What falls due by Cloche's clock: in its order, each at its moment, nothing before what came of the last is done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from cloche.foundation.agenda import Agenda
from cloche.foundation.clock import Setting, TurnableClock
from cloche.foundation.errors import Conflict, Invalid
from cloche.foundation.spans import seconds_of

HOUR = 3600.0
BEGIN = 2_000_000_000.0
Notes = list[tuple[str, float]]


class Repeated:
    """Something that falls due again and again, and notes when it was done."""

    def __init__(self, name: str, first: float, each: float, notes: Notes) -> None:
        self.name, self.due, self.each, self.notes = name, first, each, notes

    def next_at(self) -> float | None:
        return self.due

    def run(self, now: float) -> None:
        self.notes.append((self.name, now))
        while self.due <= now:
            self.due += self.each


@pytest.fixture
def kept() -> list[Setting]:
    return []


@pytest.fixture
def clock(kept: list[Setting]) -> TurnableClock:
    return TurnableClock(Setting(stands_at=BEGIN), kept.append)


@pytest.fixture
def agenda(clock: TurnableClock) -> Iterator[Agenda]:
    made = Agenda(clock)
    yield made
    made.stop()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_time_passes_in_the_order_of_what_falls_due(agenda: Agenda, clock: TurnableClock) -> None:
    notes: Notes = []
    for name, each in (("hourly", HOUR), ("ninety minutes", 1.5 * HOUR)):
        repeated = Repeated(name, BEGIN + each, each, notes)
        agenda.add(name, repeated.next_at, repeated.run)
    agenda.start()
    agenda.advance(BEGIN + 3 * HOUR + 1).join()
    assert notes == [
        ("hourly", BEGIN + HOUR),
        ("ninety minutes", BEGIN + 1.5 * HOUR),
        ("hourly", BEGIN + 2 * HOUR),
        ("hourly", BEGIN + 3 * HOUR),
        ("ninety minutes", BEGIN + 3 * HOUR),
    ]
    assert clock.time() == BEGIN + 3 * HOUR + 1
    assert clock.setting.stands_at is not None, "it stood before, so it stands after"


def test_the_clock_waits_for_work_that_was_set_off(agenda: Agenda, clock: TurnableClock) -> None:
    """An hour's job is done before the next hour begins, also where it is handed from part to part."""
    at_work: set[str] = set()
    done: Notes = []
    hourly = Repeated("hourly", BEGIN + HOUR, HOUR, [])

    def work() -> None:
        stages = ["first", "second", "third"]
        for here, after in zip(stages, [*stages[1:], ""], strict=True):
            time.sleep(0.01)
            if after:
                at_work.add(after)
            else:
                done.append((here, clock.time()))
            at_work.discard(here)

    def run(now: float) -> None:
        at_work.add("first")
        hourly.run(now)
        threading.Thread(target=work).start()

    for stage in ("third", "second", "first"):
        agenda.watch(stage, lambda: None, lambda: None, lambda stage=stage: stage in at_work)  # type: ignore[misc]
    agenda.add("hourly", hourly.next_at, run)
    agenda.start()
    agenda.advance(BEGIN + 5 * HOUR).join()
    assert done == [("third", BEGIN + hour * HOUR) for hour in range(1, 6)]


def test_a_part_with_its_own_thread_is_woken(agenda: Agenda, clock: TurnableClock) -> None:
    due, woken, seen = [BEGIN + 60], threading.Event(), []

    def look() -> None:
        while due:
            woken.wait(10)
            woken.clear()
            if due[0] <= clock.time():
                seen.append(clock.time())
                due.clear()

    thread = threading.Thread(target=look)
    thread.start()
    agenda.watch("own", lambda: due[0] if due else None, woken.set, lambda: False)
    agenda.start()
    agenda.advance(BEGIN + HOUR).join()
    thread.join()
    assert seen == [BEGIN + 60]


def test_what_fails_is_tried_again_and_keeps_nobody_from_his(agenda: Agenda) -> None:
    notes: Notes = []
    failures: list[float] = []
    fine, broken = Repeated("fine", BEGIN, HOUR, notes), Repeated("broken", BEGIN, HOUR, notes)

    def run(now: float) -> None:
        if not failures:
            failures.append(now)
            raise RuntimeError("once")
        broken.run(now)

    agenda.add("broken", broken.next_at, run)
    agenda.add("fine", fine.next_at, fine.run)
    agenda.start()
    until(lambda: len(notes) == 2)
    assert notes == [("fine", BEGIN), ("broken", BEGIN)]


def test_counts_are_written_before_the_clock_leaves_their_moment(agenda: Agenda, clock: TurnableClock) -> None:
    written: list[float] = []
    hourly = Repeated("hourly", BEGIN + HOUR, HOUR, [])
    agenda.add("hourly", hourly.next_at, hourly.run)
    agenda.before_moving(lambda: written.append(clock.time()))
    agenda.start()
    agenda.advance(BEGIN + HOUR + 5).join()
    assert written == [BEGIN, BEGIN + HOUR, BEGIN + HOUR + 5]


def test_an_advance_can_be_given_up_and_says_what_it_waits_for(agenda: Agenda, clock: TurnableClock) -> None:
    agenda.watch("a job without end", lambda: None, lambda: None, lambda: True)
    agenda.start()
    travel = agenda.advance(BEGIN + HOUR)
    until(lambda: agenda.standing().waits_for == ("a job without end",))
    with pytest.raises(Conflict):
        agenda.advance(BEGIN + 2 * HOUR)
    with pytest.raises(Conflict):
        agenda.freeze()
    agenda.give_up()
    travel.join()
    assert agenda.standing().advancing_to is None
    assert clock.time() == BEGIN


def test_the_clock_is_not_set_back(agenda: Agenda) -> None:
    with pytest.raises(Invalid):
        agenda.advance(BEGIN - 1)


def test_a_clock_that_ran_runs_on(kept: list[Setting]) -> None:
    clock = TurnableClock(keep=kept.append)
    agenda = Agenda(clock)
    agenda.start()
    to = clock.time() + 30 * 86_400
    agenda.advance(to).join()
    agenda.stop()
    assert clock.setting.stands_at is None
    assert to <= clock.time() < to + 60
    assert all(setting.stands_at is None for setting in kept), "a server killed on the way finds a clock that runs"


def test_each_setting_is_kept_before_it_holds() -> None:
    seen: list[float] = []
    clock = TurnableClock(Setting(stands_at=BEGIN), lambda _: seen.append(clock.time()))
    clock.freeze(BEGIN + 1)
    assert seen == [BEGIN]
    assert clock.time() == BEGIN + 1


def test_what_falls_due_next_is_told_in_its_order(agenda: Agenda) -> None:
    notes: Notes = []
    for name, due in (("late", BEGIN + HOUR), ("overdue", BEGIN - 5)):
        repeated = Repeated(name, due, HOUR, notes)
        agenda.add(name, repeated.next_at, repeated.run)
    agenda.add("nothing", lambda: None, lambda _: None)
    agenda.watch("own", lambda: BEGIN + 1, lambda: None, lambda: False)
    assert agenda.upcoming() == [("overdue", BEGIN - 5), ("own", BEGIN + 1), ("late", BEGIN + HOUR)]


def test_the_clock_is_not_sent_beyond_what_can_be_dated(agenda: Agenda) -> None:
    for beyond in (BEGIN + 51 * 366 * 86_400.0, float("inf"), float("nan")):
        with pytest.raises(Invalid, match="50 years"):
            agenda.advance(beyond)


def test_how_far_an_advance_is_can_be_told(agenda: Agenda) -> None:
    agenda.watch("a job without end", lambda: None, lambda: None, lambda: True)
    agenda.start()
    travel = agenda.advance(BEGIN + HOUR)
    standing = agenda.standing()
    assert (standing.advancing_from, standing.now, standing.advancing_to) == (BEGIN, BEGIN, BEGIN + HOUR)
    assert standing.is_turned
    agenda.give_up()
    travel.join()
    assert agenda.standing().advancing_from is None


def test_a_clock_that_nobody_turned_is_the_machines() -> None:
    clock = TurnableClock()
    agenda = Agenda(clock)
    assert not agenda.standing().is_turned
    clock.freeze()
    assert agenda.standing().is_turned
    clock.resume(clock.real() + HOUR)
    assert agenda.standing().is_turned


@pytest.mark.parametrize(
    ("span", "seconds"), [("90s", 90), ("+1h", 3600), ("1d12h", 129_600), ("2w", 1_209_600), (" 1.5m ", 90)]
)
def test_spans(span: str, seconds: float) -> None:
    assert seconds_of(span) == seconds


@pytest.mark.parametrize("span", ["", "1", "h", "-1h", "1h 2m", "1y", "\u0661s", "1" * 400 + "s", "1e9d"])
def test_what_is_no_span(span: str) -> None:
    with pytest.raises(Invalid, match="no span of time"):
        seconds_of(span)
