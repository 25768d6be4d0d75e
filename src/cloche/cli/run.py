"""``cloche run -- command``: one command, with everything set, unchanged."""

from __future__ import annotations

import os
from pathlib import Path

import click

from cloche.cli.here import running_on
from cloche.cli.options import data_option


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@data_option
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
def command(data: Path, words: tuple[str, ...]) -> None:
    """Run one command against Cloche:  cloche run -- python my_script.py."""
    from cloche.server.client_environment import UNSET, client_environment

    layout, running = running_on(data)
    environment = {name: value for name, value in os.environ.items() if name not in UNSET}
    environment.update(client_environment(layout, running))
    try:
        os.execvpe(words[0], list(words), environment)  # noqa: S606 - it takes this process's place
    except OSError as error:
        raise click.ClickException(f"cannot run {words[0]}: {error.strerror}") from None
