"""The server whose clock stands still, with what tests of events ask of it."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

_CLIENTS: dict[tuple[str, str], Any] = {}


class Turned:
    """Turns the clock by the route that ``cloche clock`` uses, and keeps clients: both are many here."""

    def __init__(self, server: Any) -> None:
        self.server = server

    def client(self, service: str) -> Any:
        place = (self.server.url, service)
        if place not in _CLIENTS:
            _CLIENTS[place] = self.server.client(service)
        return _CLIENTS[place]

    def now(self) -> datetime:
        return datetime.fromtimestamp(int(self._clock()["now"]), UTC)

    def pass_time(self, span: str) -> None:
        """Returns once all that fell due in it is done."""
        to = self._clock()["now"] + int(span[:-1]) * {"s": 1, "m": 60, "h": 3_600, "d": 86_400}[span[-1]]
        self._clock({"do": "advance", "to": to})
        until = time.monotonic() + 300
        while (standing := self._clock())["advancing_to"] is not None:
            assert time.monotonic() < until, standing
            time.sleep(0.005)
        assert standing["now"] == to

    def _clock(self, asked: dict[str, Any] | None = None) -> dict[str, Any]:
        token = (self.server.data / "keys" / "console.token").read_text().strip()
        body = None if asked is None else json.dumps(asked).encode()
        request = urllib.request.Request(self.server.url + "/_cloche/clock", body, {"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return dict(json.loads(answer.read()))

    def queue(self, name: str, **attributes: str) -> tuple[str, str]:
        sqs = self.client("sqs")
        url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def messages(self, url: str) -> list[Any]:
        """All that are in the queue, taken out of it."""
        sqs, found = self.client("sqs"), []
        while True:
            answer = sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"]
            )
            if not answer.get("Messages"):
                return found
            held = [{"Id": each["MessageId"], "ReceiptHandle": each["ReceiptHandle"]} for each in answer["Messages"]]
            sqs.delete_message_batch(QueueUrl=url, Entries=held)
            found += answer["Messages"]

    def bodies(self, url: str) -> list[Any]:
        return [json.loads(message["Body"]) for message in self.messages(url)]

    def role(self, name: str, service: str) -> str:
        trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        made = self.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)
        return str(made["Role"]["Arn"])


@pytest.fixture
def turned(still_server: Any) -> Turned:
    return Turned(still_server)


@pytest.fixture
def turned_of() -> Callable[[Any], Turned]:
    return Turned
