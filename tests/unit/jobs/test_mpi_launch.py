"""The command that launches over MPI, and how one host of a job starts programs on another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from cloche_jobs.contract.failure import UserError
from cloche_jobs.contract.layout import Layout
from cloche_jobs.frameworks import mpi
from cloche_jobs.meeting import call, listen


class Two:
    """What is asked of a ``Training`` here."""

    layout = Layout()
    master = "algo-1"
    current_host = "algo-1"
    distribution_hosts = ("algo-1", "algo-2")
    resources: dict[str, Any] = {"hosts": ["algo-1", "algo-2"], "network_interface_name": "eth0"}

    def __init__(self, **settings: Any) -> None:
        self.settings = {f"sagemaker_mpi_{name}": value for name, value in settings.items()}

    def variables(self) -> dict[str, str]:
        return {"SM_HOSTS": "[]"}


def command(**settings: Any) -> list[str]:
    two: Any = Two(**settings)
    launch = mpi.launched(two, [sys.executable, "train.py", "--rows", "8"], {"MASTER_ADDR": "algo-1"})
    assert launch.variables["PRTE_MCA_plm_ssh_agent"].endswith(call.__file__)
    return launch.command


def test_the_first_host_runs_mpirun_over_all() -> None:
    words = command(num_of_processes_per_host=2)
    assert words[:5] == ["mpirun", "--host", "algo-1:2,algo-2:2", "-np", "4"]
    assert words[-6:] == [sys.executable, "-m", "mpi4py", "train.py", "--rows", "8"]
    exported = [after for word, after in pairwise(words) if word == "-x"]
    assert {"SM_HOSTS", "MASTER_ADDR", "PYTHONPATH", "PATH", "NCCL_DEBUG=INFO"} <= set(exported)
    assert len(exported) == len(set(exported))
    assert command()[2] == "algo-1,algo-2" and command(num_processes=1)[4] == "1"


def test_options_of_open_mpi_4_are_those_of_5() -> None:
    given = "-bind-to core -mca btl_x 1 -x A='b c' --NCCL_DEBUG WARN -np 3 --verbose"
    words = command(custom_mpi_options=given)
    assert "NCCL_DEBUG=WARN" in words and "--NCCL_DEBUG" not in words
    at = words.index("A=b c")
    assert words[at - 6 : at + 4] == [
        "--bind-to",
        "core",
        "--mca",
        "btl_x",
        "1",
        "-x",
        "A=b c",
        "-np",
        "3",
        "--verbose",
    ]


@pytest.mark.parametrize(
    "settings",
    [
        {"num_of_processes_per_host": 0},
        {"num_of_processes_per_host": "two"},
        {"num_of_processes_per_host": True},
        {"num_processes": -1},
        {"custom_mpi_options": "-x 'A"},
    ],
)
def test_what_is_no_number_or_option_is_the_users_fault(settings: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="sagemaker_mpi_"):
        command(**settings)


def test_other_hosts_wait_for_orders() -> None:
    two: Any = Two()
    two.current_host = "algo-2"
    launch = mpi.launched(two, ["train.py"], {})
    assert launch.command[2:] == [listen.__file__, "/opt/ml/.hosts/algo-2"]


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """A host named ``algo-2`` that waits."""
    monkeypatch.setenv("CLOCHE_ML_ROOT", str(tmp_path))
    layout = Layout(tmp_path).make()
    layout.meeting.mkdir()
    layout.resource_config.write_text(json.dumps({"hosts": ["algo-1", "algo-2"]}))
    environment = {**os.environ, "WHERE": "there"}
    process = subprocess.Popen([sys.executable, "-I", listen.__file__, f"{layout.meeting}/algo-2"], env=environment)
    deadline = time.monotonic() + 20
    while not (layout.meeting / "algo-2").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    yield process
    process.kill()
    process.wait()


def test_a_command_runs_there_with_the_callers_streams(there: subprocess.Popen[bytes]) -> None:
    line = [sys.executable, "-I", call.__file__, "-o", "StrictHostKeyChecking=no", "-q", "root@algo-2"]
    done = subprocess.run(
        [*line, 'read word; echo "$word $WHERE $1"; echo oh >&2;', "exit 7"],
        input="hello\n",
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, "hello there \n", "oh\n")
    killed = subprocess.run([*line, "kill -9 $$"], timeout=30, check=False)
    assert killed.returncode == 128 + 9
    long = subprocess.run([*line, f"true {'x' * 100_000}"], timeout=30, check=False)
    assert long.returncode == 0
    call.end("algo-2")
    assert there.wait(10) == 0


def test_other_hosts_are_left_to_the_machines_own_ssh(
    there: subprocess.Popen[bytes], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "ssh"
    own.write_text('#!/bin/sh\necho "ssh $*"\n')
    own.chmod(0o755)
    line = [sys.executable, "-I", call.__file__, "git@example.com", "git-upload-pack"]
    found = subprocess.run(line, env={**os.environ, "PATH": f"{tmp_path}:/bin"}, capture_output=True, text=True)
    assert found.stdout == "ssh git@example.com git-upload-pack\n"
    none = subprocess.run(line, env={**os.environ, "PATH": ""}, capture_output=True, text=True)
    assert none.returncode == call.FAILED and "no host of this job" in none.stderr


@pytest.mark.parametrize("arguments", [[], ["algo-2"], ["-p", "22", "algo-2"], ["-v"]])
def test_nobody_can_log_in(arguments: list[str]) -> None:
    with pytest.raises(ValueError, match="nobody can log in"):
        call.words(arguments)


def test_a_message_that_is_none_does_not_end_the_wait(there: subprocess.Popen[bytes]) -> None:
    import socket

    for message in (b"", b"{", b"[1]", b'{"command": 1}', b"{}"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
            peer.connect(f"{call.folder()}/algo-2")
            if message:
                peer.send(message)
    assert call.run("algo-2", "exit 3") == 3
    assert there.poll() is None
