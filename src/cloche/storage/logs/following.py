"""Following streams by the count of their events: for whoever has to see each one once, over restarts too."""

from __future__ import annotations

from cloche.foundation.errors import NotFound
from cloche.storage.logs import index
from cloche.storage.logs.files import OpenStreams
from cloche.storage.logs.frames import EVENT_OVERHEAD_BYTES
from cloche.storage.logs.stream import LogEvent
from cloche.storage.metadata.database import Database


class Following:
    def __init__(self, database: Database, files: OpenStreams) -> None:
        self._database, self._files = database, files

    def ends(self, account: str, region: str, group: str) -> dict[int, int]:
        """By the ids of the group's streams: what the next event of each will be counted as. Raises ``NotFound``."""
        found = index.find_group(self._database.reader, account, region, group)
        if found is None:
            raise NotFound("The specified log group does not exist.")
        rows = self._database.reader.execute("SELECT id FROM log_streams WHERE group_id = ?", (found.id,)).fetchall()
        result: dict[int, int] = {}
        for row in rows:
            with self._files.use(row["id"]) as files:
                result[row["id"]] = files.settle()
        return result

    def since(self, stream_id: int, ordinal: int, *, bytes_max: int) -> tuple[str, list[LogEvent], int]:
        """The stream's name, its events counted from ``ordinal`` on (where an append began) in the order they came,
        about ``bytes_max`` of them, and the ordinal to go on from. All of it is on the disk. Raises ``NotFound``."""
        row = self._database.reader.execute("SELECT name FROM log_streams WHERE id = ?", (stream_id,)).fetchone()
        if row is None:
            raise NotFound("The specified log stream does not exist.")
        events: list[LogEvent] = []
        with self._files.use(stream_id) as files:
            end, room = files.settle(), bytes_max
            for frame in files.frames_since(ordinal):
                if frame.first >= end or room <= 0:
                    break
                taken = files.events(frame)
                events += taken
                ordinal = frame.last + 1
                room -= sum(len(event.message) + EVENT_OVERHEAD_BYTES for event in taken)
        return row["name"], events, ordinal
