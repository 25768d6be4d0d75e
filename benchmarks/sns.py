"""SNS beside moto's server and MiniStack, which keep messages in memory: what Cloche answered is on the disk.

``publish`` is signed Publish requests of wrk to a topic with one, or ten, queues subscribed; each message has to be in
all of them. Once with raw delivery, once in AWS's envelope, which Cloche signs (2,048 bits of RSA for every message).
All run on this machine, in turns.

    python benchmarks/sns.py [--seconds 3] [--rounds 3] [--clients 1 8 32] [--queues 1 10]
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

import boto3
from botocore.config import Config
from invoke import Subject, signed_request
from sqs import BODY, REGION, Subjects, cloche, ministack, moto


class Server(Protocol):
    name: str
    url: str
    keys: dict[str, str]
    sqs: Any


class Topics:
    """One server with topics in it: by how many queues, and raw or not."""

    def __init__(self, server: Server, counts: list[int]) -> None:
        self.name, self.url, self.keys = server.name, server.url, server.keys
        sns: Any = boto3.client(
            "sns",
            region_name=REGION,
            endpoint_url=server.url,
            aws_access_key_id=server.keys["AccessKeyId"],
            aws_secret_access_key=server.keys["SecretAccessKey"],
            config=Config(max_pool_connections=8),
        )
        self.topics: dict[tuple[int, bool], str] = {}
        for count in counts:
            for raw in (True, False):
                name = f"bench-{count}-{raw}"
                topic = self.topics[count, raw] = sns.create_topic(Name=name)["TopicArn"]
                for at in range(count):
                    url = server.sqs.create_queue(QueueName=f"{name}-{at}")["QueueUrl"]
                    told = server.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
                    sns.subscribe(
                        TopicArn=topic,
                        Protocol="sqs",
                        Endpoint=told["Attributes"]["QueueArn"],
                        Attributes={"RawMessageDelivery": "true" if raw else "false"},
                    )

    def publishes(self, topic: tuple[int, bool], clients: int, seconds: float, folder: Path) -> float:
        form = {"Action": "Publish", "Version": "2010-03-31", "TopicArn": self.topics[topic], "Message": BODY}
        body, headers = urlencode(form), {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        url = f"{self.url}/"
        name = f"{self.name}-{topic[0]}-{topic[1]}"
        subject = Subject(name, url, signed_request(url, body, self.keys, headers, "sns"), body)
        return subject.measure(clients, seconds, folder).requests_per_second


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--queues", type=int, nargs="+", default=[1, 10])
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as held:
        folder = Path(place)
        starts = (cloche, moto, ministack)
        servers = [Topics(held.enter_context(start(folder, Subjects)), chosen.queues) for start in starts]
        for clients in chosen.clients:
            for topic in servers[0].topics:
                rates: dict[str, list[float]] = {each.name: [] for each in servers}
                for _ in range(chosen.rounds):
                    for each in servers:
                        rates[each.name].append(each.publishes(topic, clients, chosen.seconds, folder))
                medians = {name: statistics.median(found) for name, found in rates.items()}
                best = max(medians["moto"], medians["ministack"])
                said = ", ".join(f"{name} {rate:,.0f}/s" for name, rate in medians.items())
                form = "raw" if topic[1] else "enveloped"
                ratio = medians["cloche"] / best
                print(f"{topic[0]} queues, {form}, {clients} clients: {said}; ratio {ratio:.2f}", flush=True)


if __name__ == "__main__":
    main()
