"""AddPermission and RemovePermission: statements of the queue's policy, written for the caller.

docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_AddPermission.html
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.engines.queues import Queue
from cloche.services.sqs.access import OWNERS_ONLY, queue_at
from cloche.services.sqs.errors import invalid_value

ACTIONS_MAX: Final = 7  # "an Amazon SQS policy can have a maximum of seven actions per statement"
STATEMENTS_MAX: Final = 20  # …/SQSDeveloperGuide/quotas-policies.html
GRANTED: Final = frozenset(
    {
        *("*", "SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes"),
        *("GetQueueUrl", "ListDeadLetterSourceQueues", "PurgeQueue"),
    }
)
_LABEL: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")


@operation("AddPermission")
def add_permission(ctx: Context, request: Members) -> Members:
    queue = queue_at(ctx, request["QueueUrl"], "AddPermission")
    label, accounts, actions = request["Label"], request["AWSAccountIds"], request["Actions"]
    if not _LABEL.fullmatch(label):
        raise invalid_value(label, "Label", "Can only include alphanumeric characters, hyphens, or underscores.")
    if not accounts or not all(re.fullmatch(r"\d{12}", each) for each in accounts):
        raise invalid_value(accounts, "PrincipalId", "Unable to verify principal.")  # aws/aws-cli#7416
    if not actions:
        raise AwsError("MissingParameter", "The request must contain the parameter Actions.")
    for action in actions:
        if action in OWNERS_ONLY:
            raise invalid_value(f"SQS:{action}", "ActionName", "Only the queue owner is allowed to invoke this action.")
        if action not in GRANTED:
            raise invalid_value(
                f"SQS:{action}", "ActionName", "Please refer to the appropriate WSDL for a list of valid actions."
            )
    if len(actions) > ACTIONS_MAX:
        raise AwsError("OverLimit", f"{len(actions)} Actions were found, maximum allowed is {ACTIONS_MAX}.", 403)
    policy = _policy(queue)
    if any(each.get("Sid") == label for each in policy["Statement"]):
        raise invalid_value(label, "Label", "Already exists.")
    if len(policy["Statement"]) >= STATEMENTS_MAX:
        raise AwsError("OverLimit", f"A queue's policy may have at most {STATEMENTS_MAX} statements.", 403)
    principals = [f"arn:aws:iam::{each}:root" for each in accounts]
    named = [f"SQS:{each}" for each in actions]
    policy["Statement"].append(
        {
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": principals[0] if len(principals) == 1 else principals},
            "Action": named[0] if len(named) == 1 else named,
            "Resource": queue.arn,
        }
    )
    _keep(ctx, queue, policy)
    return {}


@operation("RemovePermission")
def remove_permission(ctx: Context, request: Members) -> Members:
    queue = queue_at(ctx, request["QueueUrl"], "RemovePermission")
    policy, label = _policy(queue), request["Label"]
    left = [each for each in policy["Statement"] if each.get("Sid") != label]
    if len(left) == len(policy["Statement"]):
        raise invalid_value(label, "Label", "can't find label.")
    _keep(ctx, queue, {**policy, "Statement": left})
    return {}


def _policy(queue: Queue) -> dict[str, Any]:
    text = queue.attributes.get("Policy")
    if not text:
        return {"Version": "2012-10-17", "Id": f"{queue.arn}/SQSDefaultPolicy", "Statement": []}
    policy: dict[str, Any] = json.loads(text)
    if not isinstance(policy["Statement"], list):
        policy["Statement"] = [policy["Statement"]]
    return policy


def _keep(ctx: Context, queue: Queue, policy: dict[str, Any]) -> None:
    kept = {name: value for name, value in queue.attributes.items() if name != "Policy"}
    if policy["Statement"]:
        kept["Policy"] = json.dumps(policy, separators=(",", ":"))
    ctx.parts.queues.change(queue, kept, queue.settings)
