"""``cloche accounts``: the accounts that a running Cloche holds."""

from __future__ import annotations

from pathlib import Path

import click

from cloche.cli.here import running_on
from cloche.cli.listing import print_table
from cloche.cli.options import data_option
from cloche.cli.own_routes import ask
from cloche.foundation.errors import ClocheError


@click.group()
def command() -> None:
    """Add accounts, list them, print an account's root keys."""


@command.command()
@click.argument("account")
@click.option("--name", default="", help="What people call it.")
@data_option
def add(account: str, name: str, data: Path) -> None:
    """Add ACCOUNT (twelve digits). Its root's key is written to the data directory."""
    layout, running = running_on(data)
    made = ask(layout, running, "POST", "/_cloche/accounts", {"account": account, "name": name})
    click.echo(f"account {made['account']}; its root's key is in {layout.keys / made['keys']}")
    click.echo(f'  your shell eval "$(cloche env --account {made["account"]})"')


@command.command(name="list")
@data_option
def list_(data: Path) -> None:
    """List the accounts."""
    layout, running = running_on(data)
    held = ask(layout, running, "GET", "/_cloche/accounts")["accounts"]
    rows = [(each["account"], each["name"], "yes" if each["home"] else "", each["created"]) for each in held]
    print_table(["account", "name", "home", "created"], rows, "there are no accounts")


@command.command()
@click.argument("account")
@data_option
def keys(account: str, data: Path) -> None:
    """Print the keys of ACCOUNT's root, as a section of ~/.aws/credentials."""
    from cloche.server.client_environment import root_keys

    layout, running = running_on(data)
    try:
        access_key, secret = root_keys(layout, account if account != running.account else "")
    except ClocheError as error:
        raise click.ClickException(error.message) from None
    click.echo(f"[cloche-{account}]\naws_access_key_id = {access_key}\naws_secret_access_key = {secret}")
