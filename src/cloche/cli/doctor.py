"""``cloche doctor``: what this machine can do for jobs."""

from __future__ import annotations

from pathlib import Path

import click

from cloche.cli.listing import print_table
from cloche.cli.options import data_option
from cloche.compute.local.examination import examine


@click.command()
@data_option
def command(data: Path) -> None:
    """Say how jobs are kept apart on this machine, what bounds them, and what could be better.

    Needs no server. Ends with 1 if something is missing that keeps jobs apart."""
    findings = list(examine(data))
    rows = [(each.state, each.subject, each.text, each.advice) for each in findings]
    print_table(("", "", "found", "what to do"), rows, "")
    if any(each.state == "missing" for each in findings):
        raise SystemExit(1)
