"""The server whose clock stands still, with what tests of events ask of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest


class Turned:
    def __init__(self, server: Any) -> None:
        self.server = server

    def client(self, service: str) -> Any:
        return self.server.client(service)

    def now(self) -> datetime:
        return datetime.strptime(self.server.turn_clock()[:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)

    def pass_time(self, span: str) -> None:
        """Returns once all that fell due in it is done."""
        self.server.turn_clock("advance", span)

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
            for message in answer["Messages"]:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
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
