"""Groups of users: what a group is given, its users have."""

from __future__ import annotations

from cloche.aws.operation import Context, Members, operation
from cloche.engines.identity.entities import User
from cloche.services.iam.naming import mine, named_or_caller
from cloche.services.iam.paging import cut, page_of, paged
from cloche.services.iam.views import view_group, view_user


@operation("CreateGroup")
def create_group(ctx: Context, request: Members) -> Members:
    made = mine(ctx).entities.create("group", request["GroupName"], request.get("Path") or "/")
    return {"Group": view_group(made)}


@operation("GetGroup", reads=True)
def get_group(ctx: Context, request: Members) -> Members:
    entities = mine(ctx).entities
    group = entities.get("group", request["GroupName"])
    found, end = cut(entities.members(group), request, lambda each: each.name)
    users = [view_user(user, whole=False) for user in found if isinstance(user, User)]
    return {"Group": view_group(group), **paged("Users", users, end)}


@operation("ListGroups", reads=True)
def list_groups(ctx: Context, request: Members) -> Members:
    after, limit = page_of(request)
    found, end = mine(ctx).entities.page("group", request.get("PathPrefix") or "/", after, limit)
    return paged("Groups", [view_group(group) for group in found], end)


@operation("ListGroupsForUser", reads=True)
def list_groups_for_user(ctx: Context, request: Members) -> Members:
    entities = mine(ctx).entities
    groups = entities.holders(entities.user(named_or_caller(ctx, request)))
    found, end = cut(groups, request, lambda each: each.name)
    return paged("Groups", [view_group(group) for group in found], end)


@operation("UpdateGroup")
def update_group(ctx: Context, request: Members) -> None:
    mine(ctx).entities.rename("group", request["GroupName"], request.get("NewGroupName"), request.get("NewPath"))


@operation("DeleteGroup")
def delete_group(ctx: Context, request: Members) -> None:
    mine(ctx).entities.delete("group", request["GroupName"])


@operation("AddUserToGroup")
def add_user_to_group(ctx: Context, request: Members) -> None:
    mine(ctx).entities.add_member("group", request["GroupName"], "user", request["UserName"])


@operation("RemoveUserFromGroup")
def remove_user_from_group(ctx: Context, request: Members) -> None:
    mine(ctx).entities.remove_member("group", request["GroupName"], "user", request["UserName"])
