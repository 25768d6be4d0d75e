"""A process that writes objects until it dies. Run by ``test_object_crashes.py``.

    dying.py DIRECTORY SEED [POINT COUNT]

It tells on standard output, a line of JSON each, what it is about to do and what was acknowledged. With POINT it
kills itself (SIGKILL) when that point of the object store's code is passed for the COUNTth time.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cloche.foundation.clock import SystemClock
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.objects import MIGRATIONS, Details, ObjectStore, blobs
from cloche.storage.objects.blobs import BLOB_BYTES_MAX
from cloche.storage.objects.files import DataFiles
from cloche.storage.objects.writer import ContentWriter

POINTS: dict[str, tuple[Any, str, bool]] = {
    "before_fsync": (ContentWriter, "finish", False),
    "before_name": (DataFiles, "publish", False),
    "after_name": (DataFiles, "publish", True),
    "after_blob": (blobs, "keep", True),
    "before_blob_goes": (blobs, "drop", False),
    "before_row": (Database, "write", False),
    "after_row": (Database, "write", True),
    "before_forgetting": (DataFiles, "forget_temporary", False),
    "before_removal": (DataFiles, "remove", False),
    "after_removal": (DataFiles, "remove", True),
}


def say(**line: Any) -> None:
    print(json.dumps(line), flush=True)


def arm(point: str, count: int) -> None:
    """Wrap the function of ``point`` so that its COUNTth call kills this process."""
    owner, name, after = POINTS[point]
    original: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def wrapped(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == count and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = original(*arguments, **named)
        if calls == count and after:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    setattr(owner, name, wrapped)


def content(chance: random.Random, number: int) -> bytes:
    """Of a kind of its own each time; four of five small enough for a blob."""
    text = f"{number}:{chance.random()}".encode()
    size = BLOB_BYTES_MAX + 1 if chance.random() < 0.2 else len(text) * chance.randrange(1, 400)
    return (text * (1 + size // len(text)))[:size]


def work(store: ObjectStore, chance: random.Random, number: int) -> None:
    key = f"k/{chance.randrange(12)}/../é"
    kind = chance.choices(["put", "delete", "multipart", "abort", "copy"], [6, 2, 2, 1, 2])[0]
    data = content(chance, number)
    if kind == "copy":
        held = [info.key for info in store.list("bucket").objects]
        kind, source = ("copy", chance.choice(held)) if held else ("put", "")
        data = store.read_bytes("bucket", source, size_max=1 << 20) if source else data
    say(about=kind, key=key, data=data.decode())
    if kind == "put":
        store.put_bytes("bucket", key, data)
    elif kind == "copy":
        store.commit("bucket", key, store.duplicate(*store.open("bucket", source)), Details())
    elif kind == "delete":
        store.delete("bucket", key)
    else:
        upload = store.uploads.create("bucket", key, Details())
        with store.writer() as writer:
            writer.write(data)
            part = store.uploads.put_part(upload, 1, writer.finish())
        if kind == "abort":
            store.uploads.abort("bucket", key, upload.id)
        else:
            store.uploads.complete(upload, [(1, part.etag)])
    say(done=kind, key=key, data=data.decode())
    if number % 5 == 0:
        store.removal.collect()


def work_versioned(store: ObjectStore, chance: random.Random, number: int) -> None:
    """A history of versions in a bucket that keeps them, each put told with its content and answered with its id."""
    key = f"v{chance.randrange(4)}"
    kind = chance.choices(["put", "multipart", "delete", "remove"], [5, 2, 2, 3])[0]
    data = content(chance, number).decode()
    kept = store.list_versions("versioned", key).versions
    gone = chance.choice(kept).version if kept else ""
    say(versioned=True, about=kind, key=key, data=data, version=gone)
    version = ""
    if kind == "put":
        version = store.put_bytes("versioned", key, data.encode()).version
    elif kind == "multipart":
        upload = store.uploads.create("versioned", key, Details())
        with store.writer() as writer:
            writer.write(data.encode())
            part = store.uploads.put_part(upload, 1, writer.finish())
        version = store.uploads.complete(upload, [(1, part.etag)]).version
    elif kind == "delete":
        version = store.delete("versioned", key).version
    elif gone:
        store.delete("versioned", key, version=gone)
        version = gone
    say(versioned=True, done=kind, key=key, data=data, version=version)


def main() -> None:
    root, seed = Path(sys.argv[1]), int(sys.argv[2])
    database = Database(root / "metadata.db")
    migrate(database, MIGRATIONS)
    store = ObjectStore(root / "objects", database, SystemClock())
    if len(sys.argv) > 3:
        arm(sys.argv[3], int(sys.argv[4]))
    chance = random.Random(seed)
    for number in range(10_000):
        work(store, chance, number)
        work_versioned(store, chance, number)


if __name__ == "__main__":
    main()
