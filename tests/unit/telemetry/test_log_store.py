"""Logs on disk: order, tokens, retention, and what a crash leaves."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloche.foundation.errors import AlreadyExists, Broken, NotFound
from cloche.storage.logs import MIGRATIONS, LogStore, Question, Sieve, files, finding, frames, stream
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate

OWNER = ("123456789012", "us-east-1")
NOW = 1_795_600_000.0
NOW_MS = int(NOW * 1000)
NUMBERS = itertools.count()
DAY_MS = 24 * 3600 * 1000


class SetClock:
    seconds = NOW

    def time(self) -> float:
        return self.seconds

    def now(self) -> Any:
        raise AssertionError("logs count in milliseconds")

    def real(self) -> float:
        return self.time()

    def when_turned(self, callback: Callable[[], None]) -> None: ...


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def open_store(tmp_path: Path, clock: SetClock) -> Iterator[Callable[[], LogStore]]:
    """Each call opens the same directory anew, as a start after a kill does: nothing was closed."""
    databases: list[Database] = []

    def make() -> LogStore:
        database = Database(tmp_path / "cloche.db")
        databases.append(database)
        migrate(database, MIGRATIONS)
        return LogStore(tmp_path / "logs", database, clock)

    yield make
    for database in databases:
        database.close()


@pytest.fixture
def store(open_store: Callable[[], LogStore]) -> LogStore:
    return open_store()


def log_files(root: Path) -> list[Path]:
    return sorted((root / "logs").rglob("*.log"))


def messages(store: LogStore, group: str = "/g", name: str = "s", **arguments: Any) -> list[str]:
    arguments.setdefault("from_head", True)
    return [event.message for event in store.read(*OWNER, group, name, **arguments).events]


def test_append_makes_group_and_stream_and_read_gives_it_back(store: LogStore) -> None:
    store.append(*OWNER, "/g", "s", [(NOW_MS, "one"), (NOW_MS + 1, "zwei ☃")])
    page = store.read(*OWNER, "/g", "s", from_head=True)
    assert [(event.timestamp_ms, event.message, event.ordinal) for event in page.events] == [
        (NOW_MS, "one", 0),
        (NOW_MS + 1, "zwei ☃", 1),
    ]
    assert page.events[0].ingested_ms == NOW_MS


def test_late_events_take_their_place_in_time(store: LogStore) -> None:
    store.append(*OWNER, "/g", "s", [(10, "b"), (30, "d")])
    store.append(*OWNER, "/g", "s", [(5, "a"), (20, "c"), (30, "e")])
    assert messages(store) == ["a", "b", "c", "d", "e"]
    assert messages(store, from_head=False, limit=2) == ["d", "e"]
    assert messages(store, start_ms=10, end_ms=30) == ["b", "c"]


def test_names_that_are_not_there(store: LogStore) -> None:
    with pytest.raises(NotFound, match="The specified log group does not exist"):
        store.read(*OWNER, "/g", "s")
    store.create_group(*OWNER, "/g")
    with pytest.raises(NotFound, match="The specified log stream does not exist"):
        store.read(*OWNER, "/g", "s")
    with pytest.raises(AlreadyExists):
        store.create_group(*OWNER, "/g")
    store.create_stream(*OWNER, "/g", "s")
    with pytest.raises(AlreadyExists):
        store.create_stream(*OWNER, "/g", "s")
    assert messages(store) == []


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=8), min_size=1, max_size=8),
    limit=st.integers(1, 9),
)
def test_pages_forwards_and_backwards_are_the_whole(store: LogStore, batches: list[list[int]], limit: int) -> None:
    name = f"s{next(NUMBERS)}"
    ordinal = 0
    sent: list[tuple[int, int]] = []
    for batch in batches:
        store.append(*OWNER, "/g", name, [(at, str(at)) for at in batch])
        sent += [(at, ordinal + place) for place, at in enumerate(batch)]
        ordinal += len(batch)
    whole = sorted(sent)
    for forwards in (True, False):
        seen: list[tuple[int, int]] = []
        at = None
        while True:
            page = store.read(*OWNER, "/g", name, at=at, from_head=forwards, limit=limit)
            if not page.events:
                # the end: the place stays where it was
                assert (page.last if forwards else page.first) == at
                break
            part = [(event.timestamp_ms, event.ordinal) for event in page.events]
            seen = seen + part if forwards else part + seen
            at = page.last if forwards else page.first
        assert seen == whole


def test_a_forward_place_finds_what_comes_later(store: LogStore) -> None:
    store.create_group(*OWNER, "/g")
    store.create_stream(*OWNER, "/g", "s")
    empty = store.read(*OWNER, "/g", "s")  # from the tail of nothing
    store.append(*OWNER, "/g", "s", [(NOW_MS, "one")])
    page = store.read(*OWNER, "/g", "s", at=empty.last, from_head=True)
    assert [event.message for event in page.events] == ["one"]
    store.append(*OWNER, "/g", "s", [(NOW_MS, "two")])
    assert messages(store, at=page.last) == ["two"]


@pytest.mark.parametrize("cut", [1, 7, 8, 20, 60])
def test_a_torn_end_is_cut_off_and_the_rest_kept(open_store: Callable[[], LogStore], tmp_path: Path, cut: int) -> None:
    store = open_store()
    for text in ("one", "two", "x" * 100):
        store.append(*OWNER, "/g", "s", [(NOW_MS, text)])
    (path,) = log_files(tmp_path)
    os.truncate(path, path.stat().st_size - cut)
    again = open_store()
    assert messages(again) == ["one", "two"]
    again.append(*OWNER, "/g", "s", [(NOW_MS, "three")])
    assert messages(again) == ["one", "two", "three"]
    assert messages(open_store()) == ["one", "two", "three"]


def test_garbage_after_the_end_is_cut_off(open_store: Callable[[], LogStore], tmp_path: Path) -> None:
    open_store().append(*OWNER, "/g", "s", [(NOW_MS, "one")])
    (path,) = log_files(tmp_path)
    whole = path.read_bytes()
    for garbage in (b"\0" * 4096, b"\xff" * 50, whole[:-1] + b"?"):
        path.write_bytes(whole + garbage)
        assert messages(open_store()) == ["one"]
        assert path.read_bytes() == whole


def test_damage_in_the_middle_is_an_error_not_a_gap(store: LogStore, tmp_path: Path) -> None:
    for text in ("one", "two"):
        store.append(*OWNER, "/g", "s", [(NOW_MS, text)])
    (path,) = log_files(tmp_path)
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"one")] ^= 1
    path.write_bytes(raw)
    with pytest.raises(Broken):
        messages(store)


def test_a_crash_leaves_the_index_right(open_store: Callable[[], LogStore], tmp_path: Path) -> None:
    open_store().append(*OWNER, "/g", "s", [(100, "one"), (200, "two")])
    ((found,), _) = open_store().streams(*OWNER, "/g", limit=5)
    assert (found.first_ms, found.last_ms, found.ingested_ms) == (100, 200, NOW_MS)


def test_files_without_a_stream_are_removed_at_start(open_store: Callable[[], LogStore], tmp_path: Path) -> None:
    open_store().append(*OWNER, "/g", "s", [(100, "one")])
    orphan = tmp_path / "logs" / "07" / "999"
    orphan.mkdir(parents=True)
    (orphan / "x.log").write_bytes(b"x")
    store = open_store()
    assert not orphan.exists()
    assert messages(store) == ["one"]


def test_segments(store: LogStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_store: Any) -> None:
    monkeypatch.setattr(stream, "SEGMENT_BYTES", 200)
    sent = [f"{number:03d}" + "x" * 40 for number in range(20)]
    for number, text in enumerate(sent):
        store.append(*OWNER, "/g", "s", [(number * DAY_MS, text)])
    assert len(log_files(tmp_path)) > 3
    assert messages(store) == sent
    assert messages(open_store()) == sent


def test_retention_hides_at_once_and_removes_whole_files(
    store: LogStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "SEGMENT_BYTES", 100)
    for day in range(10, 0, -1):
        store.append(*OWNER, "/g", "s", [(NOW_MS - day * DAY_MS + 1, f"{day} days ago " + "x" * 60)])
    store.streams(*OWNER, "/g", limit=1)  # the index knows the times
    store.set_retention(*OWNER, "/g", 3)
    assert [text[0] for text in messages(store)] == ["3", "2", "1"]
    before = len(log_files(tmp_path))
    assert store.expire() > 0
    assert len(log_files(tmp_path)) < before
    assert [text[0] for text in messages(store)] == ["3", "2", "1"]
    store.set_retention(*OWNER, "/g", None)
    assert [text[0] for text in messages(store)] == ["3", "2", "1"], "what is removed is gone"


def test_delete_takes_the_files(store: LogStore, tmp_path: Path) -> None:
    store.append(*OWNER, "/g", "s", [(NOW_MS, "one")])
    store.append(*OWNER, "/g", "t", [(NOW_MS, "two")])
    store.delete_stream(*OWNER, "/g", "s")
    assert len(log_files(tmp_path)) == 1
    store.append(*OWNER, "/g", "s", [(NOW_MS, "new")])
    assert messages(store) == ["new"]
    store.delete_group(*OWNER, "/g")
    assert log_files(tmp_path) == []
    with pytest.raises(NotFound):
        store.group(*OWNER, "/g")


def test_reading_writes_nothing_while_nothing_is_new(store: LogStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.append(*OWNER, "/g", "s", [(1_000, "one")])
    store.append(*OWNER, "/g", "other", [(1_000, "one")])
    database = store._database
    written = []
    real = database.write
    monkeypatch.setattr(database, "write", lambda change: written.append(1) or real(change))
    for _ in range(3):
        assert store.streams(*OWNER, "/g", limit=10)[0][1].last_ms == 1_000
    assert len(written) == 1
    store.append(*OWNER, "/g", "s", [(2_000, "two")])
    for _ in range(3):
        assert store.streams(*OWNER, "/g", limit=10)[0][1].last_ms == 2_000
    assert len(written) == 2
    store.delete_stream(*OWNER, "/g", "s")
    store.append(*OWNER, "/g", "s", [(3_000, "again")])
    assert store.streams(*OWNER, "/g", limit=10)[0][1].last_ms == 3_000


def test_more_streams_than_may_be_open(store: LogStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "OPEN_STREAMS_MAX", 3)
    for turn in range(3):
        for number in range(8):
            store.append(*OWNER, "/g", f"s{number}", [(NOW_MS + turn, f"{turn}")])
    assert all(messages(store, name=f"s{number}") == ["0", "1", "2"] for number in range(8))
    found, _ = store.streams(*OWNER, "/g", limit=50)
    assert {held.last_ms for held in found} == {NOW_MS + 2}


def test_many_threads_append_to_one_stream(store: LogStore) -> None:
    def write(number: int) -> None:
        for at in range(25):
            store.append(*OWNER, "/g", "s", [(at, f"{number}.{at}")])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(messages(store)) == sorted(f"{number}.{at}" for number in range(6) for at in range(25))


def test_a_disk_that_is_full_leaves_the_stream_as_it_was(store: LogStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.append(*OWNER, "/g", "s", [(1, "one")])
    real = os.pwrite

    def half(fd: int, data: Any, offset: int) -> int:
        if len(data) > 10:
            return real(fd, data[:10], offset)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stream.os, "pwrite", half)
    with pytest.raises(OSError, match="No space left"):
        store.append(*OWNER, "/g", "s", [(2, "two")])
    monkeypatch.undo()
    store.append(*OWNER, "/g", "s", [(3, "three")])
    assert messages(store) == ["one", "three"]


def test_find_merges_streams_and_goes_on_where_it_stopped(store: LogStore) -> None:
    for number in range(30):
        store.append(*OWNER, "/g", f"a{number % 3}", [(number // 2, f"{number} {'odd' if number % 2 else 'even'}")])
    store.append(*OWNER, "/g", "other", [(1, "odd one out")])
    seen: list[str] = []
    at = None
    while True:
        page = store.find(*OWNER, "/g", Question(lambda text: "odd" in text), prefix="a", at=at, limit=4)
        seen += [event.message for _, event in page.events]
        at = page.next
        if at is None:
            break
    assert seen == [f"{number} odd" for number in range(1, 30, 2)]


def follow(store: LogStore, name: str, at: Any = None, **arguments: Any) -> tuple[list[str], Any]:
    """Read on from ``at`` until the place stays where it is."""
    seen: list[str] = []
    while True:
        page = store.read(*OWNER, "/g", name, at=at, from_head=True, **arguments)
        seen += [event.message for event in page.events]
        if page.last == at:
            return seen, at
        at = page.last


def test_a_follower_sees_events_that_come_late_with_an_earlier_time(store: LogStore) -> None:
    store.append(*OWNER, "/g", "s", [(NOW_MS, "one"), (NOW_MS + 10, "two")])
    seen, at = follow(store, "s")
    assert seen == ["one", "two"]
    store.append(*OWNER, "/g", "s", [(NOW_MS - 1000, "late")])
    store.append(*OWNER, "/g", "s", [(NOW_MS + 20, "three"), (NOW_MS + 5, "late too")])
    seen, at = follow(store, "s", at)
    assert seen == ["late", "late too", "three"]
    assert follow(store, "s", at) == ([], at)
    tail = store.read(*OWNER, "/g", "s", limit=1)
    store.append(*OWNER, "/g", "s", [(1, "very late")])
    assert follow(store, "s", tail.last)[0] == ["very late"]
    assert messages(store, at=tail.first, from_head=False) == ["very late", "late", "one", "late too", "two"]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.lists(st.integers(0, 20), min_size=1, max_size=5), min_size=1, max_size=10),
    limit=st.integers(1, 4),
    reads=st.lists(st.integers(0, 3), min_size=10, max_size=10),
)
def test_a_follower_sees_every_event_once(
    store: LogStore, steps: list[list[int]], limit: int, reads: list[int]
) -> None:
    name = f"f{next(NUMBERS)}"
    store.append(*OWNER, "/g", name, [(5, "first")])
    sent, seen, at = ["first"], [], None
    for number, (times, pages) in enumerate(zip(steps, reads, strict=False)):
        batch = [(time, f"{number}.{place}") for place, time in enumerate(times)]
        store.append(*OWNER, "/g", name, batch)
        sent += [text for _, text in batch]
        for _ in range(pages):
            page = store.read(*OWNER, "/g", name, at=at, from_head=True, limit=limit)
            seen += [event.message for event in page.events]
            at = page.last
    seen += follow(store, name, at, limit=limit)[0]
    assert sorted(seen) == sorted(sent)


def test_retention_leaves_an_empty_file_that_counts_on(store: LogStore, tmp_path: Path, open_store: Any) -> None:
    store.append(*OWNER, "/g", "s", [(NOW_MS - 9 * DAY_MS, "old"), (NOW_MS - 8 * DAY_MS, "old too")])
    _, at = follow(store, "s")
    store.set_retention(*OWNER, "/g", 3)
    assert store.expire() == 1
    (path,) = log_files(tmp_path)
    assert path.stat().st_size == 0
    ((held,), _) = store.streams(*OWNER, "/g", limit=5)
    assert (held.first_ms, held.last_ms, held.stored_bytes) == (None, 0, 0)
    assert store.expire() == 0
    again = open_store()
    again.append(*OWNER, "/g", "s", [(NOW_MS, "new")])
    assert follow(again, "s", at)[0] == ["new"]
    assert [event.ordinal for event in again.read(*OWNER, "/g", "s").events] == [2]


def test_stored_bytes_are_counted_as_aws_counts(store: LogStore, open_store: Any) -> None:
    store.append(*OWNER, "/g", "s", [(1, "four"), (2, "zwölf")])
    store.append(*OWNER, "/g", "t", [(1, "x")])
    for each in (store, open_store()):
        group = each.group(*OWNER, "/g")
        assert each.stored_bytes([group]) == {group.id: 4 + 6 + 1 + 3 * 26}


def test_find_newest_first_and_on_a_budget(store: LogStore, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = []
    for number in range(40):
        at = (number * 7) % 11
        store.append(*OWNER, "/g", f"a{number % 3}", [(at, f"{number:02d}"), (at + 3, f"{number:02d}+")])
        sent += [(at, f"{number:02d}"), (at + 3, f"{number:02d}+")]

    def all_pages(question: Question, limit: int) -> list[tuple[int, str]]:
        found, at = [], None
        for _ in range(500):
            page = store.find(*OWNER, "/g", question, at=at, limit=limit)
            found += [(event.timestamp_ms, event.message) for _, event in page.events]
            if page.next is None:
                return found
            assert page.next != at, "a page gets on"
            at = page.next
        raise AssertionError("it never ends")

    for budget in (finding.SEARCHED_BYTES_MAX, 0, 100):
        monkeypatch.setattr(finding, "SEARCHED_BYTES_MAX", budget)
        for limit in (1, 7, 1000):
            oldest = all_pages(Question(lambda text: True), limit)
            newest = all_pages(Question(lambda text: True, newest_first=True), limit)
            assert [at for at, _ in oldest] == sorted(at for at, _ in sent)
            assert newest == oldest[::-1]
            assert sorted(oldest) == sorted(sent)
    some = all_pages(Question(lambda text: text.endswith("+"), start_ms=4, end_ms=9, newest_first=True), 3)
    assert sorted(some) == sorted(pair for pair in sent if pair[1].endswith("+") and 4 <= pair[0] < 9)


def test_streams_that_follow_each_other_are_not_open_together(store: LogStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "OPEN_STREAMS_MAX", 3)
    for number in range(20):
        store.append(*OWNER, "/g", f"s{number:02d}", [(number * 10, f"{number}"), (number * 10 + 1, f"{number}+")])
    used: list[int] = []

    def matches(text: str) -> bool:
        used.append(len([held for held in store._files._open.values() if held.uses]))
        return True

    for newest_first in (False, True):
        page = store.find(*OWNER, "/g", Question(matches, newest_first=newest_first))
        assert len(page.events) == 40
    assert max(used) == 1


def test_a_page_reads_no_more_appends_of_one_moment_than_it_shows(
    store: LogStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        store.append(*OWNER, "/g", "s", [(1_000, f"{number}.{line}") for line in range(10)])
    read = []
    real = frames.read_events
    monkeypatch.setattr(frames, "read_events", lambda fd, frame, sieve=None: read.append(1) or real(fd, frame, sieve))
    newest = store.read(*OWNER, "/g", "s", limit=20)
    assert [event.message for event in newest.events] == [
        f"{number}.{line}" for number in (48, 49) for line in range(10)
    ]
    oldest = store.read(*OWNER, "/g", "s", from_head=True, limit=20)
    assert [event.message for event in oldest.events] == [f"{number}.{line}" for number in (0, 1) for line in range(10)]
    found = store.find(*OWNER, "/g", Question(lambda text: True), limit=20)
    assert [event.message for _, event in found.events] == [event.message for event in oldest.events]
    assert len(read) <= 12


def test_a_screen_leaves_whole_appends_unread(store: LogStore) -> None:
    store.append(*OWNER, "/g", "s", [(1, "needle"), (2, "hay")])
    store.append(*OWNER, "/g", "s", [(3, "hay"), (4, "hay")])
    asked: list[str] = []

    def matches(text: str) -> bool:
        asked.append(text)
        return True

    page = store.find(*OWNER, "/g", Question(matches, Sieve(screen=lambda raw: b"needle" in raw)))
    assert [event.message for _, event in page.events] == asked == ["needle"]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.text("abé\x01\x00", max_size=6), min_size=1, max_size=12),
    st.text("abé\x01\x00", min_size=1, max_size=2),
)
def test_a_needle_finds_what_holds_it(store: LogStore, texts: list[str], needle: str) -> None:
    """Also where its bytes stand in the numbers between the messages."""
    name = f"n{next(NUMBERS)}"
    store.append(*OWNER, "/g", name, list(enumerate(texts)))
    question = Question(lambda text: True, Sieve(needle=needle.encode()))
    page = store.find(*OWNER, "/g", question, streams=[name])
    assert [event.message for _, event in page.events] == [text for text in texts if needle in text]


def test_what_was_taken_in_is_told_once(store: LogStore, clock: SetClock) -> None:
    store.append(*OWNER, "/g", "s", [(1, "before")])
    clock.seconds += 1
    since, seen = int(clock.seconds * 1000), dict[int, int]()

    def new() -> list[str]:
        return [f"{held.name}:{event.message}" for held, event in store.taken_in(*OWNER, "/g", since, seen)]

    assert new() == []
    store.append(*OWNER, "/g", "s", [(1, "late")])
    clock.seconds += 1
    store.append(*OWNER, "/g", "t", [(5, "new")])
    assert new() == ["s:late", "t:new"]
    assert new() == []
    store.append(*OWNER, "/g", "s", [(2, "more")])
    assert new() == ["s:more"]


def test_a_store_of_the_first_version_is_brought_up_to_date(tmp_path: Path, clock: SetClock) -> None:
    database = Database(tmp_path / "cloche.db")
    migrate(database, MIGRATIONS[:1])
    database.write(
        lambda tx: (
            tx.execute("INSERT INTO log_groups VALUES (1, ?, ?, '/g', 1, NULL)", OWNER),
            tx.execute("INSERT INTO log_streams VALUES (1, 1, 's', 1, NULL, 0, NULL, 0)"),
        )
    )
    database.close()
    database = Database(tmp_path / "cloche.db")
    migrate(database, MIGRATIONS)
    store = LogStore(tmp_path / "logs", database, clock)
    group = store.group(*OWNER, "/g")
    assert (group.log_class, group.kms_key, group.protected) == ("STANDARD", None, False)
    assert store.read(*OWNER, "/g", "s").events == []
    database.close()
