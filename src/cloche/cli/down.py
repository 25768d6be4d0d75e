"""``cloche down``."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

import click

from cloche.cli.options import data_option
from cloche.server.directory import Layout, Running, read_running

STOP_SECONDS_MAX = 20


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


@click.command()
@data_option
def command(data: Path) -> None:
    """Stop the Cloche that runs on a data directory. Running jobs and endpoints run on; the next `up` adopts them."""
    running = read_running(Layout(data))
    if running is None:
        click.echo(f"no Cloche runs on {data}")
        return
    if not stop(running):
        raise click.ClickException(f"process {running.pid} has not ended after {STOP_SECONDS_MAX} s")
    click.echo("Cloche has stopped; what it keeps is in " + str(data))
