"""Where a training job's results go: the output bucket and the checkpoints of a CreateTrainingJob request.

Source: docs.aws.amazon.com/sagemaker/latest/APIReference/API_CheckpointConfig.html
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

from cloche.aws.operation import Context, Members
from cloche.engines.training import CheckpointConfig
from cloche.foundation.errors import Invalid, NotFound, NotSupported
from cloche.services.sagemaker.training.channels import address

ML: Final = PurePosixPath("/opt/ml")
LOCAL_PATH_DEFAULT: Final = str(ML / "checkpoints")
_TAKEN: Final = tuple(
    map(PurePosixPath, ("/opt/cloche", "/opt/ml/input", "/opt/ml/model", "/opt/ml/output", "/opt/ml/code"))
)
_FREE: Final = tuple(map(PurePosixPath, ("/opt", "/tmp", "/home", "/root", "/mnt", "/srv", "/data", "/checkpoints")))  # noqa: S108
"""Folders of the job's own system below which one more can be laid; in any other there is the machine's system."""


def plan_checkpoints(config: Members | None) -> CheckpointConfig | None:
    """Raises ``Invalid``."""
    if not config:
        return None
    bucket, prefix = address(config["S3Uri"], "CheckpointConfig.S3Uri")
    path = PurePosixPath(config.get("LocalPath") or LOCAL_PATH_DEFAULT)
    taken = any(path == each or path in each.parents or path.is_relative_to(each) for each in _TAKEN)
    if not path.is_absolute() or ".." in path.parts or taken or not any(path.is_relative_to(each) for each in _FREE):
        raise Invalid(
            f"CheckpointConfig.LocalPath {str(path)[:200]} cannot be a folder for checkpoints: give an absolute path, "
            f"such as {LOCAL_PATH_DEFAULT}, that holds nothing else of the job's.",
            field="LocalPath",
        )
    return CheckpointConfig(bucket, prefix.rstrip("/"), str(path))


def check_local_path_outside(config: CheckpointConfig) -> None:
    """Without a sandbox there is no other place for them. Raises ``NotSupported``."""
    if config.local_path != LOCAL_PATH_DEFAULT:
        raise NotSupported(
            f"CheckpointConfig.LocalPath {config.local_path} needs a sandbox, and bubblewrap (bwrap) is not there or "
            f"does not work here: only {LOCAL_PATH_DEFAULT} can be had."
        )


def check_bucket(ctx: Context, bucket: str, member: str) -> None:
    """Raises ``Invalid``."""
    try:
        ctx.parts.objects.list(bucket, limit=1)
    except NotFound:
        raise Invalid(
            f'The bucket "{bucket}" given in {member} does not exist.', field=member.rpartition(".")[2]
        ) from None
