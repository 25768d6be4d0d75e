"""Answers remembered per record and version, so that what has not changed is computed once.

Reading a record's version is a point read of an index; decoding its documents, projecting and encoding them is ten
times that. A new version makes the old answer unreachable, whoever wrote it, so nothing has to be told to forget. A
page of a list is remembered until the next write of anybody.

What is remembered are the encoded bytes (``Encoded``), without the lists that many answers share: some 2 KB of a
training job, so that ten thousand of them are held. Bounded by bytes: the oldest go first. Used from the event loop
and from handler threads alike.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Final
from weakref import WeakKeyDictionary

from cloche.aws.operation import Encoded
from cloche.foundation.limits import MIB
from cloche.storage.metadata.database import Database, Moment

ANSWERS_BYTES_MAX: Final = 48 * MIB
ENTRY_BYTES: Final = 500
"""What an answer costs beside its encoded bytes: the objects around them, as ``sys.getsizeof`` counts them."""
PLACES_MAX: Final = 20_000
Key = tuple[int | bytes, str]
"""A record's id and the form it is answered in; or what a list was asked, and which list."""
Version = int | Moment
"""The record's; or of a list the moment, for any write may change it."""


Place = tuple[str, str, str, str]
"""Where a record is found: account, region, kind, name."""


class Memory:
    """What is remembered of one database. Record ids are never used twice, so they are the keys."""

    def __init__(self, bytes_max: int = ANSWERS_BYTES_MAX) -> None:
        self._lock = threading.Lock()
        self._answers: dict[Key, tuple[Version, Encoded]] = {}
        self._bytes_max = bytes_max
        self.size = 0
        """Bytes held, about."""
        self._places: tuple[Moment, dict[Place, tuple[int, int]]] = 0, {}
        self.page_secret: bytes | None = None

    def get(self, key: Key, version: Version) -> Encoded | None:
        held = self._answers.get(key)
        return held[1] if held is not None and held[0] == version else None

    def place(self, moment: Moment, place: Place, ask: Callable[[], tuple[int, int] | None]) -> tuple[int, int] | None:
        """What ``ask`` answers of the record there (its id and version), or answered before: nobody has written
        anything since ``moment``."""
        since, places = self._places
        if since != moment:
            since, places = self._places = moment, {}
        found = places.get(place)
        if found is None:
            found = ask()
            if found is not None and len(places) < PLACES_MAX:
                places[place] = found
        return found

    def put(self, key: Key, version: Version, answer: Encoded) -> None:
        with self._lock:
            self._forget(key)
            self._answers[key] = (version, answer)
            self.size += answer.own_bytes + ENTRY_BYTES
            while self.size > self._bytes_max:
                self._forget(next(iter(self._answers)))

    def drop(self, record_id: int, forms: Iterable[str]) -> None:
        """The record has changed or gone: what is remembered of it only takes room."""
        with self._lock:
            for form in forms:
                self._forget((record_id, form))

    def _forget(self, key: Key) -> None:
        held = self._answers.pop(key, None)
        if held is not None:
            self.size -= held[1].own_bytes + ENTRY_BYTES


class Memories:
    """One ``Memory`` for each database (a process may hold several, as tests do)."""

    def __init__(self) -> None:
        self._held: WeakKeyDictionary[Database, Memory] = WeakKeyDictionary()

    def of(self, database: Database) -> Memory:
        memory = self._held.get(database)
        if memory is None:
            memory = self._held.setdefault(database, Memory())
        return memory
