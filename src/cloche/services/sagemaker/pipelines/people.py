"""``CreatedBy`` and ``LastModifiedBy``: who signed the request."""

from __future__ import annotations

from cloche.aws.operation import Context, Members


def user_context(ctx: Context) -> Members:
    return {"IamIdentity": {"Arn": ctx.caller.arn, "PrincipalId": ctx.caller.user_id}}
