"""What model servers print becomes the endpoint's log, line by line, while they run.

How far each process's output has been taken is kept in a table, so a new server goes on where the old one stopped.
A kill between the log's write and the table's repeats those lines; none is lost.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cloche.compute.follow import LineFollower
from cloche.compute.runtime import Runtime
from cloche.engines.hosting.document import Endpoint, Instance
from cloche.foundation.clock import Clock
from cloche.storage.logs import LogStore
from cloche.storage.metadata.database import Database
from cloche_jobs.contract.loglines import as_stored

log = logging.getLogger(__name__)

MIGRATIONS: Final = [
    (
        "hosting-1",
        """
        CREATE TABLE hosting_logs (process TEXT PRIMARY KEY, taken INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        """,
    )
]
GROUP: Final = "/aws/sagemaker/Endpoints/{name}"
COMPONENT_GROUP: Final = "/aws/sagemaker/InferenceComponents/{name}"
"""docs.aws.amazon.com/sagemaker/latest/dg/logging-cloudwatch.html; it also has the names of streams, which end in the
container's where there are several."""


@dataclass(slots=True)
class _Followed:
    account: str
    region: str
    group: str
    stream: str
    follower: LineFollower


class Logbook:
    def __init__(self, database: Database, logs: LogStore, runtime: Runtime, clock: Clock) -> None:
        self._database = database
        self._logs = logs
        self._runtime = runtime
        self._clock = clock
        self._lock = threading.Lock()
        self._followed: dict[str, _Followed] = {}

    def follow(self, endpoint: Endpoint, instance: Instance) -> None:
        """Take what this attempt prints from now on (and what it has printed). Cheap where it is followed already."""
        if instance.process in self._followed:
            return
        component = endpoint.component
        group = COMPONENT_GROUP.format(name=component) if component else GROUP.format(name=endpoint.name)
        for number, model in enumerate(instance.plan.models):
            key = _outputs(instance)[number]
            row = self._database.reader.execute("SELECT taken FROM hosting_logs WHERE process = ?", (key,)).fetchone()
            follower = LineFollower(self._runtime.output(instance.process, number), row["taken"] if row else 0)
            stream = "/".join(filter(None, (instance.plan.name, instance.id, model.name)))
            with self._lock:
                self._followed.setdefault(key, _Followed(endpoint.account, endpoint.region, group, stream, follower))

    def finish(self, instance: Instance, last_words: str = "", container: int = 0) -> None:
        """The attempt has ended: take the rest, and forget it. ``last_words`` are said of one of its containers, which
        has no voice of its own any more."""
        for number, key in enumerate(_outputs(instance)):
            followed = self._followed.get(key)
            if followed is not None:
                while self._take(key, followed, complete=True):
                    pass
                if last_words and number == container:
                    self._say(followed, [last_words])
                with self._lock:
                    self._followed.pop(key, None)
        gone = [(key,) for key in _outputs(instance)]
        self._database.write(lambda tx: tx.executemany("DELETE FROM hosting_logs WHERE process = ?", gone) and None)

    def tell(self, instance: Instance, words: str) -> None:
        """Say something of it that it has not said itself."""
        followed = self._followed.get(instance.process)
        if followed is not None:
            self._say(followed, [words])

    def look(self) -> None:
        """Take what has come since the last look, of all that are followed."""
        for process, followed in list(self._followed.items()):
            try:
                self._take(process, followed)
            except Exception:
                log.exception("the output of %s could not be taken into the log", process)

    def _say(self, followed: _Followed, lines: Sequence[str]) -> None:
        now_ms = int(self._clock.time() * 1000)
        events = [(now_ms, as_stored(line)) for line in lines]
        self._logs.append(followed.account, followed.region, followed.group, followed.stream, events)

    def _take(self, process: str, followed: _Followed, *, complete: bool = False) -> bool:
        with self._lock:
            lines = followed.follower.lines(complete=complete)
            taken = followed.follower.offset
            if not lines:
                return False
            self._say(followed, lines)
        self._database.write(
            lambda tx: (
                tx.execute(
                    "INSERT INTO hosting_logs VALUES (?, ?) ON CONFLICT (process) DO UPDATE SET taken = excluded.taken",
                    (process, taken),
                )
                and None
            )
        )
        return True


def _outputs(instance: Instance) -> list[str]:
    """What each container's output is called here; the first's is the process's own."""
    process = instance.process
    return [process if number == 0 else f"{process}/{number}" for number, _ in enumerate(instance.plan.models)]
