"""Versioned buckets against a model in memory, and what the model does not say."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloche.foundation.clock import SystemClock
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.objects import (
    MIGRATIONS,
    BucketNotEmpty,
    ConditionNotMet,
    Details,
    Doomed,
    KeyNotFound,
    ObjectLocked,
    ObjectStore,
    VersioningFixed,
    VersionNotFound,
    WriteCondition,
)
from cloche.storage.objects.listing import common_prefix
from cloche.storage.objects.versions import sequence_of, version_id

KEYS = ("a", "a/b", "a/c", "b", "é")


@dataclass
class Model:
    """Versions of each key, the newest first: (id, content or ``None`` for a delete marker)."""

    versioning: str = ""
    keys: dict[str, list[tuple[str, bytes | None]]] = field(default_factory=dict)

    def put(self, key: str, version: str, content: bytes | None) -> None:
        kept = self.keys.setdefault(key, [])
        if self.versioning != "Enabled":
            kept[:] = [entry for entry in kept if entry[0] != "null"]
        kept.insert(0, (version, content))

    def remove(self, key: str, version: str) -> None:
        kept = [entry for entry in self.keys.get(key, []) if entry[0] != version]
        self.keys[key] = kept

    def current(self, key: str) -> bytes | None:
        kept = self.keys.get(key)
        return kept[0][1] if kept else None

    def listing(self, prefix: str, delimiter: str) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for key in sorted(key for key, kept in self.keys.items() if kept):
            if not key.startswith(prefix):
                continue
            if folded := common_prefix(key, prefix, delimiter):
                if (folded, "") not in found:
                    found.append((folded, ""))
                continue
            found += [(key, version) for version, _ in self.keys[key]]
        return found


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "copy", "delete", "delete version", "Enabled", "Enabled", "Suspended"]),
        st.sampled_from(KEYS),
        st.integers(0, 6),
    ),
    max_size=40,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=STEPS, prefix=st.sampled_from(["", "a", "a/"]), delimiter=st.sampled_from(["", "/"]), size=st.integers(1, 4)
)
def test_any_sequence_equals_the_model(
    store: ObjectStore, steps: list[Any], prefix: str, delimiter: str, size: int
) -> None:
    bucket = f"bucket-{_count():06}"
    store.buckets.create(bucket, "123456789012", "us-east-1")
    model = Model()
    for number, (step, key, choice) in enumerate(steps):
        _step(store, bucket, model, step, key, choice, b"%d" % number)
    for key in KEYS:
        _check_key(store, bucket, model, key)
    everything = [(key, content) for key in sorted(KEYS) if (content := model.current(key)) is not None]
    assert [info.key for info in store.list(bucket).objects] == [key for key, _ in everything]
    assert _pages(store, bucket, prefix, delimiter, size) == model.listing(prefix, delimiter)


_number = 0


def _count() -> int:
    global _number
    _number += 1
    return _number


def _step(store: ObjectStore, bucket: str, model: Model, step: str, key: str, choice: int, content: bytes) -> None:
    if step in ("Enabled", "Suspended"):
        store.buckets.set_versioning(bucket, step)
        model.versioning = step
    elif step == "put":
        model.put(key, store.put_bytes(bucket, key, content).version, content)
    elif step == "copy":
        kept = [entry for entry in model.keys.get(KEYS[choice % len(KEYS)], []) if entry[1] is not None]
        if kept:
            version, old = kept[choice % len(kept)]
            written = store.duplicate(*store.open(bucket, KEYS[choice % len(KEYS)], version))
            model.put(key, store.commit(bucket, key, written, Details()).version, old)
    elif step == "delete":
        done = store.delete(bucket, key)
        if not model.versioning:
            model.remove(key, "null")
        else:
            assert done.is_delete_marker
            model.put(key, done.version, None)
    elif kept := model.keys.get(key, []):
        version, gone = kept[choice % len(kept)]
        done = store.delete(bucket, key, version=version)
        assert (done.existed, done.is_delete_marker) == (True, gone is None)
        model.remove(key, version)


def _check_key(store: ObjectStore, bucket: str, model: Model, key: str) -> None:
    if (content := model.current(key)) is None:
        with pytest.raises(KeyNotFound) as caught:
            store.head(bucket, key)
        assert (caught.value.marker is not None) == bool(model.keys.get(key))
    else:
        assert store.read_bytes(bucket, key, size_max=100) == content
    for place, (version, content) in enumerate(model.keys.get(key, [])):
        info, found = store.open(bucket, key, version)
        assert (info.is_latest, info.is_delete_marker) == (place == 0, content is None)
        assert found == (content or b"")


def _pages(store: ObjectStore, bucket: str, prefix: str, delimiter: str, size: int) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    after = ("", "")
    while True:
        page = store.list_versions(bucket, prefix, delimiter=delimiter, after=after, limit=size)
        entries = [(info.key, info.version) for info in page.versions] + [(text, "") for text in page.common_prefixes]
        assert len(entries) <= size
        found += sorted(entries, key=lambda entry: entry[0])
        if not page.is_truncated:
            return found
        assert entries, "a truncated page holds something"
        after = page.last


def test_a_listing_goes_on_where_its_marker_was_deleted(store: ObjectStore) -> None:
    null = store.put_bytes("bucket", "key", b"null")
    store.buckets.set_versioning("bucket", "Enabled")
    made = [store.put_bytes("bucket", "key", b"%d" % number) for number in range(3)]
    page = store.list_versions("bucket", limit=2)
    assert [info.version for info in page.versions] == [made[2].version, made[1].version]
    store.delete("bucket", "key", version=made[1].version)
    rest = store.list_versions("bucket", after=page.last)
    assert [info.version for info in rest.versions] == [made[0].version, null.version]
    assert not store.list_versions("bucket", after=("key", "null")).versions


def test_version_ids_count_down() -> None:
    ids = [version_id(sequence) for sequence in (1, 1_764_000_000_000_000, 1_764_000_000_000_001)]
    assert ids == sorted(ids, reverse=True)
    assert all(version > "null" and len(version) == 32 for version in ids)
    assert [sequence_of(version) for version in ids] == [1, 1_764_000_000_000_000, 1_764_000_000_000_001]
    assert sequence_of("null") is sequence_of("x" * 32) is sequence_of("") is None


def test_a_clock_set_back_leaves_the_order(tmp_path: Path) -> None:
    class Backwards(SystemClock):
        seconds = 2_000_000_000.0

        def time(self) -> float:
            self.seconds -= 10
            return self.seconds

    database = Database(tmp_path / "metadata.db")
    migrate(database, MIGRATIONS)
    store = ObjectStore(tmp_path / "objects", database, Backwards())
    store.buckets.create("bucket", "123456789012", "us-east-1")
    store.buckets.set_versioning("bucket", "Enabled")
    made = [store.put_bytes("bucket", "key", b"%d" % number).version for number in range(3)]
    assert [info.version for info in store.list_versions("bucket").versions] == made[::-1]
    assert store.read_bytes("bucket", "key", size_max=9) == b"2"
    store.close()
    database.close()


def test_conditions_see_the_latest_version(store: ObjectStore) -> None:
    store.buckets.set_versioning("bucket", "Enabled")
    first = store.put_bytes("bucket", "key", b"first", condition=WriteCondition(if_absent=True))
    second = store.put_bytes("bucket", "key", b"second", condition=WriteCondition(if_match=first.etag))
    with pytest.raises(ConditionNotMet):
        store.put_bytes("bucket", "key", b"third", condition=WriteCondition(if_match=first.etag))
    store.delete("bucket", "key", condition=WriteCondition(if_match=second.etag))
    with pytest.raises(KeyNotFound):
        store.put_bytes("bucket", "key", b"third", condition=WriteCondition(if_match=second.etag))
    store.put_bytes("bucket", "key", b"third", condition=WriteCondition(if_absent=True))


def test_locked_versions_stay(store: ObjectStore) -> None:
    store.buckets.set_versioning("bucket", "Enabled")
    until = SystemClock().time() + 1000
    info = store.put_bytes("bucket", "key", b"1", Details(retention_mode="GOVERNANCE", retain_until=until))
    assert store.delete("bucket", "key").is_delete_marker
    with pytest.raises(ObjectLocked):
        store.delete("bucket", "key", version=info.version)
    locked, other = store.delete_many("bucket", [Doomed("key", info.version), Doomed("other")])
    assert isinstance(locked, ObjectLocked)
    assert getattr(other, "is_delete_marker", False)
    store.update_details(info, lambda details: replace(details, legal_hold="ON"))
    with pytest.raises(ObjectLocked):
        store.delete("bucket", "key", version=info.version, bypass_governance=True)
    store.update_details(info, lambda details: replace(details, legal_hold="OFF"))
    assert store.delete("bucket", "key", version=info.version, bypass_governance=True).existed


def test_compliance_ends_with_its_time_alone(store: ObjectStore) -> None:
    store.buckets.set_versioning("bucket", "Enabled")
    now = SystemClock().time()
    kept = store.put_bytes("bucket", "key", b"1", Details(retention_mode="COMPLIANCE", retain_until=now + 1000))
    over = store.put_bytes("bucket", "key", b"2", Details(retention_mode="COMPLIANCE", retain_until=now - 1))
    with pytest.raises(ObjectLocked):
        store.delete("bucket", "key", version=kept.version, bypass_governance=True)
    assert store.delete("bucket", "key", version=over.version).existed


def test_object_lock_and_versioning_hold_each_other(store: ObjectStore) -> None:
    with pytest.raises(VersioningFixed):
        store.buckets.set_object_lock("bucket", {"ObjectLockEnabled": "Enabled"})
    store.buckets.set_versioning("bucket", "Enabled")
    store.buckets.set_object_lock("bucket", {"ObjectLockEnabled": "Enabled"})
    with pytest.raises(VersioningFixed):
        store.buckets.set_versioning("bucket", "Suspended")
    assert store.buckets.get("bucket").versioning == "Enabled"
    assert [bucket.name for bucket in store.buckets.with_configuration("ObjectLock")] == ["bucket"]


def test_a_bucket_of_markers_is_not_empty(store: ObjectStore) -> None:
    store.buckets.set_versioning("bucket", "Enabled")
    marker = store.delete("bucket", "key")
    assert (marker.is_delete_marker, marker.existed) == (True, False)
    with pytest.raises(BucketNotEmpty):
        store.buckets.delete("bucket")
    store.delete("bucket", "key", version=marker.version)
    with pytest.raises(VersionNotFound):
        store.head("bucket", "key", marker.version)
    store.buckets.delete("bucket")
