"""Roles: who may be assumed, by whom."""

from __future__ import annotations

from cloche.aws.operation import Context, Members, operation
from cloche.engines.identity import words
from cloche.engines.identity.entities import Role
from cloche.services.iam.errors import trust_policy
from cloche.services.iam.naming import mine, modifiable
from cloche.services.iam.paging import page_of, paged
from cloche.services.iam.views import tags_of, view_role


@operation("CreateRole")
def create_role(ctx: Context, request: Members) -> Members:
    identity = mine(ctx)
    if "MaxSigninSessionDuration" in request:
        raise words.not_supported("MaxSigninSessionDuration")
    role = identity.entities.create_role(
        request["RoleName"],
        trust_policy(request["AssumeRolePolicyDocument"], ctx.parts.identity.is_missing),
        path=request.get("Path") or "/",
        description=request.get("Description"),
        session_seconds_max=request.get("MaxSessionDuration") or 3600,
        boundary=identity.policies.as_boundary(request.get("PermissionsBoundary")),
        tags=tags_of(request),
    )
    return {"Role": view_role(role)}


@operation("GetRole", reads=True)
def get_role(ctx: Context, request: Members) -> Members:
    return {"Role": view_role(mine(ctx).entities.role(request["RoleName"]))}


@operation("ListRoles", reads=True)
def list_roles(ctx: Context, request: Members) -> Members:
    after, limit = page_of(request)
    found, end = mine(ctx).entities.page("role", request.get("PathPrefix") or "/", after, limit)
    return paged("Roles", [view_role(role, whole=False) for role in found if isinstance(role, Role)], end)


@operation("UpdateRole")
def update_role(ctx: Context, request: Members) -> Members:
    if "MaxSigninSessionDuration" in request or request.get("ResetMaxSigninSessionDuration"):
        raise words.not_supported("MaxSigninSessionDuration")
    entities, name = mine(ctx).entities, request["RoleName"]
    entities.role(name)
    if "Description" in request:
        entities.set_description(name, request["Description"])
    if "MaxSessionDuration" in request:
        modifiable(ctx, "role", name)
        entities.set_session_seconds_max(name, request["MaxSessionDuration"])
    return {}


@operation("UpdateRoleDescription")
def update_role_description(ctx: Context, request: Members) -> Members:
    entities = mine(ctx).entities
    entities.set_description(request["RoleName"], request["Description"])
    return {"Role": view_role(entities.role(request["RoleName"]))}


@operation("UpdateAssumeRolePolicy")
def update_assume_role_policy(ctx: Context, request: Members) -> None:
    document = trust_policy(request["PolicyDocument"], ctx.parts.identity.is_missing)
    modifiable(ctx, "role", request["RoleName"])
    mine(ctx).entities.set_trust(request["RoleName"], document)


@operation("DeleteRole")
def delete_role(ctx: Context, request: Members) -> None:
    modifiable(ctx, "role", request["RoleName"])
    mine(ctx).entities.delete("role", request["RoleName"])
