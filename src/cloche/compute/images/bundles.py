"""Environments for machines without a network: the wheels of their locks in one archive.

A bundle is a tar of ``manifest.json`` and ``wheels/*.whl``. It is built from as a package registry is: each wheel must
have a hash that the lock of *this* installation names, so a bundle from anywhere can do no more than fail. Wheels are
made for one system and one version of Python; the manifest says which, and another is refused before anything is built.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import platform
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from cloche.compute.images.builder import EnvironmentBuilder, EnvironmentFailed, OnLine

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
_MANIFEST_BYTES_MAX: Final = 1 << 20
_FOLDER: Final = "wheels/"


def save(builder: EnvironmentBuilder, keys: Sequence[str], target: Path, tell: OnLine) -> int:
    """Download what the environments ``keys`` need into ``target``, which appears when it is complete; answers its size
    in bytes. Raises ``EnvironmentFailed``."""
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with tempfile.TemporaryDirectory(prefix="cloche-bundle-") as work, tarfile.open(part, "w") as archive:
            wheels = builder.download(keys, Path(work), tell)
            locks = {key: _digest(builder, key) for key in keys}
            manifest = {"format": FORMAT, **_made_for(builder, keys), "environments": locks}
            content = json.dumps(manifest, indent=1).encode()
            member = tarfile.TarInfo(MANIFEST)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
            for wheel in wheels:
                archive.add(wheel, _FOLDER + wheel.name, filter=_nobodys)
        part.replace(target)
    except OSError as error:
        raise EnvironmentFailed(f"the bundle {target} could not be written: {error}") from error
    finally:
        part.unlink(missing_ok=True)
    return target.stat().st_size


def is_bundle(path: Path) -> bool:
    """Whether it begins as ``save`` writes one; container images begin otherwise."""
    try:
        with tarfile.open(path, "r:") as archive:
            first = archive.next()
            file = archive.extractfile(first) if first is not None and first.name == MANIFEST else None
            return file is not None and file.read(1) == b"{"
    except (tarfile.TarError, OSError):
        return False


def load(builder: EnvironmentBuilder, bundle: Path, tell: OnLine) -> list[str]:
    """Build the environments of a bundle without asking anybody; answers their names. Raises ``EnvironmentFailed``."""
    with _opened(bundle) as archive:
        keys = _checked(builder, _manifest(archive, bundle), bundle)
        with tempfile.TemporaryDirectory(prefix="cloche-bundle-") as work:
            wheels = Path(work)
            for member in archive:
                _take_wheel(archive, member, wheels)
            for key in keys:
                builder.ensure(key, tell, wheels=wheels)
    return keys


def _nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o644
    return member


def _made_for(builder: EnvironmentBuilder, keys: Iterable[str]) -> dict[str, str]:
    pythons = {builder.interpreter(key).tag.rpartition("-")[2] for key in keys}
    if len(pythons) > 1:
        raise EnvironmentFailed(f"one bundle holds environments of one Python; these want {', '.join(sorted(pythons))}")
    python = "".join(pythons)
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "python": ".".join(python.split(".")[:2]),
    }


def _digest(builder: EnvironmentBuilder, key: str) -> str:
    return hashlib.sha256(b"".join(lock.read_bytes() for lock in builder.locks_of(key))).hexdigest()


@contextlib.contextmanager
def _opened(bundle: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(bundle, "r:") as archive:
            yield archive
    except (OSError, tarfile.TarError) as error:
        raise EnvironmentFailed(f"{bundle} cannot be read as a bundle of images: {error}") from error


def _manifest(archive: tarfile.TarFile, bundle: Path) -> dict[str, Any]:
    member = archive.next()
    if member is None or member.name != MANIFEST or not member.isreg() or member.size > _MANIFEST_BYTES_MAX:
        raise EnvironmentFailed(f"{bundle} is not a bundle of images: it does not begin with {MANIFEST}")
    stream = archive.extractfile(member)
    assert stream is not None
    try:
        manifest = json.loads(stream.read())
        if manifest["format"] != FORMAT or not isinstance(manifest["environments"], dict):
            raise ValueError("its format is unknown")
    except (ValueError, TypeError, KeyError) as error:
        raise EnvironmentFailed(f"{bundle} is not a bundle of images for this version of Cloche: {error}") from error
    return dict(manifest)


def _checked(builder: EnvironmentBuilder, manifest: dict[str, Any], bundle: Path) -> list[str]:
    keys = list(manifest["environments"])
    for name, here in _made_for(builder, keys).items():
        if manifest.get(name) != here:
            raise EnvironmentFailed(f"{bundle} was saved for {name} {manifest.get(name)}; this is {name} {here}")
    for key in keys:
        known = builder.knows(key)
        if not known or _digest(builder, key) != manifest["environments"][key]:
            what = f"has another lock for {key}" if known else f"knows no environment {key}"
            raise EnvironmentFailed(f"{bundle} was saved by another version of Cloche: this one {what}")
    return keys


def _take_wheel(archive: tarfile.TarFile, member: tarfile.TarInfo, wheels: Path) -> None:
    name = member.name.removeprefix(_FOLDER)
    if member.name == MANIFEST:
        return
    if not member.isreg() or name == member.name or "/" in name or not name.endswith(".whl"):
        raise EnvironmentFailed(f"the bundle holds something else than wheels: {member.name!r}")
    stream = archive.extractfile(member)
    assert stream is not None
    with stream, (wheels / name).open("xb") as file:
        shutil.copyfileobj(stream, file, 1 << 20)
