"""``/usr/sbin/sshd``, for images whose programs expect it: what AWS's SDK launches over MPI with does.

``MPI`` of the SDK's third generation starts this on every host, finds out by paramiko whether the others' port 22 lets
it in, and runs what it wants there with ``ssh`` (``mpi_utils.py`` in ``container_drivers`` of the PyPI package
``sagemaker-train``). That ``ssh`` is ``call``, so this is ``listen``; and to port 22 it is an SSH server that knows one
key, which the hosts of this job share, and runs nothing.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Final

from cloche_jobs.contract.layout import Layout
from cloche_jobs.meeting.listen import Listener

PORT: Final = 22
_KEY: Final = "id_ed25519"


def main(arguments: list[str]) -> int:
    """Stay until the job ends. ``-D`` is taken and says so, too."""
    layout = Layout.here()
    resources = json.loads(layout.resource_config.read_text())
    host = str(resources["current_host"])
    if len(resources["hosts"]) > 1:
        try:
            door = socket.create_server((host, PORT))
        except OSError as error:
            _give_up(layout, f"port {PORT} of {host} is not to be had: {error.strerror}")
            return 1
        threading.Thread(target=_let_in, args=(door, _shared_key(layout.meeting)), daemon=True).start()
    Listener(str(layout.meeting / host)).serve()
    return 0


def _give_up(layout: Layout, why: str) -> None:
    """End whoever started this: it would try to reach this host for minutes, and say nothing of the reason."""
    text = (
        f"ClientError: {why}. Hosts of a job share this machine's ports unless it has EnableNetworkIsolation; "
        f"or allow it: sysctl -w net.ipv4.ip_unprivileged_port_start={PORT}"
    )
    print(f"sshd: {text}", file=sys.stderr)
    layout.failure.write_text(text)
    os.kill(os.getppid(), signal.SIGTERM)


def _shared_key(folder: Path) -> bytes:
    """The job's key, made by the first host that wants it; and where ssh's clients look for it, on this one."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    made = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    part = folder / f".key-{os.uname().nodename}"
    part.write_bytes(made)
    part.chmod(0o600)
    try:
        os.link(part, folder / _KEY)
    except FileExistsError:
        pass
    key = (folder / _KEY).read_bytes()
    own = Path.home() / ".ssh"
    own.mkdir(mode=0o700, exist_ok=True)
    (own / _KEY).write_bytes(key)
    (own / _KEY).chmod(0o600)
    return key


def _let_in(door: socket.socket, private: bytes) -> None:
    import io

    import paramiko

    key = paramiko.Ed25519Key.from_private_key(io.StringIO(private.decode()))

    class OneKey(paramiko.ServerInterface):  # type: ignore[misc]
        def get_allowed_auths(self, username: str) -> str:
            return "publickey"

        def check_auth_publickey(self, username: str, offered: paramiko.PKey) -> int:
            return int(paramiko.AUTH_SUCCESSFUL if offered == key else paramiko.AUTH_FAILED)

    while True:
        transport = paramiko.Transport(door.accept()[0])
        transport.add_server_key(key)
        try:
            transport.start_server(server=OneKey(), event=threading.Event())
        except (OSError, paramiko.SSHException):
            transport.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
