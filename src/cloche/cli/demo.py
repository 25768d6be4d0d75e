"""``cloche demo``: what the examples show, against the Cloche that is up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import click

from cloche.cli.here import running_on
from cloche.cli.options import data_option

INSTALLED: Final = Path(__file__).resolve().parents[1] / "checkout"
"""What an installed Cloche has of its repository, laid out as there; ``pyproject.toml`` lists it."""
ROOT: Final = INSTALLED if INSTALLED.is_dir() else Path(__file__).resolve().parents[3]


@click.group()
def command() -> None:
    """Run a case study against the Cloche that is up."""


@command.command()
@data_option
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 366), help="How long the month is.")
@click.option("--drift", default=10, show_default=True, type=click.IntRange(0), help="On which day the world changes.")
@click.option("--every", default=1, show_default=True, type=click.IntRange(1, 24), help="Hours between monitorings.")
def drift(data: Path, days: int, drift: int, every: int) -> None:
    """A month of a deployed model: the world drifts, an alarm rings, a better model takes over.

    Cloche's clock is turned for it, and runs on from there.
    """
    from cloche.server.client_environment import client_environment

    layout, running = running_on(data)
    place, clients = ROOT / "examples" / "churn_loop", ROOT / "tools" / "environments.py"
    click.echo("an environment with the SageMaker Python SDK (the first time, this downloads it)")
    python = subprocess.run([sys.executable, str(clients), "sagemaker2"], stdout=subprocess.PIPE, text=True, check=True)
    environment = {
        **os.environ,
        **client_environment(layout, running, ""),
        "PYTHONUNBUFFERED": "1",
        "SAGEMAKER_SUPPRESS_V2_WARNING": "1",
    }
    line = [python.stdout.strip(), "-W", "ignore", str(place / "main.py"), str(data)]
    line += ["--days", str(days), "--drift", str(drift), "--every", str(every)]
    done = subprocess.run(line, env=environment, check=False)
    sys.exit(done.returncode)
