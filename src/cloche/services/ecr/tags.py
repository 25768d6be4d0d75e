"""Tags of repositories."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tagging
from cloche.aws.resource.tag_operations import TagsByArn
from cloche.engines.image_registry import REPOSITORY
from cloche.engines.image_registry.errors import RepositoryUnknown
from cloche.foundation.errors import Invalid, LimitReached
from cloche.services.ecr.errors import invalid
from cloche.storage.metadata import records


def pairs_of(members: Iterable[dict[str, Any]]) -> list[tuple[str, str]]:
    """Raises ``AwsError``, also for more than a repository may have."""
    try:
        pairs = tagging.tag_pairs(members)
    except Invalid as error:
        raise _refused(error) from None
    if len(pairs) > tagging.TAGS_MAX:
        raise _too_many()
    return pairs


def _known(ctx: Context, connection: sqlite3.Connection, request: Members) -> str:
    arn = str(request["resourceArn"])
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[2] != "ecr" or not parts[5].startswith("repository/"):
        raise invalid("resourceArn", "Invalid ARN")  # getmoto/moto, moto/ecr/models.py
    if records.find_held(connection, arn, REPOSITORY, ctx.account, ctx.region) is None:
        raise RepositoryUnknown(parts[5].removeprefix("repository/"), parts[4])
    return arn


def _too_many() -> AwsError:
    return AwsError("TooManyTagsException", f"A repository may not have more than {tagging.TAGS_MAX} tags.")


def _refused(error: Invalid | LimitReached) -> AwsError:
    return _too_many() if isinstance(error, LimitReached) else AwsError("InvalidTagParameterException", error.message)


TAGS = TagsByArn(_known, tags="tags", keys="tagKeys", refused=_refused)


@operation("TagResource")
def tag_resource(ctx: Context, request: Members) -> Members:
    return TAGS.add(ctx, request)


@operation("UntagResource")
def untag_resource(ctx: Context, request: Members) -> Members:
    return TAGS.remove(ctx, request)


@operation("ListTagsForResource", reads=True)
def list_tags_for_resource(ctx: Context, request: Members) -> Members:
    return TAGS.held(ctx, request)
