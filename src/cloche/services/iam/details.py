"""GetAccountAuthorizationDetails: all principals and policies with what they hold, in pages.

Of AWS's own policies those are told that somebody has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from cloche.aws.operation import Context, Members, operation
from cloche.engines.identity.entities import Entity, Kind, Policy, Role, User
from cloche.services.iam.held_policies import view_attached
from cloche.services.iam.instance_profile import view_profile
from cloche.services.iam.naming import mine
from cloche.services.iam.paging import cut, paged
from cloche.services.iam.views import quoted, view_group, view_policy, view_role, view_user, view_version

LISTS: Final = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
Found = tuple[str, str, Callable[[], Members]]
"""Its place among all (kind and name), the list it goes to, and how it is shown."""


@operation("GetAccountAuthorizationDetails", reads=True)
def get_account_authorization_details(ctx: Context, request: Members) -> Members:
    wanted = set(request.get("Filter") or ("User", "Group", "Role", "LocalManagedPolicy", "AWSManagedPolicy"))
    page, end = cut(list(_all(ctx, wanted)), request, lambda each: each[0])
    answer = {**{name: [] for name in LISTS}, **paged("Policies", [], end)}
    for _, name, show in page:
        answer[name].append(show())
    return answer


def _all(ctx: Context, wanted: set[str]) -> Iterable[Found]:
    identity = mine(ctx)
    for at, (kind, member, show) in enumerate(_KINDS):
        if member in wanted:
            for entity in identity.entities.all(kind):
                yield f"{at}/{entity.name}", f"{member}DetailList", partial(show, ctx, entity)
    if "LocalManagedPolicy" in wanted:
        for policy in identity.policies.own():
            yield f"3/{policy.arn}", "Policies", partial(_policy, ctx, policy)
    if "AWSManagedPolicy" in wanted:
        for policy in identity.policies.aws():
            if policy.attachments or policy.boundaries:
                yield f"4/{policy.arn}", "Policies", partial(_policy, ctx, policy)


def _held(ctx: Context, entity: Entity, member: str) -> Members:
    holdings = mine(ctx).holdings
    return {
        member: [
            {"PolicyName": name, "PolicyDocument": quoted(document)}
            for name, document in holdings.inline_documents(entity)
        ],
        "AttachedManagedPolicies": [view_attached(arn) for arn in holdings.attached_to(entity)],
    }


def _user(ctx: Context, user: Entity) -> Members:
    assert isinstance(user, User)
    groups = [group.name for group in mine(ctx).entities.holders(user)]
    return {**view_user(user), **_held(ctx, user, "UserPolicyList"), "GroupList": groups}


def _group(ctx: Context, group: Entity) -> Members:
    return {**view_group(group), **_held(ctx, group, "GroupPolicyList")}


def _role(ctx: Context, role: Entity) -> Members:
    assert isinstance(role, Role)
    members = {**view_role(role), **_held(ctx, role, "RolePolicyList")}
    members["InstanceProfileList"] = [view_profile(ctx, each, whole=False) for each in mine(ctx).entities.holders(role)]
    return {name: value for name, value in members.items() if name not in ("Description", "MaxSessionDuration")}


def _policy(ctx: Context, policy: Policy) -> Members:
    versions = mine(ctx).policies.versions(policy.arn)
    members = {**view_policy(policy), "PolicyVersionList": [view_version(each) for each in versions]}
    return {name: value for name, value in members.items() if name != "Tags"}


_KINDS: Final[tuple[tuple[Kind, str, Callable[[Context, Entity], Members]], ...]] = (
    ("user", "User", _user),
    ("group", "Group", _group),
    ("role", "Role", _role),
)
