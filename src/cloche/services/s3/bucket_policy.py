"""GetBucketPolicy, PutBucketPolicy, DeleteBucketPolicy, GetBucketPolicyStatus.

The policy is kept to the letter as it was put. Who may call these: ``access/authorizer``.
"""

from __future__ import annotations

from typing import cast

from cloche.aws.operation import Answer, Context, Members
from cloche.services.parts import Parts
from cloche.services.s3.access.owners import account_of_id
from cloche.services.s3.access.policy_document import canonical_ids_in, compiled, validate_bucket_policy
from cloche.services.s3.access.public_access import is_public_policy, switch
from cloche.services.s3.errors import s3_error
from cloche.services.s3.handling import bucket_of, s3_operation, store_of


@s3_operation("PutBucketPolicy")
def put_bucket_policy(ctx: Context, request: Members) -> Answer:
    bucket, text = bucket_of(ctx, request), request["Policy"]
    validate_bucket_policy(text, bucket.name, lambda kind, name: _exists(ctx, kind, name))
    compiled(text, tuple((each, account_of_id(ctx, each)) for each in canonical_ids_in(text)))
    if is_public_policy(text) and switch(store_of(ctx), bucket, "BlockPublicPolicy"):
        raise s3_error("AccessDenied")
    store_of(ctx).buckets.configure(bucket.name, "Policy", text)
    return Answer({}, 204)  # docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html, sample response


@s3_operation("GetBucketPolicy", reads=True)
def get_bucket_policy(ctx: Context, request: Members) -> Members:
    return {"Policy": _policy(ctx, request)}


@s3_operation("DeleteBucketPolicy")
def delete_bucket_policy(ctx: Context, request: Members) -> Members:
    store_of(ctx).buckets.configure(request["Bucket"], "Policy", None)
    return {}


@s3_operation("GetBucketPolicyStatus", reads=True)
def get_bucket_policy_status(ctx: Context, request: Members) -> Members:
    return {"PolicyStatus": {"IsPublic": is_public_policy(_policy(ctx, request))}}


def _policy(ctx: Context, request: Members) -> str:
    text = bucket_of(ctx, request).configuration.get("Policy")
    if text is None:
        raise s3_error("NoSuchBucketPolicy")
    return str(text)


def _exists(ctx: Context, kind: str, name: str) -> bool:
    """Is that principal somebody? S3 asks of users and roles; accounts that Cloche does not hold are other people's and
    are taken as they are."""
    if kind == "canonical":
        return bool(account_of_id(ctx, name))
    if kind == "account":
        return True
    account = cast(Parts, ctx.parts).identity.find(name.split(":")[4])
    resource, _, path = name.partition(":")[2].rpartition(":")[2].partition("/")
    if account is None or resource not in ("user", "role"):
        return True
    found = account.entities.find("user" if resource == "user" else "role", path.rpartition("/")[2])
    return found is not None and found.arn == name
