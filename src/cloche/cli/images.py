"""``cloche images``: the environments that stand in for AWS's images."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloche.cli.listing import print_table

if TYPE_CHECKING:
    from cloche.compute.images import EnvironmentStatus
    from cloche_jobs.image import Image


@click.group(invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List the images Cloche stands in for, and see to their environments."""
    if context.invoked_subcommand is None:
        context.invoke(list_images)


@command.command("list")
def list_images() -> None:
    """List the images, what runs in their stead, and which are built on this machine."""
    from cloche.compute.images import EnvironmentBuilder
    from cloche_jobs.catalog import BARE, IMAGES

    states = {status.key: status for status in EnvironmentBuilder().status()}
    plain = [image for image in (*IMAGES, *BARE) if not image.is_deep_learning]
    rows = [(each.key, each.library, _state(states, each), each.note) for each in plain]
    families: dict[str, list[Image]] = {}
    for image in IMAGES:
        if image.is_deep_learning:
            families.setdefault(image.name, []).append(image)
    for name, (newest, *others) in families.items():
        oldest = others[-1].version
        rows.append((name, newest.library, _state(states, newest), f"for {oldest} to {newest.version}"))
    print_table(("image", "what runs", "on this machine", "note"), rows, "the catalog is empty")


def _state(states: Mapping[str, EnvironmentStatus], image: Image) -> str:
    state = states.get(image.environment)
    return _size(state.bytes) if state is not None and state.ready else "not built"


@command.command("python")
@click.argument("image")
def python(image: str) -> None:
    """Print the interpreter of IMAGE's environment (a URI or a name like sagemaker-xgboost:1.7-1); build it if need
    be, which is told on standard error."""
    from cloche.compute.images import EnvironmentBuilder

    (key,) = _environments((image,))
    with _failures():
        click.echo(str(EnvironmentBuilder().ensure(key, _tell).python))


@command.command("pull")
@click.argument("images", nargs=-1)
def pull(images: tuple[str, ...]) -> None:
    """Have the environments of IMAGES (all, if none is named) ready on this machine, so that no job waits for them."""
    from cloche.compute.images import EnvironmentBuilder

    builder = EnvironmentBuilder()
    for key in _environments(images):
        with _failures():
            builder.ensure(key, _tell)
        click.echo(f"{key} is ready")


@command.command("build")
@click.argument("images", nargs=-1, required=True)
def build(images: tuple[str, ...]) -> None:
    """Build the environments of IMAGES anew, in the place of those that are there."""
    from cloche.compute.images import EnvironmentBuilder
    from cloche.compute.images.pruning import in_use

    builder = EnvironmentBuilder()
    for key in _environments(images):
        with _failures():
            found = builder.find(key)
            if found is not None and in_use([found.folder]):
                raise click.ClickException(f"{key} is in use: a job or a model server runs in it")
            builder.remove(key)
            builder.ensure(key, _tell)
        click.echo(f"{key} is ready")


@command.command("save")
@click.argument("images", nargs=-1)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The bundle.")
def save(images: tuple[str, ...], output: Path) -> None:
    """Save what IMAGES (all, if none is named) are built from as a bundle, for machines without a network.

    The other machine needs the same system, kind of processor and version of Python.
    """
    from cloche.compute.images import EnvironmentBuilder, bundles

    with _failures():
        size = bundles.save(EnvironmentBuilder(), _environments(images), output, _tell)
    click.echo(f"{output} has {_size(size)}")


@command.command("load")
@click.argument("bundle", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def load(bundle: Path) -> None:
    """Build the environments of a BUNDLE that was saved elsewhere; no network is used."""
    from cloche.compute.images import EnvironmentBuilder, bundles

    with _failures():
        for key in bundles.load(EnvironmentBuilder(), bundle, _tell):
            click.echo(f"{key} is ready")


@command.command("prune")
@click.option("--all", "everything", is_flag=True, help="Also those that this version of Cloche would use.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
def prune(everything: bool, dry_run: bool) -> None:
    """Remove environments that no image of this version is built from, and what builds cut short have left."""
    from cloche.compute.images import EnvironmentBuilder
    from cloche.compute.images.pruning import remove, unneeded

    freed = 0
    for each in unneeded(EnvironmentBuilder(), everything=everything):
        if each.in_use:
            click.echo(f"{each.folder.name} is in use and stays", err=True)
            continue
        if not dry_run:
            remove(each)
        freed += each.bytes
        click.echo(f"{each.folder.name}\t{_size(each.bytes)}")
    click.echo(f"{_size(freed)} {'would be freed' if dry_run else 'freed'}", err=True)


def _environments(images: tuple[str, ...]) -> list[str]:
    """The environments of images named by URI or by name; of all but the large ones where none is named."""
    from cloche_jobs import catalog

    try:
        named = [
            catalog.find(image, processing=True, bare=True) if ".dkr.ecr" in image else catalog.by_key(image)
            for image in images
        ]
    except catalog.ImageUnknown as error:
        raise click.ClickException(str(error)) from None
    return list(dict.fromkeys(image.environment for image in named)) or [
        key for key in catalog.ENVIRONMENTS if key not in catalog.ON_DEMAND
    ]


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    from cloche.compute.images import EnvironmentFailed

    try:
        yield
    except EnvironmentFailed as error:
        raise click.ClickException(f"{error.message}\n{error.detail}".rstrip()) from None


def _tell(line: str) -> None:
    click.echo(line, err=True)


def _size(count: int) -> str:
    return f"{count / 1e6:.0f} MB"
