"""S3 beside what the machine can do at most and beside MiniStack, measured in turns in one run: the ratios count.

- 1 KiB puts and gets at 1, 8 and 32 clients, loaded by wrk (in C, so that it takes little of the server's cores) with
  links to 64 keys: beside MiniStack, which keeps objects in memory; puts also beside writing and syncing plain files
  of that size in as many threads, gets also beside a server on the same event loop that knows one answer;
- 64 MiB put: beside writing and syncing a plain file, and beside the same while another thread computes the MD5 that
  an ETag is, which is the most that any server can do; the same 64 MiB as boto3 sends them, in eight parts at a time
  and then completed (uploads begun and links signed before): beside the plain file; 64 MiB get: beside ``sendfile``
  over loopback;
- listing 10,000 keys page by page: beside MiniStack without reading the XML, and by boto3, beside MiniStack and beside
  Cloche's own answers given again from memory, which shows what boto3 alone takes;
- a page of 1,000 keys of a bucket with a million: beside one of a bucket with a thousand.

Links leave signing to before the run, not checking: every one of them is verified each time.

    python benchmarks/s3.py [--seconds 3] [--rounds 3] [--keys 1000000] [--directory DIR] [--only small large list page]
"""

from __future__ import annotations

import argparse
import http.client
import math
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from s3_subjects import (
    LARGE,
    SMALL,
    Bare,
    Cloche,
    MiniStack,
    Subject,
    client,
    file_server,
    given_again,
    hashed_beside,
    one_answer,
    plain_write,
    threads_rate,
    wrk_rate,
)

KEYS = 64
PARTS = 8
"""Of 64 MiB as boto3 cuts them (``multipart_chunksize``, 8 MB), all of them under way (``max_concurrency``, 10)."""
Measure = Callable[[], float]


def compare(what: str, unit: str, rounds: int, ours: Measure, **others: Measure) -> None:
    """One row: the median of what we reach, and for each other its median and that of the ratios of the rounds."""
    found: list[dict[str, float]] = []
    for _ in range(rounds):
        found.append({name: measure() for name, measure in (*others.items(), ("ours", ours))})
    shown = f"{what:30} {statistics.median(each['ours'] for each in found):9,.1f} {unit:6}"
    for name in others:
        theirs = statistics.median(each[name] for each in found)
        ratio = statistics.median(each["ours"] / each[name] if each[name] else math.inf for each in found)
        shown += f"  {name} {theirs:9,.1f}, ratio {ratio:6.3f}"
    print(shown, flush=True)


def small(cloche: Cloche, peer: Subject, folder: Path, seconds: float, rounds: int) -> None:
    body = "x" * SMALL
    keys = [f"small-{number}" for number in range(KEYS)]
    for subject in (cloche, peer):
        for key in keys:
            subject.s3.put_object(Bucket="bench", Key=key, Body=body.encode())
    bare = Bare(one_answer, SMALL)

    def rate(subject: Subject, method: str, clients: int) -> Measure:
        targets = [subject.link("put_object" if method == "PUT" else "get_object", key) for key in keys]
        return lambda: wrk_rate(folder, subject.port, method, targets, body, clients, seconds)

    try:
        for clients in (1, 8, 32):
            compare(
                f"1 KiB puts, {clients} clients",
                "/s",
                rounds,
                rate(cloche, "PUT", clients),
                ministack=rate(peer, "PUT", clients),
                files=lambda clients=clients: threads_rate(plain_write(folder, body.encode()), clients, seconds),
            )
        for clients in (1, 8, 32):
            compare(
                f"1 KiB gets, {clients} clients",
                "/s",
                rounds,
                rate(cloche, "GET", clients),
                ministack=rate(peer, "GET", clients),
                one_answer=lambda clients=clients: wrk_rate(folder, bare.port, "GET", ["/"], body, clients, seconds),
            )
    finally:
        bare.stop()


