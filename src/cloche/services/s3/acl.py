"""Access control lists as they are when nobody ever set one: the owner has full control.

BucketOwnerEnforced, the setting of every new bucket, switches them off
(docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html); what is answered here is what S3
answers then.
"""

from __future__ import annotations

from cloche.aws.operation import Context, Members
from cloche.services.s3.describing import owner_view
from cloche.services.s3.handling import s3_operation, store_of


@s3_operation("GetBucketAcl", reads=True)
def get_bucket_acl(ctx: Context, request: Members) -> Members:
    return _owner_alone(ctx)


@s3_operation("GetObjectAcl", reads=True)
def get_object_acl(ctx: Context, request: Members) -> Members:
    store_of(ctx).head(request["Bucket"], request["Key"])
    return _owner_alone(ctx)


def _owner_alone(ctx: Context) -> Members:
    owner = owner_view(ctx)
    return {
        "Owner": owner,
        "Grants": [{"Grantee": {**owner, "Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"}],
    }
