"""Blobs by digest: whole or not there, whatever was cut short."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cloche.compute.images.store import BlobStore, DigestMismatch
from cloche.foundation.errors import Invalid, LimitReached, NotFound

CONTENT = b"layer" * 1000
NAME = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "registry")


def test_a_blob_is_found_by_its_digest(store: BlobStore) -> None:
    digest = store.write(io.BytesIO(CONTENT), NAME)
    assert (str(digest), digest.size) == (NAME, len(CONTENT))
    assert store.has(NAME)
    assert store.size(NAME) == len(CONTENT)
    assert store.read(NAME, len(CONTENT)) == CONTENT
    assert list(store.digests()) == [digest]
    assert store.write([CONTENT[:7], CONTENT[7:]]) == digest
    with store.open(NAME) as file:
        assert store.delete(NAME)
        assert file.read() == CONTENT
    assert not store.delete(NAME)
    with pytest.raises(NotFound):
        store.open(NAME)


def test_the_folder_is_an_image_layout(store: BlobStore) -> None:
    store.write([CONTENT])
    assert json.loads((store.root / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    assert json.loads((store.root / "index.json").read_bytes())["manifests"] == []
    assert (store.root / "blobs" / "sha256" / NAME.removeprefix("sha256:")).read_bytes() == CONTENT
    again = BlobStore(store.root)
    assert again.has(NAME)


def test_another_content_than_was_said_is_not_kept(store: BlobStore) -> None:
    with pytest.raises(DigestMismatch, match=NAME):
        store.write([b"something else"], NAME)
    with pytest.raises(LimitReached):
        store.write([CONTENT], NAME, limit=len(CONTENT) - 1)
    assert not list(store.digests())
    assert not list((store.root / "uploads").iterdir())


@pytest.mark.parametrize("name", ["sha512:" + 128 * "0", "sha256:../../x", "sha256:" + 64 * "A", "", NAME + "\n"])
def test_what_is_no_digest_names_no_file(store: BlobStore, name: str) -> None:
    with pytest.raises(Invalid):
        store.path(name)
    with pytest.raises(Invalid):
        store.upload(f"../{name}")


def test_an_upload_is_gone_on_with(store: BlobStore) -> None:
    upload = store.upload("one")
    upload.append(CONTENT[:1000])
    upload.close()
    again = store.upload("one")
    assert again.size == 1000
    again.append(CONTENT[1000:])
    with pytest.raises(DigestMismatch):
        again.finish("sha256:" + 64 * "0")
    assert str(again.finish(NAME)) == NAME
    assert store.read(NAME, 1 << 20) == CONTENT


def test_old_uploads_are_swept(store: BlobStore) -> None:
    for name in ("old", "new"):
        upload = store.upload(name)
        upload.append(b"x")
        upload.close()
    os.utime(store.root / "uploads" / "old", (0, 0))
    store.sweep()
    assert [path.name for path in (store.root / "uploads").iterdir()] == ["new"]


def test_many_write_the_same(store: BlobStore) -> None:
    failures: list[BaseException] = []

    def write() -> None:
        try:
            assert str(store.write([CONTENT], NAME)) == NAME
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert store.read(NAME, 1 << 20) == CONTENT


WRITER = """
import itertools, sys
from pathlib import Path
from cloche.compute.images.store import BlobStore
store = BlobStore(Path(sys.argv[1]))
for number in itertools.count():
    print(store.write([b"%d" % number * 100_000]), flush=True)
"""


def test_what_was_answered_survives_and_nothing_is_torn(tmp_path: Path) -> None:
    root = tmp_path / "registry"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(root)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        answered = [writer.stdout.readline().strip() for _ in range(20)]
        writer.send_signal(signal.SIGKILL)
    store = BlobStore(root)
    found = {str(digest): digest for digest in store.digests()}
    assert set(answered) <= set(found)
    for name in found:
        with store.open(name) as file:
            assert hashlib.sha256(file.read()).hexdigest() == name.removeprefix("sha256:")
