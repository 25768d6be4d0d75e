"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

data_option = click.option(
    "--data",
    default="~/.cloche",
    show_default=True,
    envvar="CLOCHE_DATA",
    help="The data directory.",
    callback=lambda _ctx, _parameter, value: Path(value).expanduser().absolute(),
)
