"""Logs on disk: retention, and what a crash leaves."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stored_logs import DAY_MS, NOW_MS, OWNER, SetClock, follow, log_files, messages

from cloche.foundation.errors import AlreadyExists, Broken, NotFound
from cloche.storage.logs import MIGRATIONS, LogStore, files, stream
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate


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
