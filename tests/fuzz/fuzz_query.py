"""Forms: query and ec2, with the routing that reads ``Action`` out of them."""

from __future__ import annotations

from wire_request import post, read, refused_in_words

from cloche.aws import routing

OPERATIONS = (
    ("iam", "CreateRole", "query"),
    ("sts", "AssumeRole", "query"),
    ("cloudwatch", "PutMetricData", "query"),
    ("ec2", "RunInstances", "ec2"),
    ("sqs", "SendMessageBatch", "query"),
)


def one(data: bytes) -> None:
    service, operation, protocol = OPERATIONS[data[0] % len(OPERATIONS)] if data else OPERATIONS[0]
    request = post(data[1:], content_type="application/x-www-form-urlencoded")
    read(service, operation, protocol, request)
    refused_in_words(lambda: routing.route(request))
