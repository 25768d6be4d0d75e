"""Environments by version: the warm ones, those at work, how one comes to be and how it ends.

An invocation takes the environment that was idle last, or starts one. Which are kept: those of the version's present
serial, for ``IDLE_SECONDS`` after their last event, up to ``LIFE_SECONDS`` of age. All is done on the server's loop;
what blocks (starting and ending processes) goes through a few threads.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Final

from cloche.compute.runtime import Running
from cloche.engines.functions import environment as env
from cloche.engines.functions.environment import Environment, Gone
from cloche.engines.functions.logbook import Logbook
from cloche.engines.functions.outcome import Throttled
from cloche.engines.functions.plan import Version
from cloche.engines.functions.seat import LIFE_SECONDS, PREFIX, Seat
from cloche.foundation.clock import Clock
from cloche.foundation.ids import short_id

log = logging.getLogger(__name__)

IDLE_SECONDS: Final = 300.0
INIT_SECONDS: Final = 10.0
"""docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html: "The Init phase is limited to 10 seconds";
after it, initialising goes on in the first invocation's own time."""
SWEEP_SECONDS: Final = 5.0
THREADS: Final = 4
OUTPUT_BYTES_MAX: Final = 64 * 1024 * 1024
"""An environment that has printed more is not used again: its file goes with it."""
ADOPTED_SECONDS: Final = 10.0
ENDING_SECONDS: Final = 3.0
"""A process that has let go of its connection is given this long to end and so to tell how."""
END_SECONDS: Final = 5.0
Key = tuple[str, str, str, int]


def key_of(version: Version) -> Key:
    return (*version.owner.key, version.number)


