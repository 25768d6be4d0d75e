"""Amazon S3: buckets, objects, versions, locks, lifecycle, multipart uploads, tags. What is left out is in
``unsupported.toml``."""

from __future__ import annotations

from cloche.aws.operation import Service
from cloche.services.s3.errors import ERRORS

SERVICE = Service(
    "s3",
    modules=(
        "bucket",
        "bucket_configuration",
        "bucket_versioning",
        "lifecycle",
        "object_lock",
        "get",
        "put",
        "copy",
        "delete",
        "list",
        "multipart",
        "upload_part",
        "tagging",
        "acl",
        "bucket_policy",
        "public_access_block",
        "cors",
        "stored_configuration",
        "notification",
        "attributes",
    ),
    errors=ERRORS,
)
