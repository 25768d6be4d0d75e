"""``cloche status``: is it there, where, and what runs."""

from __future__ import annotations

import http.client
import json
from pathlib import Path

import click

from cloche.cli.client import Client, Refused
from cloche.cli.file_systems import told
from cloche.cli.here import console_link, running_on
from cloche.cli.jobs import JOB_KINDS
from cloche.cli.options import data_option
from cloche.server.directory import Running


@click.command()
@data_option
def command(data: Path) -> None:
    """Say where Cloche is, how it keeps jobs apart, and what runs now."""
    layout, running = running_on(data)
    client = Client(layout, running)
    click.echo(f"Cloche {running.version} at {running.url}, process {running.pid}")
    click.echo(f"  account   {running.account}, {running.region}")
    click.echo(f"  data      {data}")
    click.echo(f"  console   {console_link(layout, running)}")
    if running.jobs:
        click.echo(f"  isolation {running.jobs}")
    for line in told(running.file_systems):
        click.echo(f"  files     {line}")
    if running.secure:
        click.echo(f"  https     {running.secure}")
    if running.fallback:
        click.echo(f"  fallback  {running.fallback}, {_passed_on(running)} requests passed on since the start")
    jobs = {kind: _count(client, f"List{kind}Jobs", f"{kind}JobSummaries", "InProgress") for kind in JOB_KINDS}
    which = ", ".join(f"{count} {kind.lower()}" for kind, count in jobs.items() if count)
    click.echo(f"  jobs      {sum(jobs.values())} in progress{f' ({which})' if which else ''}")
    click.echo(f"  endpoints {_count(client, 'ListEndpoints', 'Endpoints', 'InService')} in service")


def _passed_on(running: Running) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    try:
        connection.request("GET", "/_cloche/health")
        said = json.loads(connection.getresponse().read())
    except OSError as error:
        raise click.ClickException(f"Cloche at {running.url} does not answer: {error}") from None
    finally:
        connection.close()
    return int(said["fallback"]["requests"])


def _count(client: Client, operation: str, key: str, status: str) -> int:
    try:
        return sum(1 for _ in client.pages("sagemaker", operation, key, StatusEquals=status, MaxResults=100))
    except Refused as refused:
        raise click.ClickException(refused.message) from None
