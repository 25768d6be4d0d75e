"""All recorders, the files they fill, and the thread that brings those to S3.

What a file holds is stored under the key of its label unless an object is there already, and the file is cleared to be
filled again: killed in between, it is found at the next start and stored once. Where it cannot be stored, because the
bucket is missing say, the file is kept and tried again; such files have a bound, beyond which nothing more is captured
until they are gone.

The thread shares the interpreter with the event loop, so the lines of a file that holds much are made by the press, a
process that gets what nobody else wants of the processor. Such files wait while requests are served, for some seconds
and up to some megabytes; beyond that the press has the server's own priority. Whoever wants to let time pass, or to end
the server, has what is there delivered by the thread itself.
"""

from __future__ import annotations

import errno
import logging
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from cloche.engines.hosting.capture.delivery import Delivery
from cloche.engines.hosting.capture.pressing import Press
from cloche.engines.hosting.capture.recorder import Recorder
from cloche.engines.hosting.capture.spool import FILE_BYTES_MAX, SUFFIX, Spool, mend, read_label
from cloche.foundation.clock import Clock
from cloche.foundation.limits import CAPTURED_BYTES_MAX, MIB
from cloche.storage.objects import ObjectStore

if TYPE_CHECKING:
    from cloche.engines.hosting.capture.plan import CapturePlan

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.25
RETRY_SECONDS: Final = 15.0
ASKED_ANEW_SECONDS: Final = 1.0
EMPTY_FILES_MAX: Final = 8
"""As many as are filled while others wait for an idle processor: to make one, with all its pages, takes 10 ms."""
FAST_BYTES: Final = 256 * 1024
"""Who has filled so much of a file is given all its pages at once."""
EMPTY_SECONDS: Final = 60.0
"""For how long empty files are kept, with their pages, after something was captured."""
PRESS_BYTES_MIN: Final = 256 * 1024
"""The lines of less are made at once: it takes no longer than to ask somebody else."""
BACKLOG_BYTES_MAX: Final = 64 * MIB
BACKLOG_SECONDS_MAX: Final = 10.0
"""So much waits for an idle processor, and for so long."""
PRESSED: Final = ".lines"


