"""Acknowledged means kept; unacknowledged means wholly there or not at all; no file without a row, no row without
its file. A process that writes is killed at chosen points and at random, again and again on one directory."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cloche.foundation.clock import SystemClock
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.objects import MIGRATIONS, KeyNotFound, ObjectStore

DYING = Path(__file__).with_name("dying.py")
POINTS = (
    "before_fsync",
    "before_name",
    "after_name",
    "after_blob",
    "before_blob_goes",
    "before_row",
    "after_row",
    "before_forgetting",
    "before_removal",
    "after_removal",
)


class Promises:
    """What the store was seen to promise: for each key the contents it may have (``None``: no object)."""

    def __init__(self) -> None:
        self.allowed: dict[str, set[str | None]] = {}
        self.acknowledged = 0
        self.versions: dict[tuple[str, str], str | None] = {}
        """Acknowledged versions and their contents; ``None`` for a delete marker."""
        self.in_doubt: list[dict[str, Any]] = []
        """What was begun on versions and not acknowledged."""

    def hear(self, lines: list[str]) -> None:
        for text in lines:
            try:
                line: dict[str, Any] = json.loads(text)
            except ValueError:
                continue  # the last line may be torn
            if "versioned" in line:
                self._hear_versioned(line)
                continue
            key = line["key"]
            known = self.allowed.setdefault(key, {None})
            kind = line.get("about") or line["done"]
            after = {"put": line["data"], "multipart": line["data"], "copy": line["data"], "delete": None}
            if kind == "abort":
                continue
            if "about" in line:
                known.add(after[kind])
            else:
                self.allowed[key] = {after[kind]}
                self.acknowledged += 1

    def _hear_versioned(self, line: dict[str, Any]) -> None:
        if "about" in line:
            self.in_doubt.append(line)
            return
        self.in_doubt.pop()
        self.acknowledged += 1
        if line["done"] == "remove":
            self.versions.pop((line["key"], line["version"]), None)
        else:
            self.versions[line["key"], line["version"]] = None if line["done"] == "delete" else line["data"]

    def _check_versions(self, store: ObjectStore) -> None:
        """Every acknowledged version is there with its content, and at most what was under way besides."""
        found: dict[tuple[str, str], str | None] = {}
        latest: dict[str, int] = {}
        for info in store.list_versions("versioned", limit=1_000_000).versions:
            content = None if info.is_delete_marker else text_of(store.content(info.file))
            found[info.key, info.version] = content
            latest[info.key] = latest.get(info.key, 0) + info.is_latest
        assert set(latest.values()) <= {1}, "every key has one latest version"
        doubt = self.in_doubt[-1] if self.in_doubt else {"about": "", "key": "", "data": "", "version": ""}
        lost = {name for name, content in self.versions.items() if found.get(name, "lost") != content}
        assert lost <= {(doubt["key"], doubt["version"])} if doubt["about"] == "remove" else not lost
        more = [(key, content) for (key, version), content in found.items() if (key, version) not in self.versions]
        begun = None if doubt["about"] == "delete" else doubt["data"]
        assert more in ([], [(doubt["key"], begun)])
        self.versions, self.in_doubt = found, []

    def check(self, root: Path) -> None:
        database = Database(root / "metadata.db")
        migrate(database, MIGRATIONS)
        store = ObjectStore(root / "objects", database, SystemClock())
        try:
            store.removal.settle()
            for key, allowed in self.allowed.items():
                found = self._read(store, key)
                assert found in allowed, f"{key!r}: {found!r:.60} is none of {len(allowed)} allowed contents"
                allowed.intersection_update({found})
            self._check_versions(store)
            store.removal.close()
            store.removal.collect()
            self._check_files(root, database)
        finally:
            store.close()
            database.close()

    def _read(self, store: ObjectStore, key: str) -> str | None:
        try:
            return store.read_bytes("bucket", key, size_max=1 << 20).decode()
        except KeyNotFound:
            return None

    def _check_files(self, root: Path, database: Database) -> None:
        rows = {row["file"] for row in database.reader.execute("SELECT file FROM objects WHERE file IS NOT NULL")}
        rows |= {row["file"] for row in database.reader.execute("SELECT file FROM upload_parts")}
        files = {path.name for path in (root / "objects").rglob("*") if path.is_file()}
        blobs = {f"blob-{row['id']}" for row in database.reader.execute("SELECT id FROM blobs")}
        assert files | blobs == rows


def text_of(content: bytes | Path) -> str:
    return content.decode() if isinstance(content, bytes) else content.read_text()


def prepare(root: Path) -> None:
    database = Database(root / "metadata.db")
    migrate(database, MIGRATIONS)
    store = ObjectStore(root / "objects", database, SystemClock())
    store.buckets.create("bucket", "123456789012", "us-east-1")
    store.buckets.create("versioned", "123456789012", "us-east-1")
    store.buckets.set_versioning("versioned", "Enabled")
    store.close()
    database.close()


@pytest.mark.parametrize("point", POINTS)
def test_dying_at_a_point(tmp_path: Path, point: str) -> None:
    prepare(tmp_path)
    promises = Promises()
    for round_number, count in enumerate((1, 4, 11)):
        command = [sys.executable, str(DYING), str(tmp_path), str(round_number), point, str(count)]
        ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60)
        assert ended.returncode == -9
        promises.hear(ended.stdout.splitlines())
        promises.check(tmp_path)


@pytest.mark.slow
def test_dying_at_random(tmp_path: Path) -> None:
    prepare(tmp_path)
    promises = Promises()
    chance = random.Random(7)
    for round_number in range(10):
        with (tmp_path / "said").open("w+") as said:
            child = subprocess.Popen([sys.executable, str(DYING), str(tmp_path), str(round_number)], stdout=said)
            deadline = time.monotonic() + 30
            while said.read().count("\n") < 4 and time.monotonic() < deadline:
                time.sleep(0.01)
                said.seek(0)
            time.sleep(chance.uniform(0, 0.4))
            child.kill()
            child.wait()
            said.seek(0)
            promises.hear(said.read().splitlines())
        promises.check(tmp_path)
    assert promises.acknowledged > 20
