"""JSON bodies: awsJson and rest-json, what validation makes of them, and two readers of one text."""

from __future__ import annotations

import json

from wire_request import post, read, refused_in_words

from cloche.aws.protocols import json_values

OPERATIONS = (
    ("sagemaker", "CreateTrainingJob"),
    ("logs", "PutLogEvents"),
    ("sagemaker", "Search"),
    ("cloudwatch", "PutMetricData"),
    ("dynamodb", "PutItem"),
)


def one(data: bytes) -> None:
    service, operation = OPERATIONS[data[0] % len(OPERATIONS)] if data else OPERATIONS[0]
    body = data[1:]
    read(service, operation, "json", post(body, content_type="application/x-amz-json-1.1"))
    tree = refused_in_words(lambda: json_values.load(body))
    if tree is not None and len(body) < 2_000:
        assert same(json.loads(body), tree)


def same(one: object, other: object) -> bool:
    """Python's own reader sees the same, but for integers beyond 64 bits, which become floats."""
    if isinstance(one, dict):
        return isinstance(other, dict) and list(one) == list(other) and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, int) and isinstance(other, float):
        return abs(one) >= 2**63
    return type(one) is type(other) and one == other
