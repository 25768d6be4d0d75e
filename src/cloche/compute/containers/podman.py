"""Podman: no daemon; ``run`` is the container's keeper, and starts it in the network in which it is itself."""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

from cloche.compute.containers.program import PATH, ContainerProgram
from cloche.compute.images.store import BlobStore, hex_of
from cloche.compute.runtime import Host
from cloche.foundation.errors import Invalid

RUNTIMES: Final = ("", "runc", "crun")
"""The one that Podman takes by itself, and others: crun refuses machines with both versions of control groups."""

PROFILES: Final = (Path("/etc/containers/seccomp.json"), Path("/usr/share/containers/seccomp.json"))
NAMESPACE_FLAGS: Final = 0x7E020000


class Podman(ContainerProgram):
    __slots__ = ()
    name = "podman"
    starts_containers = True
    removing = ("rm", "--force", "--ignore", "--time", "0")
    asking = ("version", "--format", "{{.Client.Version}}")

    def own_options(self, container: str, pid_file: Path) -> list[str]:
        options = ["--rm", "--http-proxy=false", "--pidfile", str(pid_file)]
        profile = without_namespaces()
        if profile:
            path = pid_file.with_name("seccomp.json")
            path.write_bytes(profile)
            options += ["--security-opt", f"seccomp={path}"]
        return options

    def joining(self, container: str, host: Host, names: Sequence[str]) -> dict[str, Any]:
        """The runner starts it from within that network, which is "host" to Podman then."""
        return {"options": [*names, "--network", "host"]}

    def finding(self, container: str) -> list[str]:
        return []

    def take_in(self, store: BlobStore, digest: str, name: str) -> subprocess.CompletedProcess[str]:
        with tempfile.TemporaryDirectory(prefix="cloche-image-") as folder:
            lay_out(store, digest, Path(folder))
            done = self.run("pull", "--quiet", f"dir:{folder}")
        return done if done.returncode else self.run("tag", done.stdout.strip().splitlines()[-1], name)


@cache
def without_namespaces() -> bytes:
    """Podman's own list of what containers may ask of the kernel, less namespaces: in a user namespace of its own a
    program has every privilege, and much more of the kernel to attack. Docker's list is as strict already
    (github.com/moby/profiles, ``seccomp/default.json``: the mask is its). Empty where Podman has its list in itself."""
    document: dict[str, Any] = {}
    for path in PROFILES:
        with suppress(OSError, ValueError):
            document = json.loads(path.read_bytes())
            break
    if "syscalls" not in document:
        return b""
    for each in document["syscalls"]:
        if "clone" in each["names"] and each["action"] == "SCMP_ACT_ALLOW":
            each["names"] = [name for name in each["names"] if name not in ("clone", "clone3", "unshare", "setns")]
    flags = {"index": 0, "value": NAMESPACE_FLAGS, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
    document["syscalls"] += [
        {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [flags]},
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.ENOSYS},
        {"names": ["unshare", "setns"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.EPERM},
    ]
    return json.dumps(document).encode()


def found() -> Podman:
    """Podman, tried: a container is run. Raises ``Invalid`` with why there is none."""
    path = shutil.which("podman", path=PATH)
    if path is None:
        raise Invalid("podman is not there: apt install podman, dnf install podman", field="containers")
    why: Invalid | None = None
    for runtime in RUNTIMES:
        if runtime and shutil.which(runtime, path=PATH) is None:
            continue
        try:
            return Podman((path, "--runtime", runtime) if runtime else (path,)).tried()
        except Invalid as error:
            why = why or error
    assert why is not None
    raise why


def lay_out(store: BlobStore, digest: str, folder: Path) -> None:
    """An image in the form that containers/image calls ``dir``, which takes every kind of manifest
    (github.com/containers/image, ``directory/directory_transport.go``): blobs are linked, not copied."""
    manifest = store.read(digest, 1 << 24)
    document = json.loads(manifest)
    (folder / "version").write_text("Directory Transport Version: 1.1\n")
    (folder / "manifest.json").write_bytes(manifest)
    for each in (document["config"], *document["layers"]):
        (folder / hex_of(each["digest"])).symlink_to(store.path(each["digest"]).resolve())
