"""Subscription filters through unmodified boto3: what is refused; what a function gets is in the slower story."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

Clients = Callable[..., Any]
LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:nobody"


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"destinationArn": LAMBDA}, "Could not execute the lambda function"),
        ({"destinationArn": "arn:aws:kinesis:us-east-1:123456789012:stream/s"}, "not kinesis"),
        ({"destinationArn": "arn:aws:logs:us-east-1:123456789012:destination:d"}, "not logs"),
        ({"destinationArn": "arn:aws:sqs:us-east-1:123456789012:q"}, "vendor sqs"),
        ({"destinationArn": LAMBDA, "filterPattern": "{ $.a = "}, "filter pattern"),
    ],
)
def test_what_cannot_be_subscribed(client: Clients, members: dict[str, Any], words: str) -> None:
    logs = client("logs")
    logs.create_log_group(logGroupName=f"refused-{words}".replace(" ", "-"))
    given = {"logGroupName": f"refused-{words}".replace(" ", "-"), "filterName": "f", "filterPattern": "", **members}
    with pytest.raises(ClientError, match=words) as refused:
        logs.put_subscription_filter(**given)
    assert refused.value.response["Error"]["Code"] == "InvalidParameterException"
    assert logs.describe_subscription_filters(logGroupName=given["logGroupName"])["subscriptionFilters"] == []
    with pytest.raises(ClientError, match="subscription filter does not exist"):
        logs.delete_subscription_filter(logGroupName=given["logGroupName"], filterName="f")
