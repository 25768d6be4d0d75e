"""Whose IAM a request is about, and who is meant by it."""

from __future__ import annotations

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members
from cloche.engines.identity import AccountIdentity
from cloche.engines.identity.entities import Entity, Kind
from cloche.engines.identity.linked_roles import LINKED_PATH


def mine(ctx: Context) -> AccountIdentity:
    """The IAM of the caller's account."""
    found: AccountIdentity = ctx.parts.identity.of(ctx.account)
    return found


def named_or_caller(ctx: Context, request: Members) -> str:
    """The user meant: the one named, or the caller. The words are those of terraform-provider-aws's
    internal/service/iam/access_key.go, which quotes IAM."""
    if name := request.get("UserName"):
        return str(name)
    _, user, path = ctx.caller.arn.partition(":user/")
    if not user:
        message = "Must specify userName when calling with non-User credentials"
        raise AwsError("ValidationError", message, 400)
    return path.rpartition("/")[2]


def named_or_caller_or_root(ctx: Context, request: Members) -> str | None:
    """The same, and ``None`` for a root who names nobody: its own keys are meant (API_CreateAccessKey: "you can use
    it to manage AWS account root user credentials")."""
    if not request.get("UserName") and ctx.caller.arn == mine(ctx).root_arn:
        return None
    return named_or_caller(ctx, request)


def modifiable(ctx: Context, kind: Kind, name: str) -> Entity:
    """The one named, unless AWS alone may change it: a role that is linked to a service.
    The words: rebuy-de/aws-nuke#331."""
    found = mine(ctx).entities.get(kind, name)
    if found.path.startswith(LINKED_PATH):
        message = (
            f"Cannot perform the operation on the protected role '{found.name}' - this role is only modifiable by AWS"
        )
        raise AwsError("UnmodifiableEntity", message, 400)
    return found
