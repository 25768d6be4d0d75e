"""Who is measured by ``s3.py``: Cloche, MiniStack, and bare limits of this machine."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from invoke import _await, _server, peer_environment

SMALL, LARGE = 1024, 64 * 1024 * 1024
PACKAGES = ["ministack==1.5.33"]
REGION = "us-east-1"
Call = Callable[[int], None]
"""Something done once, by the thread of that number."""


class Subject:
    """A server of S3 in a process of its own."""

    def __init__(self, command: list[str], log: Path, environment: dict[str, str] | None = None) -> None:
        with log.open("a") as output:
            self.process = subprocess.Popen(
                command, stdout=output, stderr=output, cwd=log.parent, env={**os.environ, **(environment or {})}
            )
        self.port = 0
        self.s3: Any = None

    def connect(self, port: int, key: str, secret: str) -> None:
        self.port = port
        self.s3 = client(port, key, secret)

    def link(self, operation: str, key: str = "", bucket: str = "bench", **more: Any) -> str:
        members = {"Bucket": bucket, **({"Key": key} if key else {}), **more}
        url = urlsplit(self.s3.generate_presigned_url(operation, Params=members))
        return f"{url.path}?{url.query}"

    def upload_links(self, key: str, parts: int) -> tuple[list[str], str]:
        """Of an upload that is begun: for each part, and for its completion."""
        upload = self.s3.create_multipart_upload(Bucket="bench", Key=key)["UploadId"]
        numbers = range(1, parts + 1)
        sent = [self.link("upload_part", key, UploadId=upload, PartNumber=number) for number in numbers]
        return sent, self.link("complete_multipart_upload", key, UploadId=upload)

    def pages(self, bucket: str) -> list[bytes]:
        """What it answers to a client that lists the bucket."""
        bodies: list[bytes] = []
        keep = "after-call.s3.ListObjectsV2"

        def page(http_response: Any, **_: Any) -> None:
            bodies.append(http_response.content)

        self.s3.meta.events.register(keep, page)
        for _ in self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            pass
        self.s3.meta.events.unregister(keep, page)
        return bodies

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


def client(port: int, key: str, secret: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name=REGION,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=Config(signature_version="s3v4"),
    )


class Cloche(Subject):
    """``filled``: buckets that are there already, each with so many keys of one byte."""

    def __init__(self, folder: Path, filled: dict[str, int]) -> None:
        data = folder / "data"
        command = [sys.executable, "-m", "cloche.cli.main", "up", "--port", "0", "--data", str(data)]
        super().__init__(command, folder / "cloche.log")
        said = _server(data, self.process)
        if filled:
            self.stop()
            for bucket, count in filled.items():
                fill(data, said["account"], bucket, count)
            super().__init__(command, folder / "cloche.log")
            said = _server(data, self.process)
        root = json.loads((data / "keys" / "root.json").read_text())
        self.connect(said["port"], root["AccessKeyId"], root["SecretAccessKey"])


def fill(data: Path, account: str, bucket: str, count: int) -> None:
    """Objects in a store that no server has open, by the store's own functions."""
    from cloche.foundation.clock import SystemClock
    from cloche.storage.metadata.database import Database
    from cloche.storage.objects import Details, ObjectStore
    from cloche.storage.objects.writer import written_of

    database = Database(data / "cloche.db")
    store = ObjectStore(data / "objects", database, SystemClock())
    store.buckets.create(bucket, account, REGION)
    written = written_of(b"x", ("CRC64NVME",))
    details = Details(checksums=written.checksums, checksum_type="FULL_OBJECT")
    for start in range(0, count, 50_000):

        def part(tx: Any, numbers: range = range(start, min(start + 50_000, count))) -> None:
            for number in numbers:
                store.commit_in(tx, bucket, f"folder/key-{number:09}", written, details)

        database.write(part)
    store.close()
    database.close()


class MiniStack(Subject):
    """The fastest of the in-memory peers."""

    def __init__(self, folder: Path) -> None:
        port = 45_000 + os.getpid() % 10_000
        python = peer_environment("ministack", PACKAGES)
        super().__init__(
            [str(python), "-m", "ministack"],
            folder / "ministack.log",
            {"GATEWAY_PORT": str(port), "MINISTACK_HOST": "127.0.0.1"},
        )
        _await(f"http://127.0.0.1:{port}/_ministack/health", self.process)
        self.connect(port, "test", "test")


