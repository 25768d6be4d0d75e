"""One invocation: an environment, the event, the reply, or what is told in its stead.

A function's failure is an outcome, never an exception. What ends an environment: its time is up, its process exits or
is killed, its code cannot be loaded. The next event has a new one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from cloche.compute.runtime import Ended, Runtime
from cloche.engines.functions.capacity import Running
from cloche.engines.functions.environment import Environment, Gone, TimedOut
from cloche.engines.functions.logbook import Logbook
from cloche.engines.functions.outcome import (
    Event,
    Outcome,
    Throttled,
    Unready,
    ending_of,
    exit_line,
    exited,
    moment,
    timed_out,
)
from cloche.engines.functions.plan import ACTIVE, Version
from cloche.engines.functions.pools import INIT_SECONDS, Pools
from cloche.engines.functions.traffic import Traffic
from cloche.foundation.clock import Clock
from cloche.foundation.errors import Broken
from cloche.foundation.limits import MIB
from cloche_jobs.contract import frames, function_log

TAIL_THREADS: Final = 2
STARTS_AT_ONCE: Final = 2 * (os.cpu_count() or 1)
HEAD_START_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Target:
    """What a name and a qualifier mean at the moment. ``qualifier`` is as it was asked for."""

    version: Version
    qualifier: str
    reserved: int | None
    reserved_together: int


@dataclass(slots=True)
class _Failure:
    payload: bytes
    line: str
    """The log's, before END; empty for none."""
    ms: float
    status: str


class Invoker:
    """``serial`` answers the serial that environments of a version must have to be kept."""

    def __init__(
        self,
        pools: Pools,
        running: Running,
        traffic: Traffic,
        logbook: Logbook,
        runtime: Runtime,
        clock: Clock,
        serial: Callable[[Version], str | None],
    ) -> None:
        self._pools = pools
        self._running = running
        self._traffic = traffic
        self._logbook = logbook
        self._runtime = runtime
        self._clock = clock
        self._serial = serial
        self._starting = asyncio.Semaphore(STARTS_AT_ONCE)
        self._threads = ThreadPoolExecutor(TAIL_THREADS, thread_name_prefix="functions-log")

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def invoke(self, target: Target, event: Event) -> Outcome:
        """Raises ``Throttled``, ``Unready``, and ``ClocheError`` where no environment could be made."""
        version, owner = target.version, target.version.owner
        if version.state != ACTIVE:
            raise Unready(version.state)
        try:
            self._running.begin(owner, target.reserved, target.reserved_together)
        except Throttled:
            self._traffic.throttle(owner, target.qualifier)
            raise
        running = self._running.of(owner)
        try:
            outcome = await self._run(version, event)
        except Throttled:
            self._traffic.throttle(owner, target.qualifier)
            raise
        finally:
            self._running.end(owner, target.reserved)
        self._traffic.count(owner, target.qualifier, failed=outcome.failed, ms=outcome.ms, running=running)
        return outcome

    async def _run(self, version: Version, event: Event) -> Outcome:
        used, is_new = self._pools.warm(version), False
        began = perf_counter()
        init_ms: float | None = None
        try:
            if used is None:
                used, is_new = await self._begun(version)
            if is_new:
                seconds = INIT_SECONDS + version.configuration.timeout_seconds
                hello = await asyncio.wait_for(asyncio.shield(used.ready), seconds)
                init_ms = hello.number("init_ms")
                if hello.failed:
                    failure = _Failure(hello.body, "", init_ms, "Status: error")
                    return await self._failed(used, event, failure, None)
            began = perf_counter()
            deadline_ms = int((self._clock.real() + version.configuration.timeout_seconds) * 1000)
            head = {"request": event.request, "deadline_ms": deadline_ms, "arn": event.arn}
            data = frames.packed({**head, "client_context": event.client_context}, event.payload)
            reply = await used.ask(event.request, data, version.configuration.timeout_seconds)
        except (TimedOut, TimeoutError):
            assert used is not None
            return await self._timed_out(used, event, (perf_counter() - began) * 1000, init_ms)
        except Gone:
            assert used is not None
            return await self._exited(used, event, (perf_counter() - began) * 1000, init_ms)
        except BaseException:
            if used is not None:
                self._pools.discard(used)
            raise
        log = await self._tail(used, event) if event.wants_log else b""
        self._pools.give_back(used, self._serial(version))
        return Outcome(event.request, version.qualifier, reply.body, reply.failed, reply.number("ms"), log)

    async def _begun(self, version: Version) -> tuple[Environment, bool]:
        """An environment, and whether it is a new one. Only so many start at once, each with a head start before the
        next: a crowd on few cores would make all of them late. Who has waited may find one that is free by now."""
        async with self._starting:
            found = self._pools.warm(version)
            if found is not None:
                return found, False
            made = await self._pools.cold(version)
            await asyncio.wait([made.ready], timeout=HEAD_START_SECONDS)
            return made, True

    # -- what is told in a function's stead ----------------------------------------------------------------

    async def _timed_out(self, used: Environment, event: Event, ms: float, init_ms: float | None) -> Outcome:
        seconds = used.version.configuration.timeout_seconds
        used.memory_mb = await asyncio.to_thread(self._memory_mb, used)
        at = moment(self._clock.time())
        line = f"{at} {event.request} Task timed out after {seconds:.2f} seconds"
        failure = _Failure(timed_out(event.request, seconds), line, ms, "Status: timeout")
        return await self._failed(used, event, failure, init_ms)

    async def _exited(self, used: Environment, event: Event, ms: float, init_ms: float | None) -> Outcome:
        await self._pools.ended(used)
        seen = await asyncio.to_thread(self._runtime.observe, used.process)
        if isinstance(seen, Ended) and seen.cause == "not_started":
            self._pools.discard(used)
            raise Broken("the environment could not be started", detail=seen.message)
        ran_out = isinstance(seen, Ended) and seen.message.startswith("Out of memory")
        ending = ending_of(seen)
        payload = exited(event.request, ending, memory_ran_out=ran_out or used.is_full)
        failure = _Failure(payload, exit_line(event.request, ending), ms, "Status: error")
        return await self._failed(used, event, failure, init_ms)

    async def _failed(self, used: Environment, event: Event, failure: _Failure, init_ms: float | None) -> Outcome:
        """End the environment; END and REPORT, which its process cannot print any more, are given to its log."""
        version = used.version
        closing = [failure.line] if failure.line else [function_log.start(event.request, version.qualifier)]
        size = str(version.configuration.memory_mb)
        report = function_log.report(event.request, failure.ms, size, used.memory_mb, init_ms, failure.status)
        closing += [function_log.end(event.request), report]
        log = await self._tail(used, event, tuple(closing)) if event.wants_log else b""
        self._pools.discard(used, closing)
        return Outcome(event.request, version.qualifier, failure.payload, True, failure.ms, log)

    async def _tail(self, used: Environment, event: Event, closing: tuple[str, ...] = ()) -> bytes:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._logbook.tail, used.process, event.request, closing)

    def _memory_mb(self, used: Environment) -> int | None:
        found = self._runtime.usage_on_hosts([used.process]).get(used.process)
        seen = sum(usage.memory_bytes for usage in found) // MIB if found else None
        return max(seen, used.memory_mb or 0) if seen is not None else used.memory_mb
