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
from cloche.serving.model import ModelData, ServedModel
from cloche.storage.objects import ObjectInfo, ObjectStore
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
    if model.model_data is not None and model.model_data.is_packed:
        _unpack(model.model_data, folder, layout, objects, f"{model.name or PRIMARY} of {whose}")
    elif model.model_data is not None:
        _copy(model.model_data, layout.model, objects)
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


def _copy(data: ModelData, folder: Path, objects: ObjectStore) -> None:
    """One object under the last part of its key, or all below a prefix under what is left of theirs
    (docs.aws.amazon.com/sagemaker/latest/APIReference/API_S3ModelDataSource.html, names that fail among them). Copies:
    a model server may write where its model lies, but not through to S3."""
    start = data.key.rfind("/") + 1
    count = size = 0
    try:
        is_one = not data.key.endswith("/")
        for info in [objects.head(data.bucket, data.key)] if is_one else objects.iter_prefix(data.bucket, data.key):
            name = info.key[start:]
            if not name or name.endswith("/"):
                continue  # what consoles make in place of a folder
            count, size = count + 1, size + info.size
            if count > ARCHIVE_MEMBERS_MAX or size > ARCHIVE_BYTES_MAX:
                raise Unfit(
                    f"Failed to download model data for container: s3://{data.bucket}/{data.key} holds more than "
                    f"{ARCHIVE_MEMBERS_MAX} objects or {ARCHIVE_BYTES_MAX} bytes."
                )
            objects.link_into(info, _below(folder, name, info), link=False)
    except NotFound as error:
        raise Unfit(f"Failed to download model data for container: {error.message}") from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise Unfit(
            f"Failed to download model data for container: s3://{data.bucket}/{info.key} needs a name as a file that "
            "another object needs as a folder."
        ) from None
    if not count:
        raise Unfit(f"Failed to download model data for container: nothing is below s3://{data.bucket}/{data.key}.")


def _below(folder: Path, name: str, info: ObjectInfo) -> Path:
    """Where the file ``name`` goes; the folders on the way are made."""
    parts = name.split("/")
    if any(part.strip() in ("", ".", "..") or "\0" in part or len(part.encode()) > 255 for part in parts):
        raise Unfit(
            f"Failed to download model data for container: s3://{info.bucket}/{info.key} cannot be the name of a file."
        )
    target = folder.joinpath(*parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _unpack(data: ModelData, folder: Path, layout: Layout, objects: ObjectStore, whose: str) -> None:
    archive = folder / "model.tar.gz"
    _fetch(data.bucket, data.key, archive, objects, link=True)
    limits = Limits(bytes=ARCHIVE_BYTES_MAX, ratio=ARCHIVE_RATIO_MAX, members=ARCHIVE_MEMBERS_MAX)
    try:
        unpack(archive, layout.model, limits=limits, label=f"s3://{data.bucket}/{data.key}")
    except ArchiveRefused as error:
        shutil.rmtree(layout.model, ignore_errors=True)
        raise Unfit(f"Failed to extract model data archive for container {whose}: {error.message}") from None
    finally:
        archive.unlink(missing_ok=True)