def wrk_rate(
    folder: Path, port: int, method: str, targets: list[str], body: str, clients: int, seconds: float
) -> float:
    """Answers a second to wrk, on one thread, which asks for the targets in turn. Answers other than 2xx void it."""
    listed = ",\n".join(json.dumps(target) for target in targets)
    given = json.dumps(body) if method == "PUT" else "nil"
    script = folder / "load.lua"
    script.write_text(
        f"local targets, body, turn = {{{listed}}}, {given}, 0\n"
        "request = function()\n"
        "  turn = turn % #targets + 1\n"
        f'  return wrk.format("{method}", targets[turn], nil, body)\n'
        "end\n"
    )
    command = [
        "wrk",
        "-t1",
        f"-c{clients}",
        f"-d{max(1, round(seconds))}s",
        "-s",
        str(script),
        f"http://127.0.0.1:{port}",
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        sys.exit(f"{method} failed under load:\n{said}")
    return float(said.partition("Requests/sec:")[2].split()[0])


def threads_rate(call: Call, threads: int, seconds: float) -> float:
    """Calls a second, of all threads together."""
    counts = [0] * threads
    end = time.perf_counter() + seconds

    def work(number: int) -> None:
        while time.perf_counter() < end:
            call(number)
            counts[number] += 1

    started = time.perf_counter()
    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts) / (time.perf_counter() - started)


def plain_write(directory: Path, data: bytes) -> Call:
    """Writes a file and waits until it is on the disk."""

    def write(thread: int) -> None:
        path = directory / f"plain-{thread}-{time.perf_counter_ns()}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
        os.close(descriptor)
        path.unlink()

    return write


def hashed_beside(write: Call, data: bytes) -> Call:
    """The same while another thread computes the MD5 of what is written."""

    def both(thread: int) -> None:
        hashing = threading.Thread(target=hashlib.md5, args=(data,))
        hashing.start()
        write(thread)
        hashing.join()

    return both


class Bare:
    """``serve(size, ports)`` in a process of its own."""

    def __init__(self, serve: Callable[[int, Any], None], size: int) -> None:
        ports: multiprocessing.Queue[int] = multiprocessing.Queue()
        self._process = multiprocessing.Process(target=serve, args=(size, ports), daemon=True)
        self._process.start()
        self.port = ports.get(timeout=30)

    def reads(self, size: int) -> Call:
        """Asks ``file_server`` for its bytes and takes them all."""
        connection = socket.create_connection(("127.0.0.1", self.port))
        buffer = bytearray(1 << 20)

        def read(_thread: int) -> None:
            connection.sendall(b"12345678")
            left = size
            while left:
                left -= connection.recv_into(buffer, min(left, 1 << 20))

        return read

    def stop(self) -> None:
        self._process.kill()


def file_server(size: int, ports: Any) -> None:
    """Answers every eight bytes with a file of ``size`` bytes, by ``sendfile``."""
    listener = socket.create_server(("127.0.0.1", 0))
    ports.put(listener.getsockname()[1])
    source = os.memfd_create("bare")
    os.write(source, os.urandom(size))
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError):
            while connection.recv(8):
                offset = 0
                while offset < size:
                    offset += os.sendfile(connection.fileno(), source, offset, size - offset)


def given_again(bodies: list[bytes], _size: int, ports: Any) -> None:
    """An HTTP server that reads nothing and gives these bodies in turn, from memory, to one client after another."""
    listener = socket.create_server(("127.0.0.1", 0))
    ports.put(listener.getsockname()[1])
    answers = itertools.cycle(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/xml\r\ncontent-length: %d\r\n\r\n" % len(body) + body
        for body in bodies
    )
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError):
            while connection.recv(1 << 16):
                connection.sendall(next(answers))


def one_answer(size: int, ports: Any) -> None:
    """An HTTP server that reads nothing and answers everything with the same ``size`` bytes."""
    import asyncio

    import uvloop

    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size

    class Protocol(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(answer)

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(Protocol, "127.0.0.1", 0)
        ports.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(serve())
