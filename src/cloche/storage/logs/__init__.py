"""Log groups and streams: append-only files of checksummed frames, and a small index in SQLite.

``LogStore`` is the face. ``frames`` is the form of a file, ``stream`` one stream's files, ``index`` the names,
times and retention that SQLite keeps, ``order`` the walk over events in their order of time, ``finding`` the
search over many streams.
"""

from cloche.storage.logs.finding import FoundPage, Position, Question
from cloche.storage.logs.frames import Sieve
from cloche.storage.logs.index import MIGRATIONS, LogGroup, LogStream
from cloche.storage.logs.order import END, Boundary, Place
from cloche.storage.logs.paging import EventPage
from cloche.storage.logs.sources import LogSource
from cloche.storage.logs.store import LogStore
from cloche.storage.logs.stream import LogEvent, event_id

__all__ = [
    "END",
    "MIGRATIONS",
    "Boundary",
    "EventPage",
    "FoundPage",
    "LogEvent",
    "LogGroup",
    "LogSource",
    "LogStore",
    "LogStream",
    "Place",
    "Position",
    "Question",
    "Sieve",
    "event_id",
]
