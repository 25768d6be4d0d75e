"""Where a training job's results go: output bucket, checkpoints and TensorBoard's files of a CreateTrainingJob request.

Sources: API_CheckpointConfig.html and API_TensorBoardOutputConfig.html below
docs.aws.amazon.com/sagemaker/latest/APIReference
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

from cloche.aws.operation import Context, Members
from cloche.engines.training import KeptFolder, Plan
from cloche.foundation.errors import Invalid, NotFound, NotSupported
from cloche.services.sagemaker.training.channels import address

ML: Final = PurePosixPath("/opt/ml")
LOCAL_PATH_DEFAULT: Final = str(ML / "checkpoints")
TENSORBOARD_DEFAULT: Final = str(ML / "output" / "tensorboard")
_READ_ONLY: Final = tuple(map(PurePosixPath, ("/opt/cloche", "/opt/ml/input")))
_TAKEN: Final = (*_READ_ONLY, *map(PurePosixPath, ("/opt/ml/model", "/opt/ml/output", "/opt/ml/code")))
_FREE: Final = tuple(map(PurePosixPath, ("/opt", "/tmp", "/home", "/root", "/mnt", "/srv", "/data", "/checkpoints")))  # noqa: S108
"""Folders of the job's own system below which one more can be laid; in any other there is the machine's system."""


def plan_checkpoints(config: Members | None) -> KeptFolder | None:
    """Raises ``Invalid``."""
    if not config:
        return None
    bucket, prefix = address(config["S3Uri"], "CheckpointConfig.S3Uri")
    path = config.get("LocalPath") or LOCAL_PATH_DEFAULT
    if not _can_be_kept(path, closed=_TAKEN):
        raise Invalid(
            f"CheckpointConfig.LocalPath {_shown(path)} cannot be a folder for checkpoints: give an absolute path, "
            f"such as {LOCAL_PATH_DEFAULT}, that holds nothing else of the job's.",
            field="LocalPath",
        )
    return KeptFolder(bucket, prefix.rstrip("/"), str(PurePosixPath(path)))


def plan_tensorboard(config: Members | None) -> KeptFolder | None:
    """Below ``/opt/ml`` its folder may be any that a job writes to. Raises ``Invalid``."""
    if not config:
        return None
    bucket, prefix = address(config["S3OutputPath"], "TensorBoardOutputConfig.S3OutputPath")
    path = config.get("LocalPath") or TENSORBOARD_DEFAULT
    if not _can_be_kept(path, closed=_READ_ONLY):
        raise Invalid(
            f"TensorBoardOutputConfig.LocalPath {_shown(path)} cannot be a folder for TensorBoard's files: give an "
            f"absolute path, such as {TENSORBOARD_DEFAULT}, that holds nothing else of the job's.",
            field="LocalPath",
        )
    return KeptFolder(bucket, prefix.rstrip("/"), str(PurePosixPath(path)))


def _can_be_kept(local_path: str, *, closed: Sequence[PurePosixPath]) -> bool:
    """Whether a folder may be laid there: in the job's own system, over none of its folders, below no ``closed``
    one."""
    path = PurePosixPath(local_path)
    covers = any(each.is_relative_to(path) for each in _TAKEN)
    is_closed = any(path.is_relative_to(each) for each in closed)
    is_free = any(path.is_relative_to(each) for each in _FREE)
    return path.is_absolute() and ".." not in path.parts and is_free and not covers and not is_closed


def _shown(local_path: str) -> str:
    return str(PurePosixPath(local_path))[:200]


def check_kept(ctx: Context, plan: Plan, *, private_files: bool) -> None:
    """The buckets of folders that go to S3 while the job runs; and without a sandbox there is no place for what lies
    elsewhere. Raises ``Invalid`` and ``NotSupported``."""
    if (config := plan.checkpoints) is not None:
        check_bucket(ctx, config.bucket, "CheckpointConfig.S3Uri")
        if not private_files and config.local_path != LOCAL_PATH_DEFAULT:
            raise _outside("CheckpointConfig", config, LOCAL_PATH_DEFAULT)
    if (config := plan.tensorboard) is not None:
        check_bucket(ctx, config.bucket, "TensorBoardOutputConfig.S3OutputPath")
        if plan.checkpoints is not None and config.local_path == plan.checkpoints.local_path:
            raise Invalid(
                "TensorBoardOutputConfig.LocalPath is CheckpointConfig's: give each its own.", field="LocalPath"
            )
        if not private_files and not PurePosixPath(config.local_path).is_relative_to(ML):
            raise _outside("TensorBoardOutputConfig", config, TENSORBOARD_DEFAULT)


def _outside(member: str, config: KeptFolder, usual: str) -> NotSupported:
    return NotSupported(
        f"{member}.LocalPath {config.local_path} needs a sandbox, and bubblewrap (bwrap) is not there or "
        f"does not work here: {usual} can be had."
    )


def check_bucket(ctx: Context, bucket: str, member: str) -> None:
    """Raises ``Invalid``."""
    try:
        ctx.parts.objects.list(bucket, limit=1)
    except NotFound:
        raise Invalid(
            f'The bucket "{bucket}" given in {member} does not exist.', field=member.rpartition(".")[2]
        ) from None
