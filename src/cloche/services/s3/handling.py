"""What every S3 operation does around its own work.

``s3_operation`` marks a handler and puts these before and behind it: what Cloche does not do is refused by name,
a key that is too long and a bucket of somebody else's are refused, and an error of the store becomes S3's, with
the bucket and key that were asked.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

from cloche.aws.errors import AwsError
from cloche.aws.http import HttpRequest
from cloche.aws.operation import Context, Members, operation
from cloche.foundation.limits import OBJECT_KEY_BYTES_MAX
from cloche.services.parts import Parts
from cloche.services.s3.checksums import bad_digest, content_md5
from cloche.services.s3.errors import from_store, invalid_argument, s3_error
from cloche.services.s3.refusals import refuse_unsupported
from cloche.storage.objects import Bucket, ObjectStore, StoreError
from cloche.storage.objects.checksums import ALGORITHMS, digest

F = TypeVar("F", bound=Callable[..., Any])


def store_of(ctx: Context) -> ObjectStore:
    return cast(Parts, ctx.parts).objects


def s3_operation(name: str, *, reads: bool = False, bucket: bool = True) -> Callable[[F], F]:
    """Mark the handler of an S3 operation. ``bucket``: its request names a bucket that must be there."""

    def mark(handler: F) -> F:
        def enter(ctx: Context, request: Members) -> None:
            refuse_unsupported(request)
            check_key(request.get("Key"))
            check_body(ctx.http)
            if bucket:
                bucket_of(ctx, request)

        if inspect.iscoroutinefunction(handler):

            @functools.wraps(handler)
            async def answer_later(ctx: Context, request: Members) -> Any:
                try:
                    enter(ctx, request)
                    return await handler(ctx, request)
                except StoreError as error:
                    raise _placed(from_store(error), request) from error
                except AwsError as error:
                    raise _placed(error, request) from error

            return cast(F, operation(name, reads=reads)(answer_later))

        @functools.wraps(handler)
        def answer(ctx: Context, request: Members) -> Any:
            try:
                enter(ctx, request)
                return handler(ctx, request)
            except StoreError as error:
                raise _placed(from_store(error), request) from error
            except AwsError as error:
                raise _placed(error, request) from error

        return cast(F, operation(name, reads=reads)(answer))

    return mark


def bucket_of(ctx: Context, request: Members, member: str = "Bucket", owner: str = "ExpectedBucketOwner") -> Bucket:
    """The bucket named in the request. Raises ``BucketNotFound``, and AccessDenied for another account's or
    where ``x-amz-expected-bucket-owner`` names another owner."""
    bucket = store_of(ctx).buckets.get(request[member])
    if bucket.account != ctx.account:
        raise s3_error("AccessDenied")
    # docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
    expected = request.get(owner)
    if expected and expected != bucket.account:
        if not (expected.isascii() and expected.isdigit() and len(expected) == 12):
            raise invalid_argument(
                "x-amz-expected-bucket-owner",
                expected,
                "The value of the expected bucket owner parameter must be an AWS account ID",
            )
        raise s3_error("AccessDenied")
    return bucket


def check_key(key: str | None) -> None:
    """Raises KeyTooLongError for more than 1,024 bytes of UTF-8."""
    if key is None:
        return
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise s3_error("InvalidURI", "Couldn't parse the specified URI.") from None
    if size > OBJECT_KEY_BYTES_MAX:
        raise s3_error("KeyTooLongError", Size=size, MaxSizeAllowed=OBJECT_KEY_BYTES_MAX)


def check_body(http: HttpRequest) -> None:
    """A body that is parsed (a document) must have the digests that came with it. Raises BadDigest."""
    if http.stream is not None or not (http.body or "content-md5" in http.headers):
        return
    if wanted := content_md5(http.headers.get("content-md5") or None):
        found = hashlib.md5(http.body, usedforsecurity=False).hexdigest()
        if wanted != found:
            raise s3_error("BadDigest", ExpectedDigest=wanted, CalculatedDigest=found)
    if http.method == "POST" and "uploadId=" in http.query:
        return  # CompleteMultipartUpload: its checksum headers are the object's
    for algorithm in ALGORITHMS:
        value = http.headers.get(f"x-amz-checksum-{algorithm.lower()}")
        if value:
            made = digest(algorithm)
            made.update(http.body)
            if made.base64() != value:
                raise bad_digest(algorithm)


def _placed(error: AwsError, request: Members) -> AwsError:
    """The error with the bucket and key that the request named, as S3 tells them."""
    for field, member in (("BucketName", "Bucket"), ("Key", "Key")):
        if member in request:
            error.fields.setdefault(field, request[member])
    bucket, key = request.get("Bucket"), request.get("Key")
    if bucket:
        error.fields.setdefault("Resource", f"/{bucket}/{key}" if key else f"/{bucket}")
    return error
