"""GetObjectAttributes: what HEAD tells, and the parts, in one document."""

from __future__ import annotations

from typing import Final

from cloche.aws.operation import Context, Members
from cloche.services.s3.checksums import as_members
from cloche.services.s3.customer_keys import check_customer_key
from cloche.services.s3.describing import checksum_view, whole_seconds
from cloche.services.s3.errors import invalid_argument
from cloche.services.s3.handling import bucket_of, existing_object, s3_operation, version_view
from cloche.services.s3.paging import page_size
from cloche.storage.objects import ObjectInfo

_ATTRIBUTES: Final = ("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize")


@s3_operation("GetObjectAttributes", reads=True)
def get_object_attributes(ctx: Context, request: Members) -> Members:
    wanted = set(request.get("ObjectAttributes") or ())
    if not wanted or not wanted.issubset(_ATTRIBUTES):
        raise invalid_argument("x-amz-object-attributes", ",".join(sorted(wanted)), "Invalid attribute name specified.")
    info = existing_object(ctx, request)
    check_customer_key(info.details.encryption, request)
    answer: Members = {"LastModified": whole_seconds(info.last_modified)}
    answer.update(version_view(bucket_of(ctx, request), info))
    if "ETag" in wanted:
        answer["ETag"] = info.etag  # unquoted here: API_GetObjectAttributes.html, sample response
    if "Checksum" in wanted and info.checksums:
        answer["Checksum"] = checksum_view(info.details)
    if "ObjectParts" in wanted and info.details.parts:
        answer["ObjectParts"] = _parts(info, request)
    if "StorageClass" in wanted:
        answer["StorageClass"] = info.details.storage_class
    if "ObjectSize" in wanted:
        answer["ObjectSize"] = info.size
    return answer


def _parts(info: ObjectInfo, request: Members) -> Members:
    parts = info.details.parts
    limit = page_size(request, "MaxParts", "max-parts")
    marker = int(request.get("PartNumberMarker") or 0)
    following = [(place, part) for place, part in enumerate(parts, start=1) if place > marker]
    page = following[:limit]
    answer: Members = {
        "TotalPartsCount": len(parts),
        "PartNumberMarker": marker,
        "NextPartNumberMarker": page[-1][0] if page else 0,
        "MaxParts": limit,
        "IsTruncated": len(following) > limit,
    }
    if any(part.checksums for part in parts):  # else S3 tells no Part elements: API_GetObjectAttributes.html
        answer["Parts"] = [
            {"PartNumber": place, "Size": part.size, **as_members(part.checksums)} for place, part in page
        ]
    return answer
