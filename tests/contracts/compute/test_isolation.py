"""What a job in a sandbox can see and reach. A plain process promises none of it, and says so."""

from __future__ import annotations

import os
import socket
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from cloche.compute.local import LocalRuntime
from cloche.compute.local.sandbox import bubblewrap
from cloche.compute.runtime import Limits, Lost, Mount
from cloche.foundation.errors import Invalid

from .conftest import Bench, until

HIDDEN = (
    *(str(Path("/root", name)) for name in (".ssh", ".bashrc", ".profile")),
    "/home",
    "/srv",
    "/var/lib",
    "/etc/shadow",
)


def test_the_ml_root(bench: Bench) -> None:
    spec = bench.start(
        "import os\n"
        "root = '/opt/ml' if os.path.isdir('/opt/ml/model') else os.environ['CLOCHE_ML_ROOT']\n"
        "open(root + '/model/made', 'w').write(os.getcwd())",
        id="job",
        ml_root=_made(bench.folder / "root" / "model").parent,
    )
    assert bench.ended().exit_code == 0
    where = (spec.ml_root / "model" / "made").read_text()
    assert where == ("/opt/ml" if bench.runtime.capabilities.ml_root_at_opt_ml else str(spec.ml_root))


def test_plain_processes_say_what_they_are(bench: Bench) -> None:
    text = bench.runtime.capabilities.explanation
    if bench.sandbox == "process":
        assert "can read your files" in text
        assert "CLOCHE_ML_ROOT" in text
    else:
        assert "sandbox" in text


def test_auto_takes_the_sandbox_where_it_works(tmp_path: Path) -> None:
    runtime = LocalRuntime(tmp_path, "auto")
    assert runtime.capabilities.private_files == (bubblewrap() is not None)
    runtime.close()


def test_demanding_a_sandbox_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloche.compute.local.sandbox.bubblewrap", lambda: None)
    with pytest.raises(Invalid, match="bubblewrap"):
        LocalRuntime(tmp_path, "bubblewrap")


def test_files_of_the_host_are_not_there(boxed: Bench) -> None:
    secret = _made(boxed.folder / "data") / "secret"
    secret.write_text("x")
    other = _made(boxed.folder / "ml" / "other") / "theirs"
    other.write_text("x")
    hidden = [str(secret), str(other), str(boxed.folder), __file__, *HIDDEN]
    script = (
        "import os\n"
        f"for path in {hidden!r}:\n"
        "    if os.path.exists(path): print('SEES', path)\n"
        "print(sorted(os.listdir('/')))\n"
        "print(sorted(os.listdir('/tmp')))"
    )
    assert boxed.run(script).exit_code == 0
    assert "SEES" not in boxed.printed()
    # Only the way to the interpreter that was mounted for it, where the checkout itself lies in /tmp.
    mounted = {Path(prefix).parts[2] for prefix in (sys.prefix, sys.base_prefix) if prefix.startswith("/tmp/")}
    assert boxed.printed().splitlines()[-1] == str(sorted(mounted))


def test_processes_of_the_host_are_not_there(boxed: Bench) -> None:
    assert boxed.run("import os; print(sum(name.isdigit() for name in os.listdir('/proc')))").exit_code == 0
    assert boxed.printed().strip() == "2"


def test_privileges_are_gone(boxed: Bench) -> None:
    boxed.run("print([l for l in open('/proc/self/status') if l.startswith('CapEff')][0].split()[1])")
    assert int(boxed.printed(), 16) == 0


def test_mounts_are_read_only_unless_they_say_so(boxed: Bench) -> None:
    source = _made(boxed.folder / "channel")
    (source / "rows.csv").write_text("1,2\n")
    scratch = _made(boxed.folder / "scratch")
    ended = boxed.run(
        "print(open('/opt/ml/input/data/train/rows.csv').read())\n"
        "open('/scratch/made', 'w').write('yes')\n"
        "for path in ('/opt/ml/input/data/train/rows.csv', '/opt/ml/input/data/train/new', '/usr/new'):\n"
        "    try: open(path, 'a'); print('WROTE', path)\n"
        "    except OSError as error: print(error.errno)",
        mounts=(Mount(source, "/opt/ml/input/data/train"), Mount(scratch, "/scratch", writable=True)),
    )
    assert ended.exit_code == 0
    assert boxed.printed().split() == ["1,2", "30", "30", "30"]
    assert (scratch / "made").read_text() == "yes"


def test_no_folder_is_taken_for_the_one_that_was_looked_at(boxed: Bench) -> None:
    theirs = _made(boxed.folder / "theirs")
    status = theirs.stat()
    mount = Mount(theirs, "/opt/ml/input/data/fs", True, (status.st_dev, status.st_ino))
    theirs.rename(boxed.folder / "moved")
    theirs.symlink_to("/etc")
    ended = boxed.run("", mounts=(mount,), notice="[cloche] nothing")
    assert ended.cause == "not_started"
    assert "is another folder than the one that was looked at" in ended.message


def test_a_file_may_be_mounted_where_a_folder_of_the_system_has_none(boxed: Bench) -> None:
    program = boxed.folder / "program"
    program.write_text("#!/bin/sh\necho here\n")
    program.chmod(0o755)
    name = "a-program-that-nobody-has"
    script = (
        f"import os, subprocess; print(subprocess.check_output(['/usr/sbin/{name}']))\n"
        f"print(sorted({{*os.listdir('/usr/sbin')}} ^ {{*{sorted(os.listdir('/usr/sbin'))!r}}}))\n"
        "try: open('/usr/sbin/other', 'w')\n"
        "except OSError as error: print(error.strerror)"
    )
    assert boxed.run(script, mounts=(Mount(program, f"/usr/sbin/{name}"),)).exit_code == 0, boxed.printed()
    assert boxed.printed().splitlines() == ["b'here\\n'", f"['{name}']", "Read-only file system"]


