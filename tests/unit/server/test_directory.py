"""The data directory: its lock, who serves it, private files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cloche.foundation.errors import Conflict, Invalid
from cloche.server.directory import (
    DirectoryLock,
    Layout,
    Running,
    process_start,
    read_running,
    write_private,
    write_running,
)


def layout_in(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "data")
    layout.prepare()
    return layout


def running(pid: int, started: str) -> Running:
    return Running(pid, started, "127.0.0.1", 4566, "123456789012", "us-east-1", "0")


def test_one_lock_at_a_time(tmp_path: Path) -> None:
    layout = layout_in(tmp_path)
    held = DirectoryLock(layout)
    with pytest.raises(Conflict) as caught:
        DirectoryLock(layout)
    assert str(os.getpid()) in caught.value.message
    held.release()
    DirectoryLock(layout).release()


def test_a_dead_servers_lock_is_no_lock(tmp_path: Path) -> None:
    layout = layout_in(tmp_path)
    script = (
        "import os, sys; from pathlib import Path; from cloche.server.directory import *; "
        "DirectoryLock(Layout(Path(sys.argv[1]))); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", script, str(layout.root)]).returncode == -9
    DirectoryLock(layout).release()


def test_folders_are_private(tmp_path: Path) -> None:
    layout = layout_in(tmp_path)
    assert {path.stat().st_mode & 0o777 for path in (layout.root, layout.keys, layout.run)} == {0o700}


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(Invalid, match="cannot be written"):
        Layout(tmp_path / "data").prepare()


def test_a_running_server_is_known_by_pid_and_start(tmp_path: Path) -> None:
    layout = layout_in(tmp_path)
    assert read_running(layout) is None
    mine = running(os.getpid(), process_start(os.getpid()))
    write_running(layout, mine)
    assert read_running(layout) == mine
    write_running(layout, running(os.getpid(), "1"))
    assert read_running(layout) is None
    layout.server.write_text("{")
    assert read_running(layout) is None


def test_no_process_has_no_start() -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    assert process_start(done.pid) == ""


def test_private_files_are_whole_and_private(tmp_path: Path) -> None:
    write_private(tmp_path / "key", "secret")
    assert (tmp_path / "key").read_text() == "secret"
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_addresses() -> None:
    assert running(1, "1").url == "http://127.0.0.1:4566"
    assert Running(1, "1", "::1", 80, "", "", "").url == "http://[::1]:80"
    assert Running(1, "1", "0.0.0.0", 80, "", "", "").url == "http://127.0.0.1:80"
