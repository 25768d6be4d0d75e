"""Lifecycle on a clock of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.objects import MIGRATIONS, Details, KeyNotFound, Lifecycle, ObjectStore, UploadNotFound
from cloche.storage.objects.lifecycle_rules import expiration_of, next_midnight, rules_of

START = datetime(2026, 11, 25, 10, 30, tzinfo=UTC)


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        self.at += timedelta(microseconds=1)
        return self.at

    def time(self) -> float:
        return self.now().timestamp()

    def days(self, days: float) -> None:
        self.at += timedelta(days=days)


class Place:
    def __init__(self, root: Path) -> None:
        self.clock = Hand()
        self.database = Database(root / "metadata.db")
        migrate(self.database, MIGRATIONS)
        self.store = ObjectStore(root / "objects", self.database, self.clock)
        self.store.buckets.create("bucket", "123456789012", "us-east-1")
        self.lifecycle = Lifecycle(self.store, self.clock)

    def rules(self, *rules: dict[str, Any]) -> None:
        given = [{"ID": f"rule-{place}", "Status": "Enabled", "Filter": {}, **rule} for place, rule in enumerate(rules)]
        self.store.buckets.configure("bucket", "Lifecycle", {"Rules": given})

    def put(self, key: str, data: bytes = b"x", **details: Any) -> str:
        return self.store.put_bytes("bucket", key, data, Details(**details)).version

    def keys(self) -> list[str]:
        return [info.key for info in self.store.list("bucket").objects]

    def versions(self) -> list[tuple[str, bool]]:
        """(key, is a delete marker), the newest first."""
        return [(info.key, info.is_delete_marker) for info in self.store.list_versions("bucket").versions]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.store.close()
    made.database.close()


def test_days_end_at_midnight(place: Place) -> None:
    # The example of docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html
    assert next_midnight(datetime(2014, 1, 15, 10, 30, tzinfo=UTC) + timedelta(days=3)) == datetime(
        2014, 1, 19, tzinfo=UTC
    )
    assert next_midnight(datetime(2014, 1, 15, tzinfo=UTC)) == datetime(2014, 1, 15, tzinfo=UTC)
    place.rules({"Expiration": {"Days": 1}})
    place.put("key")
    place.clock.at = datetime(2026, 11, 26, 23, 59, tzinfo=UTC)
    assert place.lifecycle.run().expired == 0
    place.clock.at = datetime(2026, 11, 27, 0, 0, tzinfo=UTC)
    assert place.lifecycle.run().expired == 1
    assert place.keys() == []
    assert place.lifecycle.run().expired == 0


def test_what_a_rule_is_about(place: Place) -> None:
    tag = {"Key": "kind", "Value": "scratch"}
    place.rules(
        {"Expiration": {"Days": 1}, "Filter": {"Prefix": "logs/"}},
        {"Expiration": {"Days": 1}, "Filter": {"Tag": tag}},
        {"Expiration": {"Days": 1}, "Filter": {"And": {"Prefix": "big/", "ObjectSizeGreaterThan": 3}}},
        {"Expiration": {"Days": 1}, "Filter": {"And": {"Prefix": "small/", "ObjectSizeLessThan": 3, "Tags": [tag]}}},
        {"Expiration": {"Days": 1}, "Filter": {"Prefix": "kept/"}, "Status": "Disabled"},
    )
    scratch = {"kind": "scratch"}
    for key in ("logs/1", "kept/1", "log", "zzz"):
        place.put(key)
    place.put("tagged", tags=scratch)
    place.put("other", tags={"kind": "kept"})
    place.put("big/3", b"xxx")
    place.put("big/4", b"xxxx")
    place.put("small/2", b"xx", tags=scratch)
    place.put("small/3", b"xxx")
    place.clock.days(3)
    assert place.lifecycle.run().expired == 4
    assert place.keys() == ["big/3", "kept/1", "log", "other", "small/3", "zzz"]


def test_a_date_is_for_all(place: Place) -> None:
    place.rules({"Expiration": {"Date": "2026-11-27T00:00:00+00:00"}})
    place.put("key")
    place.clock.days(1)
    place.lifecycle.run()
    assert place.keys() == ["key"]
    place.clock.days(1)
    place.lifecycle.run()
    assert place.keys() == []


def test_expiring_in_a_versioned_bucket_puts_a_marker(place: Place) -> None:
    place.store.buckets.set_versioning("bucket", "Enabled")
    place.rules({"Expiration": {"Days": 1}})
    place.put("key")
    place.clock.days(3)
    place.lifecycle.run()
    assert place.versions() == [("key", True), ("key", False)]
    place.clock.days(30)
    place.lifecycle.run()
    assert place.versions() == [("key", True), ("key", False)], "a marker that covers something stays, and is alone"


def test_noncurrent_versions_go_by_when_they_were_covered(place: Place) -> None:
    place.store.buckets.set_versioning("bucket", "Enabled")
    place.rules({"NoncurrentVersionExpiration": {"NoncurrentDays": 5, "NewerNoncurrentVersions": 1}})
    first = place.put("key", b"1")
    place.clock.days(20)
    place.put("key", b"2")
    place.clock.days(1)
    place.put("key", b"3")
    place.lifecycle.run()
    assert len(place.versions()) == 3, "the first was covered a day ago, however old it is"
    place.clock.days(6)
    assert place.lifecycle.run().removed == 1
    kept = [info.version for info in place.store.list_versions("bucket").versions]
    assert len(kept) == 2
    assert first not in kept
    place.clock.days(100)
    assert place.lifecycle.run().removed == 0, "one newer noncurrent version is kept whatever its age"


def test_lone_markers(place: Place) -> None:
    place.store.buckets.set_versioning("bucket", "Enabled")
    place.rules({"Expiration": {"ExpiredObjectDeleteMarker": True}})
    place.put("covered")
    place.store.delete("bucket", "covered")
    place.store.delete("bucket", "lone")
    assert place.lifecycle.run().removed == 1
    assert place.versions() == [("covered", True), ("covered", False)]


def test_everything_goes_in_the_end(place: Place) -> None:
    place.store.buckets.set_versioning("bucket", "Enabled")
    place.rules({"Expiration": {"Days": 1}, "NoncurrentVersionExpiration": {"NoncurrentDays": 1}})
    for number in range(3):
        for key in ("a", "b"):
            place.put(key, b"%d" % number)
    for _ in range(4):
        place.clock.days(2)
        place.lifecycle.run()
    assert place.versions() == []


def test_locked_versions_outlive_the_rules(place: Place) -> None:
    place.store.buckets.set_versioning("bucket", "Enabled")
    place.rules({"NoncurrentVersionExpiration": {"NoncurrentDays": 1}})
    until = (START + timedelta(days=50)).timestamp()
    place.put("key", retention_mode="COMPLIANCE", retain_until=until)
    place.put("key")
    place.clock.days(5)
    place.lifecycle.run()
    assert len(place.versions()) == 2
    place.clock.days(50)
    place.lifecycle.run()
    assert len(place.versions()) == 1


def test_transitions(place: Place) -> None:
    steps = [{"Days": 30, "StorageClass": "STANDARD_IA"}, {"Days": 60, "StorageClass": "GLACIER_IR"}]
    place.rules({"Transitions": steps})
    place.put("key", bytes(200_000))
    place.put("small")
    place.clock.days(32)
    assert place.lifecycle.run().moved == 1
    assert place.store.head("bucket", "key").details.storage_class == "STANDARD_IA"
    assert place.lifecycle.run().moved == 0
    place.clock.days(32)
    place.lifecycle.run()
    assert place.store.head("bucket", "key").details.storage_class == "GLACIER_IR"
    assert place.store.head("bucket", "small").details.storage_class == "STANDARD"


def test_uploads_are_aborted(place: Place) -> None:
    place.rules({"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}, "Filter": {"Prefix": "a/"}})
    old = place.store.uploads.create("bucket", "a/old", Details())
    other = place.store.uploads.create("bucket", "b", Details())
    with place.store.writer() as writer:
        writer.write(b"part")
        place.store.uploads.put_part(old, 1, writer.finish())
    place.clock.days(4)
    new = place.store.uploads.create("bucket", "a/new", Details())
    assert place.lifecycle.run().aborted == 1
    with pytest.raises(UploadNotFound):
        place.store.uploads.get("bucket", "a/old", old.id)
    assert place.store.uploads.get("bucket", "a/new", new.id)
    assert place.store.uploads.get("bucket", "b", other.id)


def test_an_object_that_is_written_while_a_round_passes_is_safe(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.rules({"Expiration": {"Days": 1}})
    place.put("key", b"old")
    place.clock.days(3)
    delete_many = place.store.delete_many

    def late(bucket: str, wanted: Any, **given: Any) -> Any:
        place.put("key", b"new")
        return delete_many(bucket, wanted, **given)

    monkeypatch.setattr(place.store, "delete_many", late)
    place.lifecycle.run()
    assert place.store.read_bytes("bucket", "key", size_max=9) == b"new"


def test_more_than_a_page(place: Place) -> None:
    place.rules(
        {"Expiration": {"Days": 1}, "Filter": {"Prefix": "a/b"}}, {"Expiration": {"Days": 1}, "Filter": {"Prefix": "a"}}
    )
    for number in range(1203):
        place.store.put_bytes("bucket", f"a/{'b' if number % 2 else 'c'}{number:05}", b"x")
    place.put("b")
    place.clock.days(3)
    assert place.lifecycle.run().expired == 1203
    assert place.keys() == ["b"]


def test_a_stopped_round_is_gone_on_with(place: Place) -> None:
    place.rules({"Expiration": {"Days": 1}})
    place.put("key")
    place.clock.days(3)
    place.lifecycle.stop()
    assert place.lifecycle.run().expired == 0
    assert Lifecycle(place.store, place.clock).run().expired == 1
    with pytest.raises(KeyNotFound):
        place.store.head("bucket", "key")


def test_an_object_tells_when_it_expires_first(place: Place) -> None:
    place.rules({"Expiration": {"Days": 9}}, {"Expiration": {"Days": 3}, "Filter": {"Prefix": "k"}})
    info = place.store.put_bytes("bucket", "key", b"x")
    rules = rules_of(place.store.buckets.get("bucket"))
    assert expiration_of(rules, info) == (datetime(2026, 11, 29, tzinfo=UTC), "rule-1")
    other = replace(info, key="other")
    assert expiration_of(rules, other) == (datetime(2026, 12, 5, tzinfo=UTC), "rule-0")
