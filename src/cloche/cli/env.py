"""``cloche env``: what a shell, a program or a configuration file needs to use Cloche."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

import click

from cloche.cli.here import running_on
from cloche.cli.options import data_option
from cloche.foundation.errors import ClocheError


@click.command()
@data_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["sh", "dotenv", "json", "profile"]),
    default="sh",
    show_default=True,
    help="Shell commands, a .env file, JSON, or a section of ~/.aws/config.",
)
@click.option("--account", default="", help="The account whose root's keys it is to be; home's otherwise.")
def command(data: Path, form: str, account: str) -> None:
    """Print what a shell or program needs to use Cloche:  eval "$(cloche env)"."""
    from cloche.server.client_environment import client_environment

    layout, running = running_on(data)
    try:
        variables = client_environment(layout, running, account)
    except ClocheError as error:
        raise click.ClickException(error.message) from None
    click.echo(_FORMS[form](variables), nl=False)


def _sh(variables: Mapping[str, str]) -> str:
    from cloche.server.client_environment import UNSET

    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    return "\n".join([f"unset {' '.join(UNSET)}", *lines]) + "\n"


def _dotenv(variables: Mapping[str, str]) -> str:
    return "".join(f'{name}="{value}"\n' for name, value in variables.items())


def _json(variables: Mapping[str, str]) -> str:
    return json.dumps(dict(variables), indent=2) + "\n"


def _profile(variables: Mapping[str, str]) -> str:
    return (
        "[profile cloche]\n"
        f"region = {variables['AWS_REGION']}\n"
        f"endpoint_url = {variables['AWS_ENDPOINT_URL']}\n"
        f"aws_access_key_id = {variables['AWS_ACCESS_KEY_ID']}\n"
        f"aws_secret_access_key = {variables['AWS_SECRET_ACCESS_KEY']}\n"
        f"ca_bundle = {variables['AWS_CA_BUNDLE']}\n"
    )


_FORMS = {"sh": _sh, "dotenv": _dotenv, "json": _json, "profile": _profile}