class Captures:
    """``folder`` holds the files; it may be made here."""

    def __init__(self, folder: Path, objects: ObjectStore, clock: Clock) -> None:
        self.clock = clock
        self._folder = folder
        self._delivery = Delivery(objects)
        self._lock = threading.Lock()
        self._delivering = threading.Lock()
        self._recorders: dict[tuple[str, str, CapturePlan], Recorder] = {}
        self._open: dict[Recorder, Spool] = {}
        """Who has a file that is being filled."""
        self._full: dict[Spool, float] = {}
        """Files to which nothing is added any more, and which are to be delivered, and since when (monotonic)."""
        self._empty: list[Spool] = []
        self._due: dict[Path, float] = {}
        """Files of the folder that are not mapped, and when to deliver them: by the machine's monotonic clock."""
        self._untried: set[Path] = set()
        """Those of them that nobody has tried to deliver."""
        self._left: set[Path] = set()
        """Files of a server before this one, which are still to be mended."""
        self._held_bytes = 0
        self._wake = threading.Event()
        self._press = Press(self._wake.set)
        self._pressed: Spool | None = None
        """Which of the full ones the press is at. With ``_delivering``."""
        self._ending = False
        self._mark = float("-inf")
        """A file that was begun before is delivered without delay."""
        self._asked_at = float("-inf")
        self._used_at = float("-inf")
        self._thread: threading.Thread | None = None
        clock.when_turned(self._turned)

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

    def _turned(self) -> None:
        for recorder in list(self._recorders.values()):
            recorder.turned()

    def drop(self, endpoint: str) -> None:
        """The endpoint is gone. What it captured is delivered still."""
        for key in [key for key in self._recorders if key[0] == endpoint]:
            del self._recorders[key]
        self._wake.set()

    # -- what recorders ask and tell -----------------------------------------------------------------------

    def path(self) -> Path:
        """For a new file."""
        return self._folder / (uuid4().hex + SUFFIX)

    def reserve(self) -> None:
        """Before a file is filled. Raises ``OSError`` where too much waits to be delivered already."""
        if self._held_bytes >= CAPTURED_BYTES_MAX:
            raise OSError(errno.ENOSPC, "too much that was captured waits to be delivered")

    def empty(self, length: int) -> Spool:
        """A file with room for so much. Raises ``OSError``."""
        self.reserve()
        with self._lock:
            if self._empty and length <= self._empty[-1].length:
                return self._empty.pop()
        return Spool(self.path(), max(length, FILE_BYTES_MAX))

    def opened(self, recorder: Recorder, spool: Spool) -> None:
        with self._lock:
            self._open[recorder] = spool
            self._used_at = spool.opened_at
        self._wake.set()

    def closed(self, recorder: Recorder, spool: Spool) -> None:
        """Nothing is added to it any more."""
        with self._lock:
            self._open.pop(recorder, None)
            self._full[spool] = time.monotonic()
            self._held_bytes += spool.size
        self._wake.set()

    def written(self, path: Path, size: int) -> None:
        """A file that was made and closed at once."""
        with self._lock:
            self._due[path] = 0.0
            self._untried.add(path)
            self._held_bytes += size
        self._wake.set()

    # -- delivery ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take up what a server before this one left."""
        if not self._folder.is_dir():
            return
        for made in self._folder.glob("*" + PRESSED):
            made.unlink()
        for path in sorted(self._folder.glob("*" + SUFFIX)):
            self._due[path] = 0.0
            self._held_bytes += path.stat().st_size
        self._left = set(self._due)
        self._untried = set(self._due)
        if self._due:
            self._wake.set()
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
        self._let_go()

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
            is_filling = any(spool.opened_at <= self._mark for spool in self._open.values())
            is_full = any(spool.opened_at <= self._mark for spool in self._full)
        if is_filling or is_full:
            self._wake.set()
        return is_filling or is_full or bool(self._untried)

    def moved(self) -> None:
        """The clock has moved: what is captured from now on is another moment's."""
        with self._lock:
            self._asked_at = float("-inf")

    def abandon(self, account: str) -> None:
        """Forget what the account captured and has not yet been delivered."""
        self._seal(float("inf"))
        with self._delivering:
            self._interrupt()
            for spool in self._filled():
                if spool.label.account == account:
                    self._delivered(spool)
            for path in self._waiting(float("inf")):
                if self._is_whole(path) and read_label(path)[0].account == account:
                    self._remove(path)

    def _begin(self) -> None:
        if self._thread is None:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._ending:
            looks = self._open or self._full
            self._wake.wait(LOOK_SECONDS if looks else RETRY_SECONDS if self._due or self._empty else None)
            self._wake.clear()
            now = time.monotonic()
            try:
                self._seal(now)
                self._deliver(now)
                self._keep_empty(now)
            except Exception:
                log.exception("what was captured could not be delivered")
                time.sleep(LOOK_SECONDS)

    def _seal(self, now: float) -> None:
        with self._lock:
            filled = list(self._open.items())
        for recorder, spool in filled:
            recorder.seal(float("inf") if spool.opened_at <= self._mark else now)

    def _deliver(self, now: float) -> None:
        with self._delivering:
            self._take_pressed(now)
            for spool in self._filled():
                if spool.size < PRESS_BYTES_MIN or self._is_wanted(spool):
                    self._store(spool, now)
                elif self._pressed is None:
                    self._have_pressed(spool, now)
            for path in self._waiting(now):
                try:
                    if self._is_whole(path) and self._delivery.store(path):
                        self._remove(path)
                except OSError:
                    log.exception("%s, which was captured, cannot be read", path.name)
                self._tried(path, now)

    # -- files that are mapped -----------------------------------------------------------------------------

    def _filled(self) -> list[Spool]:
        """Those that the press is not at."""
        with self._lock:
            return [spool for spool in self._full if spool is not self._pressed]

    def _is_wanted(self, spool: Spool) -> bool:
        """Whether somebody waits for it."""
        return self._ending or spool.opened_at <= self._mark

    def _is_behind_hand(self, now: float) -> bool:
        """Whether too much waits, or too long."""
        with self._lock:
            size, since = sum(spool.size for spool in self._full), min(self._full.values(), default=now)
        return size > BACKLOG_BYTES_MAX or now - since > BACKLOG_SECONDS_MAX

    def _store(self, spool: Spool, now: float) -> None:
        if self._delivery.store(spool):
            self._delivered(spool)
        else:
            self._set_aside(spool, now)

    def _have_pressed(self, spool: Spool, now: float) -> None:
        if not self._delivery.may(spool.label):
            self._set_aside(spool, now)
            return
        target = self._folder / (uuid4().hex + PRESSED)
        is_brisk = self._is_behind_hand(now) or (self._press.is_brisk and len(self._full) > 1)
        try:
            self._press.begin(spool.path, spool.size, target, brisk=is_brisk)
        except OSError as error:
            log.warning("there can be no process for captured requests: %s", error)
            self._store(spool, now)
        else:
            self._pressed = spool

    def _take_pressed(self, now: float) -> None:
        """What the press has made, if it has; what it is at is taken from it where that cannot wait."""
        spool = self._pressed
        if spool is None:
            return
        made = self._press.made()
        if made is True:
            if self._is_wanted(spool) or (not self._press.is_brisk and self._is_behind_hand(now)):
                self._interrupt()
            return
        self._pressed = None
        if made is False:
            self._store(spool, now)
        elif self._delivery.take(spool.label, made):
            self._delivered(spool)
        else:
            self._set_aside(spool, now)

    def _interrupt(self) -> None:
        self._press.stop()
        self._pressed = None

    def _delivered(self, spool: Spool) -> None:
        size = spool.size
        spool.clear()
        with self._lock:
            del self._full[spool]
            self._held_bytes -= size
            keeps = len(self._empty) < EMPTY_FILES_MAX
            if keeps:
                self._empty.append(spool)
        if not keeps:
            spool.remove()

    def _set_aside(self, spool: Spool, now: float) -> None:
        """It waits as a file that is cut to its size."""
        spool.close()
        with self._lock:
            del self._full[spool]
            self._due[spool.path] = now + RETRY_SECONDS

    def _keep_empty(self, now: float) -> None:
        """One ahead of whoever fills his soon, so that he need not wait for the kernel to make one, nor for the pages
        of the one he has; none when nothing has been captured for a while."""
        with self._lock:
            fast = [spool for spool in self._open.values() if spool.size > FAST_BYTES]
            is_wanted = not self._empty and any(spool.size > spool.length // 4 for spool in fast)
        with self._delivering:
            for spool in fast:
                spool.touch()
        if is_wanted:
            with suppress(OSError):  # whoever fills one will be told himself
                spool = self.empty(FILE_BYTES_MAX)
                spool.touch()
                with self._lock:
                    self._empty.append(spool)
        elif not self._open and (not self._recorders or now - self._used_at > EMPTY_SECONDS):
            self._let_go()

    def _let_go(self) -> None:
        with self._lock:
            unused, self._empty = self._empty, []
        if self._pressed is None:
            self._press.stop()
        for spool in unused:
            spool.remove()

    # -- files that are not --------------------------------------------------------------------------------

    def _waiting(self, now: float) -> list[Path]:
        with self._lock:
            return [path for path, at in self._due.items() if at <= now]

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
                self._forget(path)
        return whole

    def _tried(self, path: Path, now: float) -> None:
        """If it is still there, it is tried again."""
        with self._lock:
            self._untried.discard(path)
            if path in self._due:
                self._due[path] = now + RETRY_SECONDS

    def _remove(self, path: Path) -> None:
        size = path.stat().st_size
        path.unlink()
        with self._lock:
            self._forget(path)
            self._held_bytes -= size

    def _forget(self, path: Path) -> None:
        """With the lock."""
        self._due.pop(path)
        self._untried.discard(path)
