"""UploadPart."""

from __future__ import annotations

from cloche.aws.operation import Context, Members
from cloche.services.s3.checksums import as_members, expected_of
from cloche.services.s3.customer_keys import check_part_key
from cloche.services.s3.describing import encryption_view, quoted
from cloche.services.s3.errors import invalid_request
from cloche.services.s3.handling import s3_operation, store_of
from cloche.services.s3.ranges import check_part_number
from cloche.services.s3.receiving import receive
from cloche.storage.objects.checksums import DEFAULT


@s3_operation("UploadPart")
async def upload_part(ctx: Context, request: Members) -> Members:
    store = store_of(ctx)
    check_part_number(request["PartNumber"])
    upload = store.uploads.get(request["Bucket"], request["Key"], request["UploadId"])
    check_part_key(upload.details.encryption, request)
    expected = expected_of(request, ctx.http.headers)
    algorithm = upload.checksum_algorithm
    if algorithm and expected.algorithm not in ("", algorithm):
        # Words: API_PutObject.html, "Errors", InvalidRequest.
        raise invalid_request(
            f"Checksum Type mismatch occurred, expected checksum Type: {algorithm.lower()}, actual checksum Type: "
            f"{expected.algorithm.lower()}"
        )
    part = await receive(
        ctx,
        expected,
        (algorithm or DEFAULT,),
        lambda written: store.uploads.put_part(upload, request["PartNumber"], written),
    )
    told = [name for name in part.checksums if name in (algorithm, expected.algorithm)]
    return {"ETag": quoted(part.etag), **encryption_view(upload.details), **as_members(part.checksums, told)}
