"""Several workers on one socket: as many answers at once, whoever dies is replaced, the end is in good order."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from cloche_jobs.contract import package_folder

MODEL = """
import os, sys, time
from cloche_jobs.serving import Answer, OneByOne, Stream, serve

class Model(OneByOne):
    body_bytes_max = 1000
    inline_bytes_max = -1
    def __init__(self):
        if os.environ.get("BREAK"):
            raise SystemExit(3)
    def answer(self, question):
        if question.body == b"stream":
            return Stream(iter([b"%d" % os.getpid()]))
        if question.body == b"block in a stream":
            return Stream(time.sleep(each) or b"." for each in (0, 0.1, 1000))
        time.sleep(1000 if question.body == b"block" else float(question.body.split()[0]))
        return Answer(b"%d" % os.getpid())
    def execution_parameters(self):
        return None

serve(Model)
"""


def started(path: Path, workers: str, **further: str) -> subprocess.Popen[bytes]:
    environment = {
        "PYTHONPATH": str(package_folder().parent),
        "CLOCHE_BIND": f"unix:{path}",
        "SAGEMAKER_MODEL_SERVER_WORKERS": workers,
        **further,
    }
    return subprocess.Popen([sys.executable, "-c", MODEL], env=environment)


@contextmanager
def serving(path: Path, workers: str, **further: str) -> Iterator[subprocess.Popen[bytes]]:
    with started(path, workers, **further) as process:
        try:
            deadline = time.monotonic() + 60
            while not path.exists():
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.01)
            yield process
        finally:
            process.terminate()
            assert process.wait(40) == 0


def ask(path: Path, body: str = "0") -> bytes:
    """The whole answer, head and all: the connection is closed with it."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(path))
        connection.sendall(f"POST /invocations HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        came = b""
        while piece := connection.recv(65_536):
            came += piece
        return came


@pytest.mark.parametrize("body", ["block", "block in a stream"])
def test_a_model_that_blocks_is_ended(tmp_path: Path, body: str) -> None:
    with started(tmp_path / "s", "1", SAGEMAKER_MODEL_SERVER_TIMEOUT="1") as process:
        deadline = time.monotonic() + 60
        while not (tmp_path / "s").exists():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        with suppress(ConnectionResetError):
            ask(tmp_path / "s", body)
        assert process.wait(20) == 1


def test_a_worker_that_blocks_is_replaced(tmp_path: Path) -> None:
    with serving(tmp_path / "s", "2", SAGEMAKER_MODEL_SERVER_TIMEOUT="1"):
        with suppress(ConnectionResetError):
            ask(tmp_path / "s", "block")
        assert {pid_of(tmp_path / "s") for _ in range(3)}


def pid_of(path: Path, body: str = "0") -> int:
    head, _, said = ask(path, body).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200") and b"Connection: close" in head
    return int(said)


def at_once(path: Path, count: int, body: str) -> list[int]:
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(pid_of(path, body))) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def three_at_once(path: Path) -> set[int]:
    """The three workers; the threads of a busy machine may not ask at the same time at first."""
    deadline = time.monotonic() + 30
    while len(found := set(at_once(path, 3, "0.3"))) < 3:
        assert time.monotonic() < deadline, found
    return found


def test_requests_at_once_go_to_workers_that_are_free(tmp_path: Path) -> None:
    with serving(tmp_path / "s", "3") as parent:
        assert parent.pid not in three_at_once(tmp_path / "s")
        assert len(at_once(tmp_path / "s", 12, "0.02")) == 12, "those that waited were answered too"
        assert b"Transfer-Encoding: chunked" in ask(tmp_path / "s", "stream")
        with socket.socket(socket.AF_UNIX) as idle:
            idle.connect(str(tmp_path / "s"))
            time.sleep(0.1)
            three_at_once(tmp_path / "s")  # one that says nothing takes no worker away


def test_a_worker_that_dies_is_replaced_and_loses_only_its_own_request(tmp_path: Path) -> None:
    with serving(tmp_path / "s", "2"):
        first = pid_of(tmp_path / "s")
        os.kill(first, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while len(pids := set(at_once(tmp_path / "s", 2, "0.3"))) < 2:
            assert time.monotonic() < deadline
        assert first not in pids


def test_the_end_lets_answers_go_out(tmp_path: Path) -> None:
    with serving(tmp_path / "s", "2") as process:
        found: list[int] = []
        asking = threading.Thread(target=lambda: found.append(pid_of(tmp_path / "s", "3")))
        asking.start()
        time.sleep(1.0)  # it has been asked by then, and has not answered
        process.terminate()
        asking.join()
        assert len(found) == 1
        assert process.wait(30) == 0


@pytest.mark.parametrize("workers", ["0", "-1", "two", "65", "\u0661"])
def test_a_number_that_is_none_is_refused(tmp_path: Path, workers: str) -> None:
    with started(tmp_path / "s", workers) as process:
        assert process.wait(60) != 0
    assert not (tmp_path / "s").exists()


def test_a_model_that_cannot_be_loaded_ends_the_server_before_it_has_a_socket(tmp_path: Path) -> None:
    with started(tmp_path / "s", "2", BREAK="1") as process:
        assert process.wait(60) == 1
    assert not (tmp_path / "s").exists()
