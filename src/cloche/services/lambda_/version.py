"""Published versions."""

from __future__ import annotations

from typing import Any

from cloche.aws.operation import Context, Members, operation
from cloche.engines.functions import LATEST, rows
from cloche.foundation.errors import NotSupported
from cloche.services.lambda_ import views
from cloche.services.lambda_.errors import preconditions
from cloche.services.lambda_.naming import unqualified
from cloche.services.lambda_.paging import listed


@operation("PublishVersion")
def publish_version(ctx: Context, request: Members) -> Members:
    owner = unqualified(ctx, request)
    if request.get("PublishTo"):
        raise NotSupported("PublishVersion does not support PublishTo in Cloche")
    with preconditions():
        made = ctx.parts.functions.registry.publish(
            owner, request.get("Description"), request.get("CodeSha256", ""), request.get("RevisionId", "")
        )
    ctx.parts.functions.prepare(made)
    return views.configuration(ctx, made, qualified=True)


@operation("ListVersionsByFunction", reads=True)
def list_versions_by_function(ctx: Context, request: Members) -> Members:
    """``$LATEST`` first."""
    owner, reader = unqualified(ctx, request), ctx.parts.database.reader
    rows.version(reader, owner, LATEST)

    def show(row: Any) -> Members:
        return views.configuration(ctx, rows.version_of_row(row), qualified=True)

    question = ["ListVersionsByFunction", owner.name]
    return listed(
        ctx, request, question, "Versions", lambda after, size: rows.versions(reader, owner, after, size), show
    )
