"""Tags of pipes."""

from __future__ import annotations

import sqlite3

from cloche.aws.operation import Context, Members
from cloche.aws.resource.tag_operations import tag_operations
from cloche.engines.events.schema import PIPE
from cloche.foundation.errors import NotFound
from cloche.storage.metadata import records


def _known(ctx: Context, connection: sqlite3.Connection, request: Members) -> str:
    arn = str(request["resourceArn"])
    found = records.find_arn(connection, arn)
    if found is None or found.kind != PIPE or found.account != ctx.account or found.region != ctx.region:
        raise NotFound(f"Resource {arn} does not exist.")
    return arn


tag_resource, untag_resource, list_tags_for_resource = tag_operations(_known, members=("tags", "tagKeys"), as_map=True)
