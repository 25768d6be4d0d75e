"""``cloche endpoints``."""

from __future__ import annotations

from pathlib import Path

import click

from cloche.cli.client import Client
from cloche.cli.here import running_on
from cloche.cli.listing import moment, print_table
from cloche.cli.options import data_option


@click.command()
@data_option
def command(data: Path) -> None:
    """List endpoints, newest first."""
    client = Client(*running_on(data))
    found = client.pages("sagemaker", "ListEndpoints", "Endpoints", SortBy="CreationTime", SortOrder="Descending")
    rows = [(one["EndpointName"], one["EndpointStatus"], moment(one["CreationTime"])) for one in found]
    print_table(("name", "status", "created"), rows, "no endpoints yet")
