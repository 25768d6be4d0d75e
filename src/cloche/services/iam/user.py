"""Users. A call without a name is about the user who signs it."""

from __future__ import annotations

from cloche.aws.operation import Context, Members, operation
from cloche.engines.identity.entities import User
from cloche.services.iam.naming import mine, named_or_caller
from cloche.services.iam.paging import page_of, paged
from cloche.services.iam.views import tags_of, view_root, view_user


@operation("CreateUser")
def create_user(ctx: Context, request: Members) -> Members:
    identity = mine(ctx)
    user = identity.entities.create_user(
        request["UserName"],
        path=request.get("Path") or "/",
        boundary=identity.policies.as_boundary(request.get("PermissionsBoundary")),
        tags=tags_of(request),
    )
    return {"User": view_user(user)}


@operation("GetUser", reads=True)
def get_user(ctx: Context, request: Members) -> Members:
    """The root hears of itself: its number is its id, and it has no name (API_GetUser, "Root user")."""
    if "UserName" not in request and ctx.caller.arn == mine(ctx).root_arn:
        return {"User": view_root(mine(ctx).about())}
    return {"User": view_user(mine(ctx).entities.user(named_or_caller(ctx, request)))}


@operation("ListUsers", reads=True)
def list_users(ctx: Context, request: Members) -> Members:
    after, limit = page_of(request)
    found, end = mine(ctx).entities.page("user", request.get("PathPrefix") or "/", after, limit)
    return paged("Users", [view_user(user, whole=False) for user in found if isinstance(user, User)], end)


@operation("UpdateUser")
def update_user(ctx: Context, request: Members) -> None:
    mine(ctx).entities.rename("user", request["UserName"], request.get("NewUserName"), request.get("NewPath"))


@operation("DeleteUser")
def delete_user(ctx: Context, request: Members) -> None:
    mine(ctx).entities.delete("user", request["UserName"])
