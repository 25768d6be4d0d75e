"""A pipeline's definition as a request gives it: the text itself, or an object in S3."""

from __future__ import annotations

from typing import Final

from cloche.aws.operation import Context, Members
from cloche.foundation.errors import Invalid
from cloche.foundation.limits import PARSED_BODY_BYTES_MAX
from cloche.storage.objects import StoreError

TEXT: Final = "PipelineDefinition"
LOCATION: Final = "PipelineDefinitionS3Location"


def with_definition(ctx: Context, request: Members) -> Members:
    """``request`` with the text in place of the location. Raises ``Invalid`` for both at once, and for an object that
    cannot be read."""
    location = request.get(LOCATION)
    if location is None:
        return request
    if request.get(TEXT) is not None:
        raise Invalid(f"Only one of {TEXT} and {LOCATION} may be given.", field=LOCATION)
    return {**{key: value for key, value in request.items() if key != LOCATION}, TEXT: _read(ctx, location)}


def _read(ctx: Context, location: Members) -> str:
    bucket, key, version = location["Bucket"], location["ObjectKey"], location.get("VersionId", "")
    where = f"s3://{bucket}/{key}"
    try:
        info, content = ctx.parts.objects.open(bucket, key, version)
        if info.size > PARSED_BODY_BYTES_MAX:
            raise Invalid(f"The definition at {where} has more than {PARSED_BODY_BYTES_MAX} bytes.", field=LOCATION)
        data = content if isinstance(content, bytes) else content.read_bytes()
        return data.decode()
    except StoreError as error:
        raise Invalid(f"The definition at {where} cannot be read: {error.message}", field=LOCATION) from None
    except UnicodeDecodeError:
        raise Invalid(f"The definition at {where} is not text in UTF-8.", field=LOCATION) from None
