"""What clients write while the server is killed or its power cut, beside the objects and jobs of the acceptance test:
versions, log events, data points and roles. Of the same shape as its own works: ``setup``, ``write`` in ``lanes``
threads until told to stop, ``check`` after each restart; ``acked`` is what was acknowledged.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from ..kills.ledger import GONE, UNANSWERED, Ledger, body
from ..kills.load import TRUST

KEPT_MAX = 60
"""Versions and roles beyond these are deleted by their writer, so that checks do not get longer with the rounds."""
SIZES = (0, 500, 4_096, 70_000, 300_000)


class Work:
    lanes = 1

    def __init__(self, server: Any) -> None:
        self.server, self.ledger, self.number = server, Ledger(), 0

    @property
    def acked(self) -> list[str]:
        return self.ledger.must_be_there()

    def setup(self) -> None:
        """Once, before the first round."""

    def write(self, lane: int, stop: threading.Event) -> None:
        """Until told to stop, or until a request is not answered well."""
        client = self.server.client(self.service)
        while not stop.is_set():
            self.number += 1
            try:
                self.step(client)
            except UNANSWERED:
                return

    service: str

    def step(self, client: Any) -> None:
        raise NotImplementedError

    def compare(self, there: set[str], what: str) -> Iterator[str]:
        yield from (f"{what} {name}: acknowledged, not there" for name in self.acked if name not in there)
        yield from (f"{what} {name}: there, nobody wrote it" for name in there - self.ledger.may_be_there())


class Versions(Work):
    """Each acknowledged version is there, whole, under its id, until its deletion is acknowledged."""

    service = "s3"
    bucket = "crash-versions"

    def __init__(self, server: Any) -> None:
        super().__init__(server)
        self.written: dict[str, set[bytes]] = {}
        self.contents: dict[str, bytes] = {}

    def setup(self) -> None:
        s3 = self.server.client("s3")
        s3.create_bucket(Bucket=self.bucket)
        s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})

    def step(self, client: Any) -> None:
        key = f"k{self.number % 7}"
        content = body(key, self.number, SIZES[self.number % len(SIZES)])
        self.written.setdefault(key, set()).add(content)
        version = client.put_object(Bucket=self.bucket, Key=key, Body=content)["VersionId"]
        name = f"{key} {version}"
        self.contents[name] = content
        self.ledger.acknowledge(name, True)
        if len(self.acked) > KEPT_MAX:
            oldest = self.acked[0]
            key, version = oldest.split(" ")
            self.ledger.begin(oldest, GONE)
            client.delete_object(Bucket=self.bucket, Key=key, VersionId=version)
            self.ledger.acknowledge(oldest, GONE)

    def check(self) -> Iterator[str]:
        s3 = self.server.client("s3")
        pages = s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket)
        listed = {f"{each['Key']} {each['VersionId']}": each for page in pages for each in page.get("Versions", ())}
        yield from (f"version {name}: acknowledged, not listed" for name in self.acked if name not in listed)
        for name, values in self.ledger.allowed.items():
            if values == [GONE] and name in listed:
                yield f"version {name}: its deletion was acknowledged"
        for name, told in listed.items():
            key, version = name.split(" ")
            content = s3.get_object(Bucket=self.bucket, Key=key, VersionId=version)["Body"].read()
            if told["Size"] != len(content):
                yield f"version {name}: listed with {told['Size']} bytes, has {len(content)}"
            if content != self.contents.get(name, content) or content not in self.written[key]:
                yield f"version {name}: wrong content, {len(content)} bytes"
            self.contents[name] = content
            self.ledger.acknowledge(name, True)


class Events(Work):
    """Each acknowledged log event is there once."""

    service = "logs"
    at = {"logGroupName": "crash", "logStreamName": "stream"}

    def setup(self) -> None:
        logs = self.server.client("logs")
        logs.create_log_group(logGroupName="crash")
        logs.create_log_stream(**self.at)

    def step(self, client: Any) -> None:
        names = [f"event {self.number}.{line}" for line in range(3)]
        for name in names:
            self.ledger.begin(name, True)
        events = [{"timestamp": int(time.time() * 1000), "message": name} for name in names]
        client.put_log_events(**self.at, logEvents=events)
        for name in names:
            self.ledger.acknowledge(name, True)
        time.sleep(0.05)

    def check(self) -> Iterator[str]:
        logs, said, token = self.server.client("logs"), Counter[str](), {}
        while True:
            page = logs.get_log_events(**self.at, startFromHead=True, **token)
            said.update(event["message"] for event in page["events"])
            if token.get("nextToken") == page["nextForwardToken"]:
                break
            token = {"nextToken": page["nextForwardToken"]}
        yield from (f"{name}: there {count} times" for name, count in said.items() if count > 1)
        yield from self.compare(set(said), "log")


class Points(Work):
    """The samples of one metric are as many as were put."""

    service = "cloudwatch"

    def step(self, client: Any) -> None:
        self.ledger.begin(str(self.number), True)
        client.put_metric_data(Namespace="Crash", MetricData=[{"MetricName": "Puts", "Value": 1.0}])
        self.ledger.acknowledge(str(self.number), True)
        time.sleep(0.05)

    def check(self) -> Iterator[str]:
        now = datetime.now(UTC)
        asked = {"Period": 3600, "Statistics": ["SampleCount"]}
        span = {"StartTime": now - timedelta(hours=12), "EndTime": now + timedelta(hours=1)}
        cloudwatch = self.server.client("cloudwatch")
        found = cloudwatch.get_metric_statistics(Namespace="Crash", MetricName="Puts", **asked, **span)
        count = sum(point["SampleCount"] for point in found["Datapoints"])
        least, most = len(self.acked), len(self.ledger.may_be_there())
        if not least <= count <= most:
            yield f"metric: {count} data points are there; {least} were acknowledged of {most}"


class Roles(Work):
    service = "iam"

    def step(self, client: Any) -> None:
        name = f"crash-{self.number}"
        self.ledger.begin(name, True)
        client.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
        self.ledger.acknowledge(name, True)
        if len(self.acked) > KEPT_MAX:
            oldest = self.acked[0]
            self.ledger.begin(oldest, GONE)
            client.delete_role(RoleName=oldest)
            self.ledger.acknowledge(oldest, GONE)

    def check(self) -> Iterator[str]:
        pages = self.server.client("iam").get_paginator("list_roles").paginate()
        there = {role["RoleName"] for page in pages for role in page["Roles"] if role["RoleName"].startswith("crash-")}
        yield from self.compare(there, "role")
        for name in list(self.ledger.may_be_there()):
            self.ledger.acknowledge(name, True if name in there else GONE)
