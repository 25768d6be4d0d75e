"""Starting, being in the way, stopping."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

Start = Callable[..., object]


def up(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cloche.cli.main", "up", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_it_says_where_it_is(server) -> None:  # type: ignore[no-untyped-def]
    assert f"Cloche is ready at {server.url}" in server.log()
    with urllib.request.urlopen(f"{server.url}/_cloche/health") as answer:
        assert json.load(answer)["status"] == "ok"


def test_keys_are_private(server) -> None:  # type: ignore[no-untyped-def]
    keys = server.data / "keys"
    subprocess.run([sys.executable, "-m", "cloche.cli.main", "env", "--data", str(server.data)], check=True)
    assert keys.stat().st_mode & 0o777 == 0o700
    files = {path.name: path.stat().st_mode & 0o777 for path in keys.iterdir()}
    assert {"ca.key", "ca.pem", "bundle.pem", "root.json", "console.token"} <= set(files)
    assert set(files.values()) == {0o600}
    assert server.keys["aws_secret_access_key"] not in server.log()


def test_a_second_server_on_the_directory_is_refused(server) -> None:  # type: ignore[no-untyped-def]
    second = up("--port", "0", "--data", str(server.data))
    assert second.returncode == 1
    assert "already serves the data directory" in second.stderr
    assert str(server.process.pid) in second.stderr


def test_a_taken_port_is_said(server, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    second = up("--port", str(server.port), "--data", str(tmp_path / "data"))
    assert second.returncode == 1
    assert f"port {server.port} on 127.0.0.1 is taken" in second.stderr


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = up("--port", "0", "--data", str(tmp_path / "file" / "data"))
    assert refused.returncode == 1
    assert "cannot be written" in refused.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere: the case above stands in for it")
def test_a_read_only_directory(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o500)
    refused = up("--port", "0", "--data", str(tmp_path / "data"))
    assert refused.returncode == 1
    assert "cannot be written" in refused.stderr


def test_a_directory_of_a_newer_version(start_server) -> None:  # type: ignore[no-untyped-def]
    import sqlite3

    running = start_server()
    assert running.stop() == 0
    with sqlite3.connect(running.data / "cloche.db") as database:
        database.execute("INSERT INTO migrations VALUES ('zz_9999_from_the_future', '2099-01-01')")
    database.close()
    refused = up("--port", "0", "--data", str(running.data))
    assert refused.returncode == 1
    assert "newer version of Cloche" in refused.stderr


def test_sigterm_ends_it_cleanly_and_it_starts_again(start_server) -> None:  # type: ignore[no-untyped-def]
    running = start_server()
    keys = running.keys
    assert running.stop(signal.SIGTERM) == 0
    assert not (running.data / "server.json").exists()
    running.start()
    assert running.keys == keys


def test_any_credentials_is_for_loopback(tmp_path: Path) -> None:
    refused = up("--port", "0", "--data", str(tmp_path / "data"), "--any-credentials", "--host", "0.0.0.0")
    assert refused.returncode == 1
    assert "loopback" in refused.stderr


def test_open_connections_do_not_hold_up_the_end(start_server) -> None:  # type: ignore[no-untyped-def]
    """Idle ones, one in the middle of a head, a tunnel, and a page that listens to the console's feed."""
    running = start_server()
    with socket.create_server(("127.0.0.1", 0)) as far:
        idle, halfway, tunnel = (socket.create_connection(("127.0.0.1", running.port), 10) for _ in range(3))
        idle.sendall(b"GET /_cloche/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200 OK" in idle.recv(65536)
        halfway.sendall(b"GET / HT")
        tunnel.sendall(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n" % far.getsockname()[1])
        assert b"200" in tunnel.recv(65536)
        assert running.stop(signal.SIGTERM) == 0
        assert "timeout graceful shutdown exceeded" not in running.log()
        for connection in (idle, halfway, tunnel):
            connection.close()


def test_what_was_answered_survives_a_kill(start_server) -> None:  # type: ignore[no-untyped-def]
    running = start_server()
    running.client("s3").create_bucket(Bucket="kept")
    running.client("s3").put_object(Bucket="kept", Key="k", Body=b"content")
    running.stop(signal.SIGKILL)
    running.start()
    assert running.client("s3").get_object(Bucket="kept", Key="k")["Body"].read() == b"content"
