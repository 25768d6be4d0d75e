"""Managed policies: the account's own, and those of AWS that Cloche has."""

from __future__ import annotations

from cloche.aws.operation import Context, Members, operation
from cloche.services.iam.errors import identity_policy
from cloche.services.iam.paging import cut, paged
from cloche.services.iam.views import tags_of, view_policy, view_tags


@operation("CreatePolicy")
def create_policy(ctx: Context, request: Members) -> Members:
    policy = ctx.parts.identity.policies.create(
        request["PolicyName"],
        identity_policy(request["PolicyDocument"]),
        path=request.get("Path") or "/",
        description=request.get("Description"),
        tags=tags_of(request),
    )
    return {"Policy": view_policy(policy)}


@operation("GetPolicy", reads=True)
def get_policy(ctx: Context, request: Members) -> Members:
    return {"Policy": view_policy(ctx.parts.identity.policies.get(request["PolicyArn"]))}


@operation("ListPolicies", reads=True)
def list_policies(ctx: Context, request: Members) -> Members:
    policies, scope = ctx.parts.identity.policies, request.get("Scope") or "All"
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
    ctx.parts.identity.policies.delete(request["PolicyArn"])


@operation("ListEntitiesForPolicy", reads=True)
def list_entities_for_policy(ctx: Context, request: Members) -> Members:
    """Groups are always none: Cloche has no groups. Roles come before users over the pages."""
    identity, arn = ctx.parts.identity, request["PolicyArn"]
    identity.policies.get(arn)
    wanted, usage = request.get("EntityFilter"), request.get("PolicyUsageFilter")
    prefix = request.get("PathPrefix") or "/"
    names: set[tuple[str, str]] = set()
    for kind in ("role", "user"):
        if wanted is not None and wanted.lower() != kind:
            continue
        if usage != "PermissionsBoundary":
            names |= {(kind, name) for name in identity.holdings.holders(kind, arn)}
        if usage != "PermissionsPolicy":
            names |= {(kind, name) for name in identity.holdings.holders(kind, arn, boundary=True)}
    entities = [identity.entities.get(kind, name) for kind, name in sorted(names)]
    kept = [each for each in entities if each.path.startswith(prefix)]
    page, end = cut(kept, request, lambda each: f"{each.kind}/{each.name}")
    answer = paged("PolicyGroups", [], end)
    answer["PolicyRoles"] = [{"RoleName": e.name, "RoleId": e.id} for e in page if e.kind == "role"]
    answer["PolicyUsers"] = [{"UserName": e.name, "UserId": e.id} for e in page if e.kind == "user"]
    return answer


@operation("TagPolicy")
def tag_policy(ctx: Context, request: Members) -> None:
    ctx.parts.identity.policies.tag(request["PolicyArn"], tags_of(request))


@operation("UntagPolicy")
def untag_policy(ctx: Context, request: Members) -> None:
    ctx.parts.identity.policies.untag(request["PolicyArn"], tuple(request["TagKeys"]))


@operation("ListPolicyTags", reads=True)
def list_policy_tags(ctx: Context, request: Members) -> Members:
    tags = sorted(ctx.parts.identity.policies.get(request["PolicyArn"]).tags)
    found, end = cut(tags, request, lambda each: each[0])
    return paged("Tags", view_tags(tuple(found)), end)
