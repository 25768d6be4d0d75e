"""Which repository a request means, and whether its caller may.

The policy is asked as that of other resources is (``services/resource_policy``). The registry protocol asks here, too,
for whoever a token was made for.
"""

from __future__ import annotations

from typing import cast

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members
from cloche.engines.image_registry import ImageRegistry, Repository
from cloche.engines.image_registry.errors import RepositoryUnknown
from cloche.foundation.errors import Invalid
from cloche.services.resource_policy import compiled, lets_in


def registry_of(ctx: Context) -> ImageRegistry:
    return cast(ImageRegistry, ctx.parts.image_registry)


def account_of(ctx: Context, request: Members) -> str:
    """Whose registry: the caller's own unless it names one."""
    return str(request.get("registryId") or ctx.account)


def repository_of(ctx: Context, request: Members, action: str) -> Repository:
    """Raises ``RepositoryUnknown``, ``AwsError``."""
    return repository_named(ctx, account_of(ctx, request), ctx.region, request["repositoryName"], action)


def repository_named(ctx: Context, account: str, region: str, name: str, action: str) -> Repository:
    """For a caller who may do ``action`` with it. Raises ``RepositoryUnknown``, and ``AwsError`` for one who may not,
    or who may not know whether it is there."""
    try:
        repository = registry_of(ctx).get(account, region, name)
    except RepositoryUnknown:
        if account != ctx.account:
            raise _denied(ctx, action, f"arn:aws:ecr:{region}:{account}:repository/{name}") from None
        raise
    if not may(ctx, repository, action):
        raise _denied(ctx, action, repository.arn)
    return repository


def may(ctx: Context, repository: Repository, action: str) -> bool:
    unlocks = ("ecr:SetRepositoryPolicy", "ecr:DeleteRepositoryPolicy")
    policy = repository.settings.get("policy")
    return lets_in(ctx, policy, repository.account, f"ecr:{action}", repository.arn, unlocks=unlocks)


def is_policy(text: str) -> bool:
    try:
        compiled(text)
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError, Invalid):
        return False
    return True


def _denied(ctx: Context, action: str, arn: str) -> AwsError:
    return AwsError(
        "AccessDeniedException",
        f"User: {ctx.caller.arn or 'anonymous'} is not authorized to perform: ecr:{action} on resource: {arn}"
        f" because no resource-based policy allows the ecr:{action} action",
        400,
    )
