"""Which requests for objects take the short way, and that changes made together stay apart."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cloche.foundation.clock import SystemClock
from cloche.server.quick.objects import QuickObjects
from cloche.server.quick.together import Together
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.objects import MIGRATIONS, KeyNotFound, ObjectStore
from cloche.storage.objects.blobs import BLOB_BYTES_MAX

SIGNED = {
    "host": "127.0.0.1:4566",
    "authorization": "AWS4-HMAC-SHA256 Credential=A/20261125/us-east-1/s3/aws4_request, SignedHeaders=h, Signature=s",
    "x-amz-date": "20261125T000000Z",
    "x-amz-content-sha256": "0" * 64,
}
LINK = "X-Amz-Algorithm=A&X-Amz-Credential=K%2F20261125%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=s"


class Place:
    def __init__(self, root: Path) -> None:
        self.database = Database(root / "metadata.db")
        migrate(self.database, MIGRATIONS)
        self.store = ObjectStore(root / "objects", self.database, SystemClock())
        self.store.buckets.create("bucket", "123456789012", "us-east-1")
        self.store.put_bytes("bucket", "small", b"small")
        self.store.put_bytes("bucket", "large", b"l" * (BLOB_BYTES_MAX + 1))
        parts = SimpleNamespace(objects=self.store, database=self.database)
        dispatch = SimpleNamespace(ready=lambda service: object())
        self.quick = QuickObjects(SimpleNamespace(parts=parts, dispatch=dispatch, fallback=None))  # type: ignore[arg-type]

    def takes(self, method: str, target: str, headers: dict[str, str]) -> bool:
        given = [(name.encode(), value.encode()) for name, value in headers.items()]
        protocol: Any = SimpleNamespace(headers=given, parser=SimpleNamespace(get_method=lambda: method.encode()))
        return self.quick.takes(protocol, method.encode(), target.encode()) is not None


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.store.close()
    made.database.close()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_plain_requests_take_the_short_way(place: Place, method: str) -> None:
    length = {"content-length": "5"} if method == "PUT" else {}
    assert place.takes(method, "/bucket/small", SIGNED | length)
    assert place.takes(method, "/bucket/small?x-id=GetObject", SIGNED | length)
    assert place.takes(method, f"/bucket/small?{LINK}", {"host": "localhost"} | length)
    assert place.takes(method, "/bucket/small", SIGNED | length | {"x-amz-checksum-mode": "ENABLED"})


def test_only_small_contents_are_answered_at_once(place: Place) -> None:
    assert not place.takes("GET", "/bucket/large", SIGNED)
    assert place.takes("HEAD", "/bucket/large", SIGNED)
    assert place.takes("PUT", "/bucket/large", SIGNED | {"content-length": str(BLOB_BYTES_MAX)})
    assert not place.takes("PUT", "/bucket/large", SIGNED | {"content-length": str(BLOB_BYTES_MAX + 1)})
    assert not place.takes("PUT", "/bucket/large", SIGNED)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/bucket/small", {"host": "127.0.0.1:4566"}),
        ("/bucket/small", SIGNED | {"host": "bucket.localhost:4566"}),
        ("/bucket/small", SIGNED | {"host": "bucket.s3.amazonaws.com"}),
        ("/bucket/small", SIGNED | {"authorization": SIGNED["authorization"].replace("/s3/", "/sts/")}),
        ("/bucket/small", SIGNED | {"transfer-encoding": "chunked"}),
        ("/bucket/small", SIGNED | {"expect": "100-continue"}),
        ("/bucket/small", SIGNED | {"origin": "http://localhost"}),
        ("/bucket/small", SIGNED | {"sec-fetch-dest": "image"}),
        (f"/bucket/small?{LINK}", SIGNED),
        (f"/bucket/small?{LINK}&versionId=null", {"host": "localhost"}),
        ("/bucket/small?versionId=null", SIGNED),
        ("/bucket/small?acl", SIGNED),
        ("/bucket/", SIGNED),
        ("/bucket", SIGNED),
        ("/", SIGNED),
        ("/nobody/small", SIGNED),
        ("/service/small", SIGNED),
        ("/bucket/%FF", SIGNED),
    ],
)
def test_others_do_not(place: Place, method: str, target: str, headers: dict[str, str]) -> None:
    assert not place.takes(method, target, headers | ({"content-length": "5"} if method == "PUT" else {}))


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", {"range": "bytes=0-1"}),
        ("GET", {"if-match": "*"}),
        ("GET", {"x-amz-server-side-encryption": "AES256"}),
        ("GET", {"x-amz-expected-bucket-owner": "1"}),
        ("GET", {"x-amz-checksum-mode": "x"}),
        ("PUT", {"x-amz-copy-source": "a/b"}),
        ("PUT", {"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}),
        ("PUT", {"x-amz-trailer": "x-amz-checksum-crc32"}),
        ("PUT", {"x-amz-decoded-content-length": "5"}),
        ("PUT", {"x-amz-acl": "private"}),
        ("PUT", {"x-amz-grant-read": "id=1"}),
    ],
)
def test_nor_do_these(place: Place, method: str, headers: dict[str, str]) -> None:
    assert not place.takes(method, "/bucket/small", SIGNED | {"content-length": "0"} | headers)


@pytest.mark.parametrize(
    ("aspect", "taken"),
    [("Tagging", True), ("Encryption", True), ("Policy", False), ("Acl", False), ("PublicAccessBlock", False)],
)
def test_a_buckets_configuration_has_its_say(place: Place, aspect: str, taken: bool) -> None:
    place.store.buckets.configure("bucket", aspect, {"any": "thing"})
    assert place.takes("GET", "/bucket/small", SIGNED) is taken


def test_what_is_gone_or_a_delete_marker_is_for_the_ordinary_way(place: Place) -> None:
    place.store.buckets.set_versioning("bucket", "Enabled")
    place.store.delete("bucket", "small")
    assert not place.takes("GET", "/bucket/small", SIGNED)
    assert not place.takes("HEAD", "/bucket/nothing", SIGNED)


def test_changes_made_together_are_answered_apart(place: Place) -> None:
    """One refusal among them undoes nothing; what fails unforeseen undoes all, and everybody is told."""
    answers: list[Any] = []

    def mark(name: str) -> Any:
        return lambda tx: tx.execute("INSERT INTO removals VALUES (?)", (name,)) and name

    def refuse(tx: sqlite3.Connection) -> None:
        raise KeyNotFound("bucket", "key")

    def fail(tx: sqlite3.Connection) -> None:
        raise ZeroDivisionError

    async def run(*changes: Any) -> None:
        together = Together(place.database)
        answers.clear()
        for change in changes:
            together.change(change, answers.append)
        while len(answers) < len(changes):
            await asyncio.sleep(0.001)

    asyncio.run(run(mark("a"), refuse, mark("b")))
    assert [type(answer) for answer in answers] == [str, KeyNotFound, str]
    asyncio.run(run(mark("c"), fail))
    assert [type(answer) for answer in answers] == [ZeroDivisionError, ZeroDivisionError]
    rows = place.database.reader.execute("SELECT file FROM removals WHERE length(file) = 1 ORDER BY file")
    assert [row["file"] for row in rows] == ["a", "b"]
