from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloche.foundation.clock import SystemClock
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.objects import MIGRATIONS, ObjectStore
from cloche.storage.objects.blobs import BLOB_BYTES_MAX


class Opened:
    """A store on a directory, closed and opened again at will."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.open()

    def open(self) -> None:
        self.database = Database(self.root / "metadata.db")
        migrate(self.database, MIGRATIONS)
        self.store = ObjectStore(self.root / "objects", self.database, SystemClock())

    def close(self) -> None:
        self.store.close()
        self.database.close()

    def reopen(self) -> ObjectStore:
        self.close()
        self.open()
        return self.store

    def files(self) -> set[str]:
        """The names of all data files, temporary ones too."""
        folder = self.root / "objects"
        return {path.name for path in folder.rglob("*") if path.is_file()}

    def contents(self) -> set[str]:
        """The names of all data files and blobs."""
        return self.files() | {f"blob-{row['id']}" for row in self.database.reader.execute("SELECT id FROM blobs")}


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    made = Opened(tmp_path)
    yield made
    made.close()


@pytest.fixture(params=["blob", "file"])
def sized(request: pytest.FixtureRequest) -> Callable[[bytes], bytes]:
    """Makes of a short text one that is stored as a blob, then one that is stored in a file."""
    return lambda text: text if request.param == "blob" else text * (1 + BLOB_BYTES_MAX // len(text))


@pytest.fixture
def store(opened: Opened) -> ObjectStore:
    opened.store.buckets.create("bucket", "123456789012", "us-east-1")
    return opened.store
