"""PutBucketCors, GetBucketCors, DeleteBucketCors. Rules are applied by the server's chain (``access/cors_rules``).

Words: docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html; messages as S3 gave them in
hashicorp/terraform-provider-aws#6044 and aws/aws-cdk#16498.
"""

from __future__ import annotations

from typing import Final

from cloche.aws.http import is_header_name
from cloche.aws.operation import Context, Members
from cloche.services.s3.errors import invalid_request, s3_error
from cloche.services.s3.handling import bucket_of, s3_operation, store_of

RULES_MAX: Final = 100  # API_PutBucketCors.html
_METHODS: Final = ("GET", "PUT", "HEAD", "POST", "DELETE")


@s3_operation("PutBucketCors")
def put_bucket_cors(ctx: Context, request: Members) -> Members:
    rules = request["CORSConfiguration"].get("CORSRules") or []
    if not 1 <= len(rules) <= RULES_MAX:
        raise s3_error("MalformedXML")
    for rule in rules:
        _check(rule)
    store_of(ctx).buckets.configure(request["Bucket"], "Cors", rules)
    return {}


@s3_operation("GetBucketCors", reads=True)
def get_bucket_cors(ctx: Context, request: Members) -> Members:
    rules = bucket_of(ctx, request).configuration.get("Cors")
    if not rules:
        raise s3_error("NoSuchCORSConfiguration")
    return {"CORSRules": rules}


@s3_operation("DeleteBucketCors")
def delete_bucket_cors(ctx: Context, request: Members) -> Members:
    store_of(ctx).buckets.configure(request["Bucket"], "Cors", None)
    return {}


def _check(rule: Members) -> None:
    if not rule.get("AllowedMethods") or not rule.get("AllowedOrigins"):
        raise s3_error("MalformedXML")
    for method in rule["AllowedMethods"]:
        if method not in _METHODS:
            raise invalid_request(f"Found unsupported HTTP method in CORS config. Unsupported method is {method}")
    for member, word in (("AllowedOrigins", "AllowedOrigin"), ("AllowedHeaders", "AllowedHeader")):
        for value in rule.get(member) or ():
            if value.count("*") > 1:
                raise invalid_request(f'{word} "{value}" can not have more than one wildcard.')
    for value in rule.get("ExposeHeaders") or ():
        if "*" in value:
            raise invalid_request(
                f'ExposeHeader "{value}" contains wildcard. We currently do not support wildcard for ExposeHeader.'
            )
        if not is_header_name(value):
            raise invalid_request(f'ExposeHeader "{value}" is not a valid header name.')
