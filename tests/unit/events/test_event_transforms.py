"""What targets are handed: AWS's own examples of input transformers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloche.engines.events.transform import check, payload
from cloche.foundation.errors import Invalid

# docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
EVENT: dict[str, Any] = {
    "version": "0",
    "id": "7bf73129-1428-4cd3-a780-95db273d1602",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "account": "123456789012",
    "time": "2015-11-11T21:29:54Z",
    "region": "us-east-1",
    "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-abcd1111"],
    "detail": {"instance-id": "i-0123456789", "state": "RUNNING", "said": 'a "word"'},
}
PATHS = {"instance": "$.detail.instance-id", "state": "$.detail.state", "said": "$.detail.said", "no": "$.detail.no"}
RULE = "arn:aws:events:us-east-1:123456789012:rule/example"


def made(**target: Any) -> str:
    check({"Id": "t", **target})
    return payload({"Id": "t", **target}, EVENT, RULE, "2015-11-11T21:29:55Z")


def transformed(template: str) -> str:
    return made(InputTransformer={"InputPathsMap": PATHS, "InputTemplate": template})


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('"instance <instance> is in <state>"', '"instance i-0123456789 is in RUNNING"'),
        ('{"instance": <instance>, "state": <state>}', '{"instance": "i-0123456789", "state": "RUNNING"}'),
        ('{"s": "<instance>: \\"<state>\\""}', '{"s": "i-0123456789: \\"RUNNING\\""}'),
        ('{"said": <said>}', '{"said": "a \\"word\\""}'),
        ('{"said": "he said <said>"}', '{"said": "he said a \\"word\\""}'),
        ('{"missing": <no>, "text": "<no>!"}', '{"missing": "", "text": "!"}'),
        ('{"rule": <aws.events.rule-name>}', '{"rule": "example"}'),
        ('{"rule": "<aws.events.rule-arn>"}', f'{{"rule": "{RULE}"}}'),
        ("<aws.events.event.ingestion-time>", '"2015-11-11T21:29:55Z"'),
        ("plain <state> text: <said>", 'plain RUNNING text: a "word"'),
    ],
)
def test_a_template_is_filled(template: str, expected: str) -> None:
    assert transformed(template) == expected


def test_the_whole_event_and_parts_of_it() -> None:
    assert json.loads(made()) == EVENT
    assert made(Input='{"a": 1}') == '{"a": 1}'
    assert json.loads(made(InputPath="$.detail")) == EVENT["detail"]
    assert made(InputPath="$.resources[0]") == f'"{EVENT["resources"][0]}"'
    assert made(InputPath="$.resources[7]") == "{}"
    whole = json.loads(transformed('{"all": <aws.events.event.json>, "head": <aws.events.event>}'))
    assert whole["all"] == EVENT
    assert "detail" not in whole["head"]


@pytest.mark.parametrize(
    "target",
    [
        {"Input": "{"},
        {"Input": "{}", "InputPath": "$"},
        {"InputPath": "detail"},
        {"InputPath": "$.a[?(@.b)]"},
        {"InputTransformer": {"InputTemplate": "<unknown>"}},
        {"InputTransformer": {"InputPathsMap": {"AWSx": "$.a"}, "InputTemplate": "x"}},
        {"InputTransformer": {"InputPathsMap": {"a": "x"}, "InputTemplate": "<a>"}},
    ],
)
def test_what_cannot_be_made_is_refused(target: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        check({"Id": "t", **target})
