"""Who wanted a change, and by what operation: told with it in a bucket's notifications."""

from __future__ import annotations

from cloche.aws.operation import Context
from cloche.services.s3.form.upload import FormFile
from cloche.storage.objects import Cause


def cause_of(ctx: Context, event: str, reason: str) -> Cause:
    caller = ctx.caller
    principal = caller.user_id or caller.account
    address = ctx.http.client.removeprefix("::ffff:")
    return Cause(event, reason, f"AWS:{principal}", caller.account, address, ctx.request_id)


def cause_of_put(ctx: Context) -> Cause:
    if isinstance(ctx.http.stream, FormFile):
        return cause_of(ctx, "ObjectCreated:Post", "PostObject")
    return cause_of(ctx, "ObjectCreated:Put", "PutObject")