def test_a_mount_whose_source_is_missing_is_told(boxed: Bench) -> None:
    boxed = replace(boxed, stands_by=False)  # nobody can for it: do not wait for one
    boxed.start("", mounts=(Mount(boxed.folder / "nowhere", "/mnt"),))
    ended = boxed.ended()
    assert ended.cause == "not_started"
    assert "nowhere" in ended.message


def test_host_name_resolves(boxed: Bench) -> None:
    boxed.run("import socket; print(socket.gethostname(), socket.gethostbyname('algo-1'))")
    name, address = boxed.printed().split()
    assert name == "algo-1"
    assert address.startswith("127.")
    assert address != "127.0.0.1"  # which all jobs share


@pytest.mark.parametrize("network", [True, False])
def test_network_is_shared_or_cut(boxed: Bench, network: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ended = boxed.run(
            f"import socket; socket.create_connection(('127.0.0.1', {port}), 5); print('reached')", network=network
        )
    assert (ended.exit_code == 0) == network


def test_a_socket_is_reached_from_outside(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("s") / "model.sock"
    bench.start(
        f"import socket; s = socket.socket(socket.AF_UNIX); s.bind({str(path)!r}); s.listen(); print('up')\n"
        "c, _ = s.accept(); c.sendall(b'hello')",
        socket=path,
    )
    bench.says("up")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        assert client.recv(5) == b"hello"


def test_users_and_certificates(boxed: Bench) -> None:
    ended = boxed.run(
        "import os, pwd, ssl\n"
        "print(pwd.getpwuid(os.getuid()).pw_dir)\n"
        "assert ssl.create_default_context().get_ca_certs() or not os.path.isdir('/etc/ssl/certs')"
    )
    assert ended.exit_code == 0, boxed.printed()


def test_jobs_run_side_by_side(bench: Bench) -> None:
    threads = [threading.Thread(target=bench.start, args=(f"raise SystemExit({n})", f"job-{n}")) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: len(bench.runtime.known()) == 4)
    assert [bench.ended(f"job-{n}").exit_code for n in range(4)] == [0, 1, 2, 3]


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_nothing_is_written_but_where_it_is_bounded(boxed: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloche.compute.local.sandbox.scratch_bytes", lambda: 8 << 20)
    script = (
        "import errno\n"
        "for path in ('/new', '/dev/new', '/opt/new', '/run/new', '/etc/new', '/home'):\n"
        "    try: open(path, 'w'); print('WRITES', path)\n"
        "    except OSError: pass\n"
        "for folder in ('/tmp', '/var/tmp', '/root', '/dev/shm'):\n"
        "    written = 0\n"
        "    with open(folder + '/full', 'wb', 0) as file:\n"
        "        try:\n"
        "            while written < 1 << 25: written += file.write(bytes(1 << 20))\n"
        "        except OSError as error:\n"
        "            print(folder, errno.errorcode[error.errno])\n"
        "    __import__('os').unlink(folder + '/full')\n"
    )
    assert boxed.run(script, limits=Limits(file_bytes=None)).exit_code == 0
    said = boxed.printed()
    assert "WRITES" not in said
    assert said.split() == [word for folder in ("/tmp", "/var/tmp", "/root", "/dev/shm") for word in (folder, "ENOSPC")]


def test_processes_are_bounded(boxed: Bench) -> None:
    script = (
        "import os, time\n"
        "try:\n"
        "    while True:\n"
        "        if os.fork() == 0: time.sleep(600)\n"
        "        time.sleep(0.001)\n"
        "except OSError: print('no more')\n"
    )
    ended = boxed.run(script, limits=Limits(processes=50))
    held = "pids" in boxed.runtime.control_groups.folders
    if os.geteuid() == 0 and not held:  # whom the system's own limit does not bind
        assert (ended.cause, ended.signal) == ("limit_reached", 9)
        assert "50 are allowed" in ended.message
    else:
        assert boxed.printed().strip() == "no more"


def test_a_full_disk_ends_the_job(bench: Bench) -> None:
    script = (
        "import os, time\n"
        "root = '/opt/ml' if os.path.isdir('/opt/ml') else os.environ['CLOCHE_ML_ROOT']\n"
        "os.mkdir(root + '/deep')\n"
        "number = 0\n"
        "while True:\n"
        "    number += 1\n"
        "    with open(f'{root}/deep/{number % 100}', 'wb') as file: file.write(os.urandom(1 << 18))\n"
        "    time.sleep(0.001)\n"
    )
    ended = bench.run(script, limits=Limits(disk_bytes=8 << 20))
    assert (ended.cause, ended.signal) == ("limit_reached", 9)
    assert "No space left on device" in ended.message


def test_reading_what_a_power_cut_tore(bench: Bench) -> None:
    """No file of a process's folder is trusted to be whole; what cannot be read was a runner that is dead."""
    bench.start("import time; time.sleep(600)")
    bench.runtime.stop("job", 0.0)
    bench.ended()
    folder = bench.folder / "run" / "job"
    (folder / "outcome.json").unlink()
    (folder / "runner.json").write_bytes(b"")
    runtime = bench.beside()
    runtime.on_change(lambda id: None)
    assert isinstance(runtime.observe("job"), Lost)
    runtime.stop("job")
    runtime.start(bench.spec("print('again')"))
    assert isinstance(runtime.observe("job"), Lost)
    runtime.forget("job")
    assert runtime.observe("job") is None
    runtime.close()
