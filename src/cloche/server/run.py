"""Starting and stopping the one server process.

The order of a start: the data directory, its lock, the port, then everything else; so that whatever is in the way
is said before anything was touched. On SIGTERM or SIGINT requests in flight are finished (ten seconds at most);
jobs and model servers are processes of their own and run on, the next start adopts them.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

import uvicorn

from cloche import __version__
from cloche.foundation.errors import Broken, Conflict, Invalid
from cloche.foundation.limits import IDLE_SECONDS_MAX
from cloche.foundation.settings import Settings
from cloche.server.app import AsgiApp
from cloche.server.building import Wiring, build
from cloche.server.directory import DirectoryLock, Layout, Running, process_start, write_running
from cloche.server.quick import Quick

log = logging.getLogger(__name__)
_STOP_SECONDS_MAX: Final = 8
_SWITCH_SECONDS: Final = 0.001
"""How long a thread that computes may keep the event loop from running (Python's own is 5 ms). Handlers, logs and
metrics are threads beside the loop: with one of them busy an eighth of the time, the 99th percentile of an echo falls
from about a millisecond to a tenth of that, and its rate rises."""
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class _Server(uvicorn.Server):
    """uvicorn's server, but for signals: they are the loop's, and a stop is a clean end, not a death by signal."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(
    settings: Settings,
    on_ready: Callable[[Running, Wiring], None],
    console: Callable[[Wiring], AsgiApp] | None = None,
) -> None:
    """Serve until told to stop. Raises ``Invalid`` or ``Conflict``, with a sentence for people, where it cannot
    start, and ``Broken`` where it answered already but its engines could not be loaded. ``settings.port`` 0 takes a
    free port; ``on_ready`` is told which. ``console`` makes what answers at ``/``."""
    if settings.any_credentials and settings.host not in _LOOPBACK:
        raise Invalid("--any-credentials is for loopback only; leave --host as it is", field="any_credentials")
    sys.setswitchinterval(_SWITCH_SECONDS)
    layout = Layout(settings.data)
    os.umask(0o077)
    layout.prepare()
    lock = DirectoryLock(layout)
    try:
        with _listen(settings, settings.port) as listener, contextlib.ExitStack() as further:
            settings = replace(settings, port=listener.getsockname()[1])
            listeners = [listener]
            if settings.tls_port is not None:
                listeners.append(further.enter_context(_listen(settings, settings.tls_port)))
            wiring = build(settings)
            if console is not None:
                wiring.chain.console = console(wiring)
            try:
                with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                    runner.run(_serve(settings, wiring, layout, listeners, on_ready))
            finally:
                wiring.close()
                layout.server.unlink(missing_ok=True)
    finally:
        lock.release()


async def _serve(
    settings: Settings,
    wiring: Wiring,
    layout: Layout,
    listeners: list[socket.socket],
    on_ready: Callable[[Running, Wiring], None],
) -> None:
    from cloche.server.crowd import watch

    server = _Server(_config(settings, wiring))
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.should_exit = True
        wiring.announce_stop()

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop)

    def loaded(loading: asyncio.Future[None]) -> None:
        """Without its engines a server is none: it ends, and says why."""
        if loading.cancelled():
            return
        if loading.exception() is not None:
            stop()
            return
        warming = loop.run_in_executor(wiring.chain.runner.pool, wiring.warm)
        warming.add_done_callback(_tell_failure)

    loading: asyncio.Future[None] | None = None
    wiring.start(loop)
    running = _running(settings, wiring, listeners[-1].getsockname()[1])
    write_running(layout, running)
    serving = loop.create_task(server.serve(sockets=listeners))
    while not server.started and not serving.done():
        await asyncio.sleep(0.002)
    if server.started:
        on_ready(running, wiring)
        loading = loop.run_in_executor(wiring.chain.runner.pool, wiring.load)
        loading.add_done_callback(loaded)
    watching = loop.create_task(watch(server.server_state.connections))
    await serving
    watching.cancel()
    if loading is not None:
        await asyncio.wait({loading})  # it was told to end while they were on their way
    if loading is not None and not loading.cancelled() and (error := loading.exception()) is not None:
        log.error("the engines could not be loaded", exc_info=error)
        raise Broken(f"the server has ended, because its engines could not be loaded: {error}") from error


def _tell_failure(warming: asyncio.Future[None]) -> None:
    if not warming.cancelled() and warming.exception() is not None:
        log.error("warming up failed", exc_info=warming.exception())


def _config(settings: Settings, wiring: Wiring) -> uvicorn.Config:
    from cloche.server.crowd import Crowd
    from cloche.server.http_protocol import HttpProtocol
    from cloche.server.open_files import connections_max

    config = uvicorn.Config(
        wiring.chain,
        http=HttpProtocol,
        ws="none",
        lifespan="off",
        loop="none",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=2048,
        timeout_keep_alive=IDLE_SECONDS_MAX,
        timeout_graceful_shutdown=_STOP_SECONDS_MAX,
    )
    config.authority = wiring.authority  # type: ignore[attr-defined]
    config.tls = wiring.tls  # type: ignore[attr-defined]
    config.crowd = Crowd(connections_max())  # type: ignore[attr-defined]
    config.quick = Quick(wiring.chain)  # type: ignore[attr-defined]
    return config


def _running(settings: Settings, wiring: Wiring, tls_port: int) -> Running:
    tls = wiring.tls
    return Running(
        pid=os.getpid(),
        started=process_start(os.getpid()),
        host=settings.host,
        port=settings.port,
        account=settings.account,
        region=settings.region,
        version=__version__,
        jobs=wiring.isolation,
        secure="" if tls is None else f"https://{'[' + tls.host + ']' if ':' in tls.host else tls.host}:{tls_port}",
        certificate=str(settings.tls_certificate or ""),
        fallback=settings.fallback,
        file_systems=[[id, str(folder)] for id, folder in settings.file_systems],
    )


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


@contextlib.contextmanager
def _listen(settings: Settings, port: int) -> Iterator[socket.socket]:
    """A socket on the address asked for. Raises ``Conflict`` where it is taken."""
    family: Any = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, port))
            listener.listen(2048)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                option = "--port" if port == settings.port else "--tls-port"
                raise Conflict(
                    f"port {port} on {settings.host} is taken by another program; "
                    f"stop it, or choose another with {option}"
                ) from None
            raise Invalid(f"cannot listen on {settings.host}:{port}: {error.strerror}", field="host") from None
        listener.setblocking(False)
        yield listener
