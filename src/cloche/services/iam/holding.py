"""What the policy operations of roles and of users have in common; their handlers name the kind."""

from __future__ import annotations

from cloche.aws.operation import Context, Members
from cloche.engines.identity.entities import Kind
from cloche.services.iam.errors import identity_policy
from cloche.services.iam.paging import cut, page_of, paged
from cloche.services.iam.views import quoted

OWNER = {"role": "RoleName", "user": "UserName"}


def put(kind: Kind, ctx: Context, request: Members) -> None:
    document = identity_policy(request["PolicyDocument"])
    ctx.parts.identity.holdings.put_inline(kind, request[OWNER[kind]], request["PolicyName"], document)


def get(kind: Kind, ctx: Context, request: Members) -> Members:
    owner, name = request[OWNER[kind]], request["PolicyName"]
    document = ctx.parts.identity.holdings.inline(kind, owner, name)
    return {OWNER[kind]: owner, "PolicyName": name, "PolicyDocument": quoted(document)}


def list_inline(kind: Kind, ctx: Context, request: Members) -> Members:
    after, limit = page_of(request)
    found, end = ctx.parts.identity.holdings.inline_names(kind, request[OWNER[kind]], after, limit)
    return paged("PolicyNames", found, end)


def delete(kind: Kind, ctx: Context, request: Members) -> None:
    ctx.parts.identity.holdings.delete_inline(kind, request[OWNER[kind]], request["PolicyName"])


def attach(kind: Kind, ctx: Context, request: Members) -> None:
    ctx.parts.identity.holdings.attach(kind, request[OWNER[kind]], request["PolicyArn"])


def detach(kind: Kind, ctx: Context, request: Members) -> None:
    ctx.parts.identity.holdings.detach(kind, request[OWNER[kind]], request["PolicyArn"])


def list_attached(kind: Kind, ctx: Context, request: Members) -> Members:
    prefix = request.get("PathPrefix") or "/"
    arns = [
        arn
        for arn in ctx.parts.identity.holdings.attached(kind, request[OWNER[kind]])
        if path_of(arn).startswith(prefix)
    ]
    found, end = cut(arns, request, str)
    return paged("AttachedPolicies", [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in found], end)


def path_of(policy_arn: str) -> str:
    """``arn:aws:iam::123456789012:policy/a/b/Name`` → ``/a/b/``."""
    return "/" + policy_arn.partition(":policy/")[2].rpartition("/")[0] + "/" if policy_arn.count("/") > 1 else "/"
