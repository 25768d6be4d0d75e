"""What the policy of a queue, a topic, a repository says to whoever signed a request: one question, asked alike.

Who signed for the account that owns the resource is let through unless the policy says an explicit no, as everywhere in
Cloche until identity policies are enforced (``engines/identity/authorizer``); anybody else needs the policy's yes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache

from cloche.aws.operation import Context
from cloche.engines.identity.policy import Document, Outcome, Request, compile_document
from cloche.engines.identity.policy.resource import evaluate_resource_policy


def lets_in(
    ctx: Context,
    text: str | None,
    owner: str,
    action: str,
    arn: str,
    *,
    unlocks: Collection[str] = (),
    keys: Mapping[str, tuple[str, ...]] | None = None,
) -> bool:
    """Whether the resource ``arn`` of the account ``owner`` lets the caller do ``action``, such as ``sqs:SendMessage``.

    ``unlocks`` are those that the root of the owner may do in spite of a no, so that nobody locks himself out for good;
    ``keys`` are condition keys beside those that follow from the request.
    """
    is_owners = bool(ctx.account == owner)
    if not text:
        return is_owners
    who, known = ctx.parts.identity.asker(ctx.account, ctx.caller.arn, ctx.caller.access_key)
    context = {**known, "aws:securetransport": ("true" if ctx.http.scheme == "https" else "false",), **(keys or {})}
    if ctx.http.client:
        context["aws:sourceip"] = (ctx.http.client.removeprefix("::ffff:"),)
    said = evaluate_resource_policy(compiled(text), who, Request(action, arn, context))
    if said is Outcome.EXPLICIT_DENY:
        return is_owners and action in unlocks and ctx.caller.arn.endswith(":root")
    return is_owners or said is Outcome.ALLOWED


@lru_cache(maxsize=1024)
def compiled(text: str) -> Document:
    """Raises ``Invalid`` for what is no policy."""
    return compile_document(text)
