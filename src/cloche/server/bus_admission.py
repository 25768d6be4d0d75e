"""What the policy of an event bus says of another account that puts events on it."""

from __future__ import annotations

from cloche.engines.identity.policy import Outcome, Principal, Request, compile_document
from cloche.engines.identity.policy.resource import evaluate_resource_policy


def admits(policy: str, bus_arn: str, account: str, rule_arn: str) -> bool:
    """By a rule it acts as itself, as AWS has it act as the target's role, which is of that account."""
    context = {"aws:sourcearn": (rule_arn,), "aws:sourceaccount": (account,)} if rule_arn else {}
    request = Request("events:PutEvents", bus_arn, context)
    who = Principal(f"arn:aws:iam::{account}:root", account)
    return evaluate_resource_policy(compile_document(policy), who, request) is Outcome.ALLOWED
