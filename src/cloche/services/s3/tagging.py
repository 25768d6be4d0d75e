"""The tags of an object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cloche.aws.operation import Context, Members
from cloche.services.s3.causes import cause_of
from cloche.services.s3.errors import s3_error
from cloche.services.s3.handling import bucket_of, existing_object, s3_operation, store_of, version_view
from cloche.services.s3.tags import OBJECT_TAGS_MAX, tag_set, tags_from_set


@s3_operation("PutObjectTagging")
def put_object_tagging(ctx: Context, request: Members) -> Members:
    tagging = request.get("Tagging")
    if tagging is None or "TagSet" not in tagging:
        raise s3_error("MalformedXML")
    return _set(ctx, request, tags_from_set(tagging["TagSet"], OBJECT_TAGS_MAX), "Put")


@s3_operation("GetObjectTagging", reads=True)
def get_object_tagging(ctx: Context, request: Members) -> Members:
    info = existing_object(ctx, request)
    return {"TagSet": tag_set(info.details.tags), **version_view(bucket_of(ctx, request), info)}


@s3_operation("DeleteObjectTagging")
def delete_object_tagging(ctx: Context, request: Members) -> Members:
    return _set(ctx, request, {}, "Delete")


def _set(ctx: Context, request: Members, tags: Mapping[str, str], does: str) -> Members:
    info = existing_object(ctx, request)
    cause = cause_of(ctx, f"ObjectTagging:{does}", f"{does}ObjectTagging")
    store_of(ctx).update_details(info, lambda details: replace(details, tags=tags), cause=cause)
    return version_view(bucket_of(ctx, request), info)
