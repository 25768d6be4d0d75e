"""Input channels become files the job can read but not change.

Where the compute backend gives a job files of its own, an object becomes a hard link beside the job's folder, and
that folder is bound read-only: no byte is copied, and no write through it is possible. Where it does not, a link
would let a job change the object itself (the owner of a file may always make it writable): there objects are copied.
See docs/decisions/0004-inputs-by-hard-link.md.

How keys become names (File mode): the part of the key after the prefix, if the prefix is a folder, else after the
prefix's last slash. Source: docs.aws.amazon.com/sagemaker/latest/APIReference/API_S3DataSource.html and
docs.aws.amazon.com/sagemaker/latest/dg/model-train-storage.html
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from cloche.compute.runtime import Mount
from cloche.engines.training.place import Place
from cloche.engines.training.plan import Channel, Plan
from cloche.foundation.errors import NotFound
from cloche.storage.objects import ObjectStore
from cloche_jobs.contract import configuration
from cloche_jobs.contract.layout import ML_ROOT
from cloche_jobs.contract.sources import bundle_uri

ASK_EVERY_FILES: Final = 200


class Unfit(Exception):
    """The job cannot run as asked; the text is its ``FailureReason``."""


class GivenUp(Exception):
    """The job is wanted no longer."""


def stage(
    plan: Plan, place: Place, objects: ObjectStore, *, private_files: bool, is_wanted: Callable[[], bool]
) -> tuple[Mount, ...]:
    """Lay out everything below the ML root, from nothing. Raises ``Unfit`` and ``GivenUp``."""
    layout = place.make_afresh()
    mounts = []
    for channel in plan.channels:
        folder = place.inputs(channel.name) if private_files else layout.channel(channel.name)
        _fetch(channel, folder, objects, link=private_files, is_wanted=is_wanted)
        if private_files:
            mounts.append(Mount(folder, str(ML_ROOT / "input" / "data" / channel.name)))
    _fetch_bundle(plan, place, objects)
    configuration.write_configuration(
        layout,
        plan.hyperparameters,
        [
            configuration.Channel(
                channel.name,
                channel.content_type,
                distribution=channel.distribution,
                record_wrapper=channel.record_wrapper,
            )
            for channel in plan.channels
        ],
        configuration.Hosts(instance_type=plan.instance_type),
    )
    return tuple(mounts)


def mounts_of(plan: Plan, place: Place, *, private_files: bool) -> tuple[Mount, ...]:
    """The mounts ``stage`` answered."""
    if not private_files:
        return ()
    return tuple(
        Mount(place.inputs(channel.name), str(ML_ROOT / "input" / "data" / channel.name)) for channel in plan.channels
    )


def _fetch(channel: Channel, folder: Path, objects: ObjectStore, *, link: bool, is_wanted: Callable[[], bool]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    try:
        for info in objects.iter_prefix(channel.bucket, channel.prefix):
            name = relative_name(channel.prefix, info.key)
            if name is None:
                continue
            target = _target(folder, name, info.key)
            objects.link_into(info, target, link=link)
            count += 1
            if count % ASK_EVERY_FILES == 0 and not is_wanted():
                raise GivenUp
    except NotFound as error:
        raise Unfit(f"ClientError: Data download failed: {error.message}") from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise Unfit(
            f"ClientError: Data download failed: two keys of channel {channel.name} need one name as a file and as "
            f"a folder: {Path(str(error.filename2 or error.filename)).name}"
        ) from None
    if count == 0:
        raise Unfit(
            f"ClientError: Data download failed: no objects are left under s3://{channel.bucket}/{channel.prefix} "
            f"for channel {channel.name}"
        )


def relative_name(prefix: str, key: str) -> str | None:
    """What the object at ``key`` is called below its channel; ``None`` for a folder's marker."""
    if key.endswith("/"):
        return None
    if key == prefix:
        return key.rpartition("/")[2]
    if prefix and not prefix.endswith("/") and key.startswith(prefix + "/"):
        return key[len(prefix) + 1 :]
    return key[len(prefix.rpartition("/")[0]) :].removeprefix("/") if "/" in prefix else key


def _target(folder: Path, name: str, key: str) -> Path:
    parts = name.split("/")
    if any(part in ("", ".", "..") or "\0" in part or len(part.encode()) > 255 for part in parts):
        raise Unfit(f"ClientError: Data download failed: the key {key!r} cannot be a file name")
    target = folder.joinpath(*parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _fetch_bundle(plan: Plan, place: Place, objects: ObjectStore) -> None:
    """The script bundle is copied: it lies where the job may write."""
    uri = bundle_uri(plan.hyperparameters, plan.environment)
    if uri is None:
        return
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        objects.link_into(objects.head(bucket, key), place.layout.bundle, link=False)
    except NotFound:
        raise Unfit(f"ClientError: Data download failed: the script bundle {uri} is not there") from None
