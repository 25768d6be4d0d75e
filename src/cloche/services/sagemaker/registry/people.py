"""Who made or changed a thing of the registry, as its descriptions tell it."""

from __future__ import annotations

from cloche.aws.operation import Context, Members


def by(ctx: Context) -> Members:
    """The caller as a ``UserContext``. There are no Studio profiles or domains, so of it the IAM identity alone."""
    return {"IamIdentity": {"Arn": ctx.caller.arn, "PrincipalId": ctx.caller.user_id}}
