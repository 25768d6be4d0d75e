"""Which repository a request means, and whether its caller may.

Who signed for the account that owns a repository is let through unless the repository's policy says an explicit no, as
everywhere in Cloche until identity policies are enforced; anybody else needs the policy's yes. The registry protocol
asks here, too, for whoever a token was made for.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members
from cloche.engines.identity.policy import Document, Outcome, Request, compile_document
from cloche.engines.identity.policy.resource import evaluate_resource_policy
from cloche.engines.image_registry import ImageRegistry, Repository
from cloche.engines.image_registry.errors import RepositoryUnknown
from cloche.foundation.errors import Invalid


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
    is_owners = bool(ctx.account == repository.account)
    text = repository.settings.get("policy")
    if not text:
        return is_owners
    who, keys = ctx.parts.identity.asker(ctx.account, ctx.caller.arn, ctx.caller.access_key)
    context: dict[str, Any] = {
        **keys,
        "aws:securetransport": ("true" if ctx.http.scheme == "https" else "false",),
    }
    if ctx.http.client:
        context["aws:sourceip"] = (ctx.http.client.removeprefix("::ffff:"),)
    said = evaluate_resource_policy(compiled(text), who, Request(f"ecr:{action}", repository.arn, context))
    if said is Outcome.EXPLICIT_DENY:
        return is_owners and action in ("SetRepositoryPolicy", "DeleteRepositoryPolicy")
    return is_owners or said is Outcome.ALLOWED


def is_policy(text: str) -> bool:
    try:
        compiled(text)
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError, Invalid):
        return False
    return True


@lru_cache(maxsize=256)
def compiled(text: str) -> Document:
    return compile_document(text)


def _denied(ctx: Context, action: str, arn: str) -> AwsError:
    return AwsError(
        "AccessDeniedException",
        f"User: {ctx.caller.arn or 'anonymous'} is not authorized to perform: ecr:{action} on resource: {arn}"
        f" because no resource-based policy allows the ecr:{action} action",
        400,
    )
