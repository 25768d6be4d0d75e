"""Amazon S3, narrow: buckets, objects, multipart uploads, tagging. What is left out is in ``unsupported.toml``."""

from __future__ import annotations

from cloche.aws.operation import Service
from cloche.services.s3.errors import ERRORS

SERVICE = Service(
    "s3",
    modules=(
        "bucket",
        "bucket_configuration",
        "get",
        "put",
        "copy",
        "delete",
        "list",
        "multipart",
        "upload_part",
        "tagging",
        "acl",
        "attributes",
    ),
    errors=ERRORS,
)
