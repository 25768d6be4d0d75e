from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cloche.foundation.errors import AlreadyExists
from cloche.storage.objects import (
    BucketNotEmpty,
    BucketNotFound,
    ConditionNotMet,
    Details,
    KeyNotFound,
    ObjectStore,
    WriteCondition,
    blobs,
    writer,
)
from cloche.storage.objects.blobs import BLOB_BYTES_MAX, is_blob
from cloche.storage.objects.records import object_from
from cloche.storage.objects.writer import opened as stream_of

Sized = Callable[[bytes], bytes]
LARGE = b"l" * (BLOB_BYTES_MAX + 1)


def content(store: ObjectStore, key: str) -> bytes:
    return store.read_bytes("bucket", key, size_max=BLOB_BYTES_MAX * 2)


def test_an_object_is_read_as_it_was_written(store: ObjectStore, sized: Sized) -> None:
    details = Details("text/plain", {"CacheControl": "no-cache"}, {"colour": "grün"}, {"a": "b"})
    data = sized(b"some bytes")
    put = store.put_bytes("bucket", "key", data, details)
    info, found = store.open("bucket", "key")
    assert (found if isinstance(found, bytes) else found.read_bytes()) == data
    assert info == put
    assert info.details == replace(details, checksums=info.checksums, checksum_type="FULL_OBJECT")
    assert list(info.checksums) == ["CRC64NVME"]
    assert info.etag == hashlib.md5(data).hexdigest()
    assert info.size == len(data)


def test_small_contents_lie_in_the_database_and_large_ones_in_files(store: ObjectStore, opened) -> None:
    for size in (0, 1, BLOB_BYTES_MAX):
        assert is_blob(store.put_bytes("bucket", "small", b"s" * size).file)
    assert opened.files() == set()
    large = store.put_bytes("bucket", "large", LARGE)
    assert opened.files() == {large.file}


def test_small_files_of_an_older_store_are_what_they_were(store: ObjectStore, opened, monkeypatch, tmp_path) -> None:
    """Before there were blobs, every content was a file."""
    monkeypatch.setattr(writer, "BLOB_BYTES_MAX", -1)
    upload = store.uploads.create("bucket", "parts", Details())
    with store.writer() as made:
        made.write(b"part")
        etag = store.uploads.put_part(upload, 1, made.finish()).etag
    for key in ("kept", "replaced", "deleted"):
        store.put_bytes("bucket", key, b"old")
    assert len(opened.files()) == 4
    monkeypatch.undo()
    again = opened.reopen()
    again.put_bytes("bucket", "replaced", b"new")
    again.delete("bucket", "deleted")
    again.uploads.complete(upload, [(1, etag)])
    again.link_into(again.head("bucket", "kept"), tmp_path / "linked", link=True)
    again.commit("bucket", "copy", again.duplicate(*again.open("bucket", "kept")), Details())
    again.removal.close()
    again.removal.collect()
    assert opened.files() == {again.head("bucket", key).file for key in ("kept", "parts", "copy")}
    assert [content(again, key) for key in ("kept", "replaced", "parts", "copy")] == [b"old", b"new", b"part", b"old"]
    assert (tmp_path / "linked").read_bytes() == b"old"


