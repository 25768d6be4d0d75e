"""The log of what happened to records: in order, once for each follower, across failures and restarts."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from cloche.storage.metadata import changes, records
from cloche.storage.metadata.changes import Change, Changes, Hint
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate

SEEN = [("seen-1", "CREATE TABLE seen (number INTEGER PRIMARY KEY, follower TEXT, what TEXT, arn TEXT, status TEXT)")]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "cloche.db")
    migrate(made, [*records.MIGRATIONS, *changes.MIGRATIONS, *SEEN])
    yield made
    made.close()


def insert(database: Database, name: str) -> str:
    arn = f"arn:aws:sagemaker:us-east-1:000000000000:model/{name}"

    def change(tx: sqlite3.Connection) -> None:
        records.insert(
            tx, account="0", region="r", kind="sagemaker/Model", name=name, arn=arn, at=1.0, request={"ModelName": name}
        )

    database.write(change)
    return arn


def notes(follower: str, fails: Callable[[Change], bool] = lambda change: False) -> changes.Handler:
    def handle(tx: sqlite3.Connection, found: Sequence[Change]) -> None:
        for each in found:
            tx.execute(
                "INSERT INTO seen (follower, what, arn, status) VALUES (?, ?, ?, ?)",
                (follower, each.what, each.arn, each.status),
            )
            if fails(each):
                raise ValueError("this one cannot be taken")

    return handle


def seen(database: Database, follower: str) -> list[tuple[str, str, str]]:
    rows = database.reader.execute("SELECT what, arn, status FROM seen WHERE follower = ? ORDER BY number", (follower,))
    return [tuple(row) for row in rows]


def wait_until(true: Callable[[], bool]) -> None:
    for _ in range(1000):
        if true():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it did not come to be")


def test_all_that_happens_is_told_in_order_and_once(database: Database) -> None:
    held: list[Change] = []
    followed = Changes(database)
    followed.follow("a", notes("a"))
    followed.follow("b", lambda tx, found: held.extend(found))
    followed.start()
    arn = insert(database, "m")
    database.write(lambda tx: records.set_status(tx, arn, "Creating", 2.0, state={"n": 1}))
    database.write(lambda tx: records.set_status(tx, arn, "InService", 3.0, state={"n": 2}))
    database.write(lambda tx: records.replace_request(tx, arn, {"ModelName": "m", "new": 1}, 4.0))
    database.write(lambda tx: records.remove(tx, arn))
    wait_until(lambda: len(seen(database, "a")) == 5 and len(held) == 5)
    followed.stop()
    assert [what for what, _, _ in seen(database, "a")] == ["created", "status", "status", "updated", "removed"]
    assert [(each.before, each.status, each.state) for each in held[1:3]] == [
        ("", "Creating", {"n": 1}),
        ("Creating", "InService", {"n": 2}),
    ]
    assert held[3].request == {"ModelName": "m"}
    assert (held[4].request, held[4].state) == ({"ModelName": "m", "new": 1}, {"n": 2})
    assert database.reader.execute("SELECT count(*) FROM changes").fetchone()[0] == 0


def test_who_was_added_later_is_never_ahead(database: Database) -> None:
    """What happens while the first is at work waits for all until the second has had what the first had."""
    told: list[tuple[str, str]] = []
    followed = Changes(database)

    def first(tx: sqlite3.Connection, found: Sequence[Change]) -> None:
        told.extend(("first", each.name) for each in found)
        if found[0].name == "m0":
            database.submit(
                lambda tx: records.insert(
                    tx, account="0", region="r", kind="k", name="m1", arn="arn:m1", at=1.0, request={}
                )
            )

    followed.follow("first", first)
    followed.follow("second", lambda tx, found: told.extend(("second", each.name) for each in found))
    followed.start()
    insert(database, "m0")
    wait_until(lambda: len(told) == 4)
    followed.stop()
    assert told == [("first", "m0"), ("second", "m0"), ("first", "m1"), ("second", "m1")]


def test_what_was_undone_did_not_happen(database: Database) -> None:
    followed = Changes(database)
    followed.follow("a", notes("a"))
    followed.start()

    def change(tx: sqlite3.Connection) -> None:
        records.insert(tx, account="0", region="r", kind="k", name="n", arn="arn:undone", at=1.0, request={})
        raise KeyError("undone")

    with pytest.raises(KeyError):
        database.write(change)
    arn = insert(database, "m")
    wait_until(lambda: bool(seen(database, "a")))
    followed.stop()
    assert seen(database, "a") == [("created", arn, "")]


def test_a_follower_goes_on_where_it_was_and_a_new_one_begins_now(database: Database) -> None:
    first = Changes(database)
    first.follow("old", notes("old"))
    first.start()
    insert(database, "m1")
    wait_until(lambda: len(seen(database, "old")) == 1)
    first.stop()
    insert(database, "m2")  # nobody is there
    again = Changes(database)
    again.follow("old", notes("old"))
    again.follow("new", notes("new"))
    again.start()
    arn = insert(database, "m3")
    wait_until(lambda: len(seen(database, "old")) == 3 and len(seen(database, "new")) == 1)
    again.stop()
    assert seen(database, "new") == [("created", arn, "")]


def test_a_change_that_cannot_be_taken_is_passed_over_and_no_other(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(changes, "PAUSE_SECONDS", 0.001)
    followed = Changes(database)
    followed.follow("a", notes("a", fails=lambda change: change.name == "m2"))
    followed.follow("b", notes("b"))
    followed.start()
    arns = [insert(database, f"m{number}") for number in range(5)]
    wait_until(lambda: len(seen(database, "a")) == 4 and len(seen(database, "b")) == 5)
    followed.stop()
    assert [arn for _, arn, _ in seen(database, "a")] == [arn for arn in arns if not arn.endswith("m2")]
    assert "passed over" in caplog.text


def test_a_failure_that_passes_loses_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "PAUSE_SECONDS", 0.001)
    left = [3]

    def fails(change: Change) -> bool:
        left[0] -= 1
        return left[0] > 0

    followed = Changes(database)
    followed.follow("a", notes("a", fails))
    followed.start()
    arns = [insert(database, f"m{number}") for number in range(3)]
    wait_until(lambda: len(seen(database, "a")) == 3)
    followed.stop()
    assert [arn for _, arn, _ in seen(database, "a")] == arns


def test_hints_come_once_what_they_tell_can_be_read(database: Database) -> None:
    told: list[Hint] = []
    found: list[bool] = []

    def listen(hints: Sequence[Hint]) -> None:
        told.extend(hints)
        found.extend(records.find_arn(database.reader, hint.arn) is not None for hint in hints)

    followed = Changes(database)
    followed.on_commit(listen)
    followed.start()
    arn = insert(database, "m")
    database.write(lambda tx: records.set_status(tx, arn, "InService", 2.0))
    wait_until(lambda: len(told) == 2)
    followed.stop()
    assert [(hint.what, hint.kind, hint.status) for hint in told] == [
        ("created", "sagemaker/Model", ""),
        ("status", "sagemaker/Model", "InService"),
    ]
    assert all(found)


def test_all_who_follow_are_handed_a_change_in_one_commit(database: Database) -> None:
    followed = Changes(database)
    for name in "abc":
        followed.follow(name, notes(name))
    followed.start()
    taken: list[int] = []
    for number in range(10):  # a thread that has to wait for the processor may come too late for the others' commit
        before = database.moment()
        insert(database, f"m{number}")
        wait_until(lambda count=number + 1: all(len(seen(database, name)) == count for name in "abc"))
        taken.append(database.moment() - before)
        if taken[-1] == 2:
            break
    followed.stop()
    assert taken[-1] == 2, taken


def test_what_is_handed_over_in_its_own_commit_is_told_to_listeners_too(database: Database) -> None:
    told: list[str] = []
    followed = Changes(database)
    followed.follow("a", notes("a"))
    followed.on_commit(lambda hints: told.extend(hint.what for hint in hints))
    followed.start()
    gate = threading.Event()
    database.submit(lambda tx: gate.wait() and None)

    def one_commit(tx: sqlite3.Connection) -> None:
        tx.execute(
            "INSERT INTO records (account, region, kind, name, arn, status, created_at, modified_at, version, request,"
            " state) VALUES ('1', 'r', 'sagemaker/Model', 'm', 'arn:m', '', 1, 1, 1, '{}', '{}')"
        )
        followed._hand_over(tx, followed._followers[0], 10, until=1)

    done = database.submit(one_commit)
    gate.set()
    done.result()
    wait_until(lambda: told == ["created"])
    assert [what for what, _, _ in seen(database, "a")] == ["created"]
    wait_until(lambda: database.reader.execute("SELECT count(*) FROM changes").fetchone()[0] == 0)
    followed.stop()


def test_whoever_waits_for_followers_ends_their_rest(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "REST_SECONDS", 3600.0)
    followed = Changes(database)
    followed.follow("a", notes("a"))
    followed.start()
    try:
        insert(database, "first")
        wait_until(lambda: len(seen(database, "a")) == 1)
        insert(database, "second")  # while it rests, or just before
        wait_until(lambda: not followed.is_behind())
        assert len(seen(database, "a")) == 2
    finally:
        followed.stop()


def test_where_nobody_follows_the_log_does_not_grow(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "KEPT_MAX", 10)
    followed = Changes(database)
    followed.start()
    for number in range(40):
        insert(database, f"m{number}")
    count = "SELECT count(*) FROM changes"
    wait_until(lambda: database.reader.execute(count).fetchone()[0] <= 12)
    followed.stop()
