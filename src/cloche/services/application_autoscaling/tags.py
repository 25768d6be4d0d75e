"""Tags of scalable targets: nothing else here has any."""

from __future__ import annotations

import sqlite3

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource.tag_operations import TagsByArn
from cloche.engines.autoscaling import TARGET
from cloche.foundation.errors import Invalid, LimitReached
from cloche.storage.metadata import records


def _known(ctx: Context, connection: sqlite3.Connection, request: Members) -> str:
    arn = str(request["ResourceARN"])
    if records.find_held(connection, arn, TARGET, ctx.account, ctx.region) is None:
        message = f"Resource {arn} does not exist."
        raise AwsError("ResourceNotFoundException", message, fields={"ResourceName": arn})
    return arn


def _refused(error: Invalid | LimitReached) -> Exception:
    return AwsError("TooManyTagsException", error.message) if isinstance(error, LimitReached) else error


TAGS = TagsByArn(_known, as_map=True, refused=_refused)


@operation("TagResource")
def tag_resource(ctx: Context, request: Members) -> Members:
    return TAGS.add(ctx, request)


@operation("UntagResource")
def untag_resource(ctx: Context, request: Members) -> Members:
    return TAGS.remove(ctx, request)


@operation("ListTagsForResource", reads=True)
def list_tags_for_resource(ctx: Context, request: Members) -> Members:
    return TAGS.held(ctx, request)
