"""``cloche up``: one process on one port."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cloche.cli.file_systems import file_systems_of, told
from cloche.cli.here import console_link
from cloche.cli.options import data_option, image_bounds_options
from cloche.foundation.errors import ClocheError
from cloche.foundation.settings import Settings

if TYPE_CHECKING:
    from cloche.server.app import AsgiApp
    from cloche.server.building import Wiring
    from cloche.server.directory import Running

_START_SECONDS_MAX: Final = 30
_FILE: Final = click.Path(exists=True, dir_okay=False, readable=True, resolve_path=True, path_type=Path)


@click.command()
@click.option("--port", default=4566, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@data_option
@click.option("--account", default="123456789012", show_default=True, help="The account's twelve digits.")
@click.option("--region", default="us-east-1", show_default=True, help="The region jobs and console live in.")
@click.option("--any-credentials", is_flag=True, help="Take every access key as the root's. For throw-away CI only.")
@click.option(
    "--sandbox",
    type=click.Choice(["auto", "bubblewrap", "process"]),
    default="auto",
    show_default=True,
    help="How jobs are kept apart.",
)
@click.option(
    "--containers",
    type=click.Choice(["bubblewrap", "podman", "docker"]),
    default="bubblewrap",
    show_default=True,
    help="What runs container images of your own.",
)
@click.option(
    "--file-system",
    "file_systems",
    multiple=True,
    metavar="ID=DIRECTORY",
    help="A directory of this machine that stands for a file system (EFS, Lustre) in training jobs. Repeatable.",
)
@image_bounds_options
@click.option(
    "--standby/--no-standby", default=True, show_default=True, help="Have processes stand by for the images in use."
)
@click.option("--tls", is_flag=True, help="Answer https too, with a certificate of Cloche's own authority.")
@click.option("--tls-cert", "tls_certificate", type=_FILE, help="Answer https with this certificate (PEM) instead.")
@click.option("--tls-key", type=_FILE, help="Its private key (PEM).")
@click.option("--tls-port", type=click.IntRange(0, 65535), help="A further port to listen on.")
@click.option("--fallback", default="", metavar="URL", help="Where services go that Cloche does not speak.")
@click.option(
    "--fallback-keys",
    type=click.Choice(["as-is", "env"]),
    default="as-is",
    show_default=True,
    help="Pass requests on as they came, or signed with the AWS keys of this environment.",
)
@click.option("--smtp", default="", metavar="HOST:PORT", help="A mail server for SNS's e-mail, besides the outbox.")
@click.option(
    "--s3-before-2023",
    is_flag=True,
    help="S3 as before April 2023: buckets with ACLs and without public-access block, Signature Version 2.",
)
@click.option("--detach", is_flag=True, help="Go on in the background; prints go to server.log in the data.")
@click.option("--verbose", is_flag=True, help="Log more, to standard error.")
def command(verbose: bool, detach: bool, data: Path, **chosen: Any) -> None:
    """Start Cloche on this machine, until Ctrl+C or `cloche down`."""
    account = chosen["account"]
    if not (len(account) == 12 and account.isascii() and account.isdigit()):
        raise click.UsageError("--account is twelve digits")
    chosen["file_systems"] = file_systems_of(chosen["file_systems"], data)
    chosen["tls"] = chosen["tls"] or chosen["tls_certificate"] is not None or chosen["tls_port"] is not None
    if chosen["tls_key"] is not None and chosen["tls_certificate"] is None:
        raise click.UsageError("--tls-key needs --tls-cert, the certificate of that key")
    if detach:
        _detach(data)
        return
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    logging.getLogger("cloche.server.fallback").setLevel(logging.INFO)  # what is passed on is never silent
    from cloche.server.arenas import share_arenas
    from cloche.server.open_files import allow_open_files
    from cloche.server.run import serve

    allow_open_files()
    share_arenas()
    try:
        serve(Settings(data=data, **chosen), _ready, _console)
    except ClocheError as error:
        click.echo(f"cloche: {error.message}", err=True)
        raise SystemExit(1) from None


def _console(wiring: Wiring) -> AsgiApp:
    from cloche.cli.console_door import LazyConsole

    return LazyConsole(wiring)


def _ready(running: Running, wiring: Wiring) -> None:
    from cloche.server.directory import Layout

    layout = Layout(wiring.parts.settings.data)
    click.echo(f"Cloche is ready at {running.url}  (account {running.account}, {running.region})")
    click.echo(f"  console    {console_link(layout, running)}")
    if running.secure:
        whose = "yours" if running.certificate else f"of Cloche's own authority, {layout.keys / 'ca.pem'}"
        click.echo(f"  https      {running.secure}  (the certificate is {whose})")
    click.echo(f"  jobs       {running.jobs}")
    for line in told(running.file_systems):
        click.echo(f"  files      {line}")
    if running.fallback:
        click.echo(f"  fallback   services that Cloche does not speak are passed on to {running.fallback}")
    if wiring.parts.settings.any_credentials:
        click.echo("  keys       any access key is taken for the account's root (--any-credentials)")
    if wiring.parts.settings.host not in ("127.0.0.1", "::1", "localhost"):
        click.echo(f"  CAUTION    other machines can reach this address{'' if running.secure else ', without TLS'}")
    click.echo('  your shell eval "$(cloche env)"    one command: cloche run -- python my_script.py')
    sys.stdout.flush()


def _detach(data: Path) -> None:
    """The same command in a session of its own; waits until it is ready."""
    from cloche.server.directory import Layout, read_running

    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    arguments = [word for word in sys.argv[1:] if word != "--detach"]
    log = data / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "cloche.cli.main", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS_MAX
    while process.poll() is None and time.monotonic() < deadline:
        running = read_running(Layout(data))
        if running is not None and running.pid == process.pid and b"ready" in log.read_bytes():
            click.echo(log.read_text(), nl=False)
            return
        time.sleep(0.02)
    click.echo(log.read_text(), nl=False, err=True)
    raise SystemExit(1)
