"""Aliases: a name for a version, and for a share of calls another one."""

from __future__ import annotations

from typing import Any

from cloche.aws.operation import Context, Members, operation
from cloche.engines.functions import LATEST, Alias, rows
from cloche.engines.functions.registry import missing_alias
from cloche.foundation.errors import Invalid
from cloche.services.lambda_ import views
from cloche.services.lambda_.errors import preconditions
from cloche.services.lambda_.naming import unqualified
from cloche.services.lambda_.paging import listed


@operation("CreateAlias")
def create_alias(ctx: Context, request: Members) -> Members:
    owner = unqualified(ctx, request)
    alias = Alias(request["Name"], request["FunctionVersion"], request.get("Description", ""), _weights(request) or {})
    return views.alias(owner, ctx.parts.functions.registry.create_alias(owner, alias))


@operation("GetAlias", reads=True)
def get_alias(ctx: Context, request: Members) -> Members:
    owner, reader = unqualified(ctx, request), ctx.parts.database.reader
    held = rows.alias(reader, owner, request["Name"])
    if held is None:
        rows.version(reader, owner, LATEST)
        raise missing_alias(owner, request["Name"])
    return views.alias(owner, held)


@operation("UpdateAlias")
def update_alias(ctx: Context, request: Members) -> Members:
    owner = unqualified(ctx, request)
    changes: dict[str, Any] = {}
    for member, name in (("FunctionVersion", "version"), ("Description", "description")):
        if member in request:
            changes[name] = request[member]
    weights = _weights(request)
    if weights is not None:
        changes["weights"] = weights
    with preconditions():
        kept = ctx.parts.functions.registry.update_alias(owner, request["Name"], changes, request.get("RevisionId", ""))
    return views.alias(owner, kept)


@operation("DeleteAlias")
def delete_alias(ctx: Context, request: Members) -> Members:
    ctx.parts.functions.registry.delete_alias(unqualified(ctx, request), request["Name"])
    return {}


@operation("ListAliases", reads=True)
def list_aliases(ctx: Context, request: Members) -> Members:
    owner, reader = unqualified(ctx, request), ctx.parts.database.reader
    rows.version(reader, owner, LATEST)
    wanted = request.get("FunctionVersion")
    answer = listed(
        ctx,
        request,
        ["ListAliases", owner.name, wanted],
        "Aliases",
        lambda after, size: rows.aliases(reader, owner, after, size),
        lambda row: views.alias(owner, rows.alias_of_row(row)),
    )
    if wanted:
        answer["Aliases"] = [alias for alias in answer["Aliases"] if alias["FunctionVersion"] == wanted]
    return answer


def _weights(request: Members) -> dict[str, float] | None:
    """``None`` where the request does not speak of them. Raises ``Invalid``."""
    if "RoutingConfig" not in request:
        return None
    weights = dict(request["RoutingConfig"].get("AdditionalVersionWeights") or {})
    if len(weights) > 1:
        raise Invalid("Number of items in AdditionalVersionWeights cannot be greater than 1", field="RoutingConfig")
    for version, weight in weights.items():
        if not 0.0 <= weight <= 1.0:
            raise Invalid(f"The weight of version {version} is not between 0 and 1", field="RoutingConfig")
    return weights
