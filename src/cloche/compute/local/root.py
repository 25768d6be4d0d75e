"""A sandbox whose root is an image: the command line up to where ``runner/image.py`` goes on.

Bubblewrap lays out what process 1 needs (this machine's system folders and an interpreter), the image, and what the job
was given, each at a place of its own below ``/image``; process 1 puts these together and leaves the rest behind.
"""

from __future__ import annotations

import platform
import signal
from functools import cache
from pathlib import Path
from typing import Any, Final

from cloche.compute.local import sandbox as box
from cloche.compute.local.runner.image import FOLDER, PIVOT_ROOT
from cloche.compute.runtime import Host, Mount, ProcessSpec

PRIVILEGES: Final = ("CAP_SYS_ADMIN", "CAP_SETPCAP", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_CHOWN")
"""Process 1's, in its own namespace and until the job begins: to mount, to give up privileges, and what an overlay
needs of whoever mounts it to copy a file up."""
ML_ROOT: Final = "/opt/ml"


@cache
def works() -> bool:
    """Whether this kernel can lay a layer over an image in a user namespace: an overlay by Linux 5.11 and later."""
    release = platform.release().split(".")
    try:
        is_new = (int(release[0]), int(release[1].split("-")[0])) >= (5, 11)
        overlays = "overlay" in Path("/proc/filesystems").read_text(encoding="ascii").split()
    except (OSError, ValueError, IndexError):
        return False
    return is_new and overlays and platform.machine() in PIVOT_ROOT


def signal_number(name: str) -> int:
    """Of an image's ``StopSignal``: ``SIGQUIT``, ``QUIT`` or ``3``; SIGTERM for what is none."""
    if name.isdecimal():
        return int(name) if 0 < int(name) < signal.NSIG else int(signal.SIGTERM)
    wanted = name.upper() if name.upper().startswith("SIG") else f"SIG{name.upper()}"
    return int(getattr(signal, wanted, signal.SIGTERM)) if name else int(signal.SIGTERM)


def command(
    bwrap: str, spec: ProcessSpec, host: Host, runner: Path, hosts: Path, layer: Path
) -> tuple[list[str], list[Any]]:
    """The command line up to ``init``'s descriptors, and what process 1 mounts: (where it is, where it belongs, whether
    it is a folder)."""
    assert host.root is not None
    line = [bwrap, *box.system(), *(box.users() or ()), *box.APART, "--hostname", host.name]
    line += ["--die-with-parent", "--new-session", "--as-pid-1", "--cap-drop", "ALL"]
    if "--unshare-user" in line:
        line += ["--uid", str(host.root.uid), "--gid", str(host.root.gid)]
    for privilege in PRIVILEGES:
        line += ["--cap-add", privilege]
    apart = host.inlet is not None or not spec.network
    if host.inlet is not None or (apart and not spec.more_hosts):  # several are in those that their runner makes
        line.append("--unshare-net")
    line += [*box.PROC, "--dev", "/dev", "--size", str(box.scratch_bytes()), "--tmpfs", "/dev/shm"]  # noqa: S108
    for prefix in box.software("", {}):
        line += ["--ro-bind", str(prefix), str(prefix)]
    line += ["--ro-bind", str(runner), box.RUNNER_INSIDE]
    line += ["--dir", f"{FOLDER}/root", "--ro-bind", str(host.root.folder.resolve()), f"{FOLDER}/lower"]
    line += ["--bind", str(layer), f"{FOLDER}/layer", "--size", str(box.scratch_bytes()), "--tmpfs", f"{FOLDER}/memory"]
    mounts: list[Any] = []
    for mount in _given(host, hosts, apart=apart):
        inside = f"{FOLDER}/mounts/{len(mounts)}"
        line += box.bind(Mount(mount.source, inside, mount.writable))
        mounts.append((inside, mount.target, mount.source.is_dir()))
    mounts += [("/proc", "/proc", True), ("/dev", "/dev", True)]
    if host.inlet is not None:
        folder = host.inlet.socket.parent
        line += box.bind(Mount(folder, str(folder), writable=True))
    line += ["--remount-ro", "/dev", "--remount-ro", "/"]
    return [*line, *box.runner_command(box.RUNNER_INSIDE, "inside")], mounts


def _given(host: Host, hosts: Path, *, apart: bool) -> list[Mount]:
    """In the order in which they are mounted: one may lie below another. Where no name server can be reached none is
    named, or whoever asks for a name waits for it."""
    network = [Mount(hosts, "/etc/hosts")]
    if not apart and Path("/etc/resolv.conf").exists():
        network.append(Mount(Path("/etc/resolv.conf"), "/etc/resolv.conf"))
    mine = sorted(host.mounts, key=lambda mount: mount.target.count("/"))
    return [*network, Mount(host.ml_root, ML_ROOT, writable=True), *mine]
