"""PutObject."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from cloche.aws.operation import Context, Members
from cloche.services.s3.checksums import as_members, expected_of
from cloche.services.s3.conditions import write_condition
from cloche.services.s3.describing import details_from, encryption_view, quoted
from cloche.services.s3.handling import bucket_of, s3_operation, store_of
from cloche.services.s3.receiving import receive, threads


@s3_operation("PutObject")
async def put_object(ctx: Context, request: Members) -> Members:
    details = details_from(request, bucket_of(ctx, request))
    condition = write_condition(request)
    expected = expected_of(request, ctx.http.headers)
    written = await receive(ctx, expected)
    if written.checksums:
        details = replace(details, checksums=written.checksums, checksum_type="FULL_OBJECT")
    info = await asyncio.get_running_loop().run_in_executor(
        threads(),
        lambda: store_of(ctx).commit(request["Bucket"], request["Key"], written, details, condition=condition),
    )
    answer: Members = {"ETag": quoted(info.etag), **encryption_view(details), **as_members(written.checksums)}
    if written.checksums:
        answer["ChecksumType"] = "FULL_OBJECT"
    return answer
