"""Images read and unpacked: what layers do to each other, and what hostile ones cannot do."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cloche.compute.images import own as own_module
from cloche.compute.images.archives import load
from cloche.compute.images.finding import ImageFinder, ManifestFound, parse_address
from cloche.compute.images.loaded import LoadedImages, parse_name
from cloche.compute.images.manifest import read_manifest
from cloche.compute.images.own import Bounds, ImageFailed, OwnImage, OwnImages
from cloche.compute.images.software import OwnSoftware
from cloche.compute.images.store import BlobStore
from cloche.foundation.errors import Invalid, NotSupported
from made_images import (
    PLATFORM,
    Layout,
    digest,
    file,
    folder,
    hardlink,
    image_file,
    layer,
    other,
    saved_file,
    symlink,
)

CONFIG = {
    "Entrypoint": ["python", "main.py"],
    "Cmd": ["help"],
    "Env": ["PATH=/opt/bin:/bin", "A=b=c"],
    "WorkingDir": "/opt/program",
    "User": "worker:staff",
    "Volumes": {"/data": {}},
    "StopSignal": "SIGQUIT",
    "Labels": {"com.amazonaws.sagemaker.capabilities.accept-bind-to-port": "true"},
}
ETC = layer(
    [
        file("etc/passwd", b"root:x:0:0::/root:/bin/sh\nworker:x:1001:100::/srv/worker:/bin/sh\n"),
        file("etc/group", b"root:x:0:\nstaff:x:50:\n"),
    ]
)


class Bench:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = BlobStore(path / "registry")
        self.own = OwnImages(self.store, path / "rootfs")

    def unpacked(self, *layers: bytes, config: Mapping[str, object] | None = None) -> OwnImage:
        ((_, made),) = load(self.store, image_file(self.path / "image.tar", layers, config))
        return self.own.ready(made)

    def refused(self, *layers: bytes, match: str, config: Mapping[str, object] | None = None) -> None:
        with pytest.raises(ImageFailed, match=match):
            self.unpacked(*layers, config=config)
        assert [path.name for path in (self.path / "rootfs").iterdir() if not path.name.endswith(".lock")] == []


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


# -- reading -------------------------------------------------------------------------------------------------


def test_an_image_is_read_in_every_form(bench: Bench) -> None:
    layers = [layer([file("a", b"1")]), layer([file("b", b"2")]), ETC]
    layout = Layout()
    layout.named(layout.image(layers, CONFIG), "form:1")
    forms = {
        "folder": layout.write(bench.path / "folder", as_folder=True),
        "tar": layout.write(bench.path / "layout.tar"),
        "saved": saved_file(bench.path / "saved.tar", layers, CONFIG, "form:1"),
    }
    for path in forms.values():
        ((name, made),) = load(bench.store, path)
        image = bench.own.ready(made)
        assert name == "form:1"
        assert (image.root / "a").read_bytes() + (image.root / "b").read_bytes() == b"12"
        assert image.config.entrypoint == ("python", "main.py")
        assert image.labels == CONFIG["Labels"]


def test_the_machines_platform_is_taken_of_several(bench: Bench) -> None:
    layout = Layout()
    mine = layout.image([layer([file("mine")])])
    others = [
        {**layout.image([layer([file(name)])], where={"os": "linux", "architecture": name}), "platform": platform}
        for name in ("s390x", "riscv64")
        for platform in ({"os": "linux", "architecture": name},)
    ]
    media_type = "application/vnd.oci.image.index.v1+json"
    index = layout.document(media_type, {"manifests": [*others, {**mine, "platform": PLATFORM}]})
    strange = layout.document(media_type, {"manifests": others})
    layout.named(index, "several:1")
    layout.named(strange, "strange:1")
    found = dict(load(bench.store, layout.write(bench.path / "several.tar")))
    assert read_manifest(bench.store, found["several:1"]).digest == mine["digest"]
    with pytest.raises(NotSupported, match=r"linux/riscv64, linux/s390x"):
        read_manifest(bench.store, found["strange:1"])


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"nothing of the kind", "is not an image"),
        (layer([file("readme", b"a tar, but no image")]), "neither an OCI image layout"),
        (layer([file("index.json", b"[" * 100_000)]), "index.json is not JSON"),
        (
            layer([file("index.json", b'{"manifests": [{"digest": "sha256:%s"}]}' % (b"0" * 64))]),
            "the image has no blobs",
        ),
        (layer([file("index.json", b'{"manifests": [{"digest": "sha256:../../../etc/passwd"}]}')]), "not a SHA-256"),
        (layer([file("manifest.json", b'[{"Config": "../../etc/passwd", "Layers": []}]')]), "the image has no"),
        (layer([file("manifest.json", b'[{"Config": "c", "Layers": 7}]')]), "no list of layers"),
    ],
)
def test_what_is_no_image_is_refused(bench: Bench, content: bytes, match: str) -> None:
    path = bench.path / "hostile.tar"
    path.write_bytes(content)
    with pytest.raises(Invalid, match=match):
        load(bench.store, path)


def test_a_blob_that_was_changed_is_refused(bench: Bench) -> None:
    layout = Layout()
    layout.named(layout.image([layer([file("a", b"good")])]), "mine")
    name = next(name for name in layout.files if name.startswith("blobs") and b"good" not in layout.files[name][:1])
    layout.files[name] += b"changed"
    with pytest.raises(Invalid, match="the content's digest is"):
        load(bench.store, layout.write(bench.path / "changed.tar"))


def test_names_are_kept_in_the_layout(bench: Bench) -> None:
    ((_, made),) = load(bench.store, image_file(bench.path / "i.tar", [layer([file("a")])]))
    loaded = LoadedImages(bench.store)
    loaded.put("team/mine", "1", made)
    loaded.put("team/mine", "2", made)
    assert [each.reference for each in LoadedImages(bench.store).all()] == ["team/mine:1", "team/mine:2"]
    assert loaded.remove("team/mine", "1")
    assert not loaded.remove("team/mine", "1")
    assert parse_name("docker.io/library/mine") == ("mine", "latest")
    for wrong in ("Mine", "mine:", "a//b", "../mine", "mine:1:2", ""):
        with pytest.raises(Invalid):
            parse_name(wrong)


def test_an_address_means_a_pushed_image_or_a_loaded_one(bench: Bench) -> None:
    ((_, made),) = load(bench.store, image_file(bench.path / "i.tar", [layer([file("a")])]))
    finder = ImageFinder(bench.store, "123456789012")
    finder.loaded.put("mine", "latest", made)
    for uri in ("mine", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mine:latest"):
        address = parse_address(uri)
        assert address is not None
        found = finder.find(address)
        assert found is not None
        assert found.key == made
    for uri in ("mine:2", "210987654321.dkr.ecr.us-east-1.amazonaws.com/mine"):
        address = parse_address(uri)
        assert address is not None
        assert finder.find(address) is None
    layout = Layout()
    pushed = layout.image([layer([file("b")])])
    content = layout.files[f"blobs/{pushed['digest'].replace(':', '/')}"]
    for blob in layout.files.values():
        if blob is not content:
            bench.store.write([blob])
    asked: list[tuple[str, ...]] = []

    def registry(*given: str) -> ManifestFound:
        asked.append(given)
        return ManifestFound(pushed["digest"], pushed["mediaType"], content)

    finder.registry = registry
    address = parse_address("210987654321.dkr.ecr.eu-west-1.amazonaws.com/team/mine:3")
    assert address is not None
    image = finder.find(address)
    assert image is not None
    assert image.key == pushed["digest"]
    assert asked == [("210987654321", "eu-west-1", "team/mine", "3")]
    assert parse_address("https://example.org/mine") is None


# -- layers --------------------------------------------------------------------------------------------------


def test_later_layers_win_and_whiteouts_hide(bench: Bench) -> None:
    first = layer(
        [
            folder("etc", 0o700),
            file("etc/old", b"old"),
            file("etc/changed", b"1"),
            file("opaque/below", b"hidden"),
            file("opaque/deep/below", b"hidden"),
            file("was-file", b""),
            folder("was-folder"),
            file("was-folder/x"),
            symlink("lib", "usr/lib"),
            folder("usr/lib"),
            file("program", b"#!", 0o4755),
        ]
    )
    second = layer(
        [
            file("etc/.wh.old"),
            file("etc/changed", b"2"),
            file("opaque/mine", b"stays"),
            file("opaque/.wh..wh..opq"),
            file("opaque/deep/mine", b"stays"),
            folder("was-file"),
            file("was-folder", b"now a file"),
            file("lib/through-the-link", b"followed"),
            hardlink("linked", "etc/changed"),
            other("dev/sda", tarfile.BLKTYPE),
            file(".wh.never-there"),
        ]
    )
    root = bench.unpacked(first, second).root
    assert not (root / "etc/old").exists()
    assert (root / "etc/changed").read_bytes() == b"2"
    assert (root / "linked").stat().st_ino == (root / "etc/changed").stat().st_ino
    assert sorted(str(path.relative_to(root)) for path in (root / "opaque").rglob("*")) == [
        "opaque/deep",
        "opaque/deep/mine",
        "opaque/mine",
    ]
    assert (root / "was-file").is_dir()
    assert (root / "was-folder").read_bytes() == b"now a file"
    assert (root / "usr/lib/through-the-link").read_bytes() == b"followed"
    assert (root / "program").stat().st_mode & 0o7777 == 0o755
    assert (root / "etc").stat().st_mode & 0o7777 == 0o700
    assert not (root / "dev/sda").exists()


@pytest.mark.parametrize(
    ("members", "match"),
    [
        ([file("../outside", b"x")], "leads out"),
        ([file("a/../../outside", b"x")], "leads out"),
        ([hardlink("mine", "../../../../etc/passwd")], "leads out"),
        ([symlink("a", "b"), symlink("b", "a"), file("a/x")], "goes round in links"),
        ([file("a"), file("a/b")], "no folder"),
        ([hardlink("a", "nothing")], "is a link to"),
        ([hardlink("a", "")], "is a link to"),
        ([file("n" * 5000)], "could not be unpacked"),
        ([file(".wh.")], "hides no file"),
        ([file(".wh...")], "hides no file"),
    ],
)
def test_hostile_names_are_refused(bench: Bench, members: list[tuple[tarfile.TarInfo, bytes]], match: str) -> None:
    bench.refused(layer(members), match=match)


def test_links_lead_nowhere_else(bench: Bench) -> None:
    """What an image calls ``/etc`` is its own, through whatever links: when it is unpacked and when we read it."""
    outside = bench.path / "outside"
    outside.mkdir()
    mode = outside.stat().st_mode
    up = "../" * 30
    root = bench.unpacked(
        layer(
            [
                symlink("away", f"{outside}"),
                file("away/written", b"inside"),
                symlink("up", f"{up}{outside}"),
                file("up/also", b"inside"),
                folder("turned", 0o711),
                folder("turned/deep", 0o711),
                file("/absolute", b"inside"),
                symlink("etc", "/proc/self"),
            ]
        ),
        layer([file(".wh.turned"), symlink("turned", str(outside.parent))]),
    ).root
    assert list(outside.iterdir()) == []
    assert outside.stat().st_mode == mode
    inside = root / str(outside).lstrip("/")
    assert (inside / "written").read_bytes() == (inside / "also").read_bytes() == b"inside"
    assert (root / "absolute").read_bytes() == b"inside"


def test_a_pipe_where_users_are_named_stops_nobody(bench: Bench) -> None:
    image = bench.unpacked(layer([other("etc/passwd", tarfile.FIFOTYPE)]), config={"User": "7"})
    assert (image.user.uid, image.user.gid) == (7, 0)


def test_an_image_is_bounded(bench: Bench) -> None:
    many = layer(file(f"f{number}") for number in range(50))
    zeros = layer([file("zeros", bytes(1 << 20))])
    bench.own = OwnImages(bench.store, bench.path / "rootfs", Bounds(bytes=1 << 19, members=40))
    bench.refused(many, match="more than 40 files")
    bench.refused(zeros, match="more than 524288 bytes")
    bench.own = OwnImages(bench.store, bench.path / "rootfs", Bounds(layers=1))
    bench.refused(layer([file("a")]), layer([file("b")]), match="has 2 layers; 1 are taken")
    bench.own = OwnImages(bench.store, bench.path / "rootfs", Bounds(free_bytes=1 << 62))
    bench.refused(zeros, match="No space left on device")


def test_a_layer_that_is_none_is_refused(bench: Bench) -> None:
    bench.refused(b"x" * 10_000, match="not an archive")
    torn = layer([file("a", b"x" * 100_000)])[:50_000]
    bench.refused(torn, match="ends early|not an archive|unexpected end")


def test_another_content_than_the_image_names_is_refused(bench: Bench) -> None:
    layout, content = Layout(), layer([file("a", b"1")])
    made = layout.image([content])
    old, new = digest(content).encode(), digest(layer([file("a", b"2")])).encode()
    config_name, config = next((name, blob) for name, blob in layout.files.items() if old in blob)
    del layout.files[config_name]
    manifest = json.loads(layout.files.pop(f"blobs/{made['digest'].replace(':', '/')}"))
    manifest["config"] = layout.blob("application/vnd.oci.image.config.v1+json", config.replace(old, new))
    layout.named(layout.blob(made["mediaType"], json.dumps(manifest).encode()), "mine")
    ((_, name),) = load(bench.store, layout.write(bench.path / "other.tar"))
    with pytest.raises(ImageFailed, match="not the one its image names"):
        bench.own.ready(name)


def test_a_layer_of_zstandard_is_read_or_refused_by_name(bench: Bench) -> None:
    """Python 3.14 reads it, and so does the package ``zstandard`` where it is there."""
    layout, raw = Layout(), layer([file("a", b"1")])
    empty_frame = bytes.fromhex("28b52ffd") + b"\x20\x00\x01\x00\x00"
    told = {**PLATFORM, "config": {}, "rootfs": {"type": "layers", "diff_ids": [digest(raw)]}}
    made = {
        "schemaVersion": 2,
        "config": layout.blob("application/vnd.oci.image.config.v1+json", json.dumps(told).encode()),
        "layers": [layout.blob("application/vnd.oci.image.layer.v1.tar+zstd", empty_frame)],
    }
    layout.named(layout.document("application/vnd.oci.image.manifest.v1+json", made), "mine")
    ((_, name),) = load(bench.store, layout.write(bench.path / "zstd.tar"))
    with pytest.raises(ImageFailed, match=r"zstd|not the one its image names|not an archive"):
        bench.own.ready(name)


# -- what an image says of itself ----------------------------------------------------------------------------


def test_what_an_image_says_is_what_runs(bench: Bench) -> None:
    image = bench.unpacked(ETC, config=CONFIG)
    assert (image.user.uid, image.user.gid, image.user.home) == (1001, 50, "/srv/worker")
    software = OwnSoftware(image)
    assert software.argv("train") == ("python", "main.py", "train")
    assert software.argv("serve") == ("python", "main.py", "serve")
    assert software.argv("train", ("sh", "-c"), ("true",)) == ("sh", "-c", "true")
    assert software.program((), ()) == ("python", "main.py", "help")
    assert software.program((), ("--all",)) == ("python", "main.py", "--all")
    assert software.program(("sh",), ()) == ("sh",)
    assert software.directory("/opt/ml") == "/opt/program"
    given = {"job_name": "n", "job_arn": "a", "host": "algo-1", "region": "eu-west-1"}
    environment = software.training_environment(**given, request={"A": "request"}, extra={}, python="ignored")
    assert environment["PATH"] == "/opt/bin:/bin"
    assert (environment["A"], environment["HOME"], environment["AWS_REGION"]) == (
        "request",
        "/srv/worker",
        "eu-west-1",
    )
    assert "PYTHONPATH" not in environment
    assert software.root is not None
    assert (software.root.uid, software.root.gid, software.root.stop_signal) == (1001, 50, "SIGQUIT")


@pytest.mark.parametrize("user", ["nobody-we-know", "worker:no-such-group", str(1 << 40)])
def test_a_user_that_the_image_does_not_know_is_refused(bench: Bench, user: str) -> None:
    bench.refused(ETC, config={"User": user}, match="unable to find|no user or group")


@pytest.mark.parametrize("config", [{"Env": "A=b"}, {"Env": 7}, {"Cmd": [1]}, {"Labels": [1]}, {"Entrypoint": ["\0"]}])
def test_a_configuration_that_is_none_is_refused(bench: Bench, config: dict[str, object]) -> None:
    if config == {"Env": "A=b"}:  # Docker's own reader takes a text for a list of one
        assert bench.unpacked(ETC, config=config).config.environment == (("A", "b"),)
    else:
        bench.refused(ETC, config=config, match="not a list|JSON objects")


# -- once, and for good --------------------------------------------------------------------------------------


def test_many_who_want_an_image_unpack_it_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[object] = []
    run = own_module._run

    def counted(order: dict[str, object]) -> dict[str, object]:
        runs.append(order)
        return run(order)

    monkeypatch.setattr(own_module, "_run", counted)
    ((_, name),) = load(bench.store, image_file(bench.path / "i.tar", [layer([file("a")])]))
    servers = [OwnImages(bench.store, bench.path / "rootfs") for _ in range(2)]
    threads = [threading.Thread(target=servers[number % 2].ready, args=(name,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(runs) == 1
    assert servers[0].unpacked() == [name]


def test_an_image_that_is_in_use_stays(bench: Bench) -> None:
    import fcntl

    image = bench.unpacked(layer([file("a")]))
    with image.in_use.open() as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        assert bench.own.is_in_use(image.digest)
        assert not bench.own.remove(image.digest)
        assert image.root.exists()
    assert bench.own.remove(image.digest)
    assert not bench.own.remove(image.digest)
    assert bench.own.unpacked() == []
    assert bench.own.ready(image.digest).root.exists()


UNPACKER = """
import sys
from pathlib import Path
from cloche.compute.images.own import OwnImages
from cloche.compute.images.store import BlobStore
root = Path(sys.argv[1])
OwnImages(BlobStore(root / "registry"), root / "rootfs").ready(sys.argv[2])
"""


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


def test_an_unpacking_that_was_killed_leaves_nothing_that_counts(bench: Bench) -> None:
    big = layer(file(f"folder{number % 100}/file{number}", b"x" * 100) for number in range(5_000))
    ((_, name),) = load(bench.store, image_file(bench.path / "i.tar", [big]))
    rootfs = bench.path / "rootfs"
    with subprocess.Popen([sys.executable, "-c", UNPACKER, str(bench.path), name]) as server:
        until(lambda: list(rootfs.glob(".*.building-*/*/folder*")), "the unpacking")
        server.send_signal(signal.SIGKILL)
    assert bench.own.unpacked() == []
    image = bench.own.ready(name)
    assert sum(len(files) for _, _, files in os.walk(image.root)) == 5_000
    assert [path.name for path in rootfs.iterdir() if ".building-" in path.name] == []


LOADER = """
import sys
from pathlib import Path
from cloche.compute.images.archives import load
from cloche.compute.images.store import BlobStore
load(BlobStore(Path(sys.argv[1]) / "registry"), Path(sys.argv[2]))
"""


def test_a_loading_that_was_killed_is_done_again(bench: Bench) -> None:
    noise = io.BytesIO(os.urandom(30 << 20)).getvalue()
    path = image_file(bench.path / "i.tar", [layer([file("noise", noise)])])
    with subprocess.Popen([sys.executable, "-c", LOADER, str(bench.path), str(path)]) as loader:
        until(lambda: list((bench.path / "registry" / "uploads").glob("*")), "the loading")
        loader.send_signal(signal.SIGKILL)
    for each in bench.store.digests():
        assert digest(bench.store.path(str(each)).read_bytes()) == str(each)
    ((_, name),) = load(bench.store, path)
    assert (bench.own.ready(name).root / "noise").read_bytes() == noise
