"""``cloche clock``: Cloche's time, shown and turned."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from cloche.cli.here import running_on
from cloche.cli.listing import span
from cloche.cli.options import data_option
from cloche.cli.own_routes import ask
from cloche.foundation.errors import Invalid
from cloche.foundation.spans import seconds_of
from cloche.server.directory import Layout, Running

ROUTE: Final = "/_cloche/clock"
LOOK_SECONDS: Final = 0.05


@click.group(invoke_without_command=True)
@data_option
@click.pass_context
def command(ctx: click.Context, data: Path) -> None:
    """Show Cloche's clock; freeze, advance, set and resume it.

    Schedules, retention, expiry, alarm periods and simulated waiting go by it. Signatures are checked against the
    machine's own clock, and so are the time limits of jobs.
    """
    if ctx.invoked_subcommand is None:
        layout, running = running_on(data)
        _show(ask(layout, running, "GET", ROUTE))


@command.command()
@data_option
def freeze(data: Path) -> None:
    """Stop the clock where it is. Jobs run on; nothing falls due."""
    layout, running = running_on(data)
    _show(ask(layout, running, "POST", ROUTE, {"do": "freeze"}))


@command.command()
@data_option
def resume(data: Path) -> None:
    """Let the clock run on from where it is, a second each second."""
    layout, running = running_on(data)
    _show(ask(layout, running, "POST", ROUTE, {"do": "resume"}))


@command.command()
@click.argument("span")
@data_option
def advance(span: str, data: Path) -> None:
    """Let SPAN pass: 90s, 5m, +1h, 30d, 1d12h.

    What falls due is done in its order, each thing at its moment, and the clock waits for the jobs that it starts.
    Ctrl-C ends it at the moment it has reached.
    """
    try:
        seconds = seconds_of(span)
    except Invalid as error:
        raise click.BadParameter(error.message, param_hint="SPAN") from None
    layout, running = running_on(data)
    _advance(layout, running, ask(layout, running, "GET", ROUTE)["now"] + seconds)


@command.command("set")
@click.argument("moment")
@data_option
def set_(moment: str, data: Path) -> None:
    """Let time pass until MOMENT, as 2026-12-24T18:00:00Z. The clock cannot be set back."""
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        raise click.BadParameter(f"{moment} is no moment, as 2026-12-24T18:00:00Z", param_hint="MOMENT") from None
    layout, running = running_on(data)
    _advance(layout, running, (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp())


def _advance(layout: Layout, running: Running, to: float) -> None:
    began = time.monotonic()
    said = ask(layout, running, "POST", ROUTE, {"do": "advance", "to": to})
    try:
        while said["advancing_to"] is not None:
            time.sleep(LOOK_SECONDS)
            said = ask(layout, running, "GET", ROUTE)
    except KeyboardInterrupt:
        said = ask(layout, running, "POST", ROUTE, {"do": "stop"})
    _show(said)
    if said["now"] + 1 < to:
        raise click.ClickException(f"the advance ended before {_moment(to)}")
    click.echo(f"in {span(time.monotonic() - began)}", err=True)


def _show(said: dict[str, Any]) -> None:
    how = "stands still" if said["frozen"] else "runs"
    if said["advancing_to"] is not None:
        how = f"is on its way to {_moment(said['advancing_to'])}"
        if said["waits_for"]:
            how += f", waits for {', '.join(said['waits_for'])}"
    click.echo(f"{_moment(said['now'])}  {how}")


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
