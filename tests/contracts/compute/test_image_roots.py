"""Processes whose root is an image: what they see, what they may write, how requests find them, what stays."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cloche.compute.images.own import OwnImage
from cloche.compute.local import LocalRuntime
from cloche.compute.local.root import signal_number, users_of
from cloche.compute.local.users import FIRST, many
from cloche.compute.runtime import Host, Inlet, Limits, Mount, Root
from cloche.foundation.errors import Invalid

from .conftest import Bench, until


@pytest.fixture(params=["many", "one"])
def imaged(
    request: pytest.FixtureRequest,
    unpacked: Callable[[str], OwnImage],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Bench]:
    """The image has many users, or one."""
    if request.param == "one":
        monkeypatch.setattr("cloche.compute.local.root.many", lambda: None)
    elif many() is None:
        pytest.skip("MANY USERS ARE NOT TESTED: they are not to be had here")
    image = unpacked(request.param)
    runtime = LocalRuntime(tmp_path / "run", "bubblewrap")
    root = Root(image.root, image.in_use, image.user.uid, image.user.gid, groups=image.user.groups)
    yield Bench(runtime, tmp_path, "bubblewrap", root=root)
    for id in runtime.known():
        runtime.forget(id)
    runtime.close()


def test_the_image_is_all_there_is(imaged: Bench) -> None:
    assert imaged.root is not None
    of_image = {path.name for path in imaged.root.folder.iterdir()}
    given = imaged.folder / "given"
    given.mkdir()
    (given / "file").write_text("given")
    script = (
        "import os\n"
        "print(sorted(os.listdir('/')), sorted(os.listdir('/proc/self/root')))\n"
        "print(os.getuid(), os.getgid(), os.getcwd(), open('/srv/in/file').read())\n"
        "print([line.split()[4] for line in open('/proc/self/mountinfo') if line.split()[4].startswith('/image')])\n"
        f"print([each for each in os.listdir('/proc/self/fd') if int(each) > 3 and each not in {_inherited()}])\n"
        "try: print(os.listdir('/proc/1/root'))\n"
        "except PermissionError: print('process 1 is closed')\n"
    )
    mounts = (Mount(given, "/srv/in"),)
    root = replace(imaged.root, uid=0, gid=0)  # if anybody may look into process 1, root may
    assert imaged.run(script, directory="/opt/program", mounts=mounts, root=root).exit_code == 0, imaged.printed()
    names, identity, left, descriptors, first = imaged.printed().splitlines()
    seen = sorted(of_image | {"proc", "dev", "srv", "opt", "etc"})
    assert names == f"{seen} {seen}"
    assert identity == "0 0 /opt/program given"
    assert (left, descriptors, first) == ("[]", "[]", "process 1 is closed")
    script = "import os; print(os.getuid(), os.getgid(), open('/srv/in/file').read())"
    imaged.run(script, "user", mounts=mounts)
    assert imaged.printed("user") == "1000 1000 given\n"


def _inherited() -> list[str]:
    """What whoever runs the tests hands down to all that is started."""
    return [each for each in os.listdir("/proc/self/fd") if _is_inherited(int(each))]


def _is_inherited(descriptor: int) -> bool:
    try:
        return os.get_inheritable(descriptor)
    except OSError:
        return False


def test_what_is_written_is_the_jobs_own_and_goes_with_it(imaged: Bench) -> None:
    assert imaged.root is not None
    script = (
        "import os, shutil\n"
        "print(os.path.exists('/opt/program/mine'), open('/etc/passwd').read().count('mine'))\n"
        "open('/opt/program/mine', 'w').write('x'); open('/etc/passwd', 'a').write('mine')\n"
        "os.unlink('/bin/sh'); shutil.rmtree('/var'); os.mkdir('/var'); os.chmod('/usr/bin/env', 0o600)\n"
        "print(os.listdir('/var'), os.path.exists('/bin/sh'))\n"
    )
    root = replace(imaged.root, uid=0, gid=0)
    for id in ("one", "two"):
        assert imaged.run(script, id, root=root).exit_code == 0, imaged.printed(id)
        assert imaged.printed(id) == "False 0\n[] False\n"
    assert (imaged.root.folder / "bin" / "sh").exists()
    assert "mine" not in (imaged.root.folder / "etc" / "passwd").read_text()
    assert (imaged.folder / "run" / "one" / "layer-0").exists()
    imaged.runtime.forget("one")
    assert not (imaged.folder / "run" / "one").exists()


def test_somebody_elses_folder_is_read_only_or_written_through(imaged: Bench) -> None:
    assert imaged.root is not None
    root = replace(imaged.root, uid=0, gid=0)  # what another may there is for its owner to say
    theirs = imaged.folder / "theirs"
    theirs.mkdir()
    (theirs / "file").write_text("theirs\n")
    status = theirs.stat()
    mount = Mount(theirs, "/opt/ml/input/data/fs", True, (status.st_dev, status.st_ino))
    script = (
        "print(open('/opt/ml/input/data/fs/file').read()); open('/opt/ml/input/data/fs/new', 'w').write('new')\n"
        "try: print(open('/opt/ml/input/data/read/other', 'w'))\n"
        "except OSError as error: print(error.strerror)"
    )
    read = replace(mount, target="/opt/ml/input/data/read", writable=False)
    assert imaged.run(script, "first", mounts=(mount, read), root=root).exit_code == 0, imaged.printed("first")
    assert imaged.printed("first").split("\n") == ["theirs", "", "Read-only file system", ""]
    assert (theirs / "new").read_text() == "new"
    theirs.rename(imaged.folder / "moved")
    theirs.symlink_to("/etc")
    assert imaged.run(script, "second", mounts=(mount,)).cause == "not_started"


BECOMING = """
import os, pathlib, signal, sys, time
def may(what, act):
    try: act(); print('may', what)
    except OSError as error: print('may not', what, error.strerror)
