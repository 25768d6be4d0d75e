"""Listings against a model: a sorted list in memory, folded by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloche.storage.objects import Details, Doomed, ObjectStore
from cloche.storage.objects.listing import successor

KEYS = st.text(st.sampled_from("ab/-\u00e9\ud7ff\ue000\U0010ffff\x00\x01 "), min_size=1, max_size=6)
ANY_KEY = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40)


def model(keys: set[str], prefix: str, delimiter: str, after: str = "") -> list[tuple[str, bool]]:
    """(entry, is a common prefix), in UTF-8 order, those after ``after``."""
    found: dict[str, bool] = {}
    for key in sorted(keys, key=str.encode):
        if not key.startswith(prefix):
            continue
        at = key.find(delimiter, len(prefix)) if delimiter else -1
        entry = key[: at + len(delimiter)] if at >= 0 else key
        folded = at >= 0
        if key.encode() <= after.encode() or (folded and entry == after):
            continue
        found[entry] = folded
    return list(found.items())


def walk(store: ObjectStore, prefix: str, delimiter: str, limit: int) -> list[tuple[str, bool]]:
    found: list[tuple[str, bool]] = []
    place = ""
    while True:
        page = store.list("bucket", prefix, delimiter=delimiter, at_or_after=place, limit=limit)
        entries = [(info.key, False) for info in page.objects] + [(p, True) for p in page.common_prefixes]
        assert len(entries) <= limit
        found += sorted(entries, key=lambda entry: entry[0].encode())
        if not page.next_key:
            return found
        assert page.next_key > place or not place
        place = page.next_key


def walk_by_marker(store: ObjectStore, prefix: str, delimiter: str, limit: int) -> list[tuple[str, bool]]:
    """As version 1 clients do: the last entry is the next marker."""
    found: list[tuple[str, bool]] = []
    marker = ""
    while True:
        page = store.list("bucket", prefix, delimiter=delimiter, after=marker, limit=limit)
        entries = [(info.key, False) for info in page.objects] + [(p, True) for p in page.common_prefixes]
        found += sorted(entries, key=lambda entry: entry[0].encode())
        if not page.is_truncated:
            return found
        marker = page.last


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(KEYS, max_size=12), st.sampled_from(["", "a", "a/", "/", "b"]), st.sampled_from(["", "/", "a", "-a"]))
def test_pages_make_the_whole(store: ObjectStore, keys: set[str], prefix: str, delimiter: str) -> None:
    fill(store, keys)
    expected = model(keys, prefix, delimiter)
    for limit in (1, 2, 5, 100):
        assert walk(store, prefix, delimiter, limit) == expected
        assert walk_by_marker(store, prefix, delimiter, limit) == expected
    assert {info.key for info in store.iter_prefix("bucket", prefix)} == {k for k in keys if k.startswith(prefix)}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(KEYS, max_size=12), KEYS, st.sampled_from(["", "/"]))
def test_a_listing_starts_after_any_text(store: ObjectStore, keys: set[str], after: str, delimiter: str) -> None:
    fill(store, keys)
    page = store.list("bucket", "", delimiter=delimiter, after=after)
    entries = [(info.key, False) for info in page.objects] + [(p, True) for p in page.common_prefixes]
    assert sorted(entries, key=lambda entry: entry[0].encode()) == model(keys, "", delimiter, after)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(ANY_KEY, st.binary(max_size=20), max_size=6))
def test_any_unicode_key_round_trips(store: ObjectStore, contents: dict[str, bytes]) -> None:
    fill(store, set())
    for key, data in contents.items():
        store.put_bytes("bucket", key, data)
    for key, data in contents.items():
        assert store.read_bytes("bucket", key, size_max=20) == data
        assert store.head("bucket", key).key == key
    assert [info.key for info in store.list("bucket").objects] == sorted(contents, key=str.encode)


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=8), st.text(max_size=4))
def test_the_successor_is_above_all_that_start_so(text: str, more: str) -> None:
    above = successor(text)
    longer = text + more.encode("utf-8", "ignore").decode()
    if above is not None:
        assert longer.encode() < above.encode()
        assert not above.startswith(text) or not text
    else:
        assert set(text) <= {"\U0010ffff"}


def test_a_page_of_nothing(store: ObjectStore) -> None:
    store.put_bytes("bucket", "key", b"")
    page = store.list("bucket", limit=0)
    assert (page.objects, page.common_prefixes, page.is_truncated) == ([], [], False)


def test_a_common_prefix_costs_one_seek_however_much_it_holds(store: ObjectStore, opened, tmp_path: Path) -> None:
    """Counted in steps of SQLite's machine, not in seconds."""
    info = store.put_bytes("bucket", "a/0", b"")

    def grow(start: int, count: int) -> None:
        rows = [
            ("bucket", f"{folder}/{n}", info.file, Details().to_json()) for folder in "abc" for n in range(start, count)
        ]
        opened.database.write(
            lambda tx: (
                tx.executemany(
                    "INSERT OR REPLACE INTO objects (bucket, key, sequence, file, size, etag, modified_at, details)"
                    " VALUES (?, ?, 0, ?, 0, '', 0, ?)",
                    rows,
                )
                and None
            )
        )

    def steps() -> int:
        counted = 0

        def count() -> int:
            nonlocal counted
            counted += 1
            return 0

        opened.database.reader.set_progress_handler(count, 1)
        try:
            page = store.list("bucket", delimiter="/")
        finally:
            opened.database.reader.set_progress_handler(None, 1)
        assert page.common_prefixes == ["a/", "b/", "c/"]
        return counted

    grow(0, 10)
    few = steps()
    grow(10, 3000)
    assert steps() <= few * 1.2


def fill(store: ObjectStore, keys: set[str]) -> None:
    """Make the bucket hold just these."""
    present = [info.key for info in store.iter_prefix("bucket")]
    if present:
        store.delete_many("bucket", map(Doomed, present))
    for key in keys:
        store.put_bytes("bucket", key, b"")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, opened) -> None:
    """These tests ask about order, not about power cuts."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    opened.database._writer.execute("PRAGMA synchronous=OFF")
