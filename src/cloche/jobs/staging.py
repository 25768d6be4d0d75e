"""Inputs become files the job can read but not change.

Where the compute backend gives a job files of its own, an object becomes a hard link beside the job's folder, and
that folder is bound read-only: no byte is copied, and no write through it is possible. Where it does not, a link
would let a job change the object itself (the owner of a file may always make it writable): there objects are copied.
So are small files for programs that write where their inputs lie.
See docs/decisions/0004-inputs-by-hard-link.md and 0015-what-a-processing-job-may-write.md.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cloche.foundation.errors import NotFound
from cloche.foundation.limits import MIB
from cloche.jobs.hosts import Share
from cloche.jobs.inputs import S3Input
from cloche.jobs.reading import note
from cloche.jobs.sources import Source, failed, file_below, of_host, sources
from cloche.storage.objects import ObjectStore

ASK_EVERY_FILES: Final = 200
COPIED_FILE_BYTES_MAX: Final = MIB
COPIED_BYTES_MAX: Final = 256 * MIB


class GivenUp(Exception):
    """The job is wanted no longer."""


class TooMuch(Exception):
    """More than a folder of the job's own should hold."""


def fetch(
    input: S3Input, share: Share, folder: Path, objects: ObjectStore, *, link: bool, is_wanted: Callable[[], bool]
) -> int:
    """Lay one host's share of ``input`` out below ``folder``, which is made; how many files that were. Raises
    ``Unfit``, also if the first host gets nothing, and ``GivenUp``."""

    def place(source: Source) -> None:
        objects.link_into(source.info, file_below(folder, source.name, source.info.key), link=link)

    folder.mkdir(parents=True, exist_ok=True)
    return fetch_each(input, share, objects, place, is_wanted=is_wanted)


def fetch_copies(
    input: S3Input, share: Share, folder: Path, objects: ObjectStore, *, is_wanted: Callable[[], bool]
) -> bool:
    """The same as files of the job's own, if they are small; ``False`` if they are not, and nothing is there then."""
    copied = 0

    def place(source: Source) -> None:
        nonlocal copied
        copied += source.info.size
        if source.info.size > COPIED_FILE_BYTES_MAX or copied > COPIED_BYTES_MAX:
            raise TooMuch
        objects.link_into(source.info, file_below(folder, source.name, source.info.key), link=False)

    folder.mkdir(parents=True, exist_ok=True)
    try:
        fetch_each(input, share, objects, place, is_wanted=is_wanted)
    except TooMuch:
        shutil.rmtree(folder)
        return False
    return True


def fetch_each(
    input: S3Input,
    share: Share,
    objects: ObjectStore,
    place: Callable[[Source], None],
    *,
    is_wanted: Callable[[], bool],
) -> int:
    """The same, where ``place`` does it for each file. An object that a manifest lists twice is one file."""
    count = 0
    listed: set[tuple[str, str]] = set()
    try:
        for source in of_host(input, sources(input, objects), share):
            if input.data_type == "ManifestFile":
                what = (source.info.bucket, source.info.key)
                if what in listed:
                    continue
                listed.add(what)
            place(source)
            note(input, source.info)
            count += 1
            if count % ASK_EVERY_FILES == 0 and not is_wanted():
                raise GivenUp
    except NotFound as error:
        raise failed(error.message) from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise failed(
            f"two keys of {input.title} need one name as a file and as a folder: "
            f"{Path(str(error.filename2 or error.filename)).name}"
        ) from None
    if count == 0 and share.number == 0:
        raise failed(f"no objects are left under {input.uri} for {input.title}")
    return count
