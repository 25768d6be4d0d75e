"""Who is asking, and whose a key is."""

from __future__ import annotations

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation


@operation("GetCallerIdentity", inline=True, reads=True)
def get_caller_identity(ctx: Context, request: Members) -> Members:
    caller = ctx.caller
    return {"UserId": caller.user_id, "Account": caller.account, "Arn": caller.arn}


@operation("GetAccessKeyInfo", reads=True)
def get_access_key_info(ctx: Context, request: Members) -> Members:
    """The account of any key of this installation; a key of elsewhere is not known here."""
    found = ctx.parts.identity.credentials(request["AccessKeyId"])
    if found is None:
        raise AwsError("ValidationError", f"Invalid value for parameter: {request['AccessKeyId']}", 400)
    return {"Account": found.account}


@operation("DecodeAuthorizationMessage", reads=True)
def decode_authorization_message(ctx: Context, request: Members) -> Members:
    """Encoded messages come with refusals of EC2 and a few other services. No service of Cloche's gives any, so
    whatever is sent here was not made here; the code is that of botocore's sts model."""
    message = "The encoded authorization message is not valid: it was not issued by this installation."
    raise AwsError("InvalidAuthorizationMessageException", message, 400)
