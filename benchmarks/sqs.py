"""SQS beside moto's server and MiniStack, which keep messages in memory: Cloche's sends are on the disk when answered.

``send`` is signed SendMessage requests of wrk. ``send, receive, delete`` is a message's whole life through boto3, whose
own work is in all figures alike. All run on this machine, in turns.

    python benchmarks/sqs.py [--seconds 3] [--rounds 3] [--clients 1 8 32]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from control_plane import PACKAGES as MOTO
from control_plane import _running
from invoke import Subject, _await, _server, peer_environment, signed_request
from s3_subjects import PACKAGES as MINISTACK
from s3_subjects import threads_rate

T = TypeVar("T")
REGION = "us-east-1"
BODY = "x" * 200


class Subjects:
    """One server with a queue in it."""

    def __init__(self, name: str, url: str, keys: dict[str, str]) -> None:
        self.name, self.url, self.keys = name, url, keys
        self.sqs: Any = boto3.client(
            "sqs",
            region_name=REGION,
            endpoint_url=url,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            config=Config(max_pool_connections=64),
        )
        self.queue = self.sqs.create_queue(QueueName="bench")["QueueUrl"]
        self.other = self.sqs.create_queue(QueueName="life")["QueueUrl"]

    def sends(self, clients: int, seconds: float, folder: Path) -> float:
        body = json.dumps({"QueueUrl": self.queue, "MessageBody": BODY})
        headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.SendMessage"}
        url = f"{self.url}/"
        subject = Subject(f"{self.name}-send", url, signed_request(url, body, self.keys, headers, "sqs"), body)
        return subject.measure(clients, seconds, folder).requests_per_second

    def lives(self, threads: int, seconds: float) -> float:
        def live(_: int) -> None:
            self.sqs.send_message(QueueUrl=self.other, MessageBody=BODY)
            for message in self.sqs.receive_message(QueueUrl=self.other).get("Messages", []):
                self.sqs.delete_message(QueueUrl=self.other, ReceiptHandle=message["ReceiptHandle"])

        return threads_rate(live, threads, seconds)


@contextlib.contextmanager
def cloche(folder: Path, make: Callable[[str, str, dict[str, str]], T]) -> Iterator[T]:
    data = folder / "data"
    command = [sys.executable, "-m", "cloche.cli.main", "up", "--port", "0", "--data", str(data)]
    with _running(command, folder / "cloche.log") as process:
        said = _server(data, process)
        keys = json.loads((data / "keys" / "root.json").read_text())
        yield make("cloche", f"http://127.0.0.1:{said['port']}", keys)


@contextlib.contextmanager
def moto(folder: Path, make: Callable[[str, str, dict[str, str]], T]) -> Iterator[T]:
    port = 45_000 + os.getpid() % 10_000
    url = f"http://127.0.0.1:{port}"
    server = peer_environment("moto", MOTO).with_name("moto_server")
    with _running([str(server), "-H", "127.0.0.1", "-p", str(port)], folder / "moto.log") as process:
        _await(url + "/moto-api/", process)
        yield make("moto", url, {"AccessKeyId": "AKIAEXAMPLE", "SecretAccessKey": "secret"})


@contextlib.contextmanager
def ministack(folder: Path, make: Callable[[str, str, dict[str, str]], T]) -> Iterator[T]:
    port = 46_000 + os.getpid() % 9_000
    python = peer_environment("ministack", MINISTACK)
    environment = {**os.environ, "GATEWAY_PORT": str(port), "MINISTACK_HOST": "127.0.0.1"}
    with (folder / "ministack.log").open("a") as output:
        command = [str(python), "-m", "ministack"]
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment, cwd=folder)
    try:
        _await(f"http://127.0.0.1:{port}/_ministack/health", process)
        yield make("ministack", f"http://127.0.0.1:{port}", {"AccessKeyId": "test", "SecretAccessKey": "test"})
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as held:
        folder = Path(place)
        servers = [held.enter_context(start(folder, Subjects)) for start in (cloche, moto, ministack)]
        for clients in chosen.clients:
            for what in ("send", "send, receive, delete"):
                rates: dict[str, list[float]] = {each.name: [] for each in servers}
                for _ in range(chosen.rounds):
                    for each in servers:
                        rate = (
                            each.sends(clients, chosen.seconds, folder)
                            if what == "send"
                            else each.lives(clients, chosen.seconds)
                        )
                        rates[each.name].append(rate)
                medians = {name: statistics.median(found) for name, found in rates.items()}
                best = max(medians["moto"], medians["ministack"])
                said = ", ".join(f"{name} {rate:,.0f}/s" for name, rate in medians.items())
                print(f"{what}, {clients} clients: {said}; ratio {medians['cloche'] / best:.2f}", flush=True)


if __name__ == "__main__":
    main()
