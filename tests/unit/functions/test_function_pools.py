"""The engine by itself, over real processes: warm ones are used again, idle ones end, room is made."""

from __future__ import annotations

import asyncio
import io
import shutil
import sys
import time
import zipfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cloche.compute.local import LocalRuntime
from cloche.engines import functions as engine
from cloche.engines.functions import LATEST, Configuration, Event, Functions, Owner, Throttled
from cloche.foundation.clock import SystemClock
from cloche.serving.sockets import socket_folder
from cloche.storage import logs, metrics
from cloche.storage.logs import LogStore
from cloche.storage.metadata import records
from cloche.storage.metadata.database import Database
from cloche.storage.metadata.migrations import migrate
from cloche.storage.metrics import MetricStore

CODE = "import os, time\ndef handler(event, context):\n    time.sleep(event or 0)\n    return os.getpid()\n"
Body = Callable[[Functions], Awaitable[None]]


class ThisPython:
    def tool(self, environment: str) -> Path:
        return Path(sys.executable)

    def version(self) -> str:
        return sys.version.split()[0]


class NoKeys:
    def environment(self, role_arn: str, session_name: str) -> Mapping[str, str]:
        return {}


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Callable[..., None]]:
    """``play(body, idle_seconds=…)``: a server's life with the functions ``a`` and ``b``, as ``body`` tells it."""
    database, clock = Database(tmp_path / "d.db"), SystemClock()
    migrate(database, [*records.MIGRATIONS, *logs.MIGRATIONS, *metrics.MIGRATIONS, *engine.MIGRATIONS])
    runtime = LocalRuntime(tmp_path / "processes", "process")
    log_store = LogStore(tmp_path / "logs", database, clock)

    def live(body: Body, **given: Any) -> None:
        functions = Functions(
            folder=tmp_path / "run",
            kept=tmp_path / "kept",
            data=tmp_path,
            database=database,
            clock=clock,
            runtime=runtime,
            logs=log_store,
            metrics=MetricStore(database, clock),
            images=ThisPython(),
            keys=NoKeys(),
            link=lambda name: name,
            **given,
        )

        async def go() -> None:
            await asyncio.to_thread(functions.start, asyncio.get_running_loop())
            await asyncio.to_thread(_make, functions)
            try:
                await body(functions)
            finally:
                await asyncio.to_thread(functions.close)

        asyncio.run(go())

    yield live
    for process in runtime.known():
        runtime.forget(process)
    runtime.close()
    log_store.close()
    database.close()
    shutil.rmtree(socket_folder(tmp_path))


def _owner(name: str) -> Owner:
    return Owner("123456789012", "us-east-1", name)


def _make(functions: Functions) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("app.py"), CODE)
    code = functions.packages.add(buffer.getvalue())
    for name in "ab":
        made = functions.registry.create(_owner(name), Configuration("python3.12", "app.handler", "r"), code, [])
        functions.prepare(made)
        until = time.monotonic() + 20
        while functions.target(_owner(name), LATEST).version.state != "Active":
            assert time.monotonic() < until
            time.sleep(0.01)


async def _ask(functions: Functions, name: str, seconds: float = 0) -> int:
    owner = _owner(name)
    outcome = await functions.invoke(
        functions.target(owner, LATEST), Event(f"{name}-{time.monotonic_ns()}", str(seconds).encode(), owner.arn)
    )
    assert not outcome.failed, outcome.payload
    return int(outcome.payload)


def _is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


async def _gone(pid: int) -> None:
    async with asyncio.timeout(30):
        while _is_there(pid):
            await asyncio.sleep(0.05)


def test_a_warm_process_is_used_again_and_a_second_beside_it(play: Callable[..., None]) -> None:
    async def body(functions: Functions) -> None:
        first = await _ask(functions, "a")
        assert await _ask(functions, "a") == first
        both = await asyncio.gather(_ask(functions, "a", 0.5), _ask(functions, "a", 0.5))
        assert first in both and len(set(both)) == 2

    play(body)


@pytest.mark.skipif(not Path("/proc").exists(), reason="processes are looked for in /proc")
def test_idle_processes_end(play: Callable[..., None]) -> None:
    async def body(functions: Functions) -> None:
        first = await _ask(functions, "a")
        await _gone(first)
        assert await _ask(functions, "a") != first

    play(body, idle_seconds=0.1)


@pytest.mark.skipif(not Path("/proc").exists(), reason="processes are looked for in /proc")
def test_room_is_made_by_the_one_that_was_idle_longest(play: Callable[..., None]) -> None:
    async def body(functions: Functions) -> None:
        of_a = await _ask(functions, "a")
        of_b = await _ask(functions, "b")
        await _gone(of_a)
        assert _is_there(of_b)
        busy = asyncio.create_task(_ask(functions, "b", 2))
        await asyncio.sleep(0.5)
        with pytest.raises(Throttled):
            await _ask(functions, "a")
        assert await busy == of_b

    play(body, concurrency=1)


@pytest.mark.skipif(not Path("/proc").exists(), reason="processes are looked for in /proc")
def test_a_change_ends_the_processes_of_before(play: Callable[..., None]) -> None:
    async def body(functions: Functions) -> None:
        before = await _ask(functions, "a")
        at_work = asyncio.create_task(_ask(functions, "a", 1))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(functions.registry.update, _owner("a"), lambda held: held, "")
        assert await at_work == before  # it may finish its event
        assert await _ask(functions, "a") != before
        await _gone(before)

    play(body)
