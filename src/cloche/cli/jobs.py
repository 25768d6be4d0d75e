"""``cloche jobs``: training jobs, listed; managed spot training, interrupted."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path

import click

from cloche.cli.client import Client
from cloche.cli.here import running_on
from cloche.cli.listing import moment, print_table, span
from cloche.cli.options import data_option
from cloche.cli.own_routes import ask


@click.group(invoke_without_command=True)
@data_option
@click.option("--status", help="InProgress, Completed, Failed, Stopping or Stopped only.")
@click.option("--count", default=50, show_default=True, type=click.IntRange(1), help="At most so many, newest first.")
@click.pass_context
def command(ctx: click.Context, data: Path, status: str | None, count: int) -> None:
    """List training jobs, newest first; interrupt one."""
    if ctx.invoked_subcommand is None:
        _list(data, status, count)


@command.command()
@click.argument("name")
@click.option(
    "--away", default=0.0, show_default=True, type=click.FloatRange(0), help="Seconds without capacity after."
)
@data_option
def interrupt(name: str, away: float, data: Path) -> None:
    """Take the machines of NAME away, a managed spot training job.

    It gets the notice of two minutes (SIGTERM, and what is still there after them is killed), is Interrupted, and
    starts again from its checkpoints once there is capacity.
    """
    layout, running = running_on(data)
    job = Client(layout, running).call("sagemaker", "DescribeTrainingJob", TrainingJobName=name)
    ask(layout, running, "POST", "/_cloche/interruptions", {"job": job["TrainingJobArn"], "away_seconds": away})
    click.echo(f"{name} has been given notice")


def _list(data: Path, status: str | None, count: int) -> None:
    client = Client(*running_on(data))
    found = client.pages(
        "sagemaker",
        "ListTrainingJobs",
        "TrainingJobSummaries",
        SortBy="CreationTime",
        SortOrder="Descending",
        StatusEquals=status,
        MaxResults=min(count, 100),
    )
    rows = []
    for job in islice(found, count):
        began, ended = job["CreationTime"], job.get("TrainingEndTime")
        name, state = job["TrainingJobName"], job["TrainingJobStatus"]
        rows.append((name, state, moment(began), span((ended or time.time()) - began)))
    print_table(("name", "status", "created", "took"), rows, "no training jobs yet")
