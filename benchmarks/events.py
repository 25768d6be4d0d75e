"""PutEvents against many rules, beside moto's server and MiniStack, and matching alone.

``nothing matches`` and ``one of ten matches`` are signed requests of ten events of wrk, with so many rules on the bus,
each of which asks for a source and a value of its own; what matches goes to a queue. ``matching`` is Cloche's engine
without the wire: events held against rules that all ask for the same source, so that each has to be looked at.

    python benchmarks/events.py [--seconds 3] [--rounds 3] [--clients 8] [--rules 10 250]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import boto3
from invoke import Subject, signed_request
from sqs import REGION, cloche, ministack, moto

from cloche.engines.events import compile_pattern

BATCH = 10


class Buses:
    """One server with rules on its bus."""

    def __init__(self, name: str, url: str, keys: dict[str, str]) -> None:
        self.name, self.url, self.keys, self.rules = name, url, keys, 0
        self._given: dict[str, Any] = {
            "region_name": REGION,
            "endpoint_url": url,
            "aws_access_key_id": keys["AccessKeyId"],
            "aws_secret_access_key": keys["SecretAccessKey"],
        }
        queue = boto3.client("sqs", **self._given).create_queue(QueueName="bench")["QueueUrl"].rpartition("/")[2]
        account = boto3.client("sts", **self._given).get_caller_identity()["Account"]
        self._queue = f"arn:aws:sqs:{REGION}:{account}:{queue}"

    def have(self, rules: int) -> None:
        events = boto3.client("events", **self._given)
        for number in range(self.rules, rules):
            pattern = {"source": [f"shop.{number}"], "detail": {"total": [{"numeric": [">", number]}]}}
            events.put_rule(Name=f"r{number}", EventPattern=json.dumps(pattern))
            events.put_targets(Rule=f"r{number}", Targets=[{"Id": "q", "Arn": self._queue}])
        self.rules = rules

    def puts(self, source: str, clients: int, seconds: float, folder: Path) -> float:
        """Events a second."""
        entry = {"Source": source, "DetailType": "Order", "Detail": json.dumps({"total": 1_000, "text": "x" * 200})}
        body = json.dumps({"Entries": [entry, *({**entry, "Source": "shop.none"} for _ in range(BATCH - 1))]})
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "AWSEvents.PutEvents"}
        url = f"{self.url}/"
        subject = Subject(self.name, url, signed_request(url, body, self.keys, headers, "events"), body)
        return subject.measure(clients, seconds, folder).requests_per_second * BATCH


def matching(rules: int, seconds: float) -> float:
    """Events a second, in one thread."""
    asked = [{"total": [{"numeric": [">", number]}], "n": [number]} for number in range(rules)]
    patterns = [compile_pattern(json.dumps({"source": ["shop"], "detail": detail})) for detail in asked]
    detail = {"total": 1_000_000, "n": rules - 1, "text": "x" * 200}
    event = {"source": "shop", "detail-type": "Order", "detail": detail}
    until, count = time.perf_counter() + seconds, 0
    while time.perf_counter() < until:
        assert sum(pattern.matches(event) for pattern in patterns) == 1
        count += 1
    return count / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--rules", type=int, nargs="+", default=[10, 250])
    chosen = parser.parse_args()
    for rules in chosen.rules:
        rate = statistics.median(matching(rules, chosen.seconds) for _ in range(chosen.rounds))
        print(f"matching, {rules} rules: {rate:,.0f} events/s, {rate * rules:,.0f} patterns/s", flush=True)
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as held:
        folder = Path(place)
        servers = [held.enter_context(start(folder, Buses)) for start in (cloche, moto, ministack)]
        for rules in chosen.rules:
            for each in servers:
                each.have(rules)
            for what, source in (("nothing matches", "shop.none"), ("one of ten matches", "shop.1")):
                rates: dict[str, list[float]] = {each.name: [] for each in servers}
                for _ in range(chosen.rounds):
                    for each in servers:
                        rates[each.name].append(each.puts(source, chosen.clients, chosen.seconds, folder))
                medians = {name: statistics.median(found) for name, found in rates.items()}
                best = max(medians["moto"], medians["ministack"])
                said = ", ".join(f"{name} {rate:,.0f}/s" for name, rate in medians.items())
                ratio = medians["cloche"] / best
                print(f"{what}, {rules} rules, {chosen.clients} clients: {said}; ratio {ratio:.2f}", flush=True)


if __name__ == "__main__":
    main()
