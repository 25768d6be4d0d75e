"""A job that tries to get out, to reach others, or to take all there is. Nothing here may succeed in a sandbox."""

from __future__ import annotations

import ctypes
import os
import socket
import time
from pathlib import Path

import pytest

from cloche.compute.local.runner.landlock import VERSION_THAT_SCOPES
from cloche.compute.local.runner.landlock import version as landlock_version
from cloche.compute.local.sandbox import USERS, users
from cloche.compute.local.users import many
from cloche.compute.runtime import Limits, Mount

from .conftest import Bench, until

KEPT = sum(1 << number for number in (0, 1, 3, 4, 5, 6, 7, 8, 10, 18, 29, 31))
"""What a container's root may (linux/capability.h): chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap,
net_bind_service, sys_chroot, audit_write, setfcap."""
KEYS = {"x86_64": (248, 250), "aarch64": (217, 219)}
"""``add_key`` and ``keyctl``."""
SESSION = -3
TRY = """
import ctypes, errno, os, signal, socket, sys
def tried(what, act):
    try:
        print('DID', what, act())
    except OSError as error:
        print('not', what, errno.errorcode.get(error.errno))
"""


def attempts(bench: Bench, script: str, id: str = "job", **changes: object) -> list[str]:
    """What the script managed to do."""
    ended = bench.run(TRY + script, id, **changes)
    assert ended.exit_code == 0, bench.printed(id)
    lines = bench.printed(id).splitlines()
    assert any(line.startswith("not ") for line in lines), lines
    return [line for line in lines if line.startswith("DID")]


def test_the_kernel_is_not_its_to_set(boxed: Bench) -> None:
    script = (
        "for path in ('/proc/sys/kernel/core_pattern', '/proc/sys/kernel/hostname', '/proc/sys/vm/overcommit_memory',"
        " '/proc/sysrq-trigger', '/proc/sys/kernel/modprobe'):\n"
        "    tried(path, lambda: os.open(path, os.O_WRONLY))\n"
        "for path in ('/proc/kcore', '/proc/kmsg', '/dev/mem', '/dev/vda', '/sys/kernel/uevent_helper', '/dev/kmsg'):\n"
        "    tried(path, lambda: os.read(os.open(path, os.O_RDONLY), 1))\n"
    )
    assert attempts(boxed, script) == []


def test_no_privileges_are_to_be_had(boxed: Bench) -> None:
    """Neither by set-uid programs nor by namespaces of its own, with whose help mounts could be undone. Root of a
    container, or of an image with many users, may be others within it, and has the capabilities for that: none over
    files, networks or devices of this machine's."""
    contained = boxed.runtime.containers is not None or (boxed.root is not None and many() is not None)
    script = (
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "def call(name, *given):\n"
        "    if getattr(libc, name)(*given) != 0: raise OSError(ctypes.get_errno(), '')\n"
        "tried('mount', lambda: call('mount', b'none', b'/opt', b'tmpfs', 0, None))\n"
        "tried('remount', lambda: call('mount', b'none', b'/usr', b'', 32 | 4096, None))\n"
        "tried('umount', lambda: call('umount2', b'/opt/ml', 2))\n"
        "tried('mknod', lambda: os.mknod('/opt/ml/disk', 0o60666, os.makedev(254, 0)))\n"
        "tried('sethostname', lambda: socket.sethostname('other'))\n"
        f"if {contained or users() == USERS[0]}: tried('unshare', lambda: call('unshare', 0x10000000))\n"
        "tried('raw', lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))\n"
        "tried('clock', lambda: __import__('time').clock_settime(0, 0))\n"
        "open('/opt/ml/set-uid', 'w').close(); os.chmod('/opt/ml/set-uid', 0o6755)\n"
        "status = dict(line.split(':', 1) for line in open('/proc/self/status'))\n"
        "assert status['NoNewPrivs'].strip() == '1', status\n"
        f"assert (int(status['CapBnd'], 16) | int(status['CapPrm'], 16)) & ~{KEPT if contained else 0} == 0, status\n"
        f"if not {contained}: tried('chroot', lambda: os.chroot('/opt')); tried('setuid', lambda: os.setuid(12345))\n"
    )
    assert attempts(boxed, script) == []


