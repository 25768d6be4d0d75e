"""When an asynchronous invocation is tried again, and when it is given up; with toys for functions."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from cloche.engines.functions import MIGRATIONS, Event, EventConfig, Outcome, Owner, Throttled, rows
from cloche.engines.functions.events import Events
from cloche.engines.functions.plan import ACTIVE, LATEST, Code, Configuration, Version
from cloche.engines.functions.traffic import Traffic
from cloche.foundation.clock import SystemClock
from cloche.foundation.errors import NotFound
from cloche.storage import metrics
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.metrics import MetricStore

OWNER = Owner("123456789012", "us-east-1", "f")
QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"


class Box:
    """A queue that keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def send(self, tx: sqlite3.Connection, arn: str, body: str, attributes: Mapping[str, str]) -> None:
        self.sent.append((arn, body))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "d.db")
    migrate(made, [*metrics.MIGRATIONS, *MIGRATIONS])
    configuration = Configuration("python3.12", "a.b", "role", dead_letter=QUEUE)
    version = Version(OWNER, 0, configuration, Code("ab" * 32, 1, 1), 0.0, "r", "s", ACTIVE)
    made.write(lambda tx: rows.add_function(tx, version))
    yield made
    made.close()


def _events(
    database: Database, answers: list[Outcome | Exception], config: EventConfig | None = None
) -> tuple[Events, list[str], Box]:
    """Events of a function that answers so, one after another, and the last for ever; what it was asked; a queue."""
    asked: list[str] = []

    async def invoke(owner: Owner, qualifier: str, event: Event) -> Outcome:
        asked.append(event.request)
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    if config is not None:
        database.write(lambda tx: rows.put_event_config(tx, OWNER, config))
    clock = SystemClock()
    events = Events(database, clock, Traffic(MetricStore(database, clock), clock), invoke, (0.05, 0.1))
    box = Box()
    events.outlets = box
    return events, asked, box


def _run(database: Database, events: Events, until: Callable[[], bool]) -> None:
    async def go() -> None:
        events.begin(asyncio.get_running_loop())
        await asyncio.to_thread(events.submit, OWNER, LATEST, "one", b'{"n": 1}')
        async with asyncio.timeout(20):
            while not until():
                await asyncio.sleep(0.01)
        events.close()
        await asyncio.sleep(0.05)

    asyncio.run(go())


def _left(database: Database) -> int:
    return int(database.reader.execute("SELECT count(*) FROM function_events").fetchone()[0])


def _outcome(failed: bool) -> Outcome:
    payload = b'{"errorMessage": "no", "errorType": "E"}' if failed else b"1"
    return Outcome("one", LATEST, payload, failed)


def test_an_error_is_tried_twice_more(database: Database) -> None:
    events, asked, box = _events(database, [_outcome(True)])
    _run(database, events, lambda: _left(database) == 0)
    assert asked == ["one"] * 3
    assert box.sent == [(QUEUE, '{"n": 1}')]


def test_one_good_answer_ends_it(database: Database) -> None:
    config = EventConfig(LATEST, 0.0, on_success=QUEUE)
    events, asked, box = _events(database, [_outcome(True), _outcome(False)], config)
    _run(database, events, lambda: _left(database) == 0)
    assert asked == ["one"] * 2
    ((_, body),) = box.sent
    assert '"condition":"Success"' in body and '"approximateInvokeCount":2' in body


def test_want_of_room_counts_as_no_attempt(database: Database) -> None:
    events, asked, box = _events(database, [Throttled(), _outcome(False)])
    _run(database, events, lambda: _left(database) == 0)
    assert len(asked) == 2 and box.sent == []


def test_what_is_too_old_is_given_up_unasked(database: Database) -> None:
    events, asked, box = _events(database, [_outcome(False)], EventConfig(LATEST, 0.0, age_seconds=60))
    database.write(
        lambda tx: (
            tx.execute(
                "INSERT INTO function_events VALUES ('old', ?, ?, ?, ?, x'31', 0, 0, 0, 0, '{}')", (*OWNER.key, LATEST)
            )
            and None
        )
    )
    _run(database, events, lambda: _left(database) == 0)
    assert asked == ["one"]
    assert box.sent == [(QUEUE, "1")]


def test_a_reservation_of_nought_gives_up_at_once(database: Database) -> None:
    database.write(lambda tx: rows.reserve(tx, OWNER, 0))
    events, asked, box = _events(database, [_outcome(False)])
    _run(database, events, lambda: _left(database) == 0)
    assert asked == [] and len(box.sent) == 1


def test_events_of_a_function_that_went_are_dropped(database: Database) -> None:
    events, _, box = _events(database, [NotFound("gone")])
    _run(database, events, lambda: _left(database) == 0)
    assert box.sent == []
