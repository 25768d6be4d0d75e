"""Names of environment variables, and the whole environment a job's process is started with.

Nothing of the server's own environment reaches a job except what ``passed_on`` names: locale and certificates. Where
packages come from, ``cloche.compute.packages`` tells.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from cloche_jobs.contract.layout import ML_ROOT, ML_ROOT_VARIABLE

IMAGE = "CLOCHE_IMAGE"
BIND = "CLOCHE_BIND"

_ALONE = {"TAR_OPTIONS": "--no-same-owner"}
"""Root in a sandbox is its only user: ``tar`` as root would give files to whom they belonged where they were packed,
and fail. SDK 3 unpacks a ``source_dir`` that is an archive by ``tar -xzf``."""

PASSED_ON = (
    "LANG",
    "LC_ALL",
    "TZ",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
)


def passed_on(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The part of the server's environment that a job may see."""
    return {name: environment[name] for name in PASSED_ON if name in environment}


def training_environment(
    *,
    image: str,
    python: Path | str,
    package_root: Path | str,
    job_name: str,
    job_arn: str,
    region: str,
    request: Mapping[str, str] | None = None,
    extra: Mapping[str, str] | None = None,
    ml_root: Path | str = ML_ROOT,
    host: str = "algo-1",
    programs: Path | str | None = None,
) -> dict[str, str]:
    """Everything a training job's process is started with.

    ``image`` is the catalog's key, ``python`` the environment's interpreter, ``package_root`` what ``PYTHONPATH``
    names, ``request`` the request's ``Environment``, ``extra`` credentials and endpoint addresses; both win over
    what is made here, except for Cloche's own names. ``programs`` is the folder of the job's own environment's, where
    it has one.
    """
    return {
        **_common(python, region, programs),
        "TRAINING_JOB_NAME": job_name,
        "TRAINING_JOB_ARN": job_arn,
        "CURRENT_HOST": host,
        **(request or {}),
        **(extra or {}),
        **_own(image, ml_root, package_root, request),
    }


def processing_environment(
    *,
    image: str,
    python: Path | str,
    programs: Path | str,
    package_root: Path | str,
    region: str,
    request: Mapping[str, str] | None = None,
    extra: Mapping[str, str] | None = None,
    ml_root: Path | str = ML_ROOT,
    host: str = "algo-1",
) -> dict[str, str]:
    """Everything a processing job's process is started with; ``programs`` is the folder of its own environment's."""
    return {
        **_common(python, region, programs),
        "CURRENT_HOST": host,
        **(request or {}),
        **(extra or {}),
        **_own(image, ml_root, package_root, request),
    }


def serving_environment(
    *,
    image: str,
    python: Path | str,
    package_root: Path | str,
    region: str,
    bind: str,
    request: Mapping[str, str] | None = None,
    extra: Mapping[str, str] | None = None,
    ml_root: Path | str = ML_ROOT,
) -> dict[str, str]:
    """Everything a model server's process is started with; ``bind`` is ``unix:/path`` or ``tcp:127.0.0.1:8080``."""
    return {
        **_common(python, region),
        "OMP_NUM_THREADS": "1",
        "SAGEMAKER_REGION": region,
        **(request or {}),
        **(extra or {}),
        **_own(image, ml_root, package_root, request),
        BIND: bind,
    }


def _common(python: Path | str, region: str, programs: Path | str | None = None) -> dict[str, str]:
    binaries = Path(python).parent
    first = "" if programs is None or Path(programs) == binaries else f"{programs}:"
    is_root = os.geteuid() == 0
    return {
        **passed_on(),
        "PATH": f"{first}{binaries}:/usr/local/bin:/usr/bin:/bin",
        "HOME": "/root" if is_root else "/tmp",  # noqa: S108
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "VIRTUAL_ENV": str(binaries.parent),
        **(_ALONE if is_root else {}),
    }


def _own(
    image: str, ml_root: Path | str, package_root: Path | str, request: Mapping[str, str] | None
) -> dict[str, str]:
    users = (request or {}).get("PYTHONPATH")
    return {
        IMAGE: image,
        ML_ROOT_VARIABLE: str(ml_root),
        "PYTHONPATH": f"{package_root}:{users}" if users else str(package_root),
    }
