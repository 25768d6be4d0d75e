"""All recorders, the files they leave, and the thread that brings those to S3.

A file is stored under the key of its label unless an object is there already, and then removed: killed in between,
it is found again at the next start and stored once. One whose bucket is missing is kept and tried again; such files
have a bound, beyond which nothing more is captured until they are gone.
"""

from __future__ import annotations

import errno
import logging
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cloche.engines.hosting.capture.recorder import Recorder
from cloche.engines.hosting.capture.spool import SUFFIX, Spool, mend, read_label
from cloche.foundation.clock import Clock
from cloche.foundation.errors import Denied, Invalid, NotFound
from cloche.foundation.limits import CAPTURED_BYTES_MAX
from cloche.storage.objects import ConditionNotMet, ObjectStore, WriteCondition

if TYPE_CHECKING:
    from cloche.engines.hosting.capture.plan import CapturePlan

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.25
RETRY_SECONDS: Final = 15.0
ASKED_ANEW_SECONDS: Final = 1.0


class Captures:
    """``folder`` holds the files; it may be made here."""

    def __init__(self, folder: Path, objects: ObjectStore, clock: Clock) -> None:
        self.clock = clock
        self._folder = folder
        self._objects = objects
        self._lock = threading.Lock()
        self._delivering = threading.Lock()
        self._recorders: dict[tuple[str, str, CapturePlan], Recorder] = {}
        self._open: dict[Recorder, float] = {}
        """Who has a file that is open, and since when, by the machine's monotonic clock."""
        self._due: dict[Path, float] = {}
        """Closed files, and when to deliver them."""
        self._new: dict[Path, float] = {}
        """Those of them that nobody has tried to deliver yet, and when they were opened."""
        self._full: list[Spool] = []
        """Files that are still to be cut to their size."""
        self._left: set[Path] = set()
        """Files of a server before this one, which are still to be mended."""
        self._held_bytes = 0
        self._troubled: set[str] = set()
        """ARNs of endpoints whose records cannot be stored, which is said once."""
        self._wake = threading.Event()
        self._ending = False
        self._hurried = False
        self._mark = 0.0
        self._asked_at = float("-inf")
        self._thread: threading.Thread | None = None

    # -- recorders -----------------------------------------------------------------------------------------

    def recorder(self, plan: CapturePlan | None, account: str, endpoint: str, variant: str) -> Recorder | None:
        """What captures that variant by that plan (during an update there are two). ``None``: nothing is captured."""
        if plan is None or not plan.enabled:
            return None
        known = self._recorders.get((endpoint, variant, plan))
        if known is None:
            known = self._recorders[endpoint, variant, plan] = Recorder(self, plan, account, endpoint, variant)
            self._begin()
        return known

    def drop(self, endpoint: str) -> None:
        """The endpoint is gone. What it captured is delivered still."""
        for key in [key for key in self._recorders if key[0] == endpoint]:
            del self._recorders[key]

    # -- what recorders tell -------------------------------------------------------------------------------

    def path(self, name: str) -> Path:
        return self._folder / name

    def reserve(self) -> None:
        """Before a file is made. Raises ``OSError`` where too much waits to be delivered already."""
        if self._held_bytes >= CAPTURED_BYTES_MAX:
            raise OSError(errno.ENOSPC, "too much that was captured waits to be delivered")

    def opened(self, recorder: Recorder, at: float) -> None:
        with self._lock:
            self._open[recorder] = at
        self._wake.set()

    def closed(self, recorder: Recorder, spool: Spool) -> None:
        """Nothing is added to it any more."""
        with self._lock:
            self._open.pop(recorder, None)
            self._due[spool.path] = 0.0
            self._new[spool.path] = spool.opened_at
            self._held_bytes += spool.size
            self._full.append(spool)
        self._wake.set()

    def written(self, path: Path, size: int) -> None:
        """A file that was made and closed at once."""
        with self._lock:
            self._due[path] = 0.0
            self._new[path] = 0.0
            self._held_bytes += size
        self._wake.set()

    # -- delivery ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take up what a server before this one left."""
        if not self._folder.is_dir():
            return
        for part in self._folder.glob("*.part"):
            part.unlink()
        for path in sorted(self._folder.glob("*" + SUFFIX)):
            self._due[path] = self._new[path] = 0.0
            self._left.add(path)
            self._held_bytes += path.stat().st_size
        if self._due:
            self._begin()

    def stop(self) -> None:
        """Deliver what there is, and end. No request is under way any more."""
        if self._thread is None:
            return
        self._ending = True
        self._wake.set()
        self._thread.join()
        self._seal(float("inf"))
        self._deliver(float("inf"))

    def is_behind(self) -> bool:
        """Whether something captured has yet to be delivered, and can be; if so, it is delivered now. Who asks wants to
        let time pass, and what was captured before belongs to S3 by then. Asked again and again it is about what was
        captured before the first time, as otherwise time would never pass while an endpoint is busy; ``moved`` says
        that it has passed."""
        now = time.monotonic()
        with self._lock:
            if now - self._asked_at > ASKED_ANEW_SECONDS:
                self._mark = now
            self._asked_at = now
            behind = any(at <= self._mark for at in (*self._open.values(), *self._new.values()))
        if behind and not self._hurried:
            self._hurried = True
            self._wake.set()
        return behind

    def moved(self) -> None:
        """The clock has moved: what is captured from now on is another moment's."""
        with self._lock:
            self._asked_at = float("-inf")

    def abandon(self, account: str) -> None:
        """Forget what the account captured and has not yet been delivered."""
        self._seal(float("inf"))
        with self._delivering:
            for path in self._closed(float("inf")):
                if self._is_whole(path) and read_label(path)[0].account == account:
                    self._remove(path)

    def _begin(self) -> None:
        if self._thread is None:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._ending:
            self._wake.wait(LOOK_SECONDS if self._open else RETRY_SECONDS if self._due else None)
            self._wake.clear()
            hurried, self._hurried = self._hurried, False
            now = time.monotonic()
            try:
                self._seal(float("inf") if hurried else now)
                self._deliver(now)
            except Exception:
                log.exception("what was captured could not be delivered")
                time.sleep(LOOK_SECONDS)

    def _seal(self, before: float) -> None:
        with self._lock:
            recorders = list(self._open)
        for recorder in recorders:
            recorder.seal(before)

    def _deliver(self, now: float) -> None:
        with self._delivering:
            for path in self._closed(now):
                try:
                    if self._is_whole(path):
                        self._store(path)
                except Exception:
                    log.exception("%s, which was captured, could not be delivered", path.name)
                    self._due[path] = now + RETRY_SECONDS
                with self._lock:
                    self._new.pop(path, None)

    def _closed(self, now: float) -> list[Path]:
        """Files that are due at ``now``, cut to their size."""
        with self._lock:
            full, self._full = self._full, []
            due = [path for path, at in self._due.items() if at <= now]
        for spool in full:
            spool.close()
        return due

    def _is_whole(self, path: Path) -> bool:
        """Whether there is anything in it; if a kill left it, once it is mended."""
        if path not in self._left:
            return True
        before = path.stat().st_size
        whole = mend(path)
        with self._lock:
            self._left.discard(path)
            self._held_bytes -= before - (path.stat().st_size if whole else 0)
            if not whole:
                self._due.pop(path)
                self._new.pop(path)
        return whole

    def _store(self, path: Path) -> None:
        label, begin = read_label(path)
        try:
            with path.open("rb") as file:
                file.seek(begin)
                self._objects.put_stream(label.bucket, label.key, file, condition=WriteCondition(if_absent=True))
        except ConditionNotMet:
            pass  # stored by a server that was killed before it had removed the file
        except (NotFound, Invalid, Denied) as error:
            if label.endpoint not in self._troubled:
                log.warning("what %s captures cannot be stored: %s", label.endpoint, error.message)
            self._troubled.add(label.endpoint)
            self._due[path] = time.monotonic() + RETRY_SECONDS
            return
        self._troubled.discard(label.endpoint)
        self._remove(path)

    def _remove(self, path: Path) -> None:
        size = path.stat().st_size
        path.unlink()
        with self._lock:
            self._due.pop(path, None)
            self._new.pop(path, None)
            self._held_bytes -= size
