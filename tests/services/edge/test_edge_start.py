"""Starting, being in the way, stopping."""

from __future__ import annotations

import json
import os
import signal
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
