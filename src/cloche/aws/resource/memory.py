"""Answers remembered per record and version, so that what has not changed is computed once.

Reading a record's version is a point read of an index; decoding its documents and projecting them is ten times
that. A new version makes the old answer unreachable, whoever wrote it, so nothing has to be told to forget.
Bounded: the oldest entry goes first. Used from the event loop and from handler threads alike.
"""

from __future__ import annotations

import threading
from typing import Any, Final
from weakref import WeakKeyDictionary

from cloche.storage.metadata.database import Database

ANSWERS_MAX: Final = 1_024


class Memory:
    """What is remembered of one database. Record ids are never used twice, so they are the keys."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[tuple[int, str], tuple[int, dict[str, Any]]] = {}
        self.page_secret: bytes | None = None

    def get(self, record_id: int, version: int, form: str) -> dict[str, Any] | None:
        held = self._answers.get((record_id, form))
        return held[1] if held is not None and held[0] == version else None

    def put(self, record_id: int, version: int, form: str, answer: dict[str, Any]) -> None:
        with self._lock:
            self._answers.pop((record_id, form), None)
            while len(self._answers) >= ANSWERS_MAX:
                del self._answers[next(iter(self._answers))]
            self._answers[record_id, form] = (version, answer)


class Memories:
    """One ``Memory`` for each database (a process may hold several, as tests do)."""

    def __init__(self) -> None:
        self._held: WeakKeyDictionary[Database, Memory] = WeakKeyDictionary()

    def of(self, database: Database) -> Memory:
        memory = self._held.get(database)
        if memory is None:
            memory = self._held.setdefault(database, Memory())
        return memory
