"""Temporary credentials: of a role, or of the caller itself."""

from __future__ import annotations

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.engines.identity import Credentials
from cloche.engines.identity.policy import as_context
from cloche.engines.identity.policy.validate import MalformedPolicy
from cloche.foundation.errors import Denied

# Members that would have to change what a session may do, and that no part of Cloche does anything with.
NOT_HEEDED = ("SerialNumber", "TokenCode", "ProvidedContexts")


@operation("AssumeRole")
def assume_role(ctx: Context, request: Members) -> Members:
    _refuse(request)
    identity = ctx.parts.identity
    tags, source = request.get("Tags") or (), request.get("SourceIdentity")
    asked = [(f"aws:RequestTag/{tag['Key']}", tag["Value"]) for tag in tags]
    asked += [("aws:TagKeys", [tag["Key"] for tag in tags])] if tags else []
    asked += [("sts:ExternalId", request["ExternalId"])] if "ExternalId" in request else []
    asked += [("sts:SourceIdentity", source)] if source else []
    asked += [("sts:RoleSessionName", request["RoleSessionName"]), ("aws:RequestedRegion", ctx.region)]
    try:
        made = identity.sessions.assume(
            caller_credentials(ctx),
            request["RoleArn"],
            request["RoleSessionName"],
            seconds=request.get("DurationSeconds"),
            session_policies=[request["Policy"]] if "Policy" in request else [],
            session_policy_arns=[each["arn"] for each in request.get("PolicyArns") or ()],
            context=as_context(asked),
            also=(["sts:TagSession"] if tags else []) + (["sts:SetSourceIdentity"] if source else []),
        )
    except MalformedPolicy as error:
        raise AwsError("MalformedPolicyDocument", error.message, 400) from error
    answer: Members = {
        "Credentials": view_credentials(made),
        "AssumedRoleUser": {"AssumedRoleId": made.user_id, "Arn": made.principal_arn},
    }
    if source:
        answer["SourceIdentity"] = source
    return answer


@operation("GetSessionToken")
def get_session_token(ctx: Context, request: Members) -> Members:
    """For the root and for users; the words for others are those seen in aws/aws-sdk-net#1704."""
    _refuse(request)
    caller = caller_credentials(ctx)
    if caller.session_token is not None:
        raise AwsError("AccessDenied", "Cannot call GetSessionToken with session credentials", 403)
    made = ctx.parts.identity.session_token_credentials(caller, request.get("DurationSeconds"))
    return {"Credentials": view_credentials(made)}


def _refuse(request: Members) -> None:
    for member in NOT_HEEDED:
        if request.get(member):
            raise AwsError("ValidationError", f"{member} is not supported by Cloche: leave it out.", 400)


def caller_credentials(ctx: Context) -> Credentials:
    """The credentials that signed. Under ``--any-credentials`` a key may be nobody's: then it is the root's."""
    found: Credentials | None = ctx.parts.identity.credentials(ctx.caller.access_key)
    if found is not None:
        return found
    root: Credentials = ctx.parts.identity.root_credentials()
    if ctx.caller.anonymous or ctx.caller.arn != root.principal_arn:
        raise Denied("Access denied")
    return root


def view_credentials(made: Credentials) -> Members:
    return {
        "AccessKeyId": made.access_key,
        "SecretAccessKey": made.secret_key,
        "SessionToken": made.session_token,
        "Expiration": made.expires_at,
    }
