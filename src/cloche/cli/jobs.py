"""``cloche jobs``: jobs of a kind, listed; managed spot training, interrupted; capacity, withheld."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path
from typing import Final

import click

from cloche.cli.client import Client
from cloche.cli.here import running_on
from cloche.cli.listing import moment, print_table, span
from cloche.cli.options import data_option
from cloche.cli.own_routes import ask

JOB_KINDS: Final = ("Training", "Processing", "Transform")
"""As the operations call them."""


@click.group(invoke_without_command=True)
@data_option
@click.option("--kind", default="training", show_default=True, type=click.Choice([each.lower() for each in JOB_KINDS]))
@click.option("--status", help="InProgress, Completed, Failed, Stopping or Stopped only.")
@click.option("--count", default=50, show_default=True, type=click.IntRange(1), help="At most so many, newest first.")
@click.pass_context
def command(ctx: click.Context, data: Path, kind: str, status: str | None, count: int) -> None:
    """List jobs, newest first; interrupt a training job; withhold capacity."""
    if ctx.invoked_subcommand is None:
        _list(data, kind.capitalize(), status, count)


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


@command.command()
@click.argument("instance_type")
@click.option("--seconds", default=600.0, show_default=True, type=click.FloatRange(0), help="For so long; 0 ends it.")
@data_option
def shortage(instance_type: str, seconds: float, data: Path) -> None:
    """Let there be no capacity of INSTANCE_TYPE (ml.m5.large) for a while.

    Jobs that would start on it fail with AWS's CapacityError, which retry policies of pipelines may catch.
    """
    layout, running = running_on(data)
    said = ask(layout, running, "POST", "/_cloche/shortages", {"instance_type": instance_type, "seconds": seconds})
    click.echo(
        f"no capacity of {instance_type} until {said['until']}" if seconds else f"{instance_type} is there again"
    )


def _list(data: Path, kind: str, status: str | None, count: int) -> None:
    client = Client(*running_on(data))
    found = client.pages(
        "sagemaker",
        f"List{kind}Jobs",
        f"{kind}JobSummaries",
        SortBy="CreationTime",
        SortOrder="Descending",
        StatusEquals=status,
        MaxResults=min(count, 100),
    )
    rows = []
    for job in islice(found, count):
        began, ended = job["CreationTime"], job.get(f"{kind}EndTime")
        name, state = job[f"{kind}JobName"], job[f"{kind}JobStatus"]
        rows.append((name, state, moment(began), span((ended or time.time()) - began)))
    print_table(("name", "status", "created", "took"), rows, f"no {kind.lower()} jobs yet")
