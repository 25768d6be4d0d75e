"""Inputs in Pipe mode: what their feeder needs, laid out before the job starts.

The objects become hard links in a folder that only the feeder sees, so they stay as they were whatever happens to
them in S3, and no byte is copied; the feeder's document says in which order they stream. See ``feed_pipes``.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cloche.jobs import feed_pipes
from cloche.jobs.hosts import Share
from cloche.jobs.inputs import S3Input
from cloche.jobs.place import Place
from cloche.jobs.reading import note
from cloche.jobs.sources import augmented, failed, sources
from cloche.storage.objects import ObjectInfo, ObjectStore

_NOTHING: Final = "no objects are left under {uri} for {title}"


@dataclass(frozen=True, slots=True)
class Pipe:
    """One input as one host gets it: through ``<folder>/<name>_<epoch>``."""

    input: S3Input
    share: Share
    folder: Path
    """Below the ML root, as the server sees it; it is there."""
    name: str


def stage_pipes(pipes: Sequence[Pipe], place: Place, objects: ObjectStore) -> None:
    """Link what one host's pipes stream, and make the first of them. Raises ``Unfit``."""
    if not pipes:
        return
    root = place.layout.root
    inputs = [_staged(pipe, root, place.feeds / str(number), objects) for number, pipe in enumerate(pipes)]
    document = {"root": str(root.resolve()), "inputs": inputs}
    place.feeds.joinpath("document.json").write_text(json.dumps(document), encoding="utf-8")
    for pipe in pipes:
        os.mkfifo(pipe.folder / f"{pipe.name}_0", 0o600)


def feeder(place: Place) -> tuple[str, ...]:
    """The program to run beside a job with pipes on one host: it feeds all of them."""
    python = getattr(sys, "_base_executable", None) or sys.executable
    document = place.feeds.resolve() / "document.json"
    return (python, "-I", "-S", str(Path(feed_pipes.__file__).resolve()), str(document))


def _staged(pipe: Pipe, root: Path, folder: Path, objects: ObjectStore) -> dict[str, Any]:
    input, share = pipe.input, pipe.share
    folder.mkdir(parents=True)
    links = _Links(input, folder.resolve(), objects)
    if input.data_type == "AugmentedManifestFile":
        records = [[links.piece(part) for part in record] for record in augmented(input, objects)]
    else:
        records = [[links.piece(source.info)] for source in sources(input, objects)]
        if not records:
            raise failed(_NOTHING.format(uri=input.uri, title=input.title))
    is_sharded = input.distribution == "ShardedByS3Key"
    return {
        "title": input.title,
        "folder": pipe.folder.relative_to(root).parts,
        "name": pipe.name,
        "gzip": input.compression == "Gzip",
        "wrap": input.record_wrapper == "RecordIO",
        "seed": input.shuffle_seed,
        "host": share.number if is_sharded else 0,
        "hosts": share.count if is_sharded else 1,
        "records": records,
    }


class _Links:
    """Each object once, under a number."""

    def __init__(self, input: S3Input, folder: Path, objects: ObjectStore) -> None:
        self._input, self._folder, self._objects = input, folder, objects
        self._made: dict[tuple[str, str], Path] = {}

    def piece(self, part: ObjectInfo | str) -> dict[str, str]:
        if isinstance(part, str):
            return {"text": part}
        key = (part.bucket, part.key)
        path = self._made.get(key)
        if path is None:
            path = self._made[key] = self._folder / str(len(self._made))
            self._objects.link_into(part, path, link=True)
            note(self._input, part)
        return {"file": str(path), "key": f"s3://{part.bucket}/{part.key}"}
