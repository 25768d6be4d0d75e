"""Input channels become files the job can read but not change.

Where the compute backend gives a job files of its own, an object becomes a hard link beside the job's folder, and
that folder is bound read-only: no byte is copied, and no write through it is possible. Where it does not, a link
would let a job change the object itself (the owner of a file may always make it writable): there objects are copied.
See docs/decisions/0004-inputs-by-hard-link.md.

FastFile is the same view: on AWS a folder whose files are fetched as they are read, here the files themselves. What a
job sees of both is equal, and a container is told ``File`` in either case (``channel_validation.py`` of
aws/sagemaker-xgboost-container knows ``File`` and ``Pipe`` only, and its documentation recommends FastFile).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from cloche.compute.runtime import Mount
from cloche.engines.training.checkpoints import restore
from cloche.engines.training.hosts import TrainingHost
from cloche.engines.training.pipes import stage_pipes
from cloche.engines.training.place import Place
from cloche.engines.training.plan import Channel, Plan
from cloche.engines.training.sources import Source, failed, file_below, of_host, sources
from cloche.foundation.errors import NotFound
from cloche.storage.objects import ObjectStore
from cloche_jobs.contract import configuration
from cloche_jobs.contract.layout import ML_ROOT
from cloche_jobs.contract.sources import bundle_uri

ASK_EVERY_FILES: Final = 200
LOOPBACK: Final = "lo"
"""By which several hosts of one machine reach each other: libraries that are told ``eth0`` would not."""


class GivenUp(Exception):
    """The job is wanted no longer."""


def stage(
    plan: Plan,
    place: Place,
    objects: ObjectStore,
    *,
    private_files: bool,
    is_wanted: Callable[[], bool],
    host: TrainingHost,
) -> None:
    """Lay out everything below one host's ML root, from nothing; ``place`` is that host's. Raises ``Unfit`` and
    ``GivenUp``."""
    layout = place.make_afresh()
    for channel in plan.channels:
        share = plan.share(channel, host)
        if share is not None and not channel.is_piped:
            folder = place.inputs(channel.name) if private_files else layout.channel(channel.name)
            found = of_host(channel, sources(channel, objects), share)
            count = _fetch(channel, folder, found, objects, link=private_files, is_wanted=is_wanted)
            if count == 0 and share.number == 0:
                raise failed(
                    f"no objects are left under s3://{channel.bucket}/{channel.prefix} for channel {channel.name}"
                )
    stage_pipes(plan, place, objects, host)
    restore(plan, place, objects)
    _fetch_bundle(plan, place, objects)
    configuration.write_configuration(
        layout,
        plan.hyperparameters,
        [
            configuration.Channel(
                channel.name,
                channel.content_type,
                input_mode="Pipe" if channel.is_piped else "File",
                distribution=channel.distribution,
                record_wrapper=channel.record_wrapper,
            )
            for channel in plan.channels
            if plan.share(channel, host) is not None
        ],
        _cluster(plan, host),
    )
    if plan.checkpoints is not None:
        configuration.write_checkpoint_config(layout, plan.checkpoints.uri, plan.checkpoints.local_path)


def _cluster(plan: Plan, host: TrainingHost) -> configuration.Hosts:
    groups = [
        configuration.Group(group.name, group.instance_type, [each.name for each in plan.hosts if each.group is group])
        for group in plan.groups
    ]
    interface = LOOPBACK if len(plan.hosts) > 1 else configuration.INTERFACE
    return configuration.Hosts(groups, host.name, interface)


def mounts_of(plan: Plan, place: Place, host: TrainingHost, *, private_files: bool) -> tuple[Mount, ...]:
    """What the channels and checkpoints staged for ``host`` need bound where the job has private files."""
    if not private_files:
        return ()
    data = ML_ROOT / "input" / "data"
    mounts = [
        Mount(place.inputs(channel.name), str(data / channel.name))
        for channel in plan.channels
        if not channel.is_piped and plan.share(channel, host) is not None
    ]
    config = plan.checkpoints
    if config is not None and Path(config.local_path) != ML_ROOT / "checkpoints":
        mounts.append(Mount(place.layout.checkpoints, config.local_path, writable=True))
    return tuple(mounts)


def _fetch(
    channel: Channel,
    folder: Path,
    found: Iterator[Source],
    objects: ObjectStore,
    *,
    link: bool,
    is_wanted: Callable[[], bool],
) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    try:
        for source in found:
            objects.link_into(source.info, file_below(folder, source.name, source.info.key), link=link)
            count += 1
            if count % ASK_EVERY_FILES == 0 and not is_wanted():
                raise GivenUp
    except NotFound as error:
        raise failed(error.message) from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise failed(
            f"two keys of channel {channel.name} need one name as a file and as a folder: "
            f"{Path(str(error.filename2 or error.filename)).name}"
        ) from None
    return count


def _fetch_bundle(plan: Plan, place: Place, objects: ObjectStore) -> None:
    """The script bundle is copied: it lies where the job may write."""
    uri = bundle_uri(plan.hyperparameters, plan.environment)
    if uri is None:
        return
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        objects.link_into(objects.head(bucket, key), place.layout.bundle, link=False)
    except NotFound:
        raise failed(f"the script bundle {uri} is not there") from None
