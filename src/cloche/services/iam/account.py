"""The account as a whole: its alias and its numbers."""

from __future__ import annotations

from cloche.aws.operation import Context, Members, operation
from cloche.foundation.errors import AlreadyExists, NotFound
from cloche.services.iam.naming import mine
from cloche.services.iam.paging import cut, paged


@operation("CreateAccountAlias")
def create_account_alias(ctx: Context, request: Members) -> None:
    """An account has one alias: a new one takes the place of the old."""
    alias = request["AccountAlias"]
    if mine(ctx).setting("alias") == alias:
        return
    if mine(ctx).alias_is_taken(alias):
        raise AlreadyExists(f"The account alias {alias} already exists.")
    mine(ctx).set("alias", alias)


@operation("DeleteAccountAlias")
def delete_account_alias(ctx: Context, request: Members) -> None:
    alias = request["AccountAlias"]
    if mine(ctx).setting("alias") != alias:
        raise NotFound(f"The account alias {alias} cannot be found.")
    mine(ctx).set("alias", None)


@operation("ListAccountAliases", reads=True)
def list_account_aliases(ctx: Context, request: Members) -> Members:
    alias = mine(ctx).setting("alias")
    found, end = cut([alias] if alias else [], request, str)
    return paged("AccountAliases", found, end)


@operation("GetAccountSummary", reads=True)
def get_account_summary(ctx: Context, request: Members) -> Members:
    """What there is, and the quotas that Cloche holds callers to (reference_iam-quotas.html): those that the account
    has asked for, else AWS's defaults."""

    def quota(name: str) -> int:
        limit: int = ctx.parts.quotas.iam_quota(ctx.account, name)
        return limit

    identity = mine(ctx)
    things = identity.things
    devices = things.all("mfa-device")
    return {
        "SummaryMap": {
            "Users": identity.entities.count("user"),
            "UsersQuota": 5000,
            "Groups": identity.entities.count("group"),
            "GroupsQuota": quota("GroupsPerAccount"),
            "Roles": identity.entities.count("role"),
            "RolesQuota": quota("RolesPerAccount"),
            "InstanceProfiles": identity.entities.count("instance-profile"),
            "InstanceProfilesQuota": quota("InstanceProfilesPerAccount"),
            "Policies": len(identity.policies.own()),
            "PoliciesQuota": quota("PoliciesPerAccount"),
            "Providers": len(things.all("oidc-provider")) + len(things.all("saml-provider")),
            "ServerCertificates": len(things.all("server-certificate")),
            "ServerCertificatesQuota": 20,
            "MFADevices": len(devices),
            "MFADevicesInUse": sum(each.owner is not None for each in devices),
            "AccountMFAEnabled": 0,
            "AccountAccessKeysPresent": 1,
            "AccountPasswordPresent": 0,
            "AccountSigningCertificatesPresent": 0,
            "AccessKeysPerUserQuota": 2,
            "SigningCertificatesPerUserQuota": 2,
            "GroupsPerUserQuota": 10,
            "VersionsPerPolicyQuota": 5,
            "PolicySizeQuota": 6144,
            "AssumeRolePolicySizeQuota": 2048,
            "RolePolicySizeQuota": 10240,
            "UserPolicySizeQuota": 2048,
            "GroupPolicySizeQuota": 5120,
            "AttachedPoliciesPerRoleQuota": quota("PoliciesPerRole"),
            "AttachedPoliciesPerUserQuota": quota("PoliciesPerUser"),
            "AttachedPoliciesPerGroupQuota": 10,
            "GlobalEndpointTokenVersion": 1,
        }
    }
