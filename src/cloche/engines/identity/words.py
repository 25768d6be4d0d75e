"""IAM's own sentences about what is missing, there already, in the way or too much.

Clients and people search for them, so they are kept to the letter. Seen in: hashicorp/boundary#5646 and
awslabs/aws-orbit-workbench#633 (roles that still have policies), serverless/components#312, rebuy-de/aws-nuke#1 and
redradrat/aws-iam-operator#13 (policies that are attached or have versions), kubeflow/dashboard#29,
aws/eks-hybrid#741 and ministryofjustice/cloud-platform-environments#14473 (quotas), moto's tests/test_iam (what is
missing or there already), aws-containers/amazon-ecs-exec-checker#10 (STS). The quotas' values are those of
docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html. What stands in the way of a deletion:
mozilla-services/userplex#17 and go-to-k/delstack#40 (groups), cloud-custodian/cloud-custodian#1663 (login profiles),
rebuy-de/aws-nuke#281 (MFA devices) and aws-nuke#319 ("referenced objects": SSH keys), moto's tests (profiles).
"""

from __future__ import annotations

from typing import Final

from cloche.foundation.errors import AlreadyExists, Conflict, Denied, LimitReached, NotFound, NotSupported

GROUPS_PER_USER_MAX: Final = 10

_ATTACHED: Final = ("SELECT 1 FROM iam_attached WHERE owner = ?", "detach all policies")
_INLINE: Final = ("SELECT 1 FROM iam_inline WHERE owner = ?", "delete policies")


def _things(kind: str, refused: str) -> tuple[str, str]:
    return f"SELECT 1 FROM iam_things WHERE owner = ? AND kind = '{kind}'", refused  # noqa: S608 - our own words


DELETE_CONFLICTS: Final = {
    "role": (
        ("SELECT 1 FROM iam_members WHERE member = ?", "remove roles from instance profile"),
        _ATTACHED,
        _INLINE,
    ),
    "user": (
        _ATTACHED,
        _INLINE,
        ("SELECT 1 FROM iam_keys WHERE owner = ?", "delete access keys"),
        ("SELECT 1 FROM iam_members WHERE member = ?", "remove users from group"),
        _things("login-profile", "delete login profile"),
        _things("mfa-device", "delete MFA device"),
        _things("signing-certificate", "remove referenced objects"),
        _things("ssh-public-key", "remove referenced objects"),
    ),
    "group": (("SELECT 1 FROM iam_members WHERE holder = ?", "remove users from group"), _ATTACHED, _INLINE),
    "instance-profile": (("SELECT 1 FROM iam_members WHERE holder = ?", "remove roles from instance profile"),),
}
"""Questions about the id of what is to go, in IAM's order, and what must be done first where one finds a row."""


def must_first(what: str) -> Conflict:
    return Conflict(f"Cannot delete entity, must {what} first.")


def in_quota(kind: str) -> str:
    """A kind as quotas and tags name it: ``InstanceProfile``."""
    return "".join(part.capitalize() for part in kind.split("-"))


def no_entity(kind: str, name: str) -> NotFound:
    if kind == "instance-profile":
        return NotFound(f"Instance Profile {name} cannot be found.")
    return NotFound(f"The {kind} with name {name} cannot be found.")


def entity_exists(kind: str, name: str) -> AlreadyExists:
    if kind == "instance-profile":
        return AlreadyExists(f"Instance Profile {name} already exists.")
    return AlreadyExists(f"{kind.capitalize()} with name {name} already exists.")


def no_inline_policy(kind: str, name: str) -> NotFound:
    return NotFound(f"The {kind} policy with name {name} cannot be found.")


def no_policy(arn: str) -> NotFound:
    return NotFound(f"Policy {arn} was not found.")


def not_attachable(arn: str) -> NotFound:
    return NotFound(f"Policy {arn} does not exist or is not attachable.")


def no_boundary(arn: str) -> NotFound:
    return NotFound(f"Scope ARN: {arn} does not exist or is not attachable.")


def no_version(arn: str, version: int) -> NotFound:
    return NotFound(f"Policy {arn} version v{version} does not exist or is not attachable.")


def policy_exists(name: str) -> AlreadyExists:
    return AlreadyExists(f"A policy called {name} already exists. Duplicate names are not allowed.")


def no_access_key(access_key: str) -> NotFound:
    return NotFound(f"The Access Key with id {access_key} cannot be found.")


def policy_is_attached() -> Conflict:
    return Conflict("Cannot delete a policy attached to entities.")


def policy_has_versions() -> Conflict:
    return Conflict(
        "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
        "The default version is deleted with the policy."
    )


def default_version_stays() -> Conflict:
    return Conflict("Cannot delete the default version of a policy.")


def too_many_versions() -> LimitReached:
    return LimitReached(
        "A managed policy can have up to 5 versions. Before you create a new version, you must delete an "
        "existing version."
    )


def quota(name: str, value: int) -> LimitReached:
    return LimitReached(f"Cannot exceed quota for {name}: {value}")


def inline_too_large(kind: str, name: str, size: int) -> LimitReached:
    return LimitReached(f"Maximum policy size of {size} bytes exceeded for {kind} {name}")


def may_not_assume(caller_arn: str, role_arn: str, *, action: str = "sts:AssumeRole") -> Denied:
    return Denied(f"User: {caller_arn} is not authorized to perform: {action} on resource: {role_arn}")


def not_supported(member: str) -> NotSupported:
    return NotSupported(f"{member} is not supported by Cloche: leave it out.")
