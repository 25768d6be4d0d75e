"""PutObject."""

from __future__ import annotations

from dataclasses import replace

from cloche.aws.operation import Context, Members
from cloche.services.s3.access.made import owned
from cloche.services.s3.checksums import expected_of
from cloche.services.s3.conditions import write_condition
from cloche.services.s3.describing import checksum_view, details_from, encryption_view, quoted
from cloche.services.s3.handling import bucket_of, made_view, s3_operation, store_of
from cloche.services.s3.lifecycle import expiration_view
from cloche.services.s3.object_lock import locked
from cloche.services.s3.receiving import receive
from cloche.storage.objects import ObjectInfo, Written
from cloche.storage.objects.checksums import DEFAULT


@s3_operation("PutObject")
async def put_object(ctx: Context, request: Members) -> Members:
    bucket = bucket_of(ctx, request)
    details = locked(owned(ctx, request, bucket, details_from(request, bucket)), request, bucket, ctx.now)
    condition = write_condition(request)
    expected = expected_of(request, ctx.http.headers)

    def commit(written: Written) -> ObjectInfo:
        said = replace(details, checksums=written.checksums, checksum_type="FULL_OBJECT")
        return store_of(ctx).commit(request["Bucket"], request["Key"], written, said, condition=condition)

    info = await receive(ctx, expected, () if expected.algorithm else (DEFAULT,), commit)
    return {
        "ETag": quoted(info.etag),
        **made_view(bucket, info),
        **expiration_view(bucket, info),
        **encryption_view(details),
        **checksum_view(info.details),
    }
