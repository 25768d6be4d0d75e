"""``cloche run -- command``: one command, with everything set, unchanged."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click

from cloche.cli.here import running_on
from cloche.cli.options import data_option
from cloche.cli.own_routes import ask

KEYS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
FILES_IGNORED: Final = {"AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_CONFIG_FILE": os.devnull}
"""SDKs look for keys in variables and files before they ask for a role's."""


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@data_option
@click.option("--role", default="", help="Act as this role, as a notebook in SageMaker Studio does; its name or ARN.")
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
def command(data: Path, role: str, words: tuple[str, ...]) -> None:
    """Run one command against Cloche:  cloche run -- python my_script.py.

    It acts as the account's root, or as a role: then get_execution_role() of SageMaker's SDKs answers that role.
    """
    from cloche.server.client_environment import UNSET, client_environment

    layout, running = running_on(data)
    environment = {name: value for name, value in os.environ.items() if name not in UNSET}
    environment.update(client_environment(layout, running))
    if role:
        environment = {**{name: value for name, value in environment.items() if name not in KEYS}, **FILES_IGNORED}
        environment.update(
            ask(layout, running, "POST", "/_cloche/role-sessions", {"role": role, "process": os.getpid()})
        )
    try:
        os.execvpe(words[0], list(words), environment)  # noqa: S606 - it takes this process's place
    except OSError as error:
        raise click.ClickException(f"cannot run {words[0]}: {error.strerror}") from None
