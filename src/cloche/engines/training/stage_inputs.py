"""A training job's folder, laid out from nothing: its channels, checkpoints, script bundle and configuration.

FastFile is the same view as File: on AWS a folder whose files are fetched as they are read, here the files themselves.
What a job sees of both is equal, and a container is told ``File`` in either case (``channel_validation.py`` of
aws/sagemaker-xgboost-container knows ``File`` and ``Pipe`` only, and its documentation recommends FastFile).

A program that the request names may write where its inputs lie, as on AWS: the SDK's ``ModelTrainer`` makes a script
executable there. What it is given is small, and then copied; else it is links, read-only, as others' inputs are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from cloche.compute.runtime import Mount
from cloche.engines.training import tensorboard
from cloche.engines.training.checkpoints import restore
from cloche.engines.training.plan import Plan
from cloche.foundation.errors import Invalid, NotFound
from cloche.jobs.file_systems import FileSystems
from cloche.jobs.hosts import JobHost
from cloche.jobs.pipes import Pipe, stage_pipes
from cloche.jobs.place import Place
from cloche.jobs.sources import failed
from cloche.jobs.staging import fetch, fetch_copies
from cloche.storage.objects import ObjectStore
from cloche_jobs.contract import configuration
from cloche_jobs.contract.layout import ML_ROOT
from cloche_jobs.contract.sources import bundle_uri


def stage(
    plan: Plan,
    place: Place,
    objects: ObjectStore,
    *,
    private_files: bool,
    is_wanted: Callable[[], bool],
    host: JobHost,
    interface: str,
    directories: Sequence[Mount] = (),
) -> None:
    """Lay out everything below one host's ML root, from nothing; ``place`` is that host's, ``interface`` what it is
    told to reach the others by (a library that is told one that is not there finds no way). ``directories`` are the
    folders of file systems; where nothing can be bound, links lead there. Raises ``Unfit`` and ``GivenUp``."""
    layout = place.make_afresh().make()
    if host.number == 0 and len(plan.hosts) > 1:
        layout.meeting.mkdir()
    for channel in plan.channels:
        share = plan.share(channel, host)
        if share is not None and not channel.is_piped:
            own, links = layout.channel(channel.name), place.inputs(channel.name)
            if private_files and plan.entrypoint and fetch_copies(channel, share, own, objects, is_wanted=is_wanted):
                continue
            folder = links if private_files else own
            fetch(channel, share, folder, objects, link=private_files, is_wanted=is_wanted)
    for directory in directories if not private_files else ():
        (layout.root / Path(directory.target).relative_to(ML_ROOT)).symlink_to(directory.source)
    stage_pipes(pipes_of(plan, place, host), place, objects)
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
        ]
        + [configuration.Channel(each.name, each.content_type) for each in plan.directories],
        _cluster(plan, host, interface),
    )
    tensorboard.prepare(plan, layout)
    if plan.checkpoints is not None:
        configuration.write_checkpoint_config(layout, plan.checkpoints.uri, plan.checkpoints.local_path)


def directories_of(plan: Plan, file_systems: FileSystems) -> tuple[Mount, ...]:
    """The folders of file systems that are channels of the job, on each of its hosts. Raises ``Unfit``."""
    try:
        return tuple(file_systems.mount(each, str(ML_ROOT / "input" / "data" / each.name)) for each in plan.directories)
    except Invalid as error:
        raise failed(error.message) from None


def pipes_of(plan: Plan, place: Place, host: JobHost) -> list[Pipe]:
    """The channels that stream to ``host``."""
    shares = ((channel, plan.share(channel, host)) for channel in plan.channels if channel.is_piped)
    return [Pipe(channel, share, place.layout.data, channel.name) for channel, share in shares if share is not None]


def _cluster(plan: Plan, host: JobHost, interface: str) -> configuration.Hosts:
    groups = [
        configuration.Group(group.name, group.instance_type, [each.name for each in plan.hosts if each.group is group])
        for group in plan.groups
    ]
    return configuration.Hosts(groups, host.name, interface)


def mounts_of(plan: Plan, place: Place, host: JobHost, *, private_files: bool) -> tuple[Mount, ...]:
    """What is staged for ``host``, and its folders that go to S3, need bound where the job has private files."""
    if not private_files:
        return ()
    data = ML_ROOT / "input" / "data"
    mounts = [
        Mount(place.inputs(channel.name), str(data / channel.name))
        for channel in plan.channels
        if place.inputs(channel.name).is_dir()
    ]
    config = plan.checkpoints
    if config is not None and Path(config.local_path) != ML_ROOT / "checkpoints":
        mounts.append(Mount(place.layout.checkpoints, config.local_path, writable=True))
    mounts += tensorboard.mounts_of(plan, place.layout)
    return tuple(mounts)


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
