"""Users. A call without a name is about the user who signs it."""

from __future__ import annotations

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.engines.identity.entities import User
from cloche.services.iam.paging import cut, page_of, paged
from cloche.services.iam.views import tags_of, view_tags, view_user


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


@operation("CreateUser")
def create_user(ctx: Context, request: Members) -> Members:
    identity = ctx.parts.identity
    user = identity.entities.create_user(
        request["UserName"],
        path=request.get("Path") or "/",
        boundary=identity.policies.as_boundary(request.get("PermissionsBoundary")),
        tags=tags_of(request),
    )
    return {"User": view_user(user)}


@operation("GetUser", reads=True)
def get_user(ctx: Context, request: Members) -> Members:
    return {"User": view_user(ctx.parts.identity.entities.user(named_or_caller(ctx, request)))}


@operation("ListUsers", reads=True)
def list_users(ctx: Context, request: Members) -> Members:
    after, limit = page_of(request)
    found, end = ctx.parts.identity.entities.page("user", request.get("PathPrefix") or "/", after, limit)
    return paged("Users", [view_user(user, whole=False) for user in found if isinstance(user, User)], end)


@operation("DeleteUser")
def delete_user(ctx: Context, request: Members) -> None:
    ctx.parts.identity.entities.delete("user", request["UserName"])


@operation("PutUserPermissionsBoundary")
def put_user_permissions_boundary(ctx: Context, request: Members) -> None:
    identity = ctx.parts.identity
    boundary = identity.policies.as_boundary(request["PermissionsBoundary"])
    identity.entities.set_boundary("user", request["UserName"], boundary)


@operation("DeleteUserPermissionsBoundary")
def delete_user_permissions_boundary(ctx: Context, request: Members) -> None:
    ctx.parts.identity.entities.set_boundary("user", request["UserName"], None)


@operation("TagUser")
def tag_user(ctx: Context, request: Members) -> None:
    ctx.parts.identity.entities.tag("user", request["UserName"], tags_of(request))


@operation("UntagUser")
def untag_user(ctx: Context, request: Members) -> None:
    ctx.parts.identity.entities.untag("user", request["UserName"], tuple(request["TagKeys"]))


@operation("ListUserTags", reads=True)
def list_user_tags(ctx: Context, request: Members) -> Members:
    tags = sorted(ctx.parts.identity.entities.user(request["UserName"]).tags)
    found, end = cut(tags, request, lambda each: each[0])
    return paged("Tags", view_tags(tuple(found)), end)
