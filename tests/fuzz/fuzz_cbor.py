"""CBOR bodies; what was read must come back from the writer."""

from __future__ import annotations

import math
from typing import Any

from wire_request import post, read

from cloche.aws.protocols import cbor

OPERATIONS = (("cloudwatch", "PutMetricData"), ("cloudwatch", "GetMetricData"), ("cloudwatch", "ListMetrics"))


def one(data: bytes) -> None:
    service, operation = OPERATIONS[data[0] % len(OPERATIONS)] if data else OPERATIONS[0]
    body = data[1:]
    read(service, operation, "smithy-rpc-v2-cbor", post(body, smithy_protocol="rpc-v2-cbor"))
    try:
        tree = cbor.loads(body)
    except cbor.MalformedCbor:
        return
    assert same(tree, cbor.loads(cbor.dumps(tree)))


def same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and math.isnan(one):
        return isinstance(other, float) and math.isnan(other)
    if hasattr(one, "microsecond"):
        return abs((one - other).total_seconds()) < 0.001
    return type(one) is type(other) and bool(one == other)
