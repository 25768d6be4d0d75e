"""Names and ARNs of groups and streams, and the two ways in which a request may say a group."""

from __future__ import annotations

from cloche.aws.operation import Context, Members
from cloche.foundation.errors import Invalid


def group_arn(ctx: Context, group: str) -> str:
    return f"arn:aws:logs:{ctx.region}:{ctx.account}:log-group:{group}"


def stream_arn(ctx: Context, group: str, stream: str) -> str:
    return f"{group_arn(ctx, group)}:log-stream:{stream}"


def group_in_arn(ctx: Context, arn: str) -> str:
    """The name in a group's ARN, with or without ``:*`` at its end. Raises ``Invalid`` for any other ARN."""
    prefix = group_arn(ctx, "")
    if not arn.startswith(prefix):
        raise Invalid(f"{arn} is not the ARN of a log group of this account and region")
    return arn.removeprefix(prefix).removesuffix(":*")


def group_named(ctx: Context, request: Members) -> str:
    """``logGroupName``, or ``logGroupIdentifier`` (a name or an ARN): one of them, not both."""
    name, identifier = request.get("logGroupName"), request.get("logGroupIdentifier")
    if (name is None) == (identifier is None):
        raise Invalid("Exactly one of logGroupName and logGroupIdentifier must be given")
    if name is not None:
        return str(name)
    return group_of_identifier(ctx, str(identifier))


def group_of_identifier(ctx: Context, text: str) -> str:
    """The name in what is a name or an ARN."""
    return group_in_arn(ctx, text) if text.startswith("arn:") else text
