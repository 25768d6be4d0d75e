"""What a bucket policy's conditions can ask of a request.

Source: docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html#amazons3-policy-keys and
docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl

from cloche.aws.operation import Context, Members

_MEMBERS: Final = {
    "Prefix": "s3:prefix",
    "Delimiter": "s3:delimiter",
    "MaxKeys": "s3:max-keys",
    "VersionId": "s3:versionid",
    "ACL": "s3:x-amz-acl",
    "GrantFullControl": "s3:x-amz-grant-full-control",
    "GrantRead": "s3:x-amz-grant-read",
    "GrantReadACP": "s3:x-amz-grant-read-acp",
    "GrantWrite": "s3:x-amz-grant-write",
    "GrantWriteACP": "s3:x-amz-grant-write-acp",
    "CopySource": "s3:x-amz-copy-source",
    "MetadataDirective": "s3:x-amz-metadata-directive",
    "ServerSideEncryption": "s3:x-amz-server-side-encryption",
    "SSEKMSKeyId": "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "SSECustomerAlgorithm": "s3:x-amz-server-side-encryption-customer-algorithm",
    "StorageClass": "s3:x-amz-storage-class",
    "WebsiteRedirectLocation": "s3:x-amz-website-redirect-location",
    "ObjectLockMode": "s3:object-lock-mode",
    "ObjectLockLegalHoldStatus": "s3:object-lock-legal-hold",
    "ObjectOwnership": "s3:x-amz-object-ownership",
    "IfMatch": "s3:if-match",
    "IfNoneMatch": "s3:if-none-match",
}


def keys_of_request(ctx: Context, request: Members, bucket_account: str) -> dict[str, Sequence[str]]:
    """Those that follow from the request alone; names in lower case."""
    http = ctx.http
    keys: dict[str, Sequence[str]] = {
        "aws:securetransport": ("true" if http.scheme == "https" else "false",),
        "aws:currenttime": (str(int(ctx.now.timestamp())),),
        "aws:epochtime": (str(int(ctx.now.timestamp())),),
        "aws:requestedregion": (ctx.region,),
        "s3:resourceaccount": (bucket_account,),
        "aws:resourceaccount": (bucket_account,),
        "aws:viaawsservice": ("false",),
    }
    if http.client:
        keys["aws:sourceip"] = (http.client.removeprefix("::ffff:"),)
    for header, key in (("user-agent", "aws:useragent"), ("referer", "aws:referer")):
        if header in http.headers:
            keys[key] = (http.headers.get(header),)
    keys["s3:x-amz-content-sha256"] = (http.headers.get("x-amz-content-sha256") or "UNSIGNED-PAYLOAD",)
    if not ctx.caller.anonymous:
        keys.update(_signature(http.query, http.headers.get("authorization")))
    for member, key in _MEMBERS.items():
        value = request.get(member)
        if value is not None and isinstance(value, str | int):
            keys[key] = (str(value),)
    keys.update(_new_tags(request))
    location = (request.get("CreateBucketConfiguration") or {}).get("LocationConstraint")
    if location:
        keys["s3:locationconstraint"] = (location,)
    return keys


def _signature(query: str, header: str) -> dict[str, Sequence[str]]:
    version = "AWS" if header.startswith("AWS ") or "AWSAccessKeyId=" in query else "AWS4-HMAC-SHA256"
    kind = "REST-HEADER" if header else "REST-QUERY-STRING"
    return {"s3:signatureversion": (version,), "s3:authtype": (kind,)}


def _new_tags(request: Members) -> dict[str, Sequence[str]]:
    tagging: Any = request.get("Tagging")
    if isinstance(tagging, str):
        tags = dict(parse_qsl(tagging, keep_blank_values=True))
    elif isinstance(tagging, Mapping):
        tags = {str(each.get("Key")): str(each.get("Value")) for each in tagging.get("TagSet") or ()}
    else:
        return {}
    keys: dict[str, Sequence[str]] = {f"s3:requestobjecttag/{name.lower()}": (value,) for name, value in tags.items()}
    keys["s3:requestobjecttagkeys"] = tuple(tags)
    return keys


def keys_of_object(tags: Mapping[str, str]) -> dict[str, Sequence[str]]:
    return {f"s3:existingobjecttag/{name.lower()}": (value,) for name, value in tags.items()}