def test_a_data_file_is_read_only_and_not_named_after_its_key(store: ObjectStore) -> None:
    store.put_bytes("bucket", "../../escape", LARGE)
    _, path = store.open("bucket", "../../escape")
    assert isinstance(path, Path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    assert "escape" not in str(path)


def test_missing_things_are_told_apart(store: ObjectStore) -> None:
    with pytest.raises(KeyNotFound):
        store.head("bucket", "nothing")
    with pytest.raises(BucketNotFound):
        store.head("other", "nothing")
    with pytest.raises(BucketNotFound):
        store.put_bytes("other", "key", b"")
    with pytest.raises(BucketNotFound):
        store.list("other")


def test_a_bucket_name_is_taken_once(store: ObjectStore) -> None:
    with pytest.raises(AlreadyExists):
        store.buckets.create("bucket", "999999999999", "eu-west-1")


def test_a_bucket_is_deleted_only_when_empty(store: ObjectStore) -> None:
    store.put_bytes("bucket", "key", b"")
    with pytest.raises(BucketNotEmpty):
        store.buckets.delete("bucket")
    assert store.delete("bucket", "key").existed
    store.buckets.delete("bucket")
    with pytest.raises(BucketNotFound):
        store.buckets.delete("bucket")


def test_replacing_leaves_one_content_and_a_reader_of_the_old_one_unharmed(store: ObjectStore, opened, sized) -> None:
    store.put_bytes("bucket", "key", sized(b"old"))
    _, old = store.open("bucket", "key")
    with stream_of(old) as reader:
        store.put_bytes("bucket", "key", sized(b"new"))
        store.removal.collect()
        assert reader.read() == sized(b"old")
    assert content(store, "key") == sized(b"new")
    assert opened.contents() == {store.head("bucket", "key").file}


def test_a_dropped_file_keeps_its_name_for_a_while(store: ObjectStore) -> None:
    store.put_bytes("bucket", "key", LARGE)
    _, old = store.open("bucket", "key")
    store.delete("bucket", "key")
    assert isinstance(old, Path)
    assert old.read_bytes() == LARGE


def test_a_reader_of_a_blob_that_goes_meanwhile_finds_what_is_there_now(store: ObjectStore, monkeypatch) -> None:
    store.put_bytes("bucket", "key", b"old")
    read = blobs.read

    def late(connection, name):
        monkeypatch.setattr(blobs, "read", read)
        store.put_bytes("bucket", "key", b"new")
        return read(connection, name)

    monkeypatch.setattr(blobs, "read", late)
    info, found = store.open("bucket", "key")
    assert found == b"new"
    assert info.etag == hashlib.md5(b"new").hexdigest()


def test_a_blobs_name_is_never_given_twice(store: ObjectStore, opened) -> None:
    first = store.put_bytes("bucket", "key", b"first").file
    store.delete("bucket", "key")
    again = opened.reopen()
    assert again.put_bytes("bucket", "key", b"second").file != first


def test_deleting_leaves_nothing(store: ObjectStore, opened, sized: Sized) -> None:
    store.put_bytes("bucket", "key", sized(b"x"))
    assert store.delete("bucket", "key").existed is True
    assert store.delete("bucket", "key").existed is False
    store.removal.collect()
    assert opened.contents() == set()


def test_a_bucket_that_is_cleared_leaves_nothing(store: ObjectStore, opened, sized: Sized) -> None:
    store.put_bytes("bucket", "key", sized(b"x"))
    upload = store.uploads.create("bucket", "upload", Details())
    with store.writer() as writer:
        writer.write(sized(b"part"))
        store.uploads.put_part(upload, 1, writer.finish())
    store.buckets.remove_with_contents("bucket")
    store.removal.collect()
    assert opened.contents() == set()


def test_removals_are_not_forgotten_over_a_restart(store: ObjectStore, opened) -> None:
    store.put_bytes("bucket", "key", LARGE)
    store.delete("bucket", "key")
    again = opened.reopen()
    again.removal.settle()
    again.removal.collect()
    assert opened.files() == set()


def test_what_a_dead_process_left_is_swept(store: ObjectStore, opened) -> None:
    kept = store.put_bytes("bucket", "key", LARGE)
    lost = store.writer()
    lost.write(LARGE)
    named = store.writer()
    named.write(LARGE)
    named.finish()
    os.link(store.files.path(kept.file), store.files.temporary(kept.file))  # died before forgetting this name
    again = opened.reopen()
    again.removal.settle()
    again.removal.close()
    assert opened.files() == {kept.file}
    assert content(again, "key") == LARGE
    lost.abort()


def test_an_aborted_writer_leaves_nothing(store: ObjectStore, opened) -> None:
    with pytest.raises(ZeroDivisionError), store.writer() as writer:
        writer.write(LARGE)
        assert opened.files()
        raise ZeroDivisionError
    assert opened.files() == set()


def test_a_failed_commit_leaves_nothing(store: ObjectStore, opened, sized: Sized) -> None:
    store.put_bytes("bucket", "key", sized(b"first"))
    before = opened.contents()
    with pytest.raises(ConditionNotMet):
        store.put_bytes("bucket", "key", sized(b"second"), condition=WriteCondition(if_absent=True))
    assert opened.contents() == before
    assert content(store, "key") == sized(b"first")


def test_conditions_of_writes(store: ObjectStore) -> None:
    with pytest.raises(KeyNotFound):
        store.put_bytes("bucket", "key", b"", condition=WriteCondition(if_match="0" * 32))
    first = store.put_bytes("bucket", "key", b"1", condition=WriteCondition(if_absent=True))
    with pytest.raises(ConditionNotMet):
        store.put_bytes("bucket", "key", b"2", condition=WriteCondition(if_match="0" * 32))
    store.put_bytes("bucket", "key", b"2", condition=WriteCondition(if_match=first.etag))
    with pytest.raises(ConditionNotMet):
        store.delete("bucket", "key", condition=WriteCondition(if_match=first.etag))


def test_only_one_of_many_creates_if_absent_wins(store: ObjectStore) -> None:
    won: list[int] = []

    def attempt(number: int) -> None:
        try:
            store.put_bytes("bucket", "key", b"%d" % number, condition=WriteCondition(if_absent=True))
        except ConditionNotMet:
            return
        won.append(number)

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.read_bytes("bucket", "key", size_max=10) == b"%d" % won[0]


def test_a_file_is_taken_in_by_rename(store: ObjectStore, tmp_path: Path) -> None:
    source = tmp_path / "model.tar.gz"
    source.write_bytes(LARGE)
    inode = source.stat().st_ino
    info = store.put_file("bucket", "model", source, Details(metadata={"a": "b"}))
    assert not source.exists()
    assert store.files.path(info.file).stat().st_ino == inode
    assert (info.etag, info.size) == (hashlib.md5(LARGE).hexdigest(), len(LARGE))


def test_a_small_file_is_moved_into_the_database(store: ObjectStore, opened, tmp_path: Path) -> None:
    source = tmp_path / "model.tar.gz"
    source.write_bytes(b"artefact")
    info = store.put_file("bucket", "model", source)
    assert not source.exists()
    assert (opened.contents(), content(store, "model")) == ({info.file}, b"artefact")


def test_a_file_with_other_names_is_copied(store: ObjectStore, tmp_path: Path) -> None:
    source = tmp_path / "data"
    source.write_bytes(LARGE)
    os.link(source, tmp_path / "another")
    info = store.put_file("bucket", "data", source)
    assert source.read_bytes() == LARGE
    assert store.files.path(info.file).stat().st_ino != source.stat().st_ino


def test_a_file_that_is_not_to_be_moved_stays(store: ObjectStore, tmp_path: Path, sized: Sized) -> None:
    source = tmp_path / "data"
    source.write_bytes(sized(b"data"))
    store.put_file("bucket", "data", source, move=False)
    assert source.read_bytes() == content(store, "data") == sized(b"data")


def test_a_file_for_no_bucket_stays_where_it_is(store: ObjectStore, tmp_path: Path) -> None:
    source = tmp_path / "data"
    source.write_bytes(b"data")
    with pytest.raises(BucketNotFound):
        store.put_file("other", "data", source)
    assert source.read_bytes() == b"data"


def test_inputs_are_linked_or_copied(store: ObjectStore, tmp_path: Path) -> None:
    info = store.put_bytes("bucket", "key", LARGE)
    store.link_into(info, tmp_path / "linked", link=True)
    store.link_into(info, tmp_path / "copied", link=False)
    assert (tmp_path / "linked").stat().st_ino == store.files.path(info.file).stat().st_ino
    assert (tmp_path / "copied").stat().st_ino != store.files.path(info.file).stat().st_ino
    assert os.access(tmp_path / "copied", os.W_OK)
    assert (tmp_path / "linked").read_bytes() == (tmp_path / "copied").read_bytes() == LARGE


def test_small_inputs_are_copied(store: ObjectStore, tmp_path: Path) -> None:
    info = store.put_bytes("bucket", "key", b"input")
    for link in (True, False):
        store.link_into(info, tmp_path / str(link), link=link)
        assert (tmp_path / str(link)).read_bytes() == b"input"
        with pytest.raises(FileExistsError):
            store.link_into(info, tmp_path / str(link), link=link)
    with pytest.raises(FileNotFoundError):
        store.link_into(info, tmp_path / "nowhere" / "input", link=True)


def test_linking_what_was_replaced_takes_what_is_there(store: ObjectStore, tmp_path: Path, sized: Sized) -> None:
    stale = store.put_bytes("bucket", "key", sized(b"old"))
    store.put_bytes("bucket", "key", sized(b"new"))
    store.removal.collect()
    store.link_into(stale, tmp_path / "input", link=True)
    assert (tmp_path / "input").read_bytes() == sized(b"new")
    store.delete("bucket", "key")
    store.removal.collect()
    with pytest.raises(KeyNotFound):
        store.link_into(stale, tmp_path / "again", link=True)


def test_a_copy_shares_a_file_and_outlives_its_source(store: ObjectStore, sized: Sized) -> None:
    store.put_bytes("bucket", "source", sized(b"bytes"))
    source, bytes_of_it = store.open("bucket", "source")
    written = store.duplicate(source, bytes_of_it, ("SHA256",))
    copy = store.commit("bucket", "copy", written, Details())
    if isinstance(bytes_of_it, Path):
        assert store.files.path(copy.file).stat().st_ino == bytes_of_it.stat().st_ino
    assert copy.etag == source.etag
    assert set(written.checksums) == {"SHA256"}
    store.delete("bucket", "source")
    store.removal.collect()
    assert content(store, "copy") == sized(b"bytes")


def test_details_change_without_the_bytes(store: ObjectStore) -> None:
    info = store.put_bytes("bucket", "key", b"x")
    changed = store.update_details(info, lambda details: replace(details, tags={"a": "b"}))
    assert changed.details.tags == {"a": "b"}
    assert (changed.etag, changed.last_modified) == (info.etag, info.last_modified)
    store.put_bytes("bucket", "key", b"y")
    with pytest.raises(KeyNotFound):
        store.update_details(info, lambda details: details)


def test_reading_a_large_object_whole_is_refused(store: ObjectStore) -> None:
    store.put_bytes("bucket", "key", b"x" * 11)
    with pytest.raises(ValueError, match="11 bytes"):
        store.read_bytes("bucket", "key", size_max=10)


def test_configuration_of_a_bucket(store: ObjectStore) -> None:
    store.buckets.configure("bucket", "Tagging", {"a": "b"})
    assert store.buckets.get("bucket").configuration == {"Tagging": {"a": "b"}}
    store.buckets.configure("bucket", "Tagging", None)
    assert store.buckets.get("bucket").configuration == {}
    with pytest.raises(BucketNotFound):
        store.buckets.configure("other", "Tagging", None)


def test_buckets_are_listed_by_account_in_order(store: ObjectStore) -> None:
    store.buckets.create("another", "123456789012", "eu-west-1")
    store.buckets.create("foreign", "999999999999", "us-east-1")
    assert [bucket.name for bucket in store.buckets.list("123456789012")] == ["another", "bucket"]
    assert [b.name for b in store.buckets.list("123456789012", after="another")] == ["bucket"]
    assert [b.name for b in store.buckets.list("123456789012", prefix="an")] == ["another"]
    assert [b.name for b in store.buckets.list("123456789012", region="us-east-1")] == ["bucket"]


def test_a_glance_sees_every_change(store: ObjectStore) -> None:
    """It is remembered, but never beyond a write that somebody was told of."""
    assert store.glance("bucket", "key") is None
    sequence = 0
    for data in (b"one", b"two", b"three" * 2_000):
        info = store.put_bytes("bucket", "key", data)
        for _ in range(2):
            found = store.glance("bucket", "key")
            assert found is not None and found[1] == data
            assert object_from(found[0]) == info and info.sequence > sequence
        sequence = info.sequence
    store.update_details(info, lambda details: replace(details, tags={"a": "b"}))
    found = store.glance("bucket", "key")
    assert found is not None and object_from(found[0]).details.tags == {"a": "b"}
    store.delete("bucket", "key")
    assert store.glance("bucket", "key") is None
