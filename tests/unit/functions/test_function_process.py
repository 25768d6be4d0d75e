"""The inside of a function's process, spoken to over its socket as the server does it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloche_jobs.contract import frames, package_folder

CODE = "import os\ndef handler(event, context):\n    return [event, os.getpid()]\n"


class Server:
    """Listens where the process calls."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "s")
        self.listener: socket.socket
        self.listen()

    def listen(self) -> None:
        Path(self.path).unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.listener.settimeout(20)

    def take(self) -> socket.socket:
        line, _ = self.listener.accept()
        line.settimeout(20)
        return line


def _hear(line: socket.socket) -> tuple[dict[str, Any], bytes]:
    head, body = frames.lengths(_exactly(line, frames.HEAD.size))
    return frames.read_head(_exactly(line, head)), bytes(_exactly(line, body))


def _exactly(line: socket.socket, count: int) -> bytearray:
    data = bytearray()
    while len(data) < count:
        piece = line.recv(count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def _ask(line: socket.socket, event: bytes, request: str = "r") -> tuple[dict[str, Any], bytes]:
    head = {"request": request, "deadline_ms": 0, "arn": "a", "client_context": None}
    line.sendall(frames.packed(head, event))
    return _hear(line)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[tuple[Server, subprocess.Popen[bytes]]]:
    server = Server(Path(tempfile.mkdtemp(prefix="fn-")))  # a socket's path is short
    (tmp_path / "app.py").write_text(CODE)
    environment = {
        "PYTHONPATH": str(package_folder().parent),
        frames.SOCKET_VARIABLE: server.path,
        frames.ALONE_VARIABLE: "2",
        frames.VERSION_VARIABLE: "INIT_START",
        "LAMBDA_TASK_ROOT": str(tmp_path),
        "_HANDLER": "app.handler",
        "PATH": os.defpath,
    }
    command = [sys.executable, "-P", "-m", frames.MODULE]
    process = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE)
    yield server, process
    process.kill()
    process.communicate()
    server.listener.close()
    shutil.rmtree(Path(server.path).parent)


def test_it_calls_again_when_the_server_was_killed(started: tuple[Server, subprocess.Popen[bytes]]) -> None:
    server, process = started
    line = server.take()
    assert _hear(line)[0]["hello"] == 1
    assert json.loads(_ask(line, b"1")[1]) == [1, process.pid]
    line.close()
    server.listener.close()
    server.listen()
    with server.take() as again:
        assert _hear(again)[0]["hello"] == 1
        assert json.loads(_ask(again, b"2")[1]) == [2, process.pid]


def test_it_ends_when_nobody_listens_any_more(started: tuple[Server, subprocess.Popen[bytes]]) -> None:
    server, process = started
    with server.take() as line:
        _hear(line)
        server.listener.close()
        Path(server.path).unlink()
    assert process.wait(20) == 0


@pytest.mark.parametrize("event", [b"{", b"\xff", b"[" * 100_000])
def test_an_event_that_is_no_json_is_the_functions_error(
    started: tuple[Server, subprocess.Popen[bytes]], event: bytes
) -> None:
    server, _ = started
    with server.take() as line:
        _hear(line)
        head, body = _ask(line, event)
        assert head["failed"] and json.loads(body)["errorType"] == "Runtime.UnmarshalError"
        assert json.loads(_ask(line, b"")[1])[0] == {}


def test_frames_that_are_too_long_or_nonsense_are_told() -> None:
    with pytest.raises(frames.FrameBroken):
        frames.lengths(frames.HEAD.pack(10, frames.BODY_BYTES_MAX + 1))
    for data in (b"[]", b"{", b"\xff", b"[" * 5_000):
        with pytest.raises(frames.FrameBroken):
            frames.read_head(data)
