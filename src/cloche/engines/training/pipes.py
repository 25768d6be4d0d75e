"""Channels in Pipe mode: what their feeder needs, laid out before the job starts.

The objects become hard links in a folder that only the feeder sees, so they stay as they were whatever happens to
them in S3, and no byte is copied; the feeder's document says in which order they stream. See ``feed_pipes``.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, Final

from cloche.engines.training import feed_pipes
from cloche.engines.training.hosts import Share, TrainingHost
from cloche.engines.training.place import Place
from cloche.engines.training.plan import Channel, Plan
from cloche.engines.training.sources import augmented, failed, sources
from cloche.storage.objects import ObjectInfo, ObjectStore

_NOTHING: Final = "no objects are left under s3://{bucket}/{prefix} for channel {name}"


def stage_pipes(plan: Plan, place: Place, objects: ObjectStore, host: TrainingHost) -> None:
    """Link what one host's piped channels stream, and make their first pipes. Raises ``Unfit``."""
    piped = _piped(plan, host)
    if not piped:
        return
    channels = [_staged(channel, place, objects, share) for channel, share in piped]
    data, root = place.layout.data, place.layout.root
    document = {"root": str(root.resolve()), "folder": data.relative_to(root).parts, "channels": channels}
    place.feeds.joinpath("document.json").write_text(json.dumps(document), encoding="utf-8")
    for channel, _ in piped:
        os.mkfifo(data / f"{channel.name}_0", 0o600)


def feeder(plan: Plan, place: Place, host: TrainingHost) -> tuple[tuple[str, ...], ...]:
    """The programs to run beside the job on ``host``: one that feeds all its pipes, or none."""
    if not _piped(plan, host):
        return ()
    python = getattr(sys, "_base_executable", None) or sys.executable
    document = place.feeds.resolve() / "document.json"
    return ((python, "-I", "-S", str(Path(feed_pipes.__file__).resolve()), str(document)),)


def _piped(plan: Plan, host: TrainingHost) -> list[tuple[Channel, Share]]:
    shares = ((channel, plan.share(channel, host)) for channel in plan.channels if channel.is_piped)
    return [(channel, share) for channel, share in shares if share is not None]


def _staged(channel: Channel, place: Place, objects: ObjectStore, share: Share) -> dict[str, Any]:
    folder = place.feeds / channel.name
    folder.mkdir(parents=True)
    links = _Links(folder.resolve(), objects)
    if channel.data_type == "AugmentedManifestFile":
        records = [[links.piece(part) for part in record] for record in augmented(channel, objects)]
    else:
        records = [[links.piece(source.info)] for source in sources(channel, objects)]
        if not records:
            raise failed(_NOTHING.format(bucket=channel.bucket, prefix=channel.prefix, name=channel.name))
    return {
        "name": channel.name,
        "gzip": channel.compression == "Gzip",
        "wrap": channel.record_wrapper == "RecordIO",
        "seed": channel.shuffle_seed,
        "host": share.number if channel.distribution == "ShardedByS3Key" else 0,
        "hosts": share.count if channel.distribution == "ShardedByS3Key" else 1,
        "records": records,
    }


class _Links:
    """Each object once, under a number."""

    def __init__(self, folder: Path, objects: ObjectStore) -> None:
        self._folder, self._objects = folder, objects
        self._made: dict[tuple[str, str], Path] = {}

    def piece(self, part: ObjectInfo | str) -> dict[str, str]:
        if isinstance(part, str):
            return {"text": part}
        key = (part.bucket, part.key)
        path = self._made.get(key)
        if path is None:
            path = self._made[key] = self._folder / str(len(self._made))
            self._objects.link_into(part, path, link=True)
        return {"file": str(path), "key": f"s3://{part.bucket}/{part.key}"}
