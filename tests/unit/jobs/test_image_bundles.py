"""Environments carried to a machine without a network, and those that nothing needs any more."""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cloche.compute.images import EnvironmentBuilder, EnvironmentFailed, bundles
from cloche.compute.images.pruning import remove, unneeded
from cloche_jobs.catalog import ENVIRONMENTS, LOCKS

KEY, OTHER = ENVIRONMENTS[:2]
WHEEL = "toy-1.0-py3-none-any.whl"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A package of one module, as small as they get."""
    path = tmp_path / WHEEL
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("toy.py", "ANSWER = 42\n")
        archive.writestr("toy-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
        archive.writestr("toy-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("toy-1.0.dist-info/RECORD", "toy.py,,\n")
    return path


@pytest.fixture
def builder(tmp_path: Path, wheel: Path) -> EnvironmentBuilder:
    locks = tmp_path / "locks"
    locks.mkdir()
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (locks / f"{KEY}.txt").write_text(f"toy==1.0 --hash=sha256:{digest}\n")
    return EnvironmentBuilder(tmp_path / "cache", locks=locks)


def manifest(builder: EnvironmentBuilder) -> dict[str, object]:
    lock = (builder.locks / f"{KEY}.txt").read_bytes()
    return {
        "format": bundles.FORMAT,
        "system": platform.system(),
        "machine": platform.machine(),
        "python": ".".join(builder.interpreter().tag.rpartition("-")[2].split(".")[:2]),
        "environments": {KEY: hashlib.sha256(lock).hexdigest()},
    }


def bundle(path: Path, said: object, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for info, content in ((tarfile.TarInfo(bundles.MANIFEST), json.dumps(said).encode()), *members):
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd" if kind == tarfile.SYMTYPE else ""
    return info, content


def test_an_environment_is_built_from_a_bundle_alone(builder: EnvironmentBuilder, tmp_path: Path, wheel: Path) -> None:
    made = bundle(tmp_path / "b.tar", manifest(builder), member(f"wheels/{WHEEL}", wheel.read_bytes()))
    lines: list[str] = []
    assert bundles.load(builder, made, lines.append) == [KEY]
    found = builder.find(KEY)
    assert found is not None
    answer = subprocess.run([found.python, "-c", "import toy; print(toy.ANSWER)"], capture_output=True, text=True)
    assert answer.stdout == "42\n"
    lines.clear()
    assert bundles.load(builder, made, lines.append) == [KEY]
    assert lines == []  # nothing to do


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m | {"machine": "abacus"}, "was saved for machine abacus; this is machine"),
        (lambda m: m | {"python": "3.4"}, "was saved for python 3.4"),
        (lambda m: m | {"environments": {KEY: "0" * 64}}, f"this one has another lock for {KEY}"),
        (lambda m: m | {"environments": {"../../etc": "0" * 64}}, "knows no environment ../../etc"),
        (lambda m: m | {"format": 99}, "is not a bundle of images for this version"),
        (lambda m: [m], "is not a bundle of images for this version"),
    ],
)
def test_bundles_for_others_are_refused_before_anything_is_built(
    builder: EnvironmentBuilder, tmp_path: Path, wheel: Path, change: Callable[[dict[str, object]], object], said: str
) -> None:
    made = bundle(tmp_path / "b.tar", change(manifest(builder)), member(f"wheels/{WHEEL}", wheel.read_bytes()))
    with pytest.raises(EnvironmentFailed, match=re.escape(said)):
        bundles.load(builder, made, print)
    assert not builder.cache.exists()


@pytest.mark.parametrize(
    "hostile",
    [
        member("wheels/../../escaped.whl", b"x"),
        member("/tmp/escaped.whl", b"x"),
        member("wheels/link.whl", kind=tarfile.SYMTYPE),
        member("wheels/sub/x.whl", b"x"),
        member("wheels/run.sh", b"x"),
        member("wheels/device.whl", kind=tarfile.CHRTYPE),
    ],
)
def test_nothing_but_wheels_is_taken_from_a_bundle(
    builder: EnvironmentBuilder, tmp_path: Path, hostile: tuple[tarfile.TarInfo, bytes]
) -> None:
    made = bundle(tmp_path / "b.tar", manifest(builder), hostile)
    with pytest.raises(EnvironmentFailed, match="something else than wheels"):
        bundles.load(builder, made, print)
    assert builder.find(KEY) is None
    assert not (tmp_path / "escaped.whl").exists()


@pytest.mark.parametrize("content", [b"", b"no tar at all", b"\0" * 10_240])
def test_what_is_no_bundle_is_said_to_be_none(builder: EnvironmentBuilder, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "b.tar"
    path.write_bytes(content)
    with pytest.raises(EnvironmentFailed, match=r"b\.tar (is not|cannot be read as) a bundle of images"):
        bundles.load(builder, path, print)


def test_a_wheel_that_the_lock_does_not_name_builds_nothing(
    builder: EnvironmentBuilder, tmp_path: Path, wheel: Path
) -> None:
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("more.py", "import os\n")
    made = bundle(tmp_path / "b.tar", manifest(builder), member(f"wheels/{WHEEL}", wheel.read_bytes()))
    with pytest.raises(EnvironmentFailed, match="could not be built"):
        bundles.load(builder, made, print)
    assert builder.find(KEY) is None
    assert [path.name for path in builder.cache.iterdir() if path.is_dir()] == []


def test_a_bundle_holds_the_wheels_of_the_lock(tmp_path: Path) -> None:
    lock = (LOCKS / f"{KEY}.txt").read_text()
    six = re.search(r"^six==(?:.*\\\n)*.*$", lock, re.MULTILINE)
    assert six is not None
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / f"{KEY}.txt").write_text(six[0] + "\n")
    here = EnvironmentBuilder(tmp_path / "here", locks=tmp_path / "locks")
    saved = tmp_path / "six.tar"
    assert bundles.save(here, [KEY], saved, print) == saved.stat().st_size
    with tarfile.open(saved) as archive:
        first, *wheels = archive.getnames()
    assert first == bundles.MANIFEST
    assert len(wheels) == 1
    assert wheels[0].startswith("wheels/six-")
    there = EnvironmentBuilder(tmp_path / "there", locks=tmp_path / "locks")
    assert bundles.load(there, saved, print) == [KEY]
    assert not list(tmp_path.glob(".six.tar*"))


def test_what_nothing_needs_is_found_and_removed(builder: EnvironmentBuilder, tmp_path: Path) -> None:
    (builder.locks / f"{KEY}.txt").write_text("# nothing\n")
    old = builder.ensure(KEY)
    (builder.locks / f"{KEY}.txt").write_text("# nothing, but otherwise\n")
    fresh = EnvironmentBuilder(builder.cache, locks=builder.locks)
    kept = fresh.ensure(KEY)
    (rest := builder.cache / f".{OTHER}.building-999999999").mkdir()
    (builder.cache / f".{OTHER}.building-{os.getpid()}").mkdir()
    found = {each.folder: each for each in unneeded(fresh)}
    assert found.keys() == {old.folder, rest}
    assert found[old.folder].bytes > 0
    assert {each.folder for each in unneeded(fresh, everything=True)} == {old.folder, kept.folder, rest}
    for each in found.values():
        remove(each)
    assert unneeded(fresh) == []
    assert fresh.find(KEY) == kept


@pytest.mark.skipif(sys.platform != "linux", reason="what is in use is told by /proc")
def test_an_environment_in_use_stays(builder: EnvironmentBuilder) -> None:
    (builder.locks / f"{KEY}.txt").write_text("# nothing\n")
    old = builder.ensure(KEY)
    (builder.locks / f"{KEY}.txt").write_text("# nothing, but otherwise\n")
    fresh = EnvironmentBuilder(builder.cache, locks=builder.locks)
    with subprocess.Popen([old.python, "-c", "input()"], stdin=subprocess.PIPE) as job:
        (found,) = unneeded(fresh)
        assert found.in_use
        job.communicate(b"\n")
    (found,) = unneeded(fresh)
    assert not found.in_use
