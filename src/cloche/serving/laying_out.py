"""The folder of a model server: its model unpacked, its script where it looks for it.

May be repeated: a folder that is complete is left alone. What users hand in is opened as hostile
(``cloche_jobs.contract.unpacking``); a refusal is a failure reason, never an exception to whoever asks.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from cloche.foundation.errors import NotFound
from cloche.foundation.limits import ARCHIVE_BYTES_MAX, ARCHIVE_MEMBERS_MAX, ARCHIVE_RATIO_MAX
from cloche.serving.model import ServedModel
from cloche.storage.objects import ObjectStore
from cloche_jobs.contract import Layout
from cloche_jobs.contract.sources import bundle_uri
from cloche_jobs.contract.unpacking import ArchiveRefused, Limits, unpack

PRIMARY: Final = "primary"
_COMPLETE: Final = ".complete"


class Unfit(Exception):
    """The model cannot be served as asked; the text is the ``FailureReason``."""


def layout_of(folder: Path) -> Layout:
    return Layout(folder / "ml")


def lay_out(folder: Path, model: ServedModel, objects: ObjectStore, *, whose: str) -> None:
    """Make ``folder`` ready for ``process_of``. ``whose`` names the owner in a reason. Raises ``Unfit``."""
    if (folder / _COMPLETE).exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    layout = layout_of(folder).make()
    if model.model_data is not None:
        _unpack(*model.model_data, folder, layout, objects, f"{model.name or PRIMARY} of {whose}")
    uri = bundle_uri({}, dict(model.environment))
    if uri is not None:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        _fetch(bucket, key, layout.bundle, objects, link=False)  # the process may write to it
    (folder / _COMPLETE).touch()


def _fetch(bucket: str, key: str, target: Path, objects: ObjectStore, *, link: bool) -> None:
    try:
        objects.link_into(objects.head(bucket, key), target, link=link)
    except NotFound:
        raise Unfit(f"Failed to download model data for container: s3://{bucket}/{key} is not there.") from None


def _unpack(bucket: str, key: str, folder: Path, layout: Layout, objects: ObjectStore, whose: str) -> None:
    archive = folder / "model.tar.gz"
    _fetch(bucket, key, archive, objects, link=True)
    limits = Limits(bytes=ARCHIVE_BYTES_MAX, ratio=ARCHIVE_RATIO_MAX, members=ARCHIVE_MEMBERS_MAX)
    try:
        unpack(archive, layout.model, limits=limits, label=f"s3://{bucket}/{key}")
    except ArchiveRefused as error:
        shutil.rmtree(layout.model, ignore_errors=True)
        raise Unfit(f"Failed to extract model data archive for container {whose}: {error.message}") from None
    finally:
        archive.unlink(missing_ok=True)
