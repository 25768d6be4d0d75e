"""ListObjects (both versions) and, while there are no versions but ``null``, ListObjectVersions."""

from __future__ import annotations

from cloche.aws.operation import Context, Members
from cloche.services.s3.describing import owner_view, quoted, whole_seconds
from cloche.services.s3.errors import invalid_argument, not_implemented
from cloche.services.s3.handling import s3_operation, store_of
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
    owner = owner_view(ctx) if request.get("FetchOwner") else None
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
        "Contents": [_entry(info, shown, owner) for info in page.objects],
        "CommonPrefixes": [{"Prefix": shown(found)} for found in page.common_prefixes],
    }


@s3_operation("ListObjects", reads=True)
def list_objects(ctx: Context, request: Members) -> Members:
    shown = KeyEncoding(request)
    limit = page_size(request, "MaxKeys", "maxKeys")
    prefix, delimiter = request.get("Prefix") or "", request.get("Delimiter") or ""
    marker = request.get("Marker") or ""
    page = store_of(ctx).list(request["Bucket"], prefix, delimiter=delimiter, after=marker, limit=limit)
    owner = owner_view(ctx)
    return {
        "Name": request["Bucket"],
        "Prefix": shown(prefix),
        "Marker": shown(marker),
        # Only with a delimiter: without one the last key is the next marker (API_ListObjects.html).
        "NextMarker": shown(page.last) if page.is_truncated and delimiter else None,
        "MaxKeys": limit,
        "Delimiter": shown(delimiter) if delimiter else None,
        "IsTruncated": page.is_truncated,
        "EncodingType": shown.kind,
        "Contents": [_entry(info, shown, owner) for info in page.objects],
        "CommonPrefixes": [{"Prefix": shown(found)} for found in page.common_prefixes],
    }


@s3_operation("ListObjectVersions", reads=True)
def list_object_versions(ctx: Context, request: Members) -> Members:
    shown = KeyEncoding(request)
    limit = page_size(request, "MaxKeys", "maxKeys")
    prefix, delimiter = request.get("Prefix") or "", request.get("Delimiter") or ""
    marker, version_marker = request.get("KeyMarker") or "", request.get("VersionIdMarker")
    if version_marker is not None:
        if not marker:
            raise invalid_argument(
                "version-id-marker", version_marker, "A version-id marker cannot be specified without a key marker."
            )
        if version_marker not in ("null", ""):
            raise not_implemented("version-id-marker", "Cloche keeps no object versions; null is the one there is")
    page = store_of(ctx).list(request["Bucket"], prefix, delimiter=delimiter, after=marker, limit=limit)
    owner = owner_view(ctx)
    last_is_key = bool(page.objects) and page.objects[-1].key == page.last
    return {
        "Name": request["Bucket"],
        "Prefix": shown(prefix),
        "KeyMarker": shown(marker),
        "VersionIdMarker": version_marker or "",
        "NextKeyMarker": shown(page.last) if page.is_truncated else None,
        "NextVersionIdMarker": "null" if page.is_truncated and last_is_key else None,
        "MaxKeys": limit,
        "Delimiter": shown(delimiter) if delimiter else None,
        "IsTruncated": page.is_truncated,
        "EncodingType": shown.kind,
        "Versions": [{**_entry(info, shown, owner), "VersionId": "null", "IsLatest": True} for info in page.objects],
        "CommonPrefixes": [{"Prefix": shown(found)} for found in page.common_prefixes],
    }


def _entry(info: ObjectInfo, shown: KeyEncoding, owner: Members | None) -> Members:
    entry: Members = {
        "Key": shown(info.key),
        "LastModified": whole_seconds(info.last_modified),
        "ETag": quoted(info.etag),
        "Size": info.size,
        "StorageClass": info.details.storage_class,
    }
    if owner is not None:
        entry["Owner"] = owner
    if info.details.checksums:
        entry["ChecksumAlgorithm"] = list(info.details.checksums)
        entry["ChecksumType"] = info.details.checksum_type or "FULL_OBJECT"
    return entry
