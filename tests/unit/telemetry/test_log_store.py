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
from cloche.storage.logs import MIGRATIONS, LogStore, files, stream
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
        page = store.find(*OWNER, "/g", prefix="a", matches=lambda text: "odd" in text, at=at, limit=4)
        seen += [event.message for _, event in page.events]
        at = page.next
        if at is None:
            break
    assert seen == [f"{number} odd" for number in range(1, 30, 2)]
