"""A bucket is in one region; who asks another is told where.

A client signs for the region whose endpoint it means to talk to, so that region stands for the endpoint here. Words,
codes and headers as clients rely on them to find the way: botocore/utils.py (S3RegionRedirector) follows a 301, a 400
of HEAD and AuthorizationHeaderMalformed with ``Region``, and reads ``x-amz-bucket-region``. Which of them is sent when:
docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html and …/Redirects.html
"""

from __future__ import annotations

from typing import Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context
from cloche.aws.routing import bucket_of_host
from cloche.storage.objects import Bucket

_ANYWHERE: Final = ("GetBucketLocation", "CreateBucket")


def check_region(ctx: Context, operation: str, bucket: Bucket) -> None:
    """Raises PermanentRedirect or AuthorizationHeaderMalformed for a request signed for another region."""
    region = ctx.region
    if region in (bucket.region, "*") or operation in _ANYWHERE or ctx.caller.anonymous or not signed_in_region(ctx):
        return
    headers = (("x-amz-bucket-region", bucket.region),)
    if bucket_of_host(ctx.http.host):
        # The bucket's own name leads to its region, where the signature's is the wrong one.
        raise AwsError(
            "AuthorizationHeaderMalformed",
            f"The authorization header is malformed; the region '{region}' is wrong; expecting '{bucket.region}'",
            400,
            fields={"Region": bucket.region},
            headers=headers,
        )
    raise AwsError(
        "PermanentRedirect",
        "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all "
        "future requests to this endpoint.",
        301,
        fields={"Endpoint": f"{bucket.name}.s3.{bucket.region}.amazonaws.com", "Bucket": bucket.name},
        headers=headers,
    )


def signed_in_region(ctx: Context) -> bool:
    """Signature Version 2 names no region; what comes from inside is not signed at all."""
    return "authorization" in ctx.http.headers or "X-Amz-Signature=" in ctx.http.query
