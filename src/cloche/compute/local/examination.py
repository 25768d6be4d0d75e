"""What this machine can do for jobs: how far apart they can be kept, and what bounds them. For ``cloche doctor``."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from cloche.compute.local import cgroups, root
from cloche.compute.local import sandbox as box
from cloche.compute.local.runner.landlock import VERSION_THAT_SCOPES
from cloche.compute.local.runner.landlock import version as landlock_version
from cloche.compute.local.users import COUNT, many
from cloche.foundation.errors import Invalid

GIB: Final = 1 << 30
DISK_BYTES_ENOUGH: Final = 5 * GIB
"""An image's environment is half a gigabyte, a job's volume one at least."""
_APPARMOR: Final = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
_NAMESPACES: Final = Path("/proc/sys/user/max_user_namespaces")


@dataclass(frozen=True, slots=True)
class Finding:
    """``limited``: it works, but less is held than could be. ``advice``: what to do about it, if anything."""

    subject: str
    state: Literal["ok", "limited", "missing"]
    text: str
    advice: str = ""


def examine(data: Path) -> Iterator[Finding]:
    """All there is to say; tries what can only be tried."""
    yield _bubblewrap()
    yield _user_namespaces()
    if box.bubblewrap() is not None:
        yield _network()
        yield _several_instances()
        yield _sockets()
        yield _own_images()
    yield from _programs()
    groups = cgroups.found()
    yield _control_groups(groups)
    yield from _limits(groups)
    yield _disk(data)
    yield _user()


def _own_images() -> Finding:
    if root.works():
        text = "an image becomes the root of its sandbox"
        if many() is not None:
            return Finding("containers of your own", "ok", f"{text}, with {COUNT} users")
        advice = "start Cloche as root, where an image's programs change their user"
        return Finding("containers of your own", "limited", f"{text}, with one user", advice)
    advice = "Linux 5.11 or later with overlay file systems (modprobe overlay)"
    return Finding("containers of your own", "limited", "not here: no overlay in a user namespace", advice)


def _programs() -> Iterator[Finding]:
    """Only those that are there: nobody needs them."""
    from cloche.compute.containers.finding import NAMES, found

    for name in NAMES:
        if shutil.which(name) is None:
            continue
        try:
            text = f"{found(name).version}: cloche up --containers {name} runs your images with it"
            yield Finding(name, "ok", text)
        except Invalid as error:
            yield Finding(name, "limited", error.message, "not needed: images of your own run in bubblewrap")


def _bubblewrap() -> Finding:
    path = shutil.which("bwrap")
    if path is None:
        install = "install it: apt install bubblewrap, dnf install bubblewrap"
        return Finding(
            "bubblewrap", "missing", "not there: jobs run as plain processes and can read your files", install
        )
    version = _said([path, "--version"]) or "bubblewrap of an unknown version"
    if box.bubblewrap() is None:
        why = (
            "it needs user namespaces, which a container allows with --security-opt seccomp=unconfined, or --privileged"
        )
        return Finding("bubblewrap", "missing", f"{version} at {path} cannot make a sandbox here", why)
    return Finding("bubblewrap", "ok", f"{version} at {path}: each job sees its own files and processes only")


def _user_namespaces() -> Finding:
    subject = "user namespaces"
    if _read(_NAMESPACES) == "0":
        return Finding(subject, "missing", "this kernel allows none", "sysctl -w user.max_user_namespaces=15000")
    if _read(_APPARMOR) == "1" and box.users() is None:
        return Finding(
            subject,
            "missing",
            "AppArmor keeps them from programs without a profile",
            "give bwrap a profile with userns, or sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        )
    if box.users() == box.USERS[0]:
        return Finding(subject, "ok", "each job has one, and can make none of its own")
    if box.users() == box.USERS[1]:
        return Finding(subject, "limited", "jobs can make more of them", "install bubblewrap 0.8 or later")
    return Finding(subject, "limited", "not tried: there is no sandbox that would use them")


def _network() -> Finding:
    shared = "without EnableNetworkIsolation a job shares this machine's network, its loopback included"
    line = [str(shutil.which("bwrap")), *(box.users() or ()), "--unshare-net", "--ro-bind", "/", "/", "/bin/true"]
    if _succeeds(line):
        return Finding("network", "ok", f"EnableNetworkIsolation cuts it; {shared}")
    return Finding("network", "missing", f"a job cannot be cut from it; {shared}", "allow network namespaces")


def _several_instances() -> Finding:
    found = box.networks()
    if found == "each":
        text = "with EnableNetworkIsolation each has a network of its own, and reaches the others by name"
        return Finding("several instances", "ok", f"{text}; without it they share this machine's")
    if found == "shared":
        text = "with EnableNetworkIsolation hosts of a job share one network: not two can listen on the same port"
        return Finding("several instances", "limited", text, "load the kernel's modules bridge and veth")
    return Finding(
        "several instances",
        "limited",
        "not with EnableNetworkIsolation: a network for all hosts of a job cannot be made",
        "allow unprivileged user namespaces to programs other than bwrap",
    )


def _sockets() -> Finding:
    version = landlock_version()
    if version >= VERSION_THAT_SCOPES:
        return Finding("abstract sockets", "ok", f"a job's own alone are in its reach (Landlock {version})")
    text = "jobs that share the network share them" + (f" (Landlock {version} cannot help)" if version else "")
    return Finding("abstract sockets", "limited", text, "Linux 6.12 or later keeps them apart")


def _control_groups(groups: cgroups.ControlGroups) -> Finding:
    if groups.folders:
        held = {"memory": "memory", "pids": "processes", "cpu": "shares of processors"}
        names = ", ".join(held[name] for name in groups.folders)
        return Finding("control groups", "ok", f"version {groups.version} holds {names}")
    advice = "systemd-run --user --scope -p Delegate=yes cloche up, or start Cloche as root"
    return Finding("control groups", "limited", groups.why_not, advice)


def _limits(groups: cgroups.ControlGroups) -> Iterator[Finding]:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    most = cgroups.memory_bytes_of_all() / GIB
    if "memory" in groups.folders:
        yield Finding("memory", "ok", f"all jobs together get {most:.1f} of {total:.1f} GiB at most")
    else:
        text = f"{total:.1f} GiB, unbounded for jobs; when it runs out the kernel ends a job first"
        yield Finding("memory", "limited", text, "see control groups")
    if "pids" in groups.folders:
        yield Finding("processes", "ok", "bounded for each host of a job by its control group")
    elif os.geteuid() == 0:
        yield Finding("processes", "limited", "counted twice a second: no limit binds root", "see control groups")
    else:
        yield Finding("processes", "ok", "bounded by RLIMIT_NPROC, which counts all of this user's")
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    hard_text = "unlimited" if hard == resource.RLIM_INFINITY else str(hard)
    enough = hard == resource.RLIM_INFINITY or hard >= 16_384
    yield Finding(
        "open files",
        "ok" if enough else "limited",
        f"{soft}, raised to {hard_text} by cloche up",
        "" if enough else "ulimit -n 65536 before cloche up: each connection needs one",
    )


def _disk(data: Path) -> Finding:
    folder = next(path for path in (data, *data.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    text = f"{free / GIB:.1f} GiB free for {data}; what a job writes is looked at every 2 s, one file is bound at once"
    if free >= DISK_BYTES_ENOUGH:
        return Finding("disk", "ok", text)
    return Finding("disk", "limited", text, "free some, or choose another disk with --data")


def _user() -> Finding:
    if os.geteuid() != 0:
        return Finding("user", "ok", "jobs run as you, without privileges")
    return Finding(
        "user",
        "limited",
        "jobs run as root without any capability, which is still the owner of root's files where one is mounted",
        "start Cloche as an ordinary user",
    )


def _said(line: list[str]) -> str:
    with suppress(OSError, subprocess.TimeoutExpired):
        return subprocess.run(line, capture_output=True, text=True, timeout=10, check=False).stdout.strip()
    return ""


def _succeeds(line: list[str]) -> bool:
    with suppress(OSError, subprocess.TimeoutExpired):
        return subprocess.run(line, capture_output=True, timeout=10, check=False).returncode == 0
    return False


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
