"""ListObjects (of both kinds) and ListObjectVersions."""

from __future__ import annotations

from cloche.aws.operation import Context, Members
from cloche.services.s3.access.owners import OwnerOf, owner_of_each
from cloche.services.s3.describing import whole_seconds
from cloche.services.s3.errors import invalid_argument
from cloche.services.s3.handling import s3_operation, store_of, version_in
from cloche.services.s3.list_entries import Entries, members
from cloche.services.s3.paging import KeyEncoding, decode_token, encode_token, page_size
from cloche.storage.objects import ObjectInfo


@s3_operation("ListObjectsV2", reads=True)
def list_objects_v2(ctx: Context, request: Members) -> Members:
    shown = KeyEncoding(request)
    limit = page_size(request, "MaxKeys", "maxKeys")
    prefix, delimiter = request.get("Prefix") or "", request.get("Delimiter") or ""
    token = request.get("ContinuationToken")
    at_or_after = decode_token(token) if token is not None else ""
    after = "" if token is not None else request.get("StartAfter") or ""
    page = store_of(ctx).list(
        request["Bucket"], prefix, delimiter=delimiter, after=after, at_or_after=at_or_after, limit=limit
    )
    owner = owner_of_each(ctx, request) if request.get("FetchOwner") else None
    return {
        "Name": request["Bucket"],
        "Prefix": shown(prefix),
        "StartAfter": shown.optional(request.get("StartAfter")),
        "ContinuationToken": token,
        "NextContinuationToken": encode_token(page.next_key) if page.next_key else None,
        "KeyCount": len(page.objects) + len(page.common_prefixes),
        "MaxKeys": limit,
        "Delimiter": shown(delimiter) if delimiter else None,
        "IsTruncated": page.is_truncated,
        "EncodingType": shown.kind,
        "Contents": Entries(page.objects, shown, owner),
        "CommonPrefixes": [{"Prefix": shown(found)} for found in page.common_prefixes],
    }


@s3_operation("ListObjects", reads=True)
def list_objects(ctx: Context, request: Members) -> Members:
    shown = KeyEncoding(request)
    limit = page_size(request, "MaxKeys", "maxKeys")
    prefix, delimiter = request.get("Prefix") or "", request.get("Delimiter") or ""
    marker = request.get("Marker") or ""
    page = store_of(ctx).list(request["Bucket"], prefix, delimiter=delimiter, after=marker, limit=limit)
    owner = owner_of_each(ctx, request)
    return {
        "Name": request["Bucket"],
        "Prefix": shown.plainly(prefix),
        "Marker": shown(marker),
        # Only with a delimiter: without one the last key is the next marker (API_ListObjects.html).
        "NextMarker": shown(page.last) if page.is_truncated and delimiter else None,
        "MaxKeys": limit,
        "Delimiter": shown(delimiter) if delimiter else None,
        "IsTruncated": page.is_truncated,
        "EncodingType": shown.kind,
        "Contents": Entries(page.objects, shown, owner),
        "CommonPrefixes": [{"Prefix": shown(found)} for found in page.common_prefixes],
    }


@s3_operation("ListObjectVersions", reads=True)
def list_object_versions(ctx: Context, request: Members) -> Members:
    shown = KeyEncoding(request)
    limit = page_size(request, "MaxKeys", "maxKeys")
    prefix, delimiter = request.get("Prefix") or "", request.get("Delimiter") or ""
    marker, version_marker = request.get("KeyMarker") or "", request.get("VersionIdMarker")
    if version_marker is not None and not marker:
        raise invalid_argument(
            "version-id-marker", version_marker, "A version-id marker cannot be specified without a key marker."
        )
    after = (marker, version_in({"VersionId": version_marker or None}))
    page = store_of(ctx).list_versions(request["Bucket"], prefix, delimiter=delimiter, after=after, limit=limit)
    owner = owner_of_each(ctx, request)
    return {
        "Name": request["Bucket"],
        "Prefix": shown(prefix),
        "KeyMarker": shown(marker),
        "VersionIdMarker": version_marker or "",
        "NextKeyMarker": shown(page.last[0]) if page.is_truncated else None,
        "NextVersionIdMarker": (page.last[1] or None) if page.is_truncated else None,
        "MaxKeys": limit,
        "Delimiter": shown(delimiter) if delimiter else None,
        "IsTruncated": page.is_truncated,
        "EncodingType": shown.kind,
        "Versions": [
            {**_version(info, shown, owner), "VersionId": info.version, "IsLatest": info.is_latest}
            for info in page.versions
            if not info.is_delete_marker
        ],
        "DeleteMarkers": [
            {
                "Key": shown(info.key),
                "VersionId": info.version,
                "IsLatest": info.is_latest,
                "LastModified": whole_seconds(info.last_modified),
                "Owner": owner(info.details.owner),
            }
            for info in page.versions
            if info.is_delete_marker
        ],
        "CommonPrefixes": [{"Prefix": shown(found)} for found in page.common_prefixes],
    }


def _version(info: ObjectInfo, shown: KeyEncoding, owner: OwnerOf) -> Members:
    return members(shown(info.key), info.size, info.etag, whole_seconds(info.last_modified), info.details, owner)
