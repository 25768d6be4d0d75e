"""``cloche down``."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

import click

from cloche.cli.options import data_option
from cloche.foundation.errors import ClocheError
from cloche.server.directory import DirectoryLock, Layout, Running, read_running

STOP_SECONDS_MAX = 20
PROCESSES_SECONDS_MAX = 10


def stop(running: Running) -> bool:
    """Ask the server to end and wait for it; whether it did. Never touches a process that only has its number."""
    if not running.is_alive():
        return True
    with contextlib.suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS_MAX
    while running.is_alive():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def stop_processes(layout: Layout) -> None:
    """End the jobs and model servers that outlived their server. The next server finds how they ended."""
    from cloche.compute.local import LocalRuntime
    from cloche.compute.runtime import Running

    if not layout.processes.exists():
        return
    runtime = LocalRuntime(layout.processes)
    try:
        known = runtime.known()
        for process in known:
            runtime.stop(process, 1.0)
        deadline = time.monotonic() + PROCESSES_SECONDS_MAX
        while time.monotonic() < deadline and any(isinstance(runtime.observe(p), Running) for p in known):
            time.sleep(0.05)
    finally:
        runtime.close()


@click.command()
@data_option
@click.option("--all", "everything", is_flag=True, help="End running jobs and model servers too, as a crash would.")
def command(data: Path, everything: bool) -> None:
    """Stop the Cloche that runs on a data directory. Running jobs and endpoints run on; the next `up` adopts them."""
    layout = Layout(data)
    running = read_running(layout)
    if running is None:
        click.echo(f"no Cloche runs on {data}")
    elif not stop(running):
        raise click.ClickException(f"process {running.pid} has not ended after {STOP_SECONDS_MAX} s")
    if everything and layout.database.exists():
        try:
            lock = DirectoryLock(layout)
        except ClocheError as error:
            raise click.ClickException(error.message) from None
        stop_processes(layout)
        lock.release()
    if running is not None:
        click.echo("Cloche has stopped; what it keeps is in " + str(data))
