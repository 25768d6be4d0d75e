"""AddPermission and RemovePermission: statements of the topic's policy, written for the caller.

docs.aws.amazon.com/sns/latest/api/API_AddPermission.html
"""

from __future__ import annotations

import json
import re
from typing import Any

from cloche.aws.operation import Context, Members, operation
from cloche.engines.topics import Topic
from cloche.services.sns.access import topic_at
from cloche.services.sns.errors import invalid
from cloche.services.sns.topic_attributes import ACTIONS, default_policy


@operation("AddPermission")
def add_permission(ctx: Context, request: Members) -> Members:
    topic = topic_at(ctx, request["TopicArn"], "AddPermission")
    label, accounts, actions = request["Label"], request["AWSAccountId"], request["ActionName"]
    if not accounts or not all(re.fullmatch(r"\d{12}", each) for each in accounts):
        raise invalid("Policy Error: PrincipalNotFound")
    if not actions or not all(each in ACTIONS or each == "*" for each in actions):
        raise invalid("Policy statement action out of service scope!")
    policy = _policy(topic)
    if any(each.get("Sid") == label for each in policy["Statement"]):
        raise invalid("Statement already exists")
    principals = [f"arn:aws:iam::{each}:root" for each in accounts]
    named = [f"SNS:{each}" for each in actions]
    policy["Statement"].append(
        {
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": principals[0] if len(principals) == 1 else principals},
            "Action": named[0] if len(named) == 1 else named,
            "Resource": topic.arn,
        }
    )
    _keep(ctx, topic, policy)
    return {}


@operation("RemovePermission")
def remove_permission(ctx: Context, request: Members) -> Members:
    """A label that is not there is as good as removed."""
    topic = topic_at(ctx, request["TopicArn"], "RemovePermission")
    policy = _policy(topic)
    policy["Statement"] = [each for each in policy["Statement"] if each.get("Sid") != request["Label"]]
    _keep(ctx, topic, policy)
    return {}


def _policy(topic: Topic) -> dict[str, Any]:
    text = topic.attributes.get("Policy")
    policy: dict[str, Any] = json.loads(text) if text else default_policy(topic)
    if not isinstance(policy["Statement"], list):
        policy["Statement"] = [policy["Statement"]]
    return policy


def _keep(ctx: Context, topic: Topic, policy: dict[str, Any]) -> None:
    text = json.dumps(policy, separators=(",", ":"))
    ctx.parts.topics.configure(topic.arn, {**topic.attributes, "Policy": text})
