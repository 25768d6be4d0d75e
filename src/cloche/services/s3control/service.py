"""S3 Control: what is set for all buckets of an account. What is left out is in ``unsupported.toml``."""

from __future__ import annotations

from cloche.aws.errors import ErrorCodes
from cloche.aws.operation import Service

SERVICE = Service(
    "s3control",
    modules=("public_access_block",),
    errors=ErrorCodes(
        not_found=("NoSuchResource", 404),
        denied=("AccessDenied", 403),
        invalid=("InvalidRequest", 400),
        limit_reached=("SlowDown", 503),
        broken=("InternalError", 500),
        not_supported=("NotImplemented", 501),
        unknown_operation=("NotImplemented", 501),
    ),
)
"""docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"""
