"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cloche.foundation.limits import GIB, IMAGE_BYTES_MAX, IMAGE_LAYERS_MAX, IMAGE_MEMBERS_MAX

data_option = click.option(
    "--data",
    default="~/.cloche",
    show_default=True,
    envvar="CLOCHE_DATA",
    help="The data directory.",
    callback=lambda _ctx, _parameter, value: Path(value).expanduser().absolute(),
)


def image_bounds_options(command: Any) -> Any:
    """What an image of the user's own may be: ``image_gib_max``, ``image_members_max``, ``image_layers_max``."""
    for name, default, said in (
        ("layers", IMAGE_LAYERS_MAX, "Layers that a container image of your own may have."),
        ("members", IMAGE_MEMBERS_MAX, "Files, folders and links that it may have, in all layers."),
        ("gib", IMAGE_BYTES_MAX // GIB, "GiB that it may unpack to."),
    ):
        kind = click.IntRange(min=1)
        command = click.option(f"--image-{name}-max", default=default, show_default=True, type=kind, help=said)(command)
    return command
