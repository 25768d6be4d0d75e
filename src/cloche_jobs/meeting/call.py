"""``ssh [OPTION…] HOST COMMAND…``, for the hosts of one job: run a command on another of them, and exit as it does.

The command's words are joined and given to a shell there, as ssh does. Options of ssh are taken and have no effect.
Where nobody waits on that host yet, it is waited for. Any other host is left to the machine's own ssh.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import time

WAIT_SECONDS_MAX = 3600.0
"""For a host that still installs what its script needs. AWS's toolkit waits as long: ``timeout_in_seconds`` in
``mpi.py`` of aws/sagemaker-training-toolkit."""
LOOK_SECONDS = 0.05
FAILED = 255
"""What ssh itself exits with (ssh(1))."""
_WITH_VALUE = "BbcDEeFIiJLlmOopQRSWw"
"""Options of ssh that have a value (ssh(1))."""


def _root() -> str:
    return os.environ.get("CLOCHE_ML_ROOT") or "/opt/ml"


def folder() -> str:
    """``Layout.meeting``, without the import."""
    return f"{_root()}/.hosts"


def run(host: str, command: str) -> int:
    """The exit code of ``command`` on ``host``, which has this process's standard streams. Raises ``OSError``."""
    with _reached(host, WAIT_SECONDS_MAX) as there:
        socket.send_fds(there, [json.dumps({"command": command}).encode()], [0, 1, 2])
        return int(there.recv(16) or FAILED)


def end(host: str) -> None:
    """Have ``host`` wait no longer. Nothing if it does not wait."""
    try:
        with _reached(host, 0.0) as there:
            there.send(b'{"end": true}')
    except OSError:
        pass


def _reached(host: str, seconds: float) -> socket.socket:
    deadline = time.monotonic() + seconds
    while True:
        there = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        there.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 18)
        try:
            there.connect(f"{folder()}/{host}")
        except OSError:
            there.close()
            if "/" in host or time.monotonic() >= deadline:
                raise
            time.sleep(LOOK_SECONDS)
        else:
            return there


def words(arguments: list[str]) -> tuple[str, str]:
    """The host, without a user's name, and the command. Raises ``ValueError``."""
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if len(option) == 2 and option[1] in _WITH_VALUE and rest:
            rest.pop(0)
    if len(rest) < 2:
        raise ValueError("a host and a command are wanted: nobody can log in")
    return rest[0].rpartition("@")[2], " ".join(rest[1:])


def _hosts() -> list[str]:
    with open(f"{_root()}/input/config/resourceconfig.json", encoding="utf-8") as file:  # noqa: PTH123
        return list(json.load(file)["hosts"])


def _elsewhere(arguments: list[str]) -> int:
    """By the ssh that the path has after this one. Raises ``OSError`` where there is none."""
    own = os.path.dirname(os.path.abspath(sys.argv[0]))  # noqa: PTH100, PTH120
    path = [each for each in os.environ.get("PATH", "").split(":") if each != own]
    found = shutil.which("ssh", path=":".join(path))
    if found is None:
        raise FileNotFoundError("it is no host of this job, and there is no other ssh")
    os.execv(found, ["ssh", *arguments])  # noqa: S606 - no shell is wanted


def main(arguments: list[str]) -> int:
    """The exit code; ``arguments`` are those of ssh."""
    try:
        host, command = words(arguments)
        if host not in _hosts():
            return _elsewhere(arguments)
        return run(host, command)
    except (OSError, ValueError) as error:
        print(f"ssh: {error}", file=sys.stderr)
        return FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