def large(cloche: Cloche, folder: Path, seconds: float, rounds: int) -> None:
    data = os.urandom(LARGE)
    put, get = cloche.link("put_object", "large"), cloche.link("get_object", "large")
    connection = http.client.HTTPConnection("127.0.0.1", cloche.port, timeout=60)
    bare = Bare(file_server, LARGE)
    mib = LARGE / 2**20

    def call(method: str, target: str, body: bytes | None = None) -> Callable[[int], None]:
        def ask(_thread: int) -> None:
            connection.request(method, target, body)
            answer = connection.getresponse()
            buffer = bytearray(1 << 20)
            while answer.readinto(buffer):
                pass
            if answer.status != 200:
                raise SystemExit(f"{method}: {answer.status}")

        return ask

    def in_parts(_thread: int) -> None:
        links, finish = next(uploads)
        tags = list(pool.map(send_part, links, range(PARTS)))
        listed = "".join(
            f"<Part><PartNumber>{n + 1}</PartNumber><ETag>{tag}</ETag></Part>" for n, tag in enumerate(tags)
        )
        connection.request("POST", finish, f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>")
        answer = connection.getresponse()
        if b"CompleteMultipartUploadResult" not in answer.read():
            raise SystemExit(f"complete: {answer.status}")

    def send_part(link: str, number: int) -> str:
        size = LARGE // PARTS
        part = parts[number]
        part.request("PUT", link, memoryview(data)[number * size : (number + 1) * size])
        answer = part.getresponse()
        answer.read()
        return str(answer.headers["ETag"])

    parts = [http.client.HTTPConnection("127.0.0.1", cloche.port, timeout=60) for _ in range(PARTS)]
    pool = ThreadPoolExecutor(PARTS)
    uploads = iter([cloche.upload_links("parts", PARTS) for _ in range(round(10 * seconds * rounds) + 10)])
    try:
        write = plain_write(folder, data)
        compare(
            "64 MiB put in 8 parts",
            "MiB/s",
            rounds,
            lambda: mib * threads_rate(in_parts, 1, seconds),
            file=lambda: mib * threads_rate(write, 1, seconds),
        )
        compare(
            "64 MiB put",
            "MiB/s",
            rounds,
            lambda: mib * threads_rate(call("PUT", put, data), 1, seconds),
            file=lambda: mib * threads_rate(write, 1, seconds),
            file_and_md5=lambda: mib * threads_rate(hashed_beside(write, data), 1, seconds),
        )
        compare(
            "64 MiB get",
            "MiB/s",
            rounds,
            lambda: mib * threads_rate(call("GET", get), 1, seconds),
            sendfile=lambda: mib * threads_rate(bare.reads(LARGE), 1, seconds),
        )
    finally:
        pool.shutdown()
        bare.stop()


def listing(cloche: Cloche, peer: Subject, rounds: int) -> None:
    for subject in (cloche, peer):
        subject.s3.create_bucket(Bucket="listed")
        for number in range(10_000):
            subject.s3.put_object(Bucket="listed", Key=f"folder/key-{number:06}", Body=b"")

    def lists(s3: Any) -> float:
        started = time.perf_counter()
        pages: Any = s3.get_paginator("list_objects_v2").paginate(Bucket="listed")
        assert sum(len(page["Contents"]) for page in pages) == 10_000
        return 1 / (time.perf_counter() - started)

    def plainly(subject: Subject) -> Measure:
        connection = http.client.HTTPConnection("127.0.0.1", subject.port, timeout=60)
        starts = [f"folder/key-{number:06}" for number in range(-1, 9_999, 1_000)]
        links = [subject.link("list_objects_v2", bucket="listed", StartAfter=start) for start in starts]

        def measure() -> float:
            return _pages_per_second(connection, links) / len(links)

        return measure

    recorded = Bare(partial(given_again, cloche.pages("listed")), 0)
    memory = client(recorded.port, "none", "none")
    try:
        compare(
            "10,000 keys listed by boto3",
            "/s",
            rounds,
            lambda: lists(cloche.s3),
            ministack=lambda: lists(peer.s3),
            from_memory=lambda: lists(memory),
        )
    finally:
        recorded.stop()
    compare("10,000 keys listed, XML unread", "/s", rounds, plainly(cloche), ministack=plainly(peer))


def _pages_per_second(connection: http.client.HTTPConnection, links: list[str]) -> float:
    started = time.perf_counter()
    for link in links:
        connection.request("GET", link)
        answer = connection.getresponse().read()
        assert answer.count(b"<Key>") == 1_000, answer[:400]
    return len(links) / (time.perf_counter() - started)


def pages(cloche: Cloche, keys: int, rounds: int) -> None:
    """Pages of 1,000 keys from random places, and of the bucket that has no more."""
    chance = random.Random(1)
    connection = http.client.HTTPConnection("127.0.0.1", cloche.port, timeout=60)
    few = cloche.link("list_objects_v2", bucket="few")
    many = [
        cloche.link("list_objects_v2", bucket="many", StartAfter=f"folder/key-{chance.randrange(keys - 1_001):09}")
        for _ in range(20)
    ]

    def rate(links: list[str]) -> float:
        return _pages_per_second(connection, links)

    compare(f"a page of {keys:,} keys", "/s", rounds, lambda: rate(many), of_1000=lambda: rate([few] * len(many)))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=3.0)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--keys", type=int, default=1_000_000)
    options.add_argument("--directory", type=Path)
    options.add_argument("--only", nargs="+", default=["small", "large", "list", "page"])
    chosen = options.parse_args()
    only = set(chosen.only)
    print(f"{os.cpu_count()} cores; medians of {chosen.rounds} rounds of {chosen.seconds:g} s")
    with tempfile.TemporaryDirectory(dir=chosen.directory) as name:
        folder = Path(name)
        cloche = Cloche(folder, {"few": 1_000, "many": chosen.keys} if "page" in only else {})
        peer = MiniStack(folder) if only & {"small", "list"} else None
        try:
            if peer is not None:
                peer.s3.create_bucket(Bucket="bench")
            cloche.s3.create_bucket(Bucket="bench")
            time.sleep(2)
            if peer is not None and "small" in only:
                small(cloche, peer, folder, chosen.seconds, chosen.rounds)
            if "large" in only:
                large(cloche, folder, chosen.seconds, chosen.rounds)
            if peer is not None and "list" in only:
                listing(cloche, peer, chosen.rounds)
            if "page" in only:
                pages(cloche, chosen.keys, chosen.rounds)
        finally:
            cloche.stop()
            if peer is not None:
                peer.stop()


if __name__ == "__main__":
    main()
