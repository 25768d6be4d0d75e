"""Dashboards through unmodified boto3."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def cloudwatch(client: Callable[..., Any]) -> Any:
    return client("cloudwatch")


def body(**properties: Any) -> str:
    return json.dumps(
        {"widgets": [{"type": "metric", "x": 0, "y": 0, "width": 12, "height": 6, "properties": properties}]}
    )


GOOD = body(metrics=[["AWS/EC2", "CPUUtilization", "InstanceId", "i-1"]], region="us-east-1")


def code_of(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def test_put_get_list_delete(cloudwatch: Any, client: Callable[..., Any]) -> None:
    tags = [{"Key": "team", "Value": "a"}]
    assert (
        cloudwatch.put_dashboard(DashboardName="one", DashboardBody=GOOD, Tags=tags)["DashboardValidationMessages"]
        == []
    )
    cloudwatch.put_dashboard(DashboardName="one-b", DashboardBody='{"widgets":[]}')
    held = cloudwatch.get_dashboard(DashboardName="one")
    assert held["DashboardBody"] == GOOD
    arn = held["DashboardArn"]
    assert arn.endswith(":dashboard/one") and arn.startswith("arn:aws:cloudwatch::")
    cloudwatch.put_dashboard(DashboardName="one", DashboardBody='{"widgets":[]}', Tags=[{"Key": "x", "Value": "y"}])
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == tags, "an update does not take tags"
    elsewhere = client("cloudwatch", region_name="eu-west-1")
    entries = elsewhere.list_dashboards(DashboardNamePrefix="one")["DashboardEntries"]
    assert [(entry["DashboardName"], entry["Size"]) for entry in entries] == [("one", 14), ("one-b", 14)]
    cloudwatch.tag_resource(ResourceARN=arn, Tags=[{"Key": "stage", "Value": "b"}])
    cloudwatch.untag_resource(ResourceARN=arn, TagKeys=["team"])
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "stage", "Value": "b"}]
    code, message = code_of(cloudwatch.delete_dashboards, DashboardNames=["one", "none", "one-b"])
    assert code.startswith("ResourceNotFound") or code == "DashboardNotFoundError"
    assert message == "Dashboard none does not exist"
    assert cloudwatch.list_dashboards(DashboardNamePrefix="one")["DashboardEntries"] == []
    assert code_of(cloudwatch.get_dashboard, DashboardName="one")[1] == "Dashboard one does not exist"
    assert code_of(cloudwatch.list_tags_for_resource, ResourceARN=arn)[0].startswith("ResourceNotFound")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no json", ["must be a valid JSON object"]),
        ("[]", ["must be a valid JSON object"]),
        ("{}", ["there are 1 validation errors", "Should have required property 'widgets'"]),
        (
            body(region="us-east-1"),
            [
                "there are 3 validation errors",
                '"dataPath": "/widgets/0/properties"',
                "Should have required property 'metrics'",
                "The metric widget should have specified a region and a data source or an alarm annotation",
            ],
        ),
        (body(metrics=["x"], region="r"), ["/widgets/0/properties/metrics/0", "Should be array"]),
        ('{"widgets":[{"type":"pie","properties":{}}]}', ["/widgets/0/type"]),
        ('{"widgets":[{"type":"text","properties":{}, "width": 30}]}', ["Should be <= 24", "'markdown'"]),
        ('{"widgets":[{"type":"alarm","properties":{"alarms": []}}]}', ["Should NOT have less than 1 items"]),
    ],
)
def test_bodies_that_are_refused(cloudwatch: Any, text: str, words: list[str]) -> None:
    code, message = code_of(cloudwatch.put_dashboard, DashboardName="bad", DashboardBody=text)
    assert code in ("InvalidParameterInput", "DashboardInvalidInputError")
    for word in words:
        assert word in message
    assert "DashboardName" in code_of(cloudwatch.put_dashboard, DashboardName="a b", DashboardBody=GOOD)[1]
