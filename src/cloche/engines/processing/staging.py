"""One host's folder, laid out from nothing: inputs, pipes, output folders, and what the job is told of itself.

On AWS an input is a folder of the job's own, and programs write there: the SDK's ``runproc.sh`` unpacks its bundle
where the bundle lies. So it is here, too, where a sandbox can be had: small files are copied, and each large one is a
hard link bound read-only at its name. An input of many files is a folder of links that is read-only as a whole; see
docs/decisions/0015-what-a-processing-job-may-write.md.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from cloche.compute.runtime import Mount
from cloche.engines.processing.inside import Inside
from cloche.engines.processing.plan import Input, Plan
from cloche.jobs.folders import Folder
from cloche.jobs.hosts import JobHost, Share
from cloche.jobs.pipes import Pipe, stage_pipes
from cloche.jobs.place import Place
from cloche.jobs.sources import Source, failed, file_below
from cloche.jobs.staging import COPIED_BYTES_MAX, COPIED_FILE_BYTES_MAX, TooMuch, fetch, fetch_each
from cloche.storage.objects import ObjectStore
from cloche_jobs.contract import processing
from cloche_jobs.contract.layout import ML_ROOT

BOUND_FILES_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Staged:
    """What ``start`` needs to know of one host."""

    mounts: tuple[Mount, ...]
    has_pipes: bool


def stage(
    plan: Plan,
    host: JobHost,
    place: Place,
    objects: ObjectStore,
    *,
    private_files: bool,
    is_wanted: Callable[[], bool],
) -> Staged:
    """``place`` is the host's. Raises ``Unfit`` and ``GivenUp``."""
    layout = place.make_afresh()
    processing.make(layout, plan.configuration, host.name, [each.name for each in plan.hosts])
    inside, pipes = Inside(place), list[Pipe]()
    try:
        for number, input in sorted(enumerate(plan.inputs), key=lambda each: each[1].local_path.count("/")):
            if input.is_piped:
                path = PurePosixPath(input.local_path)
                root, way = inside.folder(str(path.parent))
                pipes.append(Pipe(input, plan.share(host), root.joinpath(*way), path.name))
            elif private_files:
                _lay_out(input, plan.share(host), inside, place.inputs(str(number)), objects, is_wanted)
            else:
                root, way = inside.folder(input.local_path)
                fetch(input, plan.share(host), root.joinpath(*way), objects, link=False, is_wanted=is_wanted)
        stage_pipes(pipes, place, objects)
        for output in plan.outputs:
            inside.folder(output.local_path)
    except (FileExistsError, NotADirectoryError) as error:
        raise failed(f"a file of an input is where a folder is wanted: {error.filename}") from None
    return Staged(tuple(inside.mounts), bool(pipes))


def _lay_out(
    input: Input, share: Share, inside: Inside, links: Path, objects: ObjectStore, is_wanted: Callable[[], bool]
) -> None:
    """``links`` is where hard links may lie; nothing is there yet."""
    bound_before = list(inside.mounts)
    root, way = inside.folder(input.local_path)
    folder = root.joinpath(*way)
    bound = copied = 0

    def put(source: Source) -> None:
        nonlocal bound, copied
        target = file_below(folder, source.name, source.info.key)
        if source.info.size <= COPIED_FILE_BYTES_MAX:
            copied += source.info.size
            if copied > COPIED_BYTES_MAX:
                raise TooMuch
            objects.link_into(source.info, target, link=False)
            return
        bound += 1
        if bound > BOUND_FILES_MAX:
            raise TooMuch
        link = file_below(links, source.name, source.info.key)
        objects.link_into(source.info, link, link=True)
        inside.bind_file(link, target, f"{input.local_path.rstrip('/')}/{source.name}")

    try:
        fetch_each(input, share, objects, put, is_wanted=is_wanted)
    except TooMuch:
        inside.mounts = bound_before
        shutil.rmtree(folder)
        shutil.rmtree(links, ignore_errors=True)
        fetch(input, share, links, objects, link=True, is_wanted=is_wanted)
        inside.bind(links, input.local_path)


def folders_of(plan: Plan, place: Place, *, continuous: bool | None = None) -> list[Folder]:
    """What is to be stored in S3, of all hosts: all of it, or that of one of the two ways to upload."""
    found: list[Folder] = []
    for host in plan.hosts:
        root = place.of_host(host.number).layout.root
        for output in plan.outputs:
            if continuous is None or output.continuous == continuous:
                way = PurePosixPath(output.local_path).relative_to(ML_ROOT).parts
                found.append(Folder(root, way, output.bucket, output.prefix))
    return found
