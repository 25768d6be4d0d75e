"""PutObject: what a request says of the object, its body, what is answered."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cloche.aws.operation import Context, Members
from cloche.services.s3.access.made import owned
from cloche.services.s3.causes import cause_of_put
from cloche.services.s3.checksums import Expected, expected_of
from cloche.services.s3.conditions import write_condition
from cloche.services.s3.describing import checksum_view, details_from, encryption_view, quoted
from cloche.services.s3.handling import bucket_of, made_view, s3_operation, store_of
from cloche.services.s3.lifecycle import expiration_view
from cloche.services.s3.object_lock import locked
from cloche.services.s3.receiving import receive
from cloche.storage.objects import Bucket, Details, ObjectInfo, WriteCondition, Written
from cloche.storage.objects.checksums import DEFAULT


@dataclass(frozen=True, slots=True)
class Put:
    """What a request wants, known before its body has come."""

    bucket: Bucket
    details: Details
    condition: WriteCondition | None
    expected: Expected

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The checksums to compute of the body."""
        return (self.expected.algorithm or DEFAULT,)

    def described(self, written: Written) -> Details:
        return replace(self.details, checksums=written.checksums, checksum_type="FULL_OBJECT")

    def answer(self, info: ObjectInfo) -> Members:
        return {
            "ETag": quoted(info.etag),
            **made_view(self.bucket, info),
            **expiration_view(self.bucket, info),
            **encryption_view(self.details),
            **checksum_view(info.details),
        }


def planned(ctx: Context, request: Members) -> Put:
    """Raises whatever is wrong with the request, but for its body."""
    bucket = bucket_of(ctx, request)
    details = locked(owned(ctx, request, bucket, details_from(request, bucket)), request, bucket, ctx.now)
    return Put(bucket, details, write_condition(request), expected_of(request, ctx.http.headers))


@s3_operation("PutObject")
async def put_object(ctx: Context, request: Members) -> Members:
    put = planned(ctx, request)

    cause = cause_of_put(ctx)

    def commit(written: Written) -> ObjectInfo:
        return store_of(ctx).commit(
            request["Bucket"], request["Key"], written, put.described(written), condition=put.condition, cause=cause
        )

    return put.answer(await receive(ctx, put.expected, put.algorithms, commit))