def test_inputs_stay_as_they_are(boxed: Bench) -> None:
    """They are the very files of the object store."""
    source = boxed.folder / "objects"
    source.mkdir()
    (source / "rows").write_text("1,2")
    script = (
        "rows = '/opt/ml/input/data/train/rows'\n"
        "tried('open', lambda: os.open(rows, os.O_WRONLY))\n"
        "tried('again', lambda: os.open(f'/proc/self/fd/{os.open(rows, os.O_RDONLY)}', os.O_RDWR))\n"
        "tried('link', lambda: os.link(rows, '/opt/ml/rows'))\n"
        "tried('chmod', lambda: os.chmod(rows, 0o666))\n"
        "tried('truncate', lambda: os.truncate(rows, 0))\n"
        "tried('rename', lambda: os.rename(rows, '/opt/ml/rows'))\n"
        "tried('unlink', lambda: os.unlink(rows))\n"
        "tried('times', lambda: os.utime(rows, (0, 0)))\n"
        "tried('attribute', lambda: os.setxattr(rows, 'user.x', b'y'))\n"
        "tried('folder', lambda: os.rename('/opt/ml/input/data/train', '/opt/ml/train'))\n"
        "import mmap\n"
        "file = os.open(rows, os.O_RDONLY)\n"
        "tried('map', lambda: mmap.mmap(file, 3, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE))\n"
    )
    (boxed.folder / "ml" / "job" / "input" / "data" / "train").mkdir(parents=True)
    before = (source / "rows").stat()
    known = ("st_mode", "st_ino", "st_nlink", "st_uid", "st_size", "st_mtime_ns", "st_ctime_ns")
    assert attempts(boxed, script, mounts=(Mount(source, "/opt/ml/input/data/train"),)) == []
    assert (source / "rows").read_text() == "1,2"
    after = (source / "rows").stat()
    assert [getattr(after, name) for name in known] == [getattr(before, name) for name in known]


def test_other_processes_are_out_of_reach(boxed: Bench) -> None:
    boxed.start("import time; print('up'); time.sleep(600)", "victim")
    boxed.says("up\n", "victim")
    script = (
        f"for pid in ({os.getpid()}, os.getppid() + 100):\n"
        "    tried('kill', lambda: os.kill(pid, signal.SIGKILL))\n"
        "    tried('environ', lambda: open(f'/proc/{pid}/environ', 'rb').read())\n"
        "    tried('memory', lambda: open(f'/proc/{pid}/mem', 'rb').read(1))\n"
        "for pid in filter(str.isdigit, os.listdir('/proc')):\n"
        "    try: text = open(f'/proc/{pid}/environ', 'rb').read()\n"
        "    except PermissionError: continue\n"
        "    if b'SERVER_SECRET' in text: print('DID environ', pid)\n"
        "os.kill(-1, signal.SIGTERM) if os.fork() == 0 else os.wait()\n"
    )
    boxed.start(TRY + "signal.signal(15, signal.SIG_IGN)\n" + script, "attacker")
    assert boxed.ended("attacker").exit_code is not None
    assert "DID" not in boxed.printed("attacker")
    assert "not kill ESRCH" in boxed.printed("attacker")
    boxed.runtime.stop("victim", 0.0)
    assert boxed.ended("victim").cause == "stopped"


@pytest.fixture
def session_key() -> None:
    """This session has a keyring, as a login has, with a key in it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not (calls := KEYS.get(os.uname().machine)):
        pytest.skip("the numbers of these calls are not known here: THE SESSION'S KEYRING IS NOT TESTED")
    joined = libc.syscall(calls[1], 1, None) >= 0
    if not joined or libc.syscall(calls[0], b"user", b"ticket", b"secret", 6, SESSION) < 0:
        pytest.skip("this kernel holds no keys, or not for us: THE SESSION'S KEYRING IS NOT TESTED")


def test_keys_of_the_session_are_out_of_reach(session_key: None, boxed: Bench) -> None:
    """The server's, and what another job may have put beside them."""
    add, keyctl = KEYS[os.uname().machine]
    calls = (
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "def call(*given):\n"
        "    if (found := libc.syscall(*given)) < 0: raise OSError(ctypes.get_errno(), '')\n"
        "    return found\n"
        f"def search(name): return call({keyctl}, 10, {SESSION}, b'user', name, 0)\n"
    )
    put = f"print('put', libc.syscall({add}, b'user', b'mine', b'x', 1, {SESSION})); import time; time.sleep(600)\n"
    boxed.start(TRY + calls + put, "other")
    boxed.says("put ", "other")
    assert attempts(boxed, calls + "for name in (b'ticket', b'mine'): tried(name, lambda: search(name))\n") == []


def test_process_1_cannot_be_looked_into_or_stopped(boxed: Bench) -> None:
    """It tells how the job ended: a job that stopped it would never end, one that wrote to its pipes would tell itself
    how it ended."""
    if boxed.runtime.containers is not None:
        pytest.skip("process 1 of a container is the job's own")
    script = (
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "def attach(request):\n"
        "    if libc.ptrace(request, 1, 0, 0) != 0: raise OSError(ctypes.get_errno(), '')\n"
        "for number in (16, 0x4206): tried(f'trace {number}', lambda: attach(number))\n"
        "for name in ('environ', 'maps'): tried(name, lambda: open(f'/proc/1/{name}').read())\n"
        "tried('root', lambda: os.listdir('/proc/1/root'))\n"
        "for number in range(64): tried(f'fd {number}', lambda: open(f'/proc/1/fd/{number}', 'wb'))\n"
    )
    assert attempts(boxed, script) == []


