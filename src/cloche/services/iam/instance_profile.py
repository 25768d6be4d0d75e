"""Instance profiles: each holds a role for EC2 to hand on. Cloche runs no EC2; it keeps them."""

from __future__ import annotations

from cloche.aws.operation import Context, Members, operation
from cloche.engines.identity.entities import Entity, Role
from cloche.services.iam.naming import mine, modifiable
from cloche.services.iam.paging import cut, page_of, paged
from cloche.services.iam.views import tags_of, view_role, view_tags


def view_profile(ctx: Context, profile: Entity, *, whole: bool = True) -> Members:
    roles = [role for role in mine(ctx).entities.members(profile) if isinstance(role, Role)]
    members: Members = {
        "Path": profile.path,
        "InstanceProfileName": profile.name,
        "InstanceProfileId": profile.id,
        "Arn": profile.arn,
        "CreateDate": profile.created_at,
        "Roles": [view_role(role, whole=False) for role in roles],
    }
    if whole:
        members["Tags"] = view_tags(profile.tags)
    return members


@operation("CreateInstanceProfile")
def create_instance_profile(ctx: Context, request: Members) -> Members:
    name, path = request["InstanceProfileName"], request.get("Path") or "/"
    made = mine(ctx).entities.create("instance-profile", name, path, tags=tags_of(request))
    return {"InstanceProfile": view_profile(ctx, made)}


@operation("GetInstanceProfile", reads=True)
def get_instance_profile(ctx: Context, request: Members) -> Members:
    found = mine(ctx).entities.get("instance-profile", request["InstanceProfileName"])
    return {"InstanceProfile": view_profile(ctx, found)}


@operation("ListInstanceProfiles", reads=True)
def list_instance_profiles(ctx: Context, request: Members) -> Members:
    after, limit = page_of(request)
    found, end = mine(ctx).entities.page("instance-profile", request.get("PathPrefix") or "/", after, limit)
    return paged("InstanceProfiles", [view_profile(ctx, each, whole=False) for each in found], end)


@operation("ListInstanceProfilesForRole", reads=True)
def list_instance_profiles_for_role(ctx: Context, request: Members) -> Members:
    entities = mine(ctx).entities
    found, end = cut(entities.holders(entities.role(request["RoleName"])), request, lambda each: each.name)
    return paged("InstanceProfiles", [view_profile(ctx, each, whole=False) for each in found], end)


@operation("DeleteInstanceProfile")
def delete_instance_profile(ctx: Context, request: Members) -> None:
    mine(ctx).entities.delete("instance-profile", request["InstanceProfileName"])


@operation("AddRoleToInstanceProfile")
def add_role_to_instance_profile(ctx: Context, request: Members) -> None:
    modifiable(ctx, "role", request["RoleName"])
    mine(ctx).entities.add_member("instance-profile", request["InstanceProfileName"], "role", request["RoleName"])


@operation("RemoveRoleFromInstanceProfile")
def remove_role_from_instance_profile(ctx: Context, request: Members) -> None:
    mine(ctx).entities.remove_member("instance-profile", request["InstanceProfileName"], "role", request["RoleName"])
