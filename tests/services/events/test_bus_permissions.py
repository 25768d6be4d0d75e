"""A bus lets another account in, and a rule reaches across accounts and Regions."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from botocore.exceptions import ClientError

HOME, OTHER = "123456789012", "222222222222"
BUS = f"arn:aws:events:us-east-1:{HOME}:event-bus/shared"


@pytest.fixture(scope="module")
def other(still_server: Any) -> dict[str, str]:
    """The keys of a second account."""
    command = [sys.executable, "-m", "cloche.cli.main", "accounts", "add", OTHER, "--data", str(still_server.data)]
    subprocess.run(command, check=True, capture_output=True)
    said = json.loads((still_server.data / "keys" / f"root-{OTHER}.json").read_text())
    return {"aws_access_key_id": said["AccessKeyId"], "aws_secret_access_key": said["SecretAccessKey"]}


def entry(bus: str, n: int) -> dict[str, Any]:
    return {"Source": "shop.other", "DetailType": "d", "Detail": json.dumps({"n": n}), "EventBusName": bus}


def test_another_account_puts_events_where_it_is_let_in(turned: Any, other: dict[str, str]) -> None:
    events, theirs = turned.client("events"), turned.server.client("events", **other)
    url, queue = turned.queue("shared")
    events.create_event_bus(Name="shared")
    events.put_rule(Name="shared", EventBusName="shared", EventPattern='{"source": ["shop.other"]}')
    events.put_targets(Rule="shared", EventBusName="shared", Targets=[{"Id": "q", "Arn": queue}])
    for bus in (BUS, BUS + "-none"):
        with pytest.raises(ClientError, match="AccessDenied"):  # nor is it told what there is
            theirs.put_events(Entries=[entry(bus, 1)])
    asked = {"EventBusName": "shared", "Action": "events:PutEvents", "Principal": OTHER, "StatementId": "them"}
    events.put_permission(**asked)
    (statement,) = json.loads(events.describe_event_bus(Name="shared")["Policy"])["Statement"]
    assert (statement["Principal"], statement["Resource"]) == ({"AWS": f"arn:aws:iam::{OTHER}:root"}, BUS)
    assert theirs.put_events(Entries=[entry(BUS, 2)])["FailedEntryCount"] == 0

    theirs.put_rule(Name="on", EventPattern='{"source": ["shop.other"]}')
    target = {"Id": "b", "Arn": BUS, "RoleArn": f"arn:aws:iam::{OTHER}:role/x"}
    theirs.put_targets(Rule="on", Targets=[target])
    theirs.put_events(Entries=[entry("default", 3)])
    turned.pass_time("1s")
    found = turned.bodies(url)
    assert [(event["detail"]["n"], event["account"]) for event in found] == [(2, OTHER), (3, OTHER)]

    events.remove_permission(EventBusName="shared", StatementId="them")
    assert "Policy" not in events.describe_event_bus(Name="shared")
    theirs.put_events(Entries=[entry("default", 4)])
    turned.pass_time("1s")
    assert turned.bodies(url) == []
    with pytest.raises(ClientError, match="Statement with the provided id does not exist"):
        events.remove_permission(EventBusName="shared", StatementId="them")
    for request, expected in (
        ({**asked, "Action": "events:PutRule"}, "not supported"),
        ({"EventBusName": "shared", "Action": "events:PutEvents"}, "must be specified"),
        ({"EventBusName": "shared", "Policy": "[]"}, "no policy document"),
        ({**asked, "Condition": {"Type": "StringEquals", "Key": "aws:PrincipalOrgID", "Value": "o"}}, "organizations"),
    ):
        with pytest.raises(ClientError, match=expected):
            events.put_permission(**request)


def test_a_rule_reaches_a_bus_in_another_region(turned: Any) -> None:
    here, there = turned.client("events"), turned.server.client("events", region_name="eu-west-1")
    sqs = turned.server.client("sqs", region_name="eu-west-1")
    url = sqs.create_queue(QueueName="abroad")["QueueUrl"]
    there.put_rule(Name="abroad", EventPattern='{"source": ["shop.abroad"]}')
    queue = f"arn:aws:sqs:eu-west-1:{HOME}:abroad"
    there.put_targets(Rule="abroad", Targets=[{"Id": "q", "Arn": queue}])
    here.put_rule(Name="abroad", EventPattern='{"source": ["shop.abroad"]}')
    bus = f"arn:aws:events:eu-west-1:{HOME}:event-bus/default"
    here.put_targets(Rule="abroad", Targets=[{"Id": "b", "Arn": bus}])
    here.put_events(Entries=[{"Source": "shop.abroad", "DetailType": "d", "Detail": "{}"}])
    turned.pass_time("1s")
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert json.loads(message["Body"])["region"] == "us-east-1"
