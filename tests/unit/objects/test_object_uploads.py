from __future__ import annotations

import hashlib
import os

import pytest

from cloche.foundation.limits import PART_BYTES_MIN
from cloche.storage.objects import (
    BucketNotFound,
    ChecksumMismatch,
    ConditionNotMet,
    Details,
    ObjectStore,
    PartInvalid,
    PartTooSmall,
    SizeMismatch,
    Upload,
    UploadNotFound,
    WriteCondition,
    checksums,
)


def put(store: ObjectStore, upload: Upload, number: int, data: bytes) -> str:
    algorithms = (upload.checksum_algorithm,) if upload.checksum_algorithm else ()
    with store.writer(algorithms) as writer:
        writer.write(data)
        return store.uploads.put_part(upload, number, writer.finish()).etag


def test_parts_become_the_object(store: ObjectStore, opened) -> None:
    upload = store.uploads.create("bucket", "key", Details("text/csv", metadata={"a": "b"}))
    parts = {1: os.urandom(PART_BYTES_MIN), 7: os.urandom(PART_BYTES_MIN + 1), 9: b"tail"}
    etags = {number: put(store, upload, number, data) for number, data in reversed(parts.items())}
    info = store.uploads.complete(upload, sorted(etags.items()))
    whole = b"".join(parts.values())
    assert store.read_bytes("bucket", "key", size_max=len(whole)) == whole
    digests = b"".join(hashlib.md5(data).digest() for data in parts.values())
    assert info.etag == f"{hashlib.md5(digests).hexdigest()}-3"
    assert (info.content_type, info.metadata) == ("text/csv", {"a": "b"})
    assert [part.size for part in info.details.parts] == [len(data) for data in parts.values()]
    assert store.head("bucket", "key") == info
    store.removal.collect()
    assert opened.contents() == {info.file}
    with pytest.raises(UploadNotFound):
        store.uploads.get("bucket", "key", upload.id)


def test_a_part_may_be_sent_again(store: ObjectStore, opened) -> None:
    upload = store.uploads.create("bucket", "key", Details())
    put(store, upload, 1, b"first")
    etag = put(store, upload, 1, b"second")
    assert [part.size for part in store.uploads.parts(upload)] == [6]
    store.removal.collect()
    assert len(opened.contents()) == 1
    store.uploads.complete(upload, [(1, etag)])
    assert store.read_bytes("bucket", "key", size_max=10) == b"second"


def test_what_a_completion_refuses_leaves_the_upload(store: ObjectStore, opened) -> None:
    store.put_bytes("bucket", "key", b"there")
    upload = store.uploads.create("bucket", "key", Details())
    etags = [put(store, upload, number, b"small") for number in (1, 2)]
    before = opened.contents()
    with pytest.raises(PartTooSmall):
        store.uploads.complete(upload, [(1, etags[0]), (2, etags[1])])
    with pytest.raises(PartInvalid):
        store.uploads.complete(upload, [(1, "0" * 32)])
    with pytest.raises(PartInvalid):
        store.uploads.complete(upload, [(3, etags[0])])
    with pytest.raises(SizeMismatch):
        store.uploads.complete(upload, [(1, etags[0])], expected_size=6)
    with pytest.raises(ConditionNotMet):
        store.uploads.complete(upload, [(1, etags[0])], condition=WriteCondition(if_absent=True))
    assert opened.contents() == before
    store.uploads.complete(upload, [(1, etags[0])], expected_size=5)


def test_checksums_of_the_whole(store: ObjectStore) -> None:
    whole = checksums.digest("CRC32C")
    whole.update(b"a" * PART_BYTES_MIN + b"b")
    for kind in ("FULL_OBJECT", "COMPOSITE"):
        upload = store.uploads.create("bucket", kind, Details(), "CRC32C", kind)
        wanted = [(1, put(store, upload, 1, b"a" * PART_BYTES_MIN)), (2, put(store, upload, 2, b"b"))]
        upload = store.uploads.get("bucket", kind, upload.id)
        assert (upload.checksum_algorithm, upload.checksum_type) == ("CRC32C", kind)
        with pytest.raises(ChecksumMismatch):
            store.uploads.complete(upload, wanted, expected_checksums={"CRC32C": "AAAAAA=="})
        info = store.uploads.complete(upload, wanted)
        assert info.details.checksum_type == kind
        if kind == "FULL_OBJECT":
            assert info.checksums == {"CRC32C": whole.base64()}
        else:
            assert info.checksums["CRC32C"].endswith("-2")


def test_an_aborted_upload_leaves_nothing(store: ObjectStore, opened) -> None:
    upload = store.uploads.create("bucket", "key", Details())
    put(store, upload, 1, b"part")
    store.uploads.abort("bucket", "key", upload.id)
    store.removal.collect()
    assert opened.contents() == set()
    with pytest.raises(UploadNotFound):
        store.uploads.abort("bucket", "key", upload.id)
    with pytest.raises(UploadNotFound):
        put(store, upload, 2, b"late")
    assert opened.contents() == set()


def test_an_upload_goes_with_its_bucket(store: ObjectStore, opened) -> None:
    upload = store.uploads.create("bucket", "key", Details())
    put(store, upload, 1, b"part")
    store.buckets.delete("bucket")
    store.removal.collect()
    assert opened.contents() == set()
    with pytest.raises(BucketNotFound):
        store.uploads.create("bucket", "key", Details())


def test_uploads_outlive_a_restart(store: ObjectStore, opened) -> None:
    upload = store.uploads.create("bucket", "key", Details())
    etag = put(store, upload, 1, b"part")
    again = opened.reopen()
    again.removal.settle()
    again.uploads.complete(again.uploads.get("bucket", "key", upload.id), [(1, etag)])
    assert again.read_bytes("bucket", "key", size_max=10) == b"part"


def test_uploads_are_listed_by_key_and_age(store: ObjectStore) -> None:
    made = [store.uploads.create("bucket", key, Details()) for key in ("b", "a/1", "a/2", "b", "c")]
    everything = store.uploads.list("bucket")
    assert [upload.id for upload in everything.uploads] == [made[n].id for n in (1, 2, 0, 3, 4)]
    folded = store.uploads.list("bucket", delimiter="/")
    assert folded.common_prefixes == ["a/"]
    found: list[str] = []
    after = ("", "")
    while True:
        page = store.uploads.list("bucket", delimiter="/", after=after, limit=1)
        found += [upload.id for upload in page.uploads] + page.common_prefixes
        if not page.is_truncated:
            break
        after = page.last
    assert found == ["a/", made[0].id, made[3].id, made[4].id]
