"""Images of the user's own, unpacked: ``<folder>/<digest>/root`` is what a job in that image has as its ``/``.

A folder is there or it is not: an image is unpacked beside it, by a process of its own (``layers.py``), and renamed
when it is complete and on the disk, so what was cut short is never taken for an image, and is swept by the next. Who
unpacks holds a lock file; whoever else wants the same image waits there, and finds it done. Jobs see the folder
read-only, under a layer of their own (0036), and hold ``in-use`` shared while they run; ``prune`` takes what nobody
holds.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

from cloche.compute.images.bounds import Bounds
from cloche.compute.images.manifest import Config, Manifest, read_manifest
from cloche.compute.images.store import BlobStore, hex_of
from cloche.compute.images.users import User, find_user
from cloche.compute.local.users import many
from cloche.foundation.durable import replace_file
from cloche.foundation.errors import ClocheError

PROGRAM: Final = Path(__file__).with_name("layers.py")
UNPACK_SECONDS_MAX: Final = 3600.0
_MARKER: Final = "image.json"
_IN_USE: Final = "in-use"


class ImageFailed(ClocheError):
    """An image could not be made ready; ``message`` is a sentence for whoever wanted to run it."""


@dataclass(frozen=True, slots=True)
class OwnImage:
    """An image that is ready to run."""

    digest: str
    root: Path
    """What the image has as its ``/``; shared, never to be written."""
    in_use: Path
    """A file to hold shared (flock) while something runs in the image."""
    config: Config
    user: User
    """Who a program is; where the image is kept elsewhere, that is found out there, and this says nothing."""
    stored: str = ""
    """What it is called there."""

    @property
    def labels(self) -> dict[str, str]:
        return dict(self.config.labels)


class Keeper(Protocol):
    """Whoever keeps images in a store of his own, and runs them as containers."""

    def keep(self, store: BlobStore, digest: str) -> str:
        """What the image is called there; taken in first if need be. Raises ``ClocheError``."""
        ...

    def discard(self, name: str) -> None: ...


class OwnImages:
    """Thread-safe; several processes may share ``folder``, which is made. With a ``keeper`` images are not unpacked but
    handed to that."""

    def __init__(
        self, store: BlobStore, folder: Path, bounds: Bounds | None = None, *, keeper: Keeper | None = None
    ) -> None:
        self.store = store
        self.keeper = keeper
        self.folder = folder / ".kept" if keeper else folder
        self._bounds = bounds or Bounds()
        self._ready: dict[str, OwnImage] = {}
        self._guard = threading.Lock()
        self._mutexes: dict[str, threading.Lock] = {}

    def manifest(self, digest: str) -> Manifest:
        """Of the image that ``digest`` means on this machine. Raises ``NotFound``, ``Invalid``, ``NotSupported``."""
        return read_manifest(self.store, digest, self._bounds.layers)

    def ready(self, digest: str) -> OwnImage:
        """The image, unpacked first if need be (seconds). ``digest`` is its manifest's. Raises ``ImageFailed``."""
        folder = self.folder / hex_of(digest)
        known = self._ready.get(digest)
        if known is not None and known.root.exists() and self.keeper is None:
            return known
        with self._guard:
            mutex = self._mutexes.setdefault(digest, threading.Lock())
        with mutex, self._alone(folder.name):
            if not (folder / _MARKER).exists():
                self._unpack(digest, folder)
            made = _read(digest, folder)
            if self.keeper is not None:
                made = replace(made, stored=self._kept(digest, self.keeper))
        self._ready[digest] = made
        return made

    def unpacked(self) -> list[str]:
        """The digests of the images that are unpacked."""
        if not self.folder.is_dir():
            return []
        return [f"sha256:{path.name}" for path in sorted(self.folder.glob("[0-9a-f]*")) if (path / _MARKER).exists()]

    def is_in_use(self, digest: str) -> bool:
        """Whether something runs in it."""
        with self._held(self.folder / hex_of(digest)) as held:
            return held is False

    def remove(self, digest: str) -> bool:
        """Throw the unpacked image away, unless something runs in it; the next ``ready`` unpacks it again."""
        folder = self.folder / hex_of(digest)
        with self._alone(folder.name), self._held(folder) as held:
            if not held:
                return False
            known = self._ready.pop(digest, None)
            if self.keeper is not None and known is not None:
                self.keeper.discard(known.stored)
            doomed = folder.with_name(f".{folder.name}.gone-{os.getpid()}")
            folder.rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)
        return True

    @contextmanager
    def _held(self, folder: Path) -> Iterator[bool | None]:
        """Whether nobody runs in it, who is then kept from beginning; ``None`` where it is not there."""
        try:
            held = os.open(folder / _IN_USE, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            yield None
            return
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
        finally:
            os.close(held)

    def _unpack(self, digest: str, folder: Path) -> None:
        for rest in self.folder.glob(f".{folder.name}.*-*"):
            shutil.rmtree(rest, ignore_errors=True)
        building = folder.with_name(f".{folder.name}.building-{os.getpid()}")
        try:
            manifest = read_manifest(self.store, digest, self._bounds.layers)
            building.mkdir(mode=0o700)
            started = time.monotonic()
            if self.keeper is not None:
                (building / "root").mkdir()
                told, user = {}, User(0, 0, "")
            else:
                told = _run(self._order(manifest, building / "root"))
                user = find_user(building / "root", manifest.config.user)
            (building / _IN_USE).touch(mode=0o600)
            seconds = round(time.monotonic() - started, 3)
            marker = {"config": asdict(manifest.config), "user": asdict(user), "seconds": seconds, **told}
            replace_file(building / _MARKER, json.dumps(marker).encode())
            building.rename(folder)
        except (ClocheError, OSError) as error:
            shutil.rmtree(building, ignore_errors=True)
            reason = error.message if isinstance(error, ClocheError) else str(error)
            raise ImageFailed(f"the image {digest} cannot be used: {reason}") from error

    def _kept(self, digest: str, keeper: Keeper) -> str:
        try:
            return keeper.keep(self.store, digest)
        except ClocheError as error:
            raise ImageFailed(f"the image {digest} cannot be used: {error.message}") from error

    def _order(self, manifest: Manifest, target: Path) -> dict[str, Any]:
        return {
            "layers": [
                {"path": str(self.store.path(each.digest)), "compression": each.compression, "diff": each.diff}
                for each in manifest.layers
            ],
            "target": str(target),
            "bytes_max": self._bounds.bytes,
            "members_max": self._bounds.members,
            "free_bytes_min": self._bounds.free_bytes,
            "users": asdict(users) if (users := many()) else None,
        }

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = os.open(self.folder / f".{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield
        finally:
            os.close(held)


def _read(digest: str, folder: Path) -> OwnImage:
    """What is in the marker was written by us."""
    marker = json.loads((folder / _MARKER).read_bytes())
    config = marker["config"]
    pairs = {name: tuple((key, value) for key, value in config[name]) for name in ("environment", "labels")}
    lists = {name: tuple(config[name]) for name in ("entrypoint", "command", "volumes")}
    user = User(**{**marker["user"], "groups": tuple(marker["user"].get("groups", ()))})
    return OwnImage(digest, folder / "root", folder / _IN_USE, Config(**{**config, **pairs, **lists}), user)


def _run(order: dict[str, Any]) -> dict[str, Any]:
    """What the program answers. Raises ``ImageFailed``."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(PROGRAM)],
            input=json.dumps(order).encode(),
            capture_output=True,
            env={"PATH": os.defpath},
            timeout=UNPACK_SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ImageFailed(f"unpacking it took longer than {UNPACK_SECONDS_MAX:g} seconds") from None
    try:
        told: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise ImageFailed(
            f"unpacking it was broken off (exit {done.returncode})", detail=done.stderr.decode(errors="replace")[-2000:]
        ) from None
    if "error" in told:
        raise ImageFailed(told["error"])
    return told
