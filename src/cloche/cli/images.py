"""``cloche images``: the environments that stand in for AWS's images."""

from __future__ import annotations

import click

from cloche.cli.listing import print_table


@click.group(invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List the images Cloche stands in for, and build them ahead of time."""
    if context.invoked_subcommand is not None:
        return
    from cloche.compute.images import EnvironmentBuilder
    from cloche_jobs.catalog import IMAGES

    states = {status.key: status for status in EnvironmentBuilder().status()}
    rows = []
    for image in IMAGES:
        state = states.get(image.environment)
        size = f"{state.bytes / 1e6:.0f} MB" if state is not None and state.ready else "not built"
        rows.append((image.key, image.library, size, image.note))
    print_table(("image", "what runs", "on this machine", "note"), rows, "the catalog is empty")


@command.command("python")
@click.argument("image")
def python(image: str) -> None:
    """Print the interpreter of IMAGE's environment (a URI or a name like sagemaker-xgboost:1.7-1); build it if need
    be, which is told on standard error."""
    from cloche.compute.images import EnvironmentBuilder, EnvironmentFailed
    from cloche_jobs import catalog

    try:
        found = catalog.find(image) if ".dkr.ecr" in image else catalog.by_key(image)
        built = EnvironmentBuilder().ensure(found.environment, lambda line: click.echo(line, err=True))
    except catalog.ImageUnknown as error:
        raise click.ClickException(str(error)) from None
    except EnvironmentFailed as error:
        raise click.ClickException(f"{error.message}\n{error.detail}") from None
    click.echo(str(built.python))


@command.command("build")
@click.argument("images", nargs=-1)
def build(images: tuple[str, ...]) -> None:
    """Build the environments of IMAGES (all, if none is named) now, so that no job waits for it."""
    from cloche.compute.images import EnvironmentBuilder, EnvironmentFailed
    from cloche_jobs import catalog

    try:
        named = [catalog.find(image) if ".dkr.ecr" in image else catalog.by_key(image) for image in images]
    except catalog.ImageUnknown as error:
        raise click.ClickException(str(error)) from None
    builder = EnvironmentBuilder()
    for key in dict.fromkeys(image.environment for image in named or catalog.IMAGES):
        try:
            builder.ensure(key, lambda line: click.echo(line, err=True))
        except EnvironmentFailed as error:
            raise click.ClickException(f"{error.message}\n{error.detail}") from None
        click.echo(f"{key} is ready")
