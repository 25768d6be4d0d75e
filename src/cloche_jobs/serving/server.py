"""Listening, and ending in good order.

The model is loaded first: a socket that answers is a model that is ready. A Unix socket gets its name last of all, so
whoever sees the name can connect, and can stop the server in good order. SIGTERM closes the listener, lets the answers
under way go out (at most ``DRAIN_SECONDS``) and ends with exit code 0.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cloche_jobs.contract import environment
from cloche_jobs.contract.failure import EXIT_FAILURE, PlatformError
from cloche_jobs.serving.door import Door, NarrowDoor
from cloche_jobs.serving.http import Connection
from cloche_jobs.serving.model import Model
from cloche_jobs.serving.prompt import PromptSelector
from cloche_jobs.serving.worker import Worker
from cloche_jobs.serving.workers import run_workers, timeout_seconds, worker_count

DRAIN_SECONDS: Final = 25.0
"""AWS kills 30 s after SIGTERM."""
SWITCH_SECONDS: Final = 0.001
"""How long a model that computes in Python may keep ``/ping`` and the pieces of a stream waiting at a time."""
LOOK_SECONDS: Final = 5.0
_BACKLOG: Final = 1_024
_UNPUBLISHED: Final = "~"
"""What the socket's name ends in until the server answers."""

log = logging.getLogger("cloche_jobs.serving")


def serve(load: Callable[[], Model]) -> None:
    """Load the model, answer until SIGTERM or SIGINT. Raises what ``load`` raises, and ``PlatformError`` when the
    address cannot be had."""
    count = worker_count()
    if count == 1:
        model = load()
        listener = _listen(os.environ.get(environment.BIND, ""))
        _answer(model, listener, lambda: _publish(listener), alone=True)
        return
    listener = _listen(os.environ.get(environment.BIND, ""))
    run_workers(
        count,
        lambda ready: _answer(load(), listener, ready, alone=False),
        lambda: _publish(listener),
    )


def _answer(model: Model, listener: socket.socket, ready: Callable[[], None], *, alone: bool) -> None:
    gc.collect()
    gc.freeze()  # what the model and its libraries hold is looked at no more
    sys.setswitchinterval(SWITCH_SECONDS)
    selector = PromptSelector()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        runner.run(_run(model, selector, listener, ready, alone=alone))


async def _run(
    model: Model, selector: PromptSelector, listener: socket.socket, ready: Callable[[], None], *, alone: bool
) -> None:
    loop = asyncio.get_running_loop()
    worker = Worker(model, loop)
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    access_log = log.isEnabledFor(logging.DEBUG)

    def connection() -> Connection:
        return Connection(model, door, access_log=access_log)

    door: Door
    if not alone:
        door = NarrowDoor(worker, selector, listener, connection)
        close = door.close
    else:
        door = Door(worker, selector)
        listen = loop.create_unix_server if listener.family == socket.AF_UNIX else loop.create_server
        close = (await listen(connection, sock=listener, backlog=_BACKLOG)).close
    watching = loop.create_task(_watch(worker, timeout_seconds()))
    ready()
    log.info("Listening at: %s (%d)", _shown(listener), os.getpid())
    await ending.wait()
    watching.cancel()
    log.info("Handling signal: term")
    close()
    connections = door.connections
    for each in list(connections):
        each.drain()
    deadline = loop.time() + DRAIN_SECONDS
    while connections and loop.time() < deadline:
        await asyncio.sleep(0.02)
    worker.stop()
    for each in list(connections):
        if each.transport is not None:
            each.transport.abort()
    sys.stdout.flush()


async def _watch(worker: Worker, most: float) -> None:
    """A model that has been at one thing for so long is at it for ever: this process ends, and whoever keeps it starts
    another, as gunicorn does in AWS's images."""
    while most:
        await asyncio.sleep(min(LOOK_SECONDS, most / 4))
        if worker.busy_seconds() > most:
            log.critical("WORKER TIMEOUT (pid:%d): the model was at one request for %g seconds", os.getpid(), most)
            sys.stdout.flush()
            os._exit(EXIT_FAILURE)


def _listen(bind: str) -> socket.socket:
    kind, _, address = bind.partition(":")
    try:
        if kind == "unix":
            return _listen_unix(Path(address))
        if bind and kind != "tcp":
            raise PlatformError(f"{environment.BIND} {bind!r} is neither unix:PATH nor tcp:HOST:PORT")
        host, _, port = (address or _default_address()).rpartition(":")
        return socket.create_server((host or "127.0.0.1", int(port)), backlog=_BACKLOG)
    except (OSError, ValueError) as error:
        raise PlatformError(f"the model server cannot listen at {bind or 'port 8080'}: {error}") from error


def _listen_unix(path: Path) -> socket.socket:
    unnamed = Path(f"{path}{_UNPUBLISHED}")
    for each in (path, unnamed):
        each.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(unnamed))
    unnamed.chmod(0o600)
    listener.listen(_BACKLOG)
    return listener


def _publish(listener: socket.socket) -> None:
    name = listener.getsockname()
    if isinstance(name, str):
        Path(name).replace(name.removesuffix(_UNPUBLISHED))


def _default_address() -> str:
    return f"127.0.0.1:{os.environ.get('SAGEMAKER_BIND_TO_PORT') or 8080}"


def _shown(listener: socket.socket) -> str:
    name = listener.getsockname()
    return f"unix:{name.removesuffix(_UNPUBLISHED)}" if isinstance(name, str) else f"http://{name[0]}:{name[1]}"
