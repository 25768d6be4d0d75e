"""Container images for tests, made of what a test says is in them; and one with a Python, made as the example does."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import io
import json
import platform
import tarfile
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "byoc"
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
PLATFORM = {"os": "linux", "architecture": ARCHITECTURE}
Members = Iterable[tuple[tarfile.TarInfo, bytes]]


def file(name: str, content: bytes = b"", mode: int = 0o644) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), mode
    return member, content


def other(name: str, kind: bytes, link: str = "", mode: int = 0o755) -> tuple[tarfile.TarInfo, bytes]:
    """A folder, a link, a device."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.mode = kind, link, mode
    return member, b""


def folder(name: str, mode: int = 0o755) -> tuple[tarfile.TarInfo, bytes]:
    return other(name, tarfile.DIRTYPE, mode=mode)


def symlink(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return other(name, tarfile.SYMTYPE, target)


def hardlink(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return other(name, tarfile.LNKTYPE, target)


def layer(members: Members) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for member, content in members:
            archive.addfile(member, io.BytesIO(content))
    return raw.getvalue()


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Layout:
    """Blobs and an index, to be written as a folder or a tar."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}
        self.entries: list[dict[str, Any]] = []

    def blob(self, media_type: str, content: bytes) -> dict[str, Any]:
        self.files[f"blobs/{digest(content).replace(':', '/')}"] = content
        return {"mediaType": media_type, "digest": digest(content), "size": len(content)}

    def document(self, media_type: str, content: dict[str, Any]) -> dict[str, Any]:
        return self.blob(media_type, json.dumps({"mediaType": media_type, **content}).encode())

    def image(
        self,
        layers: Sequence[bytes],
        config: Mapping[str, Any] | None = None,
        *,
        zipped: bool = True,
        where: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        """The descriptor of its manifest."""
        suffix = "+gzip" if zipped else ""
        packed = [gzip.compress(each, mtime=0) if zipped else each for each in layers]
        told = {
            **(where or PLATFORM),
            "config": config or {},
            "rootfs": {"type": "layers", "diff_ids": [digest(each) for each in layers]},
        }
        kept = [self.blob(f"application/vnd.oci.image.layer.v1.tar{suffix}", each) for each in packed]
        made = {
            "schemaVersion": 2,
            "config": self.blob("application/vnd.oci.image.config.v1+json", json.dumps(told).encode()),
            "layers": kept,
        }
        return self.document("application/vnd.oci.image.manifest.v1+json", made)

    def named(self, descriptor: dict[str, Any], name: str) -> None:
        self.entries.append({**descriptor, "annotations": {"org.opencontainers.image.ref.name": name}})

    def write(self, target: Path, *, as_folder: bool = False) -> Path:
        files = {**self.files, "index.json": json.dumps({"schemaVersion": 2, "manifests": self.entries}).encode()}
        if as_folder:
            for name, content in files.items():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                (target / name).write_bytes(content)
            return target
        target.write_bytes(layer(file(name, content) for name, content in files.items()))
        return target


def image_file(
    target: Path, layers: Sequence[bytes], config: Mapping[str, Any] | None = None, name: str = "mine"
) -> Path:
    """A tar with one image."""
    layout = Layout()
    layout.named(layout.image(layers, config), name)
    return layout.write(target)


def saved_file(target: Path, layers: Sequence[bytes], config: Mapping[str, Any], name: str) -> Path:
    """What the older ``docker save`` writes."""
    told = {**PLATFORM, "config": config, "rootfs": {"type": "layers", "diff_ids": [digest(each) for each in layers]}}
    content = json.dumps(told).encode()
    config_name = f"{hashlib.sha256(content).hexdigest()}.json"
    names = [f"{number:064x}/layer.tar" for number, _ in enumerate(layers)]
    listed = [{"Config": config_name, "RepoTags": [name], "Layers": names}]
    members = [file(config_name, content), file("manifest.json", json.dumps(listed).encode())]
    target.write_bytes(layer([*members, *(file(each, data) for each, data in zip(names, layers, strict=True))]))
    return target


def python_image(target: Path) -> Path:
    """The example's image: this Python, a shell, and the example's programs in ``/opt/program``."""
    target.write_bytes(_built())
    return target


@cache
def _built() -> bytes:
    """Takes a second or more."""
    spec = importlib.util.spec_from_file_location("byoc_build", EXAMPLE / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with tempfile.NamedTemporaryFile(suffix=".tar") as file:
        module.main(Path(file.name), "byoc-tree:latest")
        return Path(file.name).read_bytes()


def of_root(image: Path) -> Path:
    """The same image, but for its user, beside it as ``root.tar``, by the name ``of-root:1``."""
    made = Layout()
    with tarfile.open(image) as archive:
        made.files = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]

    def read(descriptor: dict[str, Any]) -> dict[str, Any]:
        return dict(json.loads(made.files[f"blobs/{descriptor['digest'].replace(':', '/')}"]))

    manifest = read(json.loads(made.files["index.json"])["manifests"][0])
    config = read(manifest["config"])
    config["config"]["User"] = "0"
    manifest["config"] = made.blob(manifest["config"]["mediaType"], json.dumps(config).encode())
    made.named(made.document(manifest.pop("mediaType"), manifest), "of-root:1")
    return made.write(image.with_name("root.tar"))
