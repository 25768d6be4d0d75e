"""The account as a whole, and lists of what Cloche has none of.

Groups, instance profiles and aliases cannot be made here (see ``unsupported.toml``), so an empty list of them is the
truth; clients such as Terraform ask before they delete a role or a user.
"""

from __future__ import annotations

from cloche.aws.operation import Context, Members, operation
from cloche.services.iam.paging import paged
from cloche.services.iam.user import named_or_caller


@operation("ListInstanceProfilesForRole", reads=True)
def list_instance_profiles_for_role(ctx: Context, request: Members) -> Members:
    ctx.parts.identity.entities.role(request["RoleName"])
    return paged("InstanceProfiles", [], None)


@operation("ListInstanceProfiles", reads=True)
def list_instance_profiles(ctx: Context, request: Members) -> Members:
    return paged("InstanceProfiles", [], None)


@operation("ListGroups", reads=True)
def list_groups(ctx: Context, request: Members) -> Members:
    return paged("Groups", [], None)


@operation("ListGroupsForUser", reads=True)
def list_groups_for_user(ctx: Context, request: Members) -> Members:
    ctx.parts.identity.entities.user(named_or_caller(ctx, request))
    return paged("Groups", [], None)


@operation("ListAccountAliases", reads=True)
def list_account_aliases(ctx: Context, request: Members) -> Members:
    return paged("AccountAliases", [], None)


@operation("GetAccountSummary", reads=True)
def get_account_summary(ctx: Context, request: Members) -> Members:
    """What there is, and the quotas that Cloche holds callers to."""
    identity = ctx.parts.identity
    return {
        "SummaryMap": {
            "Roles": identity.entities.count("role"),
            "Users": identity.entities.count("user"),
            "Groups": 0,
            "InstanceProfiles": 0,
            "Policies": len(identity.policies.own()),
            "AccessKeysPerUserQuota": 2,
            "VersionsPerPolicyQuota": 5,
            "PolicySizeQuota": 6144,
            "AssumeRolePolicySizeQuota": 2048,
            "RolePolicySizeQuota": 10240,
            "UserPolicySizeQuota": 2048,
            "AttachedPoliciesPerRoleQuota": 10,
            "AttachedPoliciesPerUserQuota": 10,
            "AccountAccessKeysPresent": 1,
        }
    }
