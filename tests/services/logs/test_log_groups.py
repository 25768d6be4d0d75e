"""Classes, keys, protection, lists and resource policies of log groups through unmodified boto3."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.fixture
def logs(client: Callable[..., Any]) -> Any:
    return client("logs")


@pytest.fixture
def group(logs: Any, request: pytest.FixtureRequest) -> str:
    name = f"/groups/{request.node.name}"
    logs.create_log_group(logGroupName=name)
    return name


def code_of(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def told(logs: Any, name: str) -> dict[str, Any]:
    (found,) = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return dict(found)


def test_keys_are_kept(logs: Any, group: str) -> None:
    assert "kmsKeyId" not in told(logs, group)
    logs.associate_kms_key(logGroupName=group, kmsKeyId=KEY)
    assert told(logs, group)["kmsKeyId"] == KEY
    logs.disassociate_kms_key(resourceIdentifier=told(logs, group)["logGroupArn"])
    assert "kmsKeyId" not in told(logs, group)
    logs.create_log_group(logGroupName=f"{group}.key", kmsKeyId=KEY)
    assert told(logs, f"{group}.key")["kmsKeyId"] == KEY


def test_protection(logs: Any, group: str) -> None:
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    logs.put_log_group_deletion_protection(logGroupIdentifier=group, deletionProtectionEnabled=True)
    assert told(logs, group)["deletionProtectionEnabled"] is True
    assert "protected" in code_of(logs.delete_log_group, logGroupName=group)[1]
    assert "protected" in code_of(logs.delete_log_stream, logGroupName=group, logStreamName="s")[1]
    arn = told(logs, group)["logGroupArn"]
    logs.put_log_group_deletion_protection(logGroupIdentifier=arn, deletionProtectionEnabled=False)
    logs.delete_log_group(logGroupName=group)


def test_stored_bytes(logs: Any, group: str) -> None:
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    assert told(logs, group)["storedBytes"] == 0
    events = [{"timestamp": int(time.time() * 1000), "message": "twelve bytes"}] * 2
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)
    assert told(logs, group)["storedBytes"] == 2 * (12 + 26)


def test_infrequent_access(logs: Any, group: str) -> None:
    name = f"{group}.ia"
    logs.create_log_group(logGroupName=name, logGroupClass="INFREQUENT_ACCESS")
    logs.create_log_stream(logGroupName=name, logStreamName="s")
    assert told(logs, name)["logGroupClass"] == "INFREQUENT_ACCESS"
    for call in (logs.filter_log_events, logs.get_log_events):
        arguments = {"logStreamName": "s"} if call == logs.get_log_events else {}
        assert code_of(call, logGroupName=name, **arguments)[0] == "InvalidOperationException"
    found = logs.describe_log_groups(logGroupNamePrefix=group, logGroupClass="INFREQUENT_ACCESS")["logGroups"]
    assert [each["logGroupName"] for each in found] == [name]


def test_list(logs: Any, group: str) -> None:
    for number in range(5):
        tags = {"parity": "even" if number % 2 == 0 else "odd"}
        logs.create_log_group(logGroupName=f"{group}/train-{number}", tags=tags)

    def names(**arguments: Any) -> list[str]:
        found: list[str] = []
        while True:
            answer = logs.list_log_groups(limit=2, **arguments)
            found += [each["logGroupName"].removeprefix(group) for each in answer["logGroups"]]
            if "nextToken" not in answer:
                return found
            arguments["nextToken"] = answer["nextToken"]

    pattern = "^/groups/test_list|none"
    assert names(logGroupNamePattern=pattern)[0] == ""
    assert names(logGroupNamePattern="^train-1") == []
    assert names(logGroupNamePattern="train-1|train-3") == ["/train-1", "/train-3"]
    tags = [{"key": "parity", "values": ["odd"]}]
    assert names(logGroupNamePattern=pattern, logGroupTags=tags) == ["/train-1", "/train-3"]
    assert len(names(logGroupNamePattern=pattern, logGroupTags=[{"key": "parity"}])) == 5
    assert "linked accounts" in code_of(logs.list_log_groups, includeLinkedAccounts=True)[1]
    arn = told(logs, f"{group}/train-2")["logGroupArn"]
    found = logs.describe_log_groups(logGroupIdentifiers=[arn, group])["logGroups"]
    assert [each["logGroupName"] for each in found] == [f"{group}/train-2", group]


def test_resource_policies(start_server: Callable[..., Any]) -> None:
    logs = start_server().client("logs")
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "route53.amazonaws.com"},
        "Action": "logs:PutLogEvents",
        "Resource": "*",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    for number in range(10):
        made = logs.put_resource_policy(policyName=f"p{number}", policyDocument=document)["resourcePolicy"]
        assert (made["policyName"], made["policyDocument"]) == (f"p{number}", document)
    assert code_of(logs.put_resource_policy, policyName="p10", policyDocument=document)[0] == "LimitExceededException"
    logs.put_resource_policy(policyName="p3", policyDocument=document)
    pages = logs.get_paginator("describe_resource_policies").paginate(PaginationConfig={"PageSize": 4})
    names = [policy["policyName"] for page in pages for policy in page["resourcePolicies"]]
    assert names == [f"p{number}" for number in range(10)]
    logs.delete_resource_policy(policyName="p3")
    assert code_of(logs.delete_resource_policy, policyName="p3")[0] == "ResourceNotFoundException"
    assert code_of(logs.put_resource_policy, policyName="x", policyDocument="{}")[0] == "InvalidParameterException"

    logs.create_log_group(logGroupName="/g")
    arn = logs.describe_log_groups()["logGroups"][0]["logGroupArn"]
    first = logs.put_resource_policy(policyName="g", resourceArn=arn, policyDocument=document)["revisionId"]
    stale = code_of(logs.put_resource_policy, policyName="g", resourceArn=arn, policyDocument=document)
    assert stale[0] == "OperationAbortedException"
    logs.put_resource_policy(policyName="g", resourceArn=arn, policyDocument=document, expectedRevisionId=first)
    (held,) = logs.describe_resource_policies(resourceArn=arn)["resourcePolicies"]
    assert (held["policyScope"], held["resourceArn"]) == ("RESOURCE", arn)
    assert len(logs.describe_resource_policies(policyScope="RESOURCE")["resourcePolicies"]) == 1
    logs.delete_log_group(logGroupName="/g")
    assert logs.describe_resource_policies(policyScope="RESOURCE")["resourcePolicies"] == []


def test_metric_filters_can_be_tried(logs: Any) -> None:
    line = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'
    matches = logs.test_metric_filter(
        filterPattern="[ip, ..., status=4*, size > 100]", logEventMessages=["other", line, line.replace("1534", "5")]
    )["matches"]
    assert [(match["eventNumber"], match["extractedValues"]["$status"]) for match in matches] == [(2, "404")]
    found = logs.test_metric_filter(
        filterPattern='{ $.a.b[0] = "x" && ($.n > 3 || $.k = *y*) }',
        logEventMessages=['{"a": {"b": ["x"]}, "n": 4}', '{"a": {"b": ["x"]}, "k": "xyz"}', '{"a": {"b": ["y"]}}'],
    )["matches"]
    assert [match["eventNumber"] for match in found] == [1, 2]


def test_more_tags_than_fifty(logs: Any, group: str) -> None:
    arn = told(logs, group)["logGroupArn"]
    logs.tag_resource(resourceArn=arn, tags={f"k{number}": "v" for number in range(50)})
    assert code_of(logs.tag_resource, resourceArn=arn, tags={"one": "more"})[0] == "TooManyTagsException"
    assert len(logs.list_tags_for_resource(resourceArn=arn)["tags"]) == 50
