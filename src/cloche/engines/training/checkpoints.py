"""A job's checkpoints: fetched at its start, kept alike with S3 while it runs.

At a start, everything below ``CheckpointConfig.S3Uri`` is copied into the job's folder. Each host of a job has a
folder of its own; S3 has one for all of them.

Sources: docs.aws.amazon.com/sagemaker/latest/dg/model-checkpoints.html; names that end in ``.sagemaker-ignore`` are
passed over, and removals followed, by ``checkpointing.py`` of aws/sagemaker-xgboost-container.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cloche.engines.training.plan import Plan
from cloche.foundation.errors import NotFound
from cloche.jobs.folders import Folder
from cloche.jobs.place import Place
from cloche.jobs.sources import failed, file_below
from cloche.storage.objects import ObjectStore

IGNORED: Final = ".sagemaker-ignore"


def restore(plan: Plan, place: Place, objects: ObjectStore) -> None:
    """Copy what S3 holds into the job's folder, which is made. Raises ``Unfit``."""
    config = plan.checkpoints
    if config is None:
        return
    folder = place.layout.checkpoints
    folder.mkdir(parents=True, exist_ok=True)
    start = f"{config.prefix}/" if config.prefix else ""
    try:
        for info in objects.iter_prefix(config.bucket, start):
            if not info.key.endswith("/"):
                target = file_below(folder, info.key[len(start) :], info.key)
                objects.link_into(info, target, link=False)
    except NotFound as error:
        raise failed(f"the checkpoints below {config.uri}: {error.message}") from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        name = Path(str(error.filename2 or error.filename)).name
        what = "two keys need one name as a file and as a folder"
        raise failed(f"the checkpoints below {config.uri}: {what}: {name}") from None


def folders_of(plan: Plan, place: Place) -> list[Folder]:
    """What is kept alike with S3; nothing for a job without checkpoints."""
    config = plan.checkpoints
    if config is None:
        return []
    layouts = [place.of_host(host.number).layout for host in plan.hosts]
    return [
        Folder(
            layout.root,
            layout.checkpoints.relative_to(layout.root).parts,
            config.bucket,
            config.prefix,
            follows_removals=True,
            is_restored=True,
            passes_over=IGNORED,
        )
        for layout in layouts
    ]
