"""``cloche jobs``."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path

import click

from cloche.cli.client import Client
from cloche.cli.here import running_on
from cloche.cli.listing import moment, print_table, span
from cloche.cli.options import data_option


@click.command()
@data_option
@click.option("--status", help="InProgress, Completed, Failed, Stopping or Stopped only.")
@click.option("--count", default=50, show_default=True, type=click.IntRange(1), help="At most so many, newest first.")
def command(data: Path, status: str | None, count: int) -> None:
    """List training jobs, newest first."""
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
