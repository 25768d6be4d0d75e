"""``cloche images``: the environments that stand in for AWS's images, and images of one's own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloche.cli.listing import print_table
from cloche.cli.options import data_option, image_bounds_options
from cloche.server.directory import Layout

if TYPE_CHECKING:
    from cloche.compute.images import EnvironmentStatus
    from cloche_jobs.image import Image


@click.group(invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List the images Cloche stands in for and those of your own, and see to them."""
    if context.invoked_subcommand is None:
        context.invoke(list_images)


@command.command("list")
@data_option
def list_images(data: Path) -> None:
    """List the images, what runs in their stead, and which are built on this machine; then those of your own that were
    loaded into the data directory."""
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
    rows += _own_rows(data)
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
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--name", help="What to call an image of your own: NAME or NAME:TAG, instead of what the file says.")
@image_bounds_options
@data_option
def load(file: Path, name: str | None, data: Path, **bounds: int) -> None:
    """Load a container image of your own: an OCI image layout (a folder or a tar) or what docker save writes. Jobs and
    models name it as NAME:TAG, or as ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME:TAG.

    Or build the environments of a bundle that `cloche images save` wrote elsewhere. No network is used."""
    from cloche.compute.images import EnvironmentBuilder, bundles

    if file.is_dir() or not bundles.is_bundle(file):
        _load_image(file, name, data, **bounds)
        return
    with _failures():
        for key in bundles.load(EnvironmentBuilder(), file, _tell):
            click.echo(f"{key} is ready")


def _load_image(
    file: Path, name: str | None, data: Path, image_gib_max: int, image_members_max: int, image_layers_max: int
) -> None:
    """Everything of it is on the disk when this returns; it is named last."""
    from cloche.compute.images.archives import load as load_archive
    from cloche.compute.images.bounds import Bounds
    from cloche.compute.images.loaded import LoadedImages, parse_name
    from cloche.compute.images.manifest import read_manifest
    from cloche.compute.images.store import BlobStore
    from cloche.foundation.errors import ClocheError
    from cloche.foundation.limits import GIB

    try:
        given = [parse_name(name)] if name is not None else None
        store = BlobStore(Layout(data).registry)
        bounds = Bounds(image_gib_max * GIB, image_members_max, image_layers_max)
        found = load_archive(store, file, bounds)
        if given is not None and len({digest for _, digest in found}) > 1:
            raise click.ClickException(f"{file} has {len(found)} images; --name can name one")
        named = [(*(given[0] if given else parse_name(said)), digest) for said, digest in found if given or said]
        if not named:
            raise click.ClickException(f"{file} does not say what the image is called: give it a name with --name")
        for each, tag, digest in named:
            read_manifest(store, digest, bounds.layers)
            made = LoadedImages(store).put(each, tag, digest)
            click.echo(f"{made.reference}\t{digest}")
    except ClocheError as error:
        raise click.ClickException(error.message) from None


def _own_rows(data: Path) -> list[tuple[str, str, str, str]]:
    from cloche.compute.images.loaded import LoadedImages
    from cloche.compute.images.own import OwnImages
    from cloche.compute.images.store import BlobStore

    layout = Layout(data)
    if not (layout.registry / "index.json").exists():
        return []
    store = BlobStore(layout.registry)
    unpacked = set(OwnImages(store, layout.rootfs).unpacked())
    return [
        (each.reference, "a container of your own", "unpacked" if each.digest in unpacked else "loaded", each.digest)
        for each in LoadedImages(store).all()
    ]


@command.command("prune")
@click.option("--all", "everything", is_flag=True, help="Also those that this version of Cloche would use.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@data_option
def prune(everything: bool, dry_run: bool, data: Path) -> None:
    """Remove environments that no image of this version is built from, what builds cut short have left, and images of
    your own that are unpacked and not in use: they are unpacked again when they are needed."""
    from cloche.compute.images import EnvironmentBuilder
    from cloche.compute.images.pruning import remove, unneeded

    freed = _prune_own(data, dry_run=dry_run)
    for each in unneeded(EnvironmentBuilder(), everything=everything):
        if each.in_use:
            click.echo(f"{each.folder.name} is in use and stays", err=True)
            continue
        if not dry_run:
            remove(each)
        freed += each.bytes
        click.echo(f"{each.folder.name}\t{_size(each.bytes)}")
    click.echo(f"{_size(freed)} {'would be freed' if dry_run else 'freed'}", err=True)


def _prune_own(data: Path, *, dry_run: bool) -> int:
    """How many bytes were freed, or would be."""
    from cloche.compute.images.builder import occupied
    from cloche.compute.images.own import OwnImages
    from cloche.compute.images.store import BlobStore

    layout, freed = Layout(data), 0
    if not layout.rootfs.is_dir():
        return 0
    own = OwnImages(BlobStore(layout.registry), layout.rootfs)
    for digest in own.unpacked():
        size = occupied(layout.rootfs / digest.removeprefix("sha256:"))
        if own.is_in_use(digest) if dry_run else not own.remove(digest):
            click.echo(f"{digest} is in use and stays", err=True)
            continue
        freed += size
        click.echo(f"{digest}\t{_size(size)}")
    return freed


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
