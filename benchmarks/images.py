"""A layer pushed to the registry and pulled again, beside a copy of the same bytes to the same disk.

``push`` is one streamed PATCH and a PUT, as docker sends a layer: hashed, synced, and its row committed when it is
answered. ``pull`` reads it over loopback and throws it away. The copy is written and synced by one process, and read
once more; all in turns, each layer of new bytes.

    python benchmarks/images.py [--mebibytes 256] [--rounds 3]
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
from sqs import cloche

MIB = 1024 * 1024
REPOSITORY = "bench"


class Client:
    def __init__(self, name: str, url: str, keys: dict[str, str]) -> None:
        ecr = boto3.client(
            "ecr",
            region_name="us-east-1",
            endpoint_url=url,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
        )
        ecr.create_repository(repositoryName=REPOSITORY)
        token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        self._headers = {"authorization": f"Basic {token}"}
        self._connection = http.client.HTTPConnection(url.removeprefix("http://"))

    def push(self, content: memoryview, digest: str) -> None:
        where = self._ask("POST", f"/v2/{REPOSITORY}/blobs/uploads/", 202)
        where = self._ask("PATCH", where, 202, pieces(content))
        self._ask("PUT", f"{where}?digest={digest}", 201)

    def pull(self, digest: str) -> None:
        self._connection.request("GET", f"/v2/{REPOSITORY}/blobs/{digest}", headers=self._headers)
        answer = self._connection.getresponse()
        room = bytearray(MIB)
        while answer.readinto(room):
            pass
        assert answer.status == 200

    def _ask(self, method: str, path: str, status: int, body: Iterator[memoryview] | None = None) -> str:
        self._connection.request(method, path, body, self._headers, encode_chunked=body is not None)
        answer = self._connection.getresponse()
        answer.read()
        assert answer.status == status, answer.status
        return answer.headers["location"]


def pieces(content: memoryview) -> Iterator[memoryview]:
    for start in range(0, len(content), MIB):
        yield content[start : start + MIB]


def copy(content: memoryview, path: Path) -> None:
    with path.open("wb") as file:
        for piece in pieces(content):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def read(path: Path) -> None:
    with path.open("rb", buffering=0) as file:
        while file.read(MIB):
            pass


def rate(size: int, work: Callable[[], object]) -> float:
    """Megabytes a second."""
    begun = time.perf_counter()
    work()
    return size / 1e6 / (time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mebibytes", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    found: dict[str, list[float]] = {"push": [], "copy": [], "pull": [], "read": []}
    with tempfile.TemporaryDirectory(prefix="cloche-images-") as folder, cloche(Path(folder), Client) as client:
        for _ in range(options.rounds):
            content = memoryview(os.urandom(options.mebibytes * MIB))
            digest, path = f"sha256:{hashlib.sha256(content).hexdigest()}", Path(folder) / "copy"
            found["copy"].append(rate(len(content), lambda: copy(content, path)))  # noqa: B023 - called at once
            found["push"].append(rate(len(content), lambda: client.push(content, digest)))  # noqa: B023
            found["read"].append(rate(len(content), lambda: read(path)))  # noqa: B023
            found["pull"].append(rate(len(content), lambda: client.pull(digest)))  # noqa: B023
            path.unlink()
    middle = {name: statistics.median(rates) for name, rates in found.items()}
    for ours, plain in (("push", "copy"), ("pull", "read")):
        print(f"{ours} {middle[ours]:,.0f} MB/s, {plain} {middle[plain]:,.0f} MB/s: {middle[ours] / middle[plain]:.2f}")


if __name__ == "__main__":
    main()
