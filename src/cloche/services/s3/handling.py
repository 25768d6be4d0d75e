"""What every S3 operation does around its own work.

``s3_operation`` marks a handler and puts these before and behind it: what Cloche does not do is refused by name,
a key that is too long and a bucket that is not the expected owner's are refused, and an error of the store becomes
S3's, with the bucket and key that were asked.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

from cloche.aws.errors import AwsError
from cloche.aws.http import HttpRequest
from cloche.aws.operation import Context, Members, operation
from cloche.aws.protocols.scalars import http_date
from cloche.foundation.limits import OBJECT_KEY_BYTES_MAX
from cloche.services.parts import Parts
from cloche.services.s3.checksums import bad_digest, content_md5
from cloche.services.s3.errors import from_store, invalid_argument, s3_error
from cloche.services.s3.refusals import refuse_unsupported
from cloche.storage.objects import Bucket, ObjectInfo, ObjectStore, StoreError
from cloche.storage.objects.checksums import ALGORITHMS, digest
from cloche.storage.objects.versions import sequence_of

F = TypeVar("F", bound=Callable[..., Any])


def store_of(ctx: Context) -> ObjectStore:
    return cast(Parts, ctx.parts).objects


def s3_operation(name: str, *, reads: bool = False, bucket: bool = True) -> Callable[[F], F]:
    """Mark the handler of an S3 operation. ``bucket``: its request names a bucket that must be there."""

    def mark(handler: F) -> F:
        if inspect.iscoroutinefunction(handler):

            @functools.wraps(handler)
            async def answer_later(ctx: Context, request: Members) -> Any:
                with placing(request):
                    enter(ctx, request, bucket)
                    return await handler(ctx, request)

            return cast(F, operation(name, reads=reads)(answer_later))

        @functools.wraps(handler)
        def answer(ctx: Context, request: Members) -> Any:
            with placing(request):
                enter(ctx, request, bucket)
                return handler(ctx, request)

        return cast(F, operation(name, reads=reads)(answer))

    return mark


@contextmanager
def placing(request: Members) -> Iterator[None]:
    """Errors that are raised inside become S3's, and name the request's bucket and key."""
    try:
        yield
    except StoreError as error:
        raise _placed(from_store(error), request) from error
    except AwsError as error:
        raise _placed(error, request) from error


def enter(ctx: Context, request: Members, bucket: bool = True) -> None:
    """What is asked of every request."""
    refuse_unsupported(request)
    check_key(request.get("Key"))
    check_body(ctx.http)
    if bucket:
        bucket_of(ctx, request)


def bucket_of(ctx: Context, request: Members, member: str = "Bucket", owner: str = "ExpectedBucketOwner") -> Bucket:
    """The bucket named in the request. Raises ``BucketNotFound``, and AccessDenied where
    ``x-amz-expected-bucket-owner`` names another owner."""
    bucket = store_of(ctx).buckets.get(request[member])
    # docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
    expected = request.get(owner)
    if expected and expected != bucket.account:
        if not (expected.isascii() and expected.isdigit() and len(expected) == 12):
            # Code and words: localstack/localstack, tests/aws/services/s3/test_s3.snapshot.json, recorded of S3
            words = f"The value of the expected bucket owner parameter must be an AWS Account ID... [{expected}]"
            raise s3_error("InvalidBucketOwnerAWSAccountID", words)
        raise s3_error("AccessDenied")
    return bucket


def version_in(request: Members, member: str = "VersionId") -> str:
    """The version that the request names; empty where it names none. Raises InvalidArgument for what is no id."""
    version = request.get(member)
    if version is None or version == "null":
        return version or ""
    if version == "":
        raise invalid_argument("versionId", "", "Version id cannot be the empty string")
    if sequence_of(version) is None:
        raise invalid_argument("versionId", version, "Invalid version id specified")
    return str(version)


def existing_object(ctx: Context, request: Members) -> ObjectInfo:
    """The object, or the version of it, that the request names. Raises NoSuchKey, NoSuchVersion, and MethodNotAllowed
    where the version is a delete marker."""
    info = store_of(ctx).head(request["Bucket"], request["Key"], version_in(request))
    if info.is_delete_marker:
        raise marker_refusal(info)
    return info


def existing_content(ctx: Context, request: Members) -> tuple[ObjectInfo, bytes | Path]:
    """The same with its content (``ObjectStore.open``)."""
    info, content = store_of(ctx).open(request["Bucket"], request["Key"], version_in(request))
    if info.is_delete_marker:
        raise marker_refusal(info)
    return info, content


def marker_refusal(marker: ObjectInfo) -> AwsError:
    """A delete marker can be deleted, and nothing else (…/userguide/DeleteMarker.html; API_GetObject.html)."""
    headers = (
        ("x-amz-delete-marker", "true"),
        ("x-amz-version-id", marker.version),
        ("Last-Modified", http_date(marker.last_modified)),
        ("Allow", "DELETE"),
    )
    fields = {"Method": "GET", "ResourceType": "DeleteMarker"}
    words = "The specified method is not allowed against this resource."
    return AwsError("MethodNotAllowed", words, 405, fields=fields, headers=headers)


def made_view(bucket: Bucket, info: ObjectInfo) -> Members:
    """The version id that a write answers: while versioning is enabled (ceph/s3-tests,
    test_versioning_bucket_atomic_upload_return_version_id, which S3 passes)."""
    return {"VersionId": info.version} if bucket.versioning == "Enabled" else {}


def version_view(bucket: Bucket, info: ObjectInfo) -> Members:
    """``x-amz-version-id``, which only buckets that have been versioned tell."""
    return {"VersionId": info.version} if bucket.versioning else {}


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