class Pools:
    """``most`` environments at once. ``start`` and everything else but ``begin``/``close`` runs on the loop."""

    def __init__(self, seat: Seat, logbook: Logbook, clock: Clock, most: int, idle_seconds: float) -> None:
        self._seat = seat
        self._logbook = logbook
        self._clock = clock
        self._most = most
        self._idle_seconds = idle_seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="functions")
        self._all: dict[str, Environment] = {}
        self._idle: dict[Key, list[Environment]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        seat.runtime.on_change(self._process_ended)

    # -- the server's life -------------------------------------------------------------------------------

    def begin(self, loop: asyncio.AbstractEventLoop, current: Callable[[dict[str, Any]], Version | None]) -> bool:
        """Before the loop serves. Environments that a former server left are listened for; ``current`` answers the
        version of one as written down, unless it has changed. Whether there are any."""
        self._loop = loop
        for process in self._seat.runtime.known():
            if not process.startswith(PREFIX):
                continue
            told = self._seat.written(process)
            version = current(told) if told is not None else None
            if told is None or version is None:
                self._logbook.finish(process)
                self._seat.forget(process)
                continue
            found = Environment(process, version, told["stream"], loop, self._lost)
            self._all[process] = found
            self._logbook.follow(process, version, found.stream)
            asyncio.run_coroutine_threadsafe(self._adopt(found), loop)
        loop.call_soon_threadsafe(self._sweep)
        return bool(self._all)

    async def _adopt(self, found: Environment) -> None:
        """It calls at once if it has nothing to do; one that is at an event whose caller is gone is ended."""
        try:
            await env.listen(found, self._seat.make_socket_folder(found.process))
            await asyncio.wait_for(found.ready, ADOPTED_SECONDS)
        except (Gone, TimeoutError, OSError):
            self.discard(found)
        else:
            self._free(found)

    def close(self) -> None:
        """Let go: what runs goes on, and the next server finds it. Not on the loop, which may have ended."""
        if self._loop is not None and self._loop.is_running():
            asyncio.run_coroutine_threadsafe(self._let_go(), self._loop).result()
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def _let_go(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
        held, self._all, self._idle = list(self._all.values()), {}, {}
        for found in held:
            found.close()
        await asyncio.gather(*self._tasks)
        await asyncio.sleep(0)  # lines close in the loop's next turn

    # -- taking and giving back ----------------------------------------------------------------------------

    def warm(self, version: Version) -> Environment | None:
        """One that is idle, taken."""
        held = self._idle.get(key_of(version))
        while held:
            found = held.pop()
            if found.version.serial == version.serial:
                return found
            self.discard(found)
        return None

    async def cold(self, version: Version) -> Environment:
        """A new one whose process is on its way: ``ready`` tells when it can be asked. Raises ``Throttled``,
        ``ClocheError``."""
        self._make_room()
        loop = asyncio.get_running_loop()
        process = PREFIX + short_id(16)
        today = datetime.fromtimestamp(self._clock.time(), UTC)
        stream = f"{today:%Y/%m/%d}/[{version.qualifier}]{short_id(32)}"
        made = self._all[process] = Environment(process, version, stream, loop, self._lost)
        try:
            await env.listen(made, self._seat.make_socket_folder(process))
            await loop.run_in_executor(self._threads, self._seat.start, process, version, stream)
        except BaseException:
            del self._all[process]
            made.close()
            self._later(self._forgotten(made, ()))
            raise
        self._logbook.follow(process, version, stream)
        return made

    def give_back(self, used: Environment, current_serial: str | None) -> None:
        """It has answered and may be used again."""
        old = self._now() - used.started_at > LIFE_SECONDS
        full = self._logbook.printed_bytes(used.process) > OUTPUT_BYTES_MAX
        if used.state == env.ENDING or old or full or used.version.serial != current_serial:
            self.discard(used)
        else:
            self._free(used)

    def discard(self, doomed: Environment, closing: Sequence[str] = ()) -> None:
        """End it now; ``closing`` are the last lines of its log."""
        if self._all.pop(doomed.process, None) is None:
            return
        held = self._idle.get(key_of(doomed.version))
        if held and doomed in held:
            held.remove(doomed)
        doomed.close()
        self._later(self._forgotten(doomed, closing))

    def drop(self, chosen: Callable[[Version], bool]) -> None:
        """End idle environments of versions that have changed or gone; those at work end with their event."""
        for held in list(self._idle.values()):
            for found in [found for found in held if chosen(found.version)]:
                self.discard(found)

    def drop_later(self, chosen: Callable[[Version], bool]) -> None:
        """The same, asked for from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.drop, chosen)

    def abandon(self, account: str) -> None:
        """End all of an account's, at work or not. From a thread other than the loop's; waits for it."""
        if self._loop is None or self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._abandon(account), self._loop).result()

    async def _abandon(self, account: str) -> None:
        doomed = [found for found in self._all.values() if found.version.owner.account == account]
        for found in doomed:
            self._all.pop(found.process, None)
            held = self._idle.get(key_of(found.version))
            if held and found in held:
                held.remove(found)
            found.close()
        await asyncio.gather(*(self._forgotten(found, ()) for found in doomed))

    def busy(self) -> list[Environment]:
        return [found for found in list(self._all.values()) if found.state == env.BUSY]

    async def ended(self, gone: Environment) -> None:
        """Wait until its process has ended by itself; not for ever."""
        try:
            await asyncio.wait_for(asyncio.shield(gone.ended), ENDING_SECONDS)
        except TimeoutError:
            pass  # it lives on without a connection: whoever asks ends it

    # -- parts of the above ------------------------------------------------------------------------------

    def _free(self, found: Environment) -> None:
        found.state, found.idle_since = env.IDLE, self._now()
        self._idle.setdefault(key_of(found.version), []).append(found)

    def _make_room(self) -> None:
        if len(self._all) < self._most:
            return
        idle = [found for held in self._idle.values() for found in held]
        if not idle:
            raise Throttled()
        self.discard(min(idle, key=lambda found: found.idle_since))

    def _now(self) -> float:
        assert self._loop is not None
        return self._loop.time()

    def _lost(self, gone: Environment) -> None:
        """Its connection ended. One at work is its caller's to end."""
        if gone.state == env.IDLE:
            self.discard(gone)

    def _process_ended(self, process: str) -> None:
        if process.startswith(PREFIX) and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._note_end, process)

    def _note_end(self, process: str) -> None:
        found = self._all.get(process)
        if found is None:
            return
        if not found.ended.done():
            found.ended.set_result(None)
        if not found.ready.done():
            found.ready.set_exception(Gone())
            found.ready.exception()

    async def _forgotten(self, doomed: Environment, closing: Sequence[str]) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._threads, self._forget, doomed.process, tuple(closing))

    def _forget(self, process: str, closing: Sequence[str]) -> None:
        runtime = self._seat.runtime
        try:
            if runtime.observe(process) is not None:
                self._kill(process)
            self._logbook.finish(process, closing)
            self._seat.forget(process)
        except Exception:
            log.exception("the environment %s could not be taken away", process)

    def _kill(self, process: str) -> None:
        """And wait, so that its output is complete."""
        runtime = self._seat.runtime
        runtime.stop(process, 0.0)
        until = time.monotonic() + END_SECONDS
        while isinstance(runtime.observe(process), Running) and time.monotonic() < until:
            time.sleep(0.005)

    def _later(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _sweep(self) -> None:
        assert self._loop is not None
        now = self._loop.time()
        for held in list(self._idle.values()):
            for found in list(held):
                if now - found.idle_since > self._idle_seconds or now - found.started_at > LIFE_SECONDS:
                    self.discard(found)
        self._idle = {key: held for key, held in self._idle.items() if held}
        self._sweeper = self._loop.call_later(SWEEP_SECONDS, self._sweep)
