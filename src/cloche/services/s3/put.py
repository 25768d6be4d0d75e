"""PutObject."""

from __future__ import annotations

from dataclasses import replace

from cloche.aws.operation import Context, Members
from cloche.services.s3.checksums import expected_of
from cloche.services.s3.conditions import write_condition
from cloche.services.s3.describing import checksum_view, details_from, encryption_view, quoted
from cloche.services.s3.handling import bucket_of, s3_operation, store_of
from cloche.services.s3.receiving import receive
from cloche.storage.objects import ObjectInfo, Written


@s3_operation("PutObject")
async def put_object(ctx: Context, request: Members) -> Members:
    details = details_from(request, bucket_of(ctx, request))
    condition = write_condition(request)
    expected = expected_of(request, ctx.http.headers)

    def commit(written: Written) -> ObjectInfo:
        said = details
        if written.checksums:
            said = replace(details, checksums=written.checksums, checksum_type="FULL_OBJECT")
        return store_of(ctx).commit(request["Bucket"], request["Key"], written, said, condition=condition)

    info = await receive(ctx, expected, (), commit)
    return {"ETag": quoted(info.etag), **encryption_view(details), **checksum_view(info.details)}
