"""The server of a data directory, as commands find it."""

from __future__ import annotations

from pathlib import Path

import click

from cloche.server.directory import Layout, Running, read_running


def running_on(data: Path) -> tuple[Layout, Running]:
    """Ends the command with a sentence where no server runs on ``data``."""
    layout = Layout(data)
    running = read_running(layout)
    if running is None:
        where = "" if data == Path("~/.cloche").expanduser() else f" --data {data}"
        raise click.ClickException(f"no Cloche runs on {data}; start one with `cloche up{where}`")
    return layout, running


def console_link(layout: Layout, running: Running) -> str:
    """The link that opens the console in a browser."""
    return f"{running.url}/?token={(layout.keys / 'console.token').read_text().strip()}"
