"""XML bodies of S3 and its neighbours."""

from __future__ import annotations

from wire_request import read

from cloche.aws.http import Headers, HttpRequest

OPERATIONS = (
    ("s3", "DeleteObjects", "POST", "/b", "delete"),
    ("s3", "CompleteMultipartUpload", "POST", "/b/k", "uploadId=1"),
    ("s3", "PutBucketLifecycleConfiguration", "PUT", "/b", "lifecycle"),
    ("s3", "PutBucketAcl", "PUT", "/b", "acl"),
    ("s3", "PutBucketTagging", "PUT", "/b", "tagging"),
    ("s3", "PutObjectLockConfiguration", "PUT", "/b", "object-lock"),
    ("s3", "PutBucketNotificationConfiguration", "PUT", "/b", "notification"),
    ("s3control", "PutPublicAccessBlock", "PUT", "/v20180820/configuration/publicAccessBlock", ""),
)


def one(data: bytes) -> None:
    service, operation, method, path, query = OPERATIONS[data[0] % len(OPERATIONS)] if data else OPERATIONS[0]
    headers = Headers([("host", "127.0.0.1"), ("x-amz-account-id", "123456789012")])
    read(service, operation, "rest-xml", HttpRequest(method, path, query, headers, data[1:]))
