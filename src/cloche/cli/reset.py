"""``cloche reset``: begin anew."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from cloche.cli.down import stop, stop_processes
from cloche.cli.here import running_on
from cloche.cli.options import data_option
from cloche.cli.own_routes import ask
from cloche.foundation.errors import ClocheError
from cloche.server.directory import DirectoryLock, Layout, read_running


@click.command()
@data_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--account", help="Empty only this account; the server runs on.")
def command(data: Path, yes: bool, account: str | None) -> None:
    """Stop the server and its jobs, and delete everything in the data directory.

    With --account: end that account's jobs and endpoints and delete all it has, while the server runs on. Its root's
    key stays as it is; other accounts are not touched.
    """
    layout = Layout(data)
    if account is not None:
        _reset_account(data, account, yes)
        return
    if not data.exists():
        click.echo(f"{data} is not there: nothing to do")
        return
    if not layout.database.exists():
        raise click.ClickException(f"{data} holds no Cloche: nothing was touched")
    if not yes:
        click.confirm(f"Stop all jobs and endpoints and delete everything in {data}?", abort=True)
    running = read_running(layout)
    if running is not None and not stop(running):
        raise click.ClickException(f"the server (process {running.pid}) does not stop: nothing was deleted")
    try:
        lock = DirectoryLock(layout)
    except ClocheError as error:
        raise click.ClickException(error.message) from None
    stop_processes(layout)
    for path in data.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    lock.release()
    click.echo(f"{data} is empty; `cloche up` begins anew, with new keys")


def _reset_account(data: Path, account: str, yes: bool) -> None:
    layout, running = running_on(data)
    if not yes:
        click.confirm(f"End all jobs and endpoints of account {account} and delete all it has?", abort=True)
    ask(layout, running, "POST", "/_cloche/reset", {"account": account})
    click.echo(f"account {account} is empty")
