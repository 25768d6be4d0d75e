"""``cloche up``: one process on one port."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cloche.cli.options import data_option
from cloche.foundation.errors import ClocheError
from cloche.foundation.settings import Settings

if TYPE_CHECKING:
    from cloche.server.directory import Running
    from cloche.server.wiring import Wiring


@click.command()
@click.option("--port", default=4566, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@data_option
@click.option("--account", default="123456789012", show_default=True, help="The account's twelve digits.")
@click.option("--region", default="us-east-1", show_default=True, help="The region jobs and console live in.")
@click.option("--any-credentials", is_flag=True, help="Take every access key as the root's. For throw-away CI only.")
@click.option(
    "--sandbox",
    type=click.Choice(["auto", "bubblewrap", "process"]),
    default="auto",
    show_default=True,
    help="How jobs are kept apart.",
)
@click.option("--verbose", is_flag=True, help="Log more, to standard error.")
def command(verbose: bool, data: Path, **chosen: Any) -> None:
    """Start Cloche on this machine, until Ctrl+C or `cloche down`."""
    account = chosen["account"]
    if not (len(account) == 12 and account.isascii() and account.isdigit()):
        raise click.UsageError("--account is twelve digits")
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    from cloche.server.run import serve

    try:
        serve(Settings(data=data, **chosen), _ready)
    except ClocheError as error:
        click.echo(f"cloche: {error.message}", err=True)
        raise SystemExit(1) from None


def _ready(running: Running, wiring: Wiring) -> None:
    click.echo(f"Cloche is ready at {running.url}  (account {running.account}, {running.region})")
    if running.jobs:
        click.echo(f"  {running.jobs}")
    click.echo('  eval "$(cloche env)"   then use boto3, the AWS CLI or the SageMaker SDK as ever')
    sys.stdout.flush()