@pytest.mark.parametrize("network", [True, False])
def test_abstract_sockets_of_others(boxed: Bench, network: bool) -> None:
    if network and landlock_version() < VERSION_THAT_SCOPES:
        pytest.skip("NOT TESTED: this kernel's Landlock knows no scopes, and jobs share abstract sockets")
    if network and getattr(boxed.runtime.containers, "name", "") == "docker":
        pytest.skip("Docker's daemon starts containers: with this machine's network they have its abstract sockets")
    name = f"\0cloche-secret-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as outside:
        outside.bind(name)
        outside.listen()
        script = (
            f"tried('connect', lambda: socket.socket(socket.AF_UNIX).connect({name!r}))\n"
            "mine = socket.socket(socket.AF_UNIX); mine.bind('\\0mine'); mine.listen()\n"
            "socket.socket(socket.AF_UNIX).connect('\\0mine')\n"
        )
        assert attempts(boxed, script, network=network) == []


def test_sockets_with_files_of_others(boxed: Bench, tmp_path: Path) -> None:
    path = str(tmp_path / "model.sock")
    with socket.socket(socket.AF_UNIX) as outside:
        outside.bind(path)
        outside.listen()
        script = (
            f"tried('connect', lambda: socket.socket(socket.AF_UNIX).connect({path!r}))\n"
            f"tried('through', lambda: socket.socket(socket.AF_UNIX).connect('/proc/1/root' + {path!r}))\n"
        )
        assert attempts(boxed, script) == []


def test_nothing_outlives_the_job(boxed: Bench) -> None:
    """Forked twice, in a session of its own, deaf to all signals, its output closed."""
    word = f"survivor-{os.getpid()}-{time.time_ns()}"
    script = (
        "import os, signal, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        for number in range(1, 32):\n"
        "            if number not in (9, 19): signal.signal(number, signal.SIG_IGN)\n"
        "        os.closerange(0, 100)\n"
        f"        os.execv({boxed.python!r}, ['python', '-c', 'import time; time.sleep(600)', {word!r}])\n"
        "    os._exit(0)\n"
        "os.wait(); time.sleep(0.3); print('left')\n"
    )
    assert boxed.run(script).exit_code == 0
    assert boxed.printed() == "left\n"
    until(lambda: word not in _command_lines(), "the end of the survivor")


def _command_lines() -> str:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            found.append((entry / "cmdline").read_text() if entry.name.isdigit() else "")
        except OSError:
            continue
    return "\n".join(found)


def test_memory_hogs_end_alone(boxed: Bench) -> None:
    """Each of them within what a process may map, all together beyond what the job may use."""
    script = (
        "import os, time\n"
        "print(open('/proc/self/oom_score_adj').read().strip())\n"
        "for _ in range(4):\n"
        "    if os.fork() == 0: hog = os.urandom(120 << 20); time.sleep(600)\n"
        "codes = [os.waitstatus_to_exitcode(os.wait()[1])]\n"
        "print(codes); raise SystemExit(1)\n"
    )
    if "memory" not in boxed.runtime.control_groups.folders:
        pytest.skip("NOT TESTED: there are no control groups that hold memory here")
    ended = boxed.run(script, limits=Limits(memory_bytes=300 << 20))
    assert boxed.printed().startswith("800\n")
    assert (ended.cause, ended.message) == ("limit_reached", f"Out of memory: {300 << 20} bytes are allowed")


def test_groups_go_with_the_job(boxed: Bench) -> None:
    folders = boxed.runtime.control_groups.folders
    if boxed.runtime.containers is not None:
        pytest.skip("containers have groups of Docker's and Podman's")
    if not folders:
        pytest.skip("NOT TESTED: there are no control groups to make here")
    script = "import time\nfor line in open('/proc/self/cgroup'): print(line.strip())\nprint('up'); time.sleep(600)"
    boxed.start(script)
    boxed.says("up\n")
    token = (boxed.folder / "run" / "job" / "runner.json").read_text().partition('"token": "')[2][:32]
    for folder in folders.values():
        assert (folder / f"{token}-0" / "cgroup.procs").read_text().split()
    boxed.runtime.stop("job", 0.0)
    boxed.ended()
    for folder in folders.values():
        assert not (folder / f"{token}-0").exists()


def test_a_large_file_is_refused_at_once(bench: Bench) -> None:
    script = (
        "import errno, os\n"
        "root = '/opt/ml' if os.path.isdir('/opt/ml') else os.environ['CLOCHE_ML_ROOT']\n"
        "try: open(root + '/large', 'wb').truncate(1 << 30)\n"
        "except OSError as error: print(errno.errorcode[error.errno])\n"
    )
    assert bench.run(script, limits=Limits(disk_bytes=8 << 20)).exit_code == 0
    assert bench.printed() == "EFBIG\n"
