"""Connections that are many, slow, or lie about their bodies: bounded, and nobody else notices."""

from __future__ import annotations

import resource
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config

from cloche.foundation.limits import CONNECTIONS_MAX, HEADER_SECONDS_MAX

MANY = 10_000
ONE_TRY = Config(retries={"total_max_attempts": 1}, inject_host_prefix=False)
HOST = b"Host: 127.0.0.1\r\n"


def resident_mib(server: Any) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) // 1024


@pytest.fixture
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < MANY + 500:
        pytest.skip(f"this system allows a process {hard} files only: {MANY} CONNECTIONS ARE NOT TESTED")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, MANY + 500), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def is_open(connection: socket.socket) -> bool:
    """Has the server neither closed it nor said anything?"""
    connection.setblocking(False)
    try:
        connection.recv(1, socket.MSG_PEEK)
        return False
    except BlockingIOError:
        return True
    except OSError:
        return False


@pytest.mark.slow
def test_ten_thousand_idle_connections_keep_nobody_out(many_files: None, start_server: Callable[..., Any]) -> None:
    """Every newcomer is served at once, what is in flight goes on, and memory stays bounded."""
    running = start_server()
    sts, logs = running.client("sts", config=ONE_TRY), running.client("logs", config=ONE_TRY)
    logs.create_log_group(logGroupName="followed")
    arn = logs.describe_log_groups(logGroupNamePrefix="followed")["logGroups"][0]["logGroupArn"]
    following = logs.start_live_tail(logGroupIdentifiers=[arn])["responseStream"]
    tail = iter(following)
    assert "sessionStart" in next(tail)
    before = resident_mib(running)
    held: list[socket.socket] = []
    try:
        for number in range(MANY):
            held.append(connection := socket.create_connection(("127.0.0.1", running.port), 30))
            if number % 3 == 0:
                connection.sendall(b"GET / HTTP/1.1\r\n" + HOST + b"X-Slow: ")
            if number % 2_000 == 1_999:
                sts.close()
                assert sts.get_caller_identity()["Account"] == "123456789012"
        assert resident_mib(running) - before < 100
        assert sum(map(is_open, held)) <= CONNECTIONS_MAX
        assert all(map(is_open, held[-1_000:])), "the longest waiting went first"
        assert not any(map(is_open, held[:1_000]))
        logs.create_log_stream(logGroupName="followed", logStreamName="s")
        event = {"timestamp": int(time.time() * 1000), "message": "still here"}
        logs.put_log_events(logGroupName="followed", logStreamName="s", logEvents=[event])
        seen = (result["message"] for piece in tail for result in piece["sessionUpdate"]["sessionResults"])
        assert next(seen) == "still here", "the request in flight since before them all"
    finally:
        following.close()
        for connection in held:
            connection.close()
    assert sts.get_caller_identity()["Account"] == "123456789012"
    assert "Traceback" not in running.log()


@pytest.mark.slow
def test_a_slow_loris_is_cut_off(start_server: Callable[..., Any]) -> None:
    """Heads that arrive a byte at a time have as long as any other head, all of them together."""
    running = start_server()
    sts = running.client("sts")
    lorises = [socket.create_connection(("127.0.0.1", running.port), 5) for _ in range(60)]
    waiting = selectors.DefaultSelector()
    for loris in lorises:
        loris.sendall(b"GET / HTTP/1.1\r\n" + HOST)
        waiting.register(loris, selectors.EVENT_READ)
    closed: set[socket.socket] = set()
    deadline = time.monotonic() + HEADER_SECONDS_MAX * 4
    while len(closed) < len(lorises) and time.monotonic() < deadline:
        for key, _ in waiting.select(0.5):
            loris = key.fileobj
            assert isinstance(loris, socket.socket)
            waiting.unregister(loris)
            closed.add(loris)
        for loris in set(lorises) - closed:
            try:
                loris.sendall(b"x")
            except OSError:
                pass
        assert sts.get_caller_identity()["Account"] == "123456789012"
    assert len(closed) == len(lorises)
    for loris in lorises:
        loris.close()


def test_bodies_that_never_come_hold_up_nobody(server: Any) -> None:
    """Signed or not, a head that announces a body and sends none takes no thread from anybody."""
    stalled = []
    for number in range(100):
        connection = socket.create_connection(("127.0.0.1", server.port), 10)
        target = (b"PUT /b/k", b"POST /")[number % 2]
        head = target + b" HTTP/1.1\r\n" + HOST + b"X-Amz-Target: SageMaker.ListModels\r\n"
        connection.sendall(head + b"Content-Length: 1000\r\n\r\n" + b"x" * (number % 7))
        stalled.append(connection)
    assert server.client("sts").get_caller_identity()["Account"] == "123456789012"
    for connection in stalled:
        connection.close()


LENGTHS = {
    "a plus sign": b"Content-Length: +3\r\n\r\nabc",
    "blanks within": b"Content-Length: 3 3\r\n\r\nabc",
    "a list": b"Content-Length: 3, 3\r\n\r\nabc",
    "hexadecimal": b"Content-Length: 0x3\r\n\r\nabc",
    "2^64 + 3": b"Content-Length: 18446744073709551619\r\n\r\nabc",
    "5,000 digits": b"Content-Length: " + b"9" * 5_000 + b"\r\n\r\nabc",
    "empty": b"Content-Length: \r\n\r\nabc",
    "another encoding": b"Transfer-Encoding: gzip\r\n\r\nabc",
    "chunked before another": b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "chunked in disguise": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk of 2^64": b"Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\nabc",
    "a negative chunk": b"Transfer-Encoding: chunked\r\n\r\n-1\r\nabc",
    "a bare line feed in a header": b"A: b\nContent-Length: 3\r\n\r\nabc",
    "a carriage return in a header": b"A: b\rContent-Length: 3\r\n\r\nabc",
    "NUL in a header": b"A: b\x00c\r\n\r\n",
    "a header without a name": b": b\r\n\r\n",
    "a header without a colon": b"AAAA\r\n\r\n",
}


@pytest.mark.parametrize("case", LENGTHS)
def test_framing(server: Any, case: str) -> None:
    """One answer at most, of the 400s; what follows is never a second request."""
    smuggled = b"GET /_cloche/health HTTP/1.1\r\n" + HOST + b"\r\n"
    received = b""
    with socket.create_connection(("127.0.0.1", server.port), 3) as connection:
        connection.sendall(b"POST /b/k HTTP/1.1\r\n" + HOST + LENGTHS[case] + smuggled)
        try:
            while piece := connection.recv(65536):
                received += piece
        except (TimeoutError, ConnectionError):
            pass
    assert received.count(b"HTTP/1.1 ") <= 1, received[:600]
    assert b" 200 " not in received
    if received:
        assert 400 <= int(received.split(b" ", 2)[1]) < 500, received[:300]
