"""Temporary credentials: of a role, of a federated user, or of the caller itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.engines.identity import AccountIdentity, Credentials
from cloche.engines.identity.ledger import account_in
from cloche.engines.identity.policy import as_context
from cloche.engines.identity.policy.validate import MalformedPolicy
from cloche.engines.identity.sessions import Wanted, packed_percent
from cloche.engines.identity.web_identity import TokenRefused
from cloche.foundation.errors import Denied

T = TypeVar("T")
# What each refusal of a web identity token is called: the error traits of botocore's sts model.
TOKEN_CODES: Final = {
    "invalid": ("InvalidIdentityToken", 400),
    "expired": ("ExpiredTokenException", 400),
    "rejected": ("IDPRejectedClaim", 403),
}


@operation("AssumeRole")
def assume_role(ctx: Context, request: Members) -> Members:
    _refuse(request, "ProvidedContexts")
    caller, wanted = caller_credentials(ctx), wanted_of(ctx, request)
    sessions = _account_of(ctx, request["RoleArn"]).sessions
    made = _issued(lambda: sessions.assume(caller, request["RoleArn"], request["RoleSessionName"], wanted))
    answer = _of_role(made, wanted)
    if made.session is not None and made.session.source_identity:
        answer["SourceIdentity"] = made.session.source_identity
    return answer


@operation("AssumeRoleWithWebIdentity")
def assume_role_with_web_identity(ctx: Context, request: Members) -> Members:
    """The token is all the proof there is: this request is not signed."""
    _refuse(request, "ProviderId")
    wanted, token = wanted_of(ctx, request), request["WebIdentityToken"]
    account = _account_of(ctx, request["RoleArn"])
    made, claims, provider = _issued(
        lambda: account.sessions.web_identity(request["RoleArn"], request["RoleSessionName"], token, wanted)
    )
    answer = {
        **_of_role(made, wanted),
        "SubjectFromWebIdentityToken": claims.subject,
        "Audience": claims.audience,
        "Provider": provider,
    }
    if claims.source_identity:
        answer["SourceIdentity"] = claims.source_identity
    return answer


@operation("GetSessionToken")
def get_session_token(ctx: Context, request: Members) -> Members:
    """For the root and for users; the words for others are those seen in aws/aws-sdk-net#1704."""
    caller = _long_term(ctx, "GetSessionToken")
    made = ctx.parts.identity.of(caller.account).sessions.of_caller(caller, wanted_of(ctx, request))
    return {"Credentials": view_credentials(made)}


@operation("GetFederationToken")
def get_federation_token(ctx: Context, request: Members) -> Members:
    caller, wanted = _long_term(ctx, "GetFederationToken"), wanted_of(ctx, request)
    sessions = ctx.parts.identity.of(caller.account).sessions
    made = _issued(lambda: sessions.federated(caller, request["Name"], wanted))
    return {
        "Credentials": view_credentials(made),
        "FederatedUser": {"FederatedUserId": made.user_id, "Arn": made.principal_arn},
        **_packed(wanted),
    }


def wanted_of(ctx: Context, request: Members) -> Wanted:
    return Wanted(
        seconds=request.get("DurationSeconds"),
        policies=[request["Policy"]] if "Policy" in request else [],
        policy_arns=[each["arn"] for each in request.get("PolicyArns") or () if "arn" in each],
        tags=tuple((tag["Key"], tag["Value"]) for tag in request.get("Tags") or ()),
        transitive=tuple(request.get("TransitiveTagKeys") or ()),
        external_id=request.get("ExternalId"),
        source_identity=request.get("SourceIdentity") or "",
        serial_number=request.get("SerialNumber") or "",
        token_code=request.get("TokenCode") or "",
        context=as_context([("aws:RequestedRegion", ctx.region)]),
    )


def _account_of(ctx: Context, role_arn: str) -> AccountIdentity:
    """The account whose role it is; the caller's for an account that is not here, where the role is not either."""
    found: AccountIdentity | None = ctx.parts.identity.find(account_in(role_arn))
    if found is None:
        found = ctx.parts.identity.find(ctx.account) or ctx.parts.identity.home
    return found


def _long_term(ctx: Context, operation_name: str) -> Credentials:
    caller = caller_credentials(ctx)
    if caller.session_token is not None:
        raise AwsError("AccessDenied", f"Cannot call {operation_name} with session credentials", 403)
    return caller


def _issued(issue: Callable[[], T]) -> T:
    """What ``issue`` answers; what it raises in STS's own codes."""
    try:
        return issue()
    except MalformedPolicy as error:
        raise AwsError("MalformedPolicyDocument", error.message, 400) from error
    except TokenRefused as error:
        code, status = TOKEN_CODES[error.reason]
        raise AwsError(code, error.message, status) from error


def _of_role(made: Credentials, wanted: Wanted) -> Members:
    return {
        "Credentials": view_credentials(made),
        "AssumedRoleUser": {"AssumedRoleId": made.user_id, "Arn": made.principal_arn},
        **_packed(wanted),
    }


def _packed(wanted: Wanted) -> dict[str, Any]:
    """PackedPolicySize is told where there is something to pack."""
    if not (wanted.policies or wanted.policy_arns or wanted.tags):
        return {}
    return {"PackedPolicySize": packed_percent(wanted)}


def _refuse(request: Members, *members: str) -> None:
    for member in members:
        if request.get(member):
            raise AwsError("ValidationError", f"{member} is not supported by Cloche: leave it out.", 400)


def caller_credentials(ctx: Context) -> Credentials:
    """The credentials that signed. Under ``--any-credentials`` a key may be nobody's: then it is a root's."""
    found: Credentials | None = ctx.parts.identity.credentials(ctx.caller.access_key)
    if found is not None:
        return found
    if ctx.caller.anonymous:
        raise Denied("Access denied")
    root: Credentials = ctx.parts.identity.root_credentials(ctx.caller.account)
    if ctx.caller.arn != root.principal_arn:
        raise Denied("Access denied")
    return root


def view_credentials(made: Credentials) -> Members:
    return {
        "AccessKeyId": made.access_key,
        "SecretAccessKey": made.secret_key,
        "SessionToken": made.session_token,
        "Expiration": made.expires_at,
    }
