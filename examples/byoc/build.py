"""Build the image of this folder without Docker: python examples/byoc/build.py byoc.tar

The Dockerfile beside this is how such an image is made where there is Docker. Here there is none, and no registry to
fetch a base image from, so the base is made of what this machine has: the running Python's interpreter and standard
library, and the shared libraries they need, found by `ldd`. That is no distribution: it has a Python and a shell, no
package manager, and only what was copied. What comes out is an OCI image layout in a tar, which `cloche images load`,
skopeo, Podman and Docker read.
"""

import gzip
import hashlib
import io
import json
import platform
import re
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent
LEFT_OUT = {"site-packages", "test", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3"}
SUPERFLUOUS = re.compile(r"_tkinter|_test|_ctypes_test|.*\.(a|opt-[12]\.pyc)$")
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
PATH = "/opt/program:/usr/local/bin:/usr/bin:/bin"


class Layer:
    """A tar in which everything is root's, unless an owner is given. Files keep their times: by these Python knows
    whether what it has compiled is still good."""

    def __init__(self) -> None:
        self.raw = io.BytesIO()
        self.tar = tarfile.TarFile(fileobj=self.raw, mode="w")
        self.names: set[str] = set()

    def add(self, name: str, content: bytes | None, mode: int = 0, modified: int = 0, owner: int = 0) -> None:
        """A file, or a folder where there is no content; the folders above it too."""
        name = name.strip("/")
        if name in self.names:
            return
        parent = name.rpartition("/")[0]
        if parent:
            self.add(parent, None)
        self.names.add(name)
        member = tarfile.TarInfo(name)
        member.mode = mode or (0o755 if content is None else 0o644)
        member.uid = member.gid = owner
        member.type = tarfile.REGTYPE if content is not None else tarfile.DIRTYPE
        member.size, member.mtime = len(content or b""), modified
        self.tar.addfile(member, io.BytesIO(content or b""))

    def copy(self, source: Path, name: str) -> None:
        found = source.stat()
        self.add(name, source.read_bytes(), 0o755 if found.st_mode & 0o100 else 0o644, int(found.st_mtime))

    def link(self, name: str, target: str) -> None:
        self.names.add(name)
        member = tarfile.TarInfo(name)
        member.type, member.linkname = tarfile.SYMTYPE, target
        self.tar.addfile(member)

    def finished(self) -> bytes:
        self.tar.close()
        return self.raw.getvalue()


def base() -> Layer:
    """The running Python at /usr/local, a shell, and the libraries of both."""
    layer, version = Layer(), f"python{sys.version_info.major}.{sys.version_info.minor}"
    interpreter = Path(getattr(sys, "_base_executable", None) or sys.executable).resolve()
    layer.copy(interpreter, f"usr/local/bin/{version}")
    layer.link("usr/local/bin/python3", version)
    library = Path(sysconfig.get_path("stdlib"))
    binaries = [interpreter, Path("/bin/sh").resolve(), Path("/usr/bin/env").resolve()]
    for path in sorted(library.rglob("*")):
        below = path.relative_to(library)
        if path.is_file() and LEFT_OUT.isdisjoint(below.parts) and not SUPERFLUOUS.match(path.name):
            layer.copy(path, f"usr/local/lib/{version}/{below}")
            if path.suffix == ".so":
                binaries.append(path)
    layer.copy(binaries[1], "bin/sh")
    layer.copy(binaries[2], "usr/bin/env")
    for name, source in libraries(binaries):
        layer.copy(source, name)
    layer.add("tmp", None, 0o1777)
    layer.add("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nmodel:x:1000:1000::/var/model:/bin/sh\n")
    layer.add("etc/group", b"root:x:0:\nmodel:x:1000:\n")
    layer.add("var/model", None, owner=1000)
    return layer


def libraries(binaries: Iterable[Path]) -> list[tuple[str, Path]]:
    """Where the loader will look for what they need, and where it is here."""
    said = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True, check=False).stdout
    found: dict[str, Path] = {}
    for name, _, path in re.findall(r"^\s+(\S+) (=> )?(/\S+) \(", said, re.MULTILINE):
        loader = name.startswith("/")
        found[name.strip("/") if loader else f"usr/lib/{name}"] = Path(path).resolve()
    for path in re.findall(r"^\s+(/\S*ld-linux\S*) \(", said, re.MULTILINE):
        found[path.strip("/")] = Path(path).resolve()
    return sorted(found.items())


def program() -> Layer:
    layer = Layer()
    for path in sorted((HERE / "program").iterdir()):
        if path.is_file():
            layer.copy(path, f"opt/program/{path.name}")
    return layer


def main(target: Path, name: str) -> None:
    with tarfile.open(target, "w") as layout:

        def put(path: str, content: bytes) -> None:
            member = tarfile.TarInfo(path)
            member.size = len(content)
            layout.addfile(member, io.BytesIO(content))

        def blob(media_type: str, content: bytes) -> dict[str, object]:
            digest = hashlib.sha256(content).hexdigest()
            put(f"blobs/sha256/{digest}", content)
            return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

        layers, diffs = [], []
        for layer in (base(), program()):
            raw = layer.finished()
            diffs.append(f"sha256:{hashlib.sha256(raw).hexdigest()}")
            packed = gzip.compress(raw, compresslevel=1, mtime=0)
            layers.append(blob("application/vnd.oci.image.layer.v1.tar+gzip", packed))
        config = {
            "architecture": MACHINES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": {
                "Env": [f"PATH={PATH}", "PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1"],
                "WorkingDir": "/opt/program",
                "User": "model",
            },
            "rootfs": {"type": "layers", "diff_ids": diffs},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": blob("application/vnd.oci.image.config.v1+json", json.dumps(config).encode()),
            "layers": layers,
        }
        entry = blob(str(manifest["mediaType"]), json.dumps(manifest).encode())
        entry["annotations"] = {"org.opencontainers.image.ref.name": name}
        put("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        put("index.json", json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), "byoc-tree:latest")
