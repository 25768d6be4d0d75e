"""Login profiles and the account's password policy."""

from __future__ import annotations

from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.engines.identity import words
from cloche.engines.identity.entities import Thing, User
from cloche.foundation.errors import Denied, NotFound
from cloche.services.iam import passwords
from cloche.services.iam.naming import mine, named_or_caller

KIND: Final = "login-profile"
REMEMBERED_MAX: Final = 24
# API_UpdateAccountPasswordPolicy: what a member that is left out becomes.
DEFAULTS: Final[dict[str, Any]] = {
    "MinimumPasswordLength": 6,
    "RequireSymbols": False,
    "RequireNumbers": False,
    "RequireUppercaseCharacters": False,
    "RequireLowercaseCharacters": False,
    "AllowUsersToChangePassword": False,
}
NOT_DEFAULTED: Final = ("MaxPasswordAge", "PasswordReusePrevention", "HardExpiry")


# -- the policy --------------------------------------------------------------------------------------------


@operation("UpdateAccountPasswordPolicy")
def update_account_password_policy(ctx: Context, request: Members) -> None:
    """Each call sets the whole policy: members that are left out get their defaults."""
    given = {name: request[name] for name in (*DEFAULTS, *NOT_DEFAULTED) if request.get(name) is not None}
    mine(ctx).set("password_policy", None)
    mine(ctx).set("password_policy", {**DEFAULTS, **given})


@operation("GetAccountPasswordPolicy", reads=True)
def get_account_password_policy(ctx: Context, request: Members) -> Members:
    found = mine(ctx).setting("password_policy")
    if found is None:
        raise _no_policy(ctx)
    return {"PasswordPolicy": {**found, "ExpirePasswords": bool(found.get("MaxPasswordAge"))}}


@operation("DeleteAccountPasswordPolicy")
def delete_account_password_policy(ctx: Context, request: Members) -> None:
    if mine(ctx).setting("password_policy") is None:
        raise _no_policy(ctx)
    mine(ctx).set("password_policy", None)


def _no_policy(ctx: Context) -> NotFound:
    """The sentence: aws/aws-cli#7265."""
    return NotFound(f"The Password Policy with domain name {ctx.account} cannot be found.")


# -- profiles ----------------------------------------------------------------------------------------------


@operation("CreateLoginProfile")
def create_login_profile(ctx: Context, request: Members) -> Members:
    _refuse(request)
    identity = mine(ctx)
    user = identity.entities.user(named_or_caller(ctx, request))
    if "Password" not in request:
        raise AwsError("ValidationError", "Must specify a Password.", 400)
    passwords.check(request["Password"], identity.setting("password_policy"), user.name)
    details = {
        "password": passwords.kept(request["Password"]),
        "changed_at": identity.now,
        "reset": bool(request.get("PasswordResetRequired")),
        "earlier": [],
    }
    exists = f"Login Profile for user {user.name} already exists."
    made = identity.things.create(KIND, user.id, details, owner=user.id, exists=exists)
    return {"LoginProfile": _view(made, user)}


@operation("GetLoginProfile", reads=True)
def get_login_profile(ctx: Context, request: Members) -> Members:
    user, profile = _found(ctx, named_or_caller(ctx, request))
    return {"LoginProfile": _view(profile, user)}


@operation("UpdateLoginProfile")
def update_login_profile(ctx: Context, request: Members) -> None:
    _refuse(request)
    user, profile = _found(ctx, request["UserName"])
    if "Password" in request:
        _change_password(ctx, user, profile, request["Password"])
    if "PasswordResetRequired" in request:
        reset = bool(request["PasswordResetRequired"])
        mine(ctx).things.change(profile, lambda details: {**details, "reset": reset})


@operation("DeleteLoginProfile")
def delete_login_profile(ctx: Context, request: Members) -> None:
    _, profile = _found(ctx, named_or_caller(ctx, request))
    mine(ctx).things.delete(profile)


@operation("ChangePassword")
def change_password(ctx: Context, request: Members) -> None:
    """The caller's own, which must be a user's."""
    if ":user/" not in ctx.caller.arn:
        message = "Only users can change their own password; roles and the root user cannot."
        raise AwsError("InvalidUserType", message, 400)
    user, profile = _found(ctx, ctx.caller.arn.rpartition("/")[2])
    if not passwords.is_same(request["OldPassword"], profile.details["password"]):
        raise Denied("The old password was incorrect.")
    _change_password(ctx, user, profile, request["NewPassword"])


def _change_password(ctx: Context, user: User, profile: Thing, password: str) -> None:
    policy = mine(ctx).setting("password_policy")
    passwords.check(password, policy, user.name)
    kept, now = passwords.kept(password), mine(ctx).now
    earlier = [profile.details["password"], *profile.details["earlier"]][:REMEMBERED_MAX]
    if policy is not None and passwords.was_used(password, earlier[: policy.get("PasswordReusePrevention", 0)]):
        message = "Password reuse is not allowed by the account's password policy."
        raise AwsError("PasswordPolicyViolation", message, 400)
    mine(ctx).things.change(
        profile, lambda details: {**details, "password": kept, "changed_at": now, "earlier": earlier, "reset": False}
    )


def _found(ctx: Context, name: str) -> tuple[User, Thing]:
    user = mine(ctx).entities.user(name)
    missing = f"Login Profile for User {user.name} cannot be found."
    return user, mine(ctx).things.get(KIND, user.id, missing)


def _view(profile: Thing, user: User) -> Members:
    return {
        "UserName": user.name,
        "CreateDate": profile.created_at,
        "PasswordResetRequired": profile.details["reset"],
    }


def _refuse(request: Members) -> None:
    if "MaxSigninSessionDuration" in request:
        raise words.not_supported("MaxSigninSessionDuration")
