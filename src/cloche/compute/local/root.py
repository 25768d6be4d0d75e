"""A sandbox whose root is an image: the command line up to where ``runner/image.py`` goes on.

Bubblewrap lays out what process 1 needs (this machine's system folders and an interpreter), the image, and what the job
was given, each at a place of its own below ``/image``; process 1 puts these together and leaves the rest behind.
"""

from __future__ import annotations

import platform
import signal
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

from cloche.compute.local import sandbox as box
from cloche.compute.local.runner.image import FOLDER, PIVOT_ROOT
from cloche.compute.local.users import Users, many
from cloche.compute.runtime import Host, Mount, ProcessSpec, Root

PRIVILEGES: Final = ("CAP_SYS_ADMIN", "CAP_SETPCAP", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_CHOWN")
"""Process 1's, in its own namespace and until the job begins: to mount, to give up privileges, and what an overlay
needs of whoever mounts it to copy a file up."""
KEPT: Final = {
    "CAP_CHOWN": 0,
    "CAP_DAC_OVERRIDE": 1,
    "CAP_FOWNER": 3,
    "CAP_FSETID": 4,
    "CAP_KILL": 5,
    "CAP_SETGID": 6,
    "CAP_SETUID": 7,
    "CAP_SETPCAP": 8,
    "CAP_NET_BIND_SERVICE": 10,
    "CAP_SYS_CHROOT": 18,
    "CAP_AUDIT_WRITE": 29,
    "CAP_SETFCAP": 31,
}
"""What root of an image with many users keeps, in its own namespace (linux/capability.h): what Docker gives, but for
devices and raw packets."""
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
    has_many = users_of(host.root) is not None
    line = [bwrap, *box.system(), *(() if has_many else box.users() or ()), *box.APART, "--hostname", host.name]
    line += ["--die-with-parent", "--new-session", "--as-pid-1", "--cap-drop", "ALL"]
    if has_many:
        line += ["--uid", "0", "--gid", "0"]
    elif "--unshare-user" in line:
        line += ["--uid", str(host.root.uid), "--gid", str(host.root.gid)]
    for privilege in dict.fromkeys((*PRIVILEGES, *(KEPT if has_many else ()))):
        line += ["--cap-add", privilege]
    apart = host.inlet is not None or not spec.network
    if host.inlet is not None or (apart and not spec.more_hosts):  # several are in those that their runner makes
        line.append("--unshare-net")
    line += [*box.PROC, "--dev", "/dev", "--perms", "1777", "--size", str(box.scratch_bytes()), "--tmpfs", "/dev/shm"]  # noqa: S108
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


def users_of(root: Root) -> Users | None:
    """Those that a job may be; ``None``: it is the one there is, as it is where its number is beyond the many."""
    users = many()
    return users if users is not None and max(root.uid, root.gid, *root.groups) < users.count else None


def user(root: Root) -> dict[str, Any] | None:
    """Who the job becomes, where its image has many users."""
    if users_of(root) is None:
        return None
    return {"uid": root.uid, "gid": root.gid, "groups": [root.gid, *root.groups], "kept": sorted(KEPT.values())}


def open_to_all(host: Host) -> None:
    """Whoever an image's programs run as finds in ``/opt/ml`` what root finds there, and may write where root may: it
    lies in folders that nobody else of this machine can enter. So it is with SageMaker's. Somebody else's folders
    stay as they are."""
    ours = [mount for mount in host.mounts if mount.identity is None]
    for folder, more_folder, more_file in (
        (host.ml_root, 0o777, 0o666),
        *((m.source, 0o777 if m.writable else 0o555, 0o666 if m.writable else 0o444) for m in ours),
    ):
        for path in [folder, *folder.rglob("*")] if folder.is_dir() else [folder]:
            if path.is_symlink():
                continue
            with suppress(FileNotFoundError):
                mode = path.stat().st_mode
                more = more_folder if path.is_dir() else more_file
                if mode & more != more:
                    path.chmod(mode & 0o7777 | more)


def _given(host: Host, hosts: Path, *, apart: bool) -> list[Mount]:
    """In the order in which they are mounted: one may lie below another. Where no name server can be reached none is
    named, or whoever asks for a name waits for it."""
    network = [Mount(hosts, "/etc/hosts")]
    if not apart and Path("/etc/resolv.conf").exists():
        network.append(Mount(Path("/etc/resolv.conf"), "/etc/resolv.conf"))
    mine = sorted(host.mounts, key=lambda mount: mount.target.count("/"))
    return [*network, Mount(host.ml_root, ML_ROOT, writable=True), *mine]
