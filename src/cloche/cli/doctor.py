"""``cloche doctor``: what this machine can do for jobs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from cloche.cli.listing import print_table
from cloche.cli.options import data_option
from cloche.compute.local.examination import Finding, examine
from cloche.server.directory import Layout, read_running


@click.command()
@data_option
def command(data: Path) -> None:
    """Say how jobs are kept apart on this machine, what bounds them, and what could be better.

    Needs no server. Ends with 1 if something is missing that keeps jobs apart."""
    findings = [*examine(data), *_file_systems(data)]
    rows = [(each.state, each.subject, each.text, each.advice) for each in findings]
    print_table(("", "", "found", "what to do"), rows, "")
    if any(each.state == "missing" for each in findings):
        raise SystemExit(1)


def _file_systems(data: Path) -> Iterator[Finding]:
    """Those of the server that runs on ``data``, if one does."""
    running = read_running(Layout(data))
    for id, folder in running.file_systems if running is not None else ():
        if Path(folder).is_dir():
            yield Finding(f"file system {id}", "ok", f"training jobs see {folder}")
        else:
            yield Finding(f"file system {id}", "limited", f"{folder} is not there", "mount it; jobs that name it fail")
