"""S3 beside what the machine can do at most, measured in turns in one run: the ratios are the figures.

- 1 KiB puts: durable puts through HTTP, beside writing and syncing plain files of that size (one thread each
  time, and eight at once);
- 1 KiB gets: beside the same bytes from a bare socket server in a process of its own;
- 64 MiB put: beside writing and syncing a plain file;
- 64 MiB get: beside ``sendfile`` over loopback.

The client is one Python process with kept-alive connections and presigned URLs, so that signing is not in the
figure; it shares the machine's cores with the server.

    python benchmarks/s3.py [--seconds 2] [--rounds 3] [--directory DIR]
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

SMALL, LARGE = 1024, 64 * 1024 * 1024
Call = Callable[[int], None]


class Server:
    """``cloche up`` on a directory and a free port."""

    def __init__(self, data: Path) -> None:
        command = [sys.executable, "-m", "cloche.cli.main", "up", "--port", "0", "--data", str(data)]
        self.log = (data.parent / "server.log").open("w")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 60
        while True:
            try:
                self.port = json.loads((data / "server.json").read_text())["port"]
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_cloche/health", timeout=5).close()
                break
            except (OSError, ValueError, KeyError):
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise SystemExit((data.parent / "server.log").read_text()) from None
                time.sleep(0.05)
        root = json.loads((data / "keys" / "root.json").read_text())
        self.s3 = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name="us-east-1",
            aws_access_key_id=root["AccessKeyId"],
            aws_secret_access_key=root["SecretAccessKey"],
            config=Config(signature_version="s3v4"),
        )

    def presigned(self, operation: str, key: str) -> str:
        url = urlsplit(self.s3.generate_presigned_url(operation, Params={"Bucket": "bench", "Key": key}))
        return f"{url.path}?{url.query}"

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.log.close()


class Requests:
    """Kept-alive connections, one a thread."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._held = threading.local()

    def __call__(self, method: str, target: str, body: bytes | None = None) -> int:
        if not hasattr(self._held, "connection"):
            self._held.connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        connection: http.client.HTTPConnection = self._held.connection
        connection.request(method, target, body)
        answer = connection.getresponse()
        size = 0
        buffer = bytearray(1 << 20)
        while count := answer.readinto(buffer):
            size += count
        if answer.status != 200:
            raise SystemExit(f"{method}: {answer.status} {bytes(buffer[:400])!r}")
        return size


def plain_writes(directory: Path, data: bytes) -> Call:
    def write(thread: int) -> None:
        path = directory / f"plain-{thread}-{time.perf_counter_ns()}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
        os.close(descriptor)
        if len(data) == LARGE:
            path.unlink()

    return write


def bare_server(path: str, size: int, ready: multiprocessing.Queue[int]) -> None:
    """Answers every eight bytes it gets with the first ``size`` bytes of a file, by ``sendfile``."""
    listener = socket.create_server(("127.0.0.1", 0))
    ready.put(listener.getsockname()[1])
    source = os.open(path, os.O_RDONLY)

    def answer(connection: socket.socket) -> None:
        while connection.recv(8):
            offset = 0
            while offset < size:
                offset += os.sendfile(connection.fileno(), source, offset, size - offset)

    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=answer, args=(connection,), daemon=True).start()


def bare_reads(port: int, size: int) -> Call:
    held = threading.local()

    def read(_thread: int) -> None:
        if not hasattr(held, "connection"):
            held.connection = socket.create_connection(("127.0.0.1", port))
            held.buffer = bytearray(1 << 20)
        held.connection.sendall(b"12345678")
        left = size
        while left:
            left -= held.connection.recv_into(held.buffer, min(left, 1 << 20))

    return read


def rate(call: Call, threads: int, seconds: float) -> float:
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


def compare(what: str, unit: float, ours: Call, limit: Call, threads: int, seconds: float, rounds: int) -> None:
    pairs = []
    for _ in range(rounds):
        theirs = rate(limit, threads, seconds)
        pairs.append((rate(ours, threads, seconds), theirs))
    ratio = statistics.median(mine / theirs for mine, theirs in pairs)
    mine = statistics.median(pair[0] for pair in pairs)
    theirs = statistics.median(pair[1] for pair in pairs)
    name = "MiB/s" if unit != 1 else "/s"
    print(f"{what:34} {mine * unit:10.0f} {name:6} limit {theirs * unit:10.0f} {name:6} ratio {ratio:.3f}", flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=2.0)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--directory", type=Path)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.directory) as name:
        run(Path(name), chosen.seconds, chosen.rounds)


def run(directory: Path, seconds: float, rounds: int) -> None:
    plain = directory / "plain"
    plain.mkdir()
    server = Server(directory / "data")
    bare: list[multiprocessing.Process] = []

    def bare_port(size: int) -> int:
        (directory / f"bare-{size}").write_bytes(os.urandom(size))
        ready: multiprocessing.Queue[int] = multiprocessing.Queue()
        process = multiprocessing.Process(
            target=bare_server, args=(str(directory / f"bare-{size}"), size, ready), daemon=True
        )
        process.start()
        bare.append(process)
        return ready.get(timeout=30)

    try:
        server.s3.create_bucket(Bucket="bench")
        send = Requests(server.port)
        small, large = os.urandom(SMALL), os.urandom(LARGE)
        targets = [server.presigned("put_object", f"small-{number}") for number in range(64)]
        gets = [server.presigned("get_object", f"small-{number}") for number in range(8)]
        for target in targets[:8]:
            send("PUT", target, small)
        put_large, get_large = server.presigned("put_object", "large"), server.presigned("get_object", "large")
        send("PUT", put_large, large)
        turn = [0]

        def put_small(thread: int) -> None:
            turn[0] += 1
            send("PUT", targets[(turn[0] + thread) % 64], small)

        small_port, large_port = bare_port(SMALL), bare_port(LARGE)

        def get_small(thread: int) -> None:
            send("GET", gets[thread])

        def store_large(_thread: int) -> None:
            send("PUT", put_large, large)

        def fetch_large(_thread: int) -> None:
            send("GET", get_large)

        for threads in (1, 8):
            limit = plain_writes(plain, small)
            compare(f"1 KiB puts, {threads} clients", 1, put_small, limit, threads, seconds, rounds)
        for threads in (1, 8):
            limit = bare_reads(small_port, SMALL)
            compare(
                f"1 KiB gets, {threads} clients",
                1,
                get_small,
                limit,
                threads,
                seconds,
                rounds,
            )
        mib = LARGE / 2**20
        compare(
            "64 MiB put",
            mib,
            store_large,
            plain_writes(plain, large),
            1,
            seconds,
            rounds,
        )
        compare(
            "64 MiB get",
            mib,
            fetch_large,
            bare_reads(large_port, LARGE),
            1,
            seconds,
            rounds,
        )
    finally:
        for process in bare:
            process.kill()
        server.stop()


if __name__ == "__main__":
    main()
