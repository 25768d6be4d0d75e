"""Inputs become files the job can read but not change.

Where the compute backend gives a job files of its own, an object becomes a hard link beside the job's folder, and
that folder is bound read-only: no byte is copied, and no write through it is possible. Where it does not, a link
would let a job change the object itself (the owner of a file may always make it writable): there objects are copied.
See docs/decisions/0004-inputs-by-hard-link.md.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from cloche.foundation.errors import NotFound
from cloche.jobs.hosts import Share
from cloche.jobs.inputs import S3Input
from cloche.jobs.reading import note
from cloche.jobs.sources import Source, failed, file_below, of_host, sources
from cloche.storage.objects import ObjectStore

ASK_EVERY_FILES: Final = 200


class GivenUp(Exception):
    """The job is wanted no longer."""


def fetch(
    input: S3Input, share: Share, folder: Path, objects: ObjectStore, *, link: bool, is_wanted: Callable[[], bool]
) -> int:
    """Lay one host's share of ``input`` out below ``folder``, which is made; how many files that were. Raises
    ``Unfit``, also if the first host gets nothing, and ``GivenUp``."""

    def place(source: Source) -> None:
        objects.link_into(source.info, file_below(folder, source.name, source.info.key), link=link)

    folder.mkdir(parents=True, exist_ok=True)
    return fetch_each(input, share, objects, place, is_wanted=is_wanted)


def fetch_each(
    input: S3Input,
    share: Share,
    objects: ObjectStore,
    place: Callable[[Source], None],
    *,
    is_wanted: Callable[[], bool],
) -> int:
    """The same, where ``place`` does it for each file."""
    count = 0
    try:
        for source in of_host(input, sources(input, objects), share):
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
