"""``cloche identity-provider``: what Cloche must be given because it fetches nothing itself."""

from __future__ import annotations

from pathlib import Path

import click

from cloche.cli.here import running_on
from cloche.cli.options import data_option
from cloche.cli.own_routes import ask


@click.group()
def command() -> None:
    """Give OpenID Connect providers the keys their tokens are signed with."""


@command.command()
@click.argument("arn")
@click.argument("jwks", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@data_option
def keys(arn: str, jwks: Path, data: Path) -> None:
    """Take the key set in the file JWKS for the provider ARN, in place of the one before.

    It is what the provider publishes at the jwks_uri of its /.well-known/openid-configuration.
    """
    layout, running = running_on(data)
    taken = ask(layout, running, "POST", "/_cloche/provider-keys", {"provider": arn, "jwks": jwks.read_text()})
    click.echo(f"{taken['keys']} keys for {arn}")
