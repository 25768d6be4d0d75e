"""Archives of users: unpacked inside the folder, or refused by name; never a byte anywhere else."""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
from pathlib import Path

from cloche_jobs.contract.failure import UserError
from cloche_jobs.contract.unpacking import Limits, unpack

LIMITS = Limits(bytes=1 << 20, ratio=50, members=200, ratio_free_bytes=1 << 16)


def one(data: bytes) -> None:
    base = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    outer = Path(tempfile.mkdtemp(prefix="cloche-fuzz-tar-", dir=base))
    try:
        archive, folder, beside = outer / "a.tar", outer / "in" / "folder", outer / "in" / "beside"
        beside.mkdir(parents=True)
        (beside / "file").write_bytes(b"untouched")
        archive.write_bytes(gzip.compress(data[1:], 1) if data[:1] == b"z" else data[1:])
        try:
            written = unpack(archive, folder, limits=LIMITS)
            assert written <= LIMITS.bytes
        except UserError:
            pass
        assert (beside / "file").read_bytes() == b"untouched"
        assert {p.name for p in outer.iterdir()} == {"a.tar", "in"}
        assert {p.name for p in (outer / "in").iterdir()} <= {"folder", "beside"}
        assert [p.name for p in beside.iterdir()] == ["file"]
        _inside(folder)
    finally:
        shutil.rmtree(outer, ignore_errors=True)


def _inside(folder: Path) -> None:
    root = os.path.realpath(folder)
    for where, _, files in os.walk(folder):
        for name in files:
            path = os.path.join(where, name)
            assert os.path.realpath(path).startswith(root), "a link that leads outside"
            mode = os.lstat(path).st_mode
            assert not mode & 0o6000, "a set-user-id bit"
