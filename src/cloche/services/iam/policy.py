"""Managed policies: the account's own, and those of AWS that Cloche has."""

from __future__ import annotations

from cloche.aws.operation import Context, Members, operation
from cloche.engines.identity.entities import Kind
from cloche.services.iam.errors import identity_policy
from cloche.services.iam.naming import mine
from cloche.services.iam.paging import cut, paged
from cloche.services.iam.views import tags_of, view_policy


@operation("CreatePolicy")
def create_policy(ctx: Context, request: Members) -> Members:
    policy = mine(ctx).policies.create(
        request["PolicyName"],
        identity_policy(request["PolicyDocument"]),
        path=request.get("Path") or "/",
        description=request.get("Description"),
        tags=tags_of(request),
    )
    return {"Policy": view_policy(policy)}


@operation("GetPolicy", reads=True)
def get_policy(ctx: Context, request: Members) -> Members:
    return {"Policy": view_policy(mine(ctx).policies.get(request["PolicyArn"]))}


@operation("ListPolicies", reads=True)
def list_policies(ctx: Context, request: Members) -> Members:
    policies, scope = mine(ctx).policies, request.get("Scope") or "All"
    found = [] if scope == "AWS" else policies.own()
    found += [] if scope == "Local" else policies.aws()
    prefix = request.get("PathPrefix") or "/"
    usage = request.get("PolicyUsageFilter")
    kept = [
        each
        for each in sorted(found, key=lambda each: each.arn)
        if each.path.startswith(prefix)
        and (not request.get("OnlyAttached") or each.attachments)
        and (usage != "PermissionsPolicy" or each.attachments)
        and (usage != "PermissionsBoundary" or each.boundaries)
    ]
    page, end = cut(kept, request, lambda each: each.arn)
    return paged("Policies", [view_policy(each, whole=False) for each in page], end)


@operation("DeletePolicy")
def delete_policy(ctx: Context, request: Members) -> None:
    mine(ctx).policies.delete(request["PolicyArn"])


@operation("ListEntitiesForPolicy", reads=True)
def list_entities_for_policy(ctx: Context, request: Members) -> Members:
    """Over the pages groups come before roles, and those before users."""
    identity, arn = mine(ctx), request["PolicyArn"]
    identity.policies.get(arn)
    wanted, usage = request.get("EntityFilter"), request.get("PolicyUsageFilter")
    prefix = request.get("PathPrefix") or "/"
    names: set[tuple[Kind, str]] = set()
    kinds: tuple[Kind, ...] = ("group", "role", "user")
    for kind in kinds:
        if wanted is not None and wanted.lower() != kind:
            continue
        if usage != "PermissionsBoundary":
            names |= {(kind, name) for name in identity.holdings.holders(kind, arn)}
        if usage != "PermissionsPolicy":
            names |= {(kind, name) for name in identity.holdings.holders(kind, arn, boundary=True)}
    entities = [identity.entities.get(kind, name) for kind, name in sorted(names)]
    kept = [each for each in entities if each.path.startswith(prefix)]
    page, end = cut(kept, request, lambda each: f"{each.kind}/{each.name}")
    groups = [{"GroupName": e.name, "GroupId": e.id} for e in page if e.kind == "group"]
    answer = paged("PolicyGroups", groups, end)
    answer["PolicyRoles"] = [{"RoleName": e.name, "RoleId": e.id} for e in page if e.kind == "role"]
    answer["PolicyUsers"] = [{"UserName": e.name, "UserId": e.id} for e in page if e.kind == "user"]
    return answer