os.chown('/opt/ml/model', 7, 7); os.setgroups([9]); os.setgid(7); os.setuid(7)
print(os.getresuid(), os.getgroups(), [l.split()[1] for l in open('/proc/self/status') if l.startswith('CapPrm')])
pathlib.Path('/opt/ml/model/mine').write_text('x'); os.mkdir('/opt/ml/model/hidden', 0o700)
may('be root', lambda: os.setuid(0)); may('write', lambda: open('/etc/passwd', 'a'))
may('own', lambda: os.chown('/opt/ml/model/mine', 0, 0))
signal.signal(signal.SIGTERM, lambda *_: (print('told', flush=True), os._exit(0)))
print('up', flush=True); time.sleep(600)
"""


def test_root_becomes_another_user(imaged: Bench) -> None:
    """As servers do that are started by root, and apt; it can be asked to end, and what it leaves can be read."""
    assert imaged.root is not None
    if users_of(imaged.root) is None:
        pytest.skip("the image has one user")
    model = imaged.folder / "becoming" / "model"
    model.mkdir(parents=True)
    imaged.start(BECOMING, root=replace(imaged.root, uid=0, gid=0), ml_root=model.parent)
    imaged.says("up")
    imaged.runtime.stop("job", 20)
    assert imaged.ended().cause == "stopped"
    assert imaged.printed().splitlines() == [
        "(7, 7, 7) [9] ['0000000000000000']",
        "may not be root Operation not permitted",
        "may not write Permission denied",
        "may not own Operation not permitted",
        "up",
        "told",
    ]
    assert (model / "mine").stat().st_uid == FIRST + 7


def test_what_is_written_counts_as_its_disk(imaged: Bench) -> None:
    script = (
        "import time\n"
        "for name in ('/var/model/large', '/tmp/large'): open(name, 'wb').write(bytes(6 << 20))\n"
        "time.sleep(600)\n"
    )
    ended = imaged.run(script, limits=Limits(disk_bytes=8 << 20))
    assert ended.cause == "limit_reached"
    assert "No space left on device" in ended.message


def test_the_images_links_lead_nowhere_else(imaged: Bench) -> None:
    """A hostile image in which every place that is mounted on is a link."""
    assert imaged.root is not None
    folder = imaged.folder / "hostile"
    outside = imaged.folder / "outside"
    outside.mkdir()
    for name in ("usr", "lib64", "bin"):
        (folder / name).parent.mkdir(exist_ok=True)
        os.symlink(imaged.root.folder / name, folder / name)  # dangling, once it is the root
    for name in ("opt", "etc", "proc", "dev"):
        os.symlink(f"../../../../../..{outside}", folder / name)
    root = replace(imaged.root, folder=folder)
    ended = imaged.run("print('never')", root=root)
    assert ended.exit_code != 0
    assert list(outside.iterdir()) == []


def test_a_program_that_is_not_there_is_named(imaged: Bench) -> None:
    ended = imaged.run("", argv=("train",), environment={"PATH": "/bin"})
    assert ended.cause == "not_started"
    assert ended.message.startswith("train: ")


def test_the_images_own_signal_asks_it_to_end(imaged: Bench) -> None:
    assert imaged.root is not None
    script = (
        "import os, signal, sys, time\n"
        "signal.signal(signal.SIGQUIT, lambda *_: (print('told', flush=True), os._exit(0)))\n"
        "print('up', flush=True); time.sleep(600)"
    )
    imaged.start(script, root=replace(imaged.root, stop_signal="SIGQUIT"))
    imaged.says("up")
    imaged.runtime.stop("job", 20)
    assert imaged.ended().cause == "stopped"
    assert "told" in imaged.printed()
    numbers = [signal_number(name) for name in ("SIGINT", "int", "2", "", "SIG_DFL", "999", "nonsense")]
    assert numbers == [2, 2, 2, 15, 15, 15, 15] or numbers == [2, 2, 2, 15, signal_number("SIG_DFL"), 15, 15]


def test_the_image_is_held_while_it_is_used(imaged: Bench) -> None:
    assert imaged.root is not None
    imaged.start("import time; print('up', flush=True); time.sleep(600)")
    imaged.says("up")
    with imaged.root.in_use.open() as file:
        with pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        imaged.runtime.stop("job", 0.0)
        imaged.ended()
        until(lambda: _is_free(file.fileno()), "the image's release")


def _is_free(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


SERVER = """
import socketserver, sys, threading
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(1 << 16): self.request.sendall(data)
class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
server = Server(('0.0.0.0', 8080), Echo)
print('up', flush=True)
server.serve_forever()
"""


def test_each_has_port_8080_and_a_way_in(imaged: Bench) -> None:
    """Two at once, on the same port; whole and in order, whatever the size and however many ask."""
    sockets = []
    for number in range(2):
        folder = imaged.folder / f"s{number}"
        folder.mkdir()
        sockets.append(folder / "s")
        imaged.start(SERVER, f"server-{number}", inlet=Inlet(sockets[number], 8080))
        imaged.says("up", f"server-{number}")
    sent = os.urandom(8 << 20)
    answers: dict[int, bool] = {}

    def ask(number: int) -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(sockets[number % 2]))
            writer = threading.Thread(target=lambda: connection.sendall(sent))
            writer.start()
            got = bytearray()
            while len(got) < len(sent):
                got += connection.recv(1 << 20) or b"?" * len(sent)
            writer.join()
            answers[number] = bytes(got) == sent

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == dict.fromkeys(range(6), True)


def test_the_way_in_to_nobody_and_back_out(imaged: Bench) -> None:
    """Nobody listens inside: the connection ends. Nothing listens for it outside: its network is its own."""
    (imaged.folder / "s").mkdir()
    path = imaged.folder / "s" / "s"
    with socket.create_server(("127.0.0.1", 0)) as outside:
        script = (
            "import os, socket, time\n"
            f"try: socket.create_connection({outside.getsockname()!r}, 5); print('DID')\n"
            "except OSError: print('not', flush=True)\n"
            f"print(os.path.exists({str(path)!r}), flush=True)\n"
            "for pid in filter(str.isdigit, os.listdir('/proc')):\n"
            "    if pid not in ('1', str(os.getpid())):\n"
            "        try: print('DID', os.listdir('/proc/' + pid + '/root'))\n"
            "        except OSError: print('not', flush=True)\n"
            "print('up', flush=True); time.sleep(600)"
        )
        imaged.start(script, inlet=Inlet(path, 8080))
        imaged.says("up")
        assert imaged.printed() == "not\nFalse\nnot\nup\n"
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            assert connection.recv(1) == b""
    imaged.runtime.stop("job", 5)
    assert imaged.ended().signal in (signal.SIGTERM, None)


def test_several_hosts_have_an_image_each(imaged: Bench) -> None:
    script = (
        "import socket, sys, time\n"
        "name = socket.gethostname(); open('/var/model/' + name, 'w').close()\n"
        "import os; print(name, os.listdir('/var/model'), flush=True)\n"
    )
    other = imaged.folder / "ml" / "second"
    other.mkdir(parents=True)
    hosts = (Host("algo-2", other, {"PATH": "/usr/local/bin"}, root=imaged.root),)
    assert imaged.run(script, more_hosts=hosts, network=False).exit_code == 0, imaged.printed()
    assert [imaged.printed(host=number) for number in (0, 1)] == ["algo-1 ['algo-1']\n", "algo-2 ['algo-2']\n"]


def test_without_a_sandbox_there_is_no_root(tmp_path: Path) -> None:
    bench = Bench(LocalRuntime(tmp_path / "run", "process"), tmp_path, "process", root=Root(tmp_path, tmp_path / "x"))
    assert not bench.runtime.capabilities.own_roots
    with pytest.raises(Invalid, match="sandbox"):
        bench.start("print('never')")
