"""The deployment package of a request: bytes in it, or an object of S3."""

from __future__ import annotations

from cloche.aws.operation import Context, Members
from cloche.engines.functions import Code
from cloche.foundation.errors import ClocheError, Invalid, NotSupported

ZIPPED_BYTES_MAX = 262_144_000
"""Of an object: what it unzips to may be no larger, so neither may it be."""


def code_of(ctx: Context, operation: str, given: Members) -> Code:
    """Kept. Raises ``Invalid`` and ``NotSupported``."""
    if given.get("ImageUri"):
        raise NotSupported(f"{operation} does not support ImageUri in Cloche: container images cannot run")
    if given.get("S3ObjectStorageMode", "COPY") != "COPY":
        raise NotSupported(f"{operation} does not support S3ObjectStorageMode {given['S3ObjectStorageMode']} in Cloche")
    code: Code = ctx.parts.functions.packages.add(zip_of(ctx, given))
    return code


def zip_of(ctx: Context, given: Members) -> bytes:
    if given.get("ZipFile") is not None:
        if given.get("S3Bucket") or given.get("S3Key"):
            raise Invalid("Please do not provide other FunctionCode parameters when providing a ZipFile.")
        return bytes(given["ZipFile"])
    bucket, key = given.get("S3Bucket"), given.get("S3Key")
    if not bucket or not key:
        raise Invalid("Please provide a source for function code.")
    try:
        info, content = ctx.parts.objects.open(bucket, key, given.get("S3ObjectVersion", ""))
    except ClocheError as error:
        what = "NoSuchBucket" if "ucket" in type(error).__name__ else "NoSuchKey"
        raise Invalid(
            "Error occurred while GetObject. S3 Error Code: "
            f"{what}. S3 Error Message: The specified {'bucket' if what == 'NoSuchBucket' else 'key'} does not exist."
        ) from None
    if info.size > ZIPPED_BYTES_MAX:
        raise Invalid(f"Unzipped size must be smaller than {ZIPPED_BYTES_MAX} bytes")
    return content if isinstance(content, bytes) else content.read_bytes()
