"""What is in the way of a start, or of going on: read-only, full, and too many who hold connections open."""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

UP = [sys.executable, "-m", "cloche.cli.main", "up", "--port", "0", "--data"]


def test_a_directory_on_a_read_only_mount(tmp_path: Path) -> None:
    """Permission bits do not bind root; a read-only mount does."""
    data = tmp_path / "data"
    data.mkdir()
    mounted = ["bwrap", "--dev-bind", "/", "/", "--ro-bind", str(data), str(data)]
    if shutil.which("bwrap") is None or subprocess.run([*mounted, "true"], capture_output=True).returncode:
        pytest.skip("no read-only mount can be made here: A READ-ONLY DATA DIRECTORY IS NOT TESTED")
    refused = subprocess.run([*mounted, *UP, str(data)], capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1
    assert refused.stderr.strip() == (
        f"cloche: the data directory {data} cannot be written (Read-only file system); "
        "make it writable or choose another with --data"
    )
    assert list(data.iterdir()) == []


@pytest.mark.parametrize("name", ["objects", "keys", "run", "logs", "cloche.db"])
def test_something_else_where_a_part_belongs(tmp_path: Path, name: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    if name == "cloche.db":
        (data / name).write_bytes(b"this is no database, " * 500)
    else:
        (data / name).write_text("a file")
    refused = subprocess.run([*UP, str(data)], capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1, refused.stderr
    assert refused.stderr.startswith("cloche: ")
    assert str(data) in refused.stderr
    assert "Traceback" not in refused.stderr


def test_engines_that_cannot_be_loaded_end_the_server(tmp_path: Path) -> None:
    """It answers before its engines are there; without them it is no server, and must not seem to be one."""
    data = tmp_path / "data"
    (data / "run").mkdir(parents=True)
    (data / "run" / "training").write_text("a file")
    ended = subprocess.run([*UP, str(data)], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1
    reason = f"[Errno 17] File exists: '{data / 'run' / 'training'}'"
    said = ended.stderr.strip().splitlines()
    assert said[-1] == f"cloche: the server has ended, because its engines could not be loaded: {reason}"
    assert "ERROR cloche.server.run the engines could not be loaded" in said[0]
    assert said.count("Traceback (most recent call last):") == 1, "its log tells where, once"
    assert not (data / "server.json").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here ({mounted.stderr!r}): A FULL DISK IS NOT TESTED")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.slow
def test_a_full_disk(start_server: Callable[..., Any], small_disk: Path) -> None:
    """Said as an error, nothing acknowledged is lost, and all is well again once there is room."""
    running = start_server(data=small_disk / "data")
    once = Config(retries={"total_max_attempts": 1})
    s3 = running.client("s3", config=once)
    s3.create_bucket(Bucket="full")
    kept: dict[str, str] = {}
    refusals: list[ClientError] = []
    for number in range(60):
        content = os.urandom(2_000_000)
        try:
            s3.put_object(Bucket="full", Key=f"k{number}", Body=content)
            kept[f"k{number}"] = hashlib.sha256(content).hexdigest()
        except ClientError as error:
            refusals.append(error)
            if len(refusals) > 3:
                break
    assert kept and refusals
    assert {error.response["ResponseMetadata"]["HTTPStatusCode"] for error in refusals} <= {500, 503, 507}
    running.stop(signal.SIGKILL)
    running.start()
    s3 = running.client("s3", config=once)
    for _ in range(2):
        listed = {item["Key"] for item in s3.list_objects_v2(Bucket="full")["Contents"]}
        assert listed == set(kept)
        for key, digest in kept.items():
            assert hashlib.sha256(s3.get_object(Bucket="full", Key=key)["Body"].read()).hexdigest() == digest
        for key in list(kept)[:5]:
            s3.delete_object(Bucket="full", Key=key)
            del kept[key]
        deadline = time.monotonic() + 30
        while True:  # bytes of what was deleted go a little later
            try:
                s3.put_object(Bucket="full", Key="again", Body=b"room " * 1000)
                break
            except ClientError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        kept["again"] = hashlib.sha256(b"room " * 1000).hexdigest()


def test_a_thousand_idle_connections_keep_nobody_out(start_server: Callable[..., Any]) -> None:
    """Though the shell that started the server allowed it 256 files."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4096:
        pytest.skip(f"this system allows a process {hard} files only: MANY CONNECTIONS ARE NOT TESTED")
    running = start_server(open_files=256)
    idle: list[socket.socket] = []
    try:
        for number in range(1_000):
            connection = socket.create_connection(("127.0.0.1", running.port), 10)
            idle.append(connection)
            if number % 2:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        assert running.client("sts").get_caller_identity()["Account"] == "123456789012"
    finally:
        for connection in idle:
            connection.close()
    assert "Traceback" not in running.log()
