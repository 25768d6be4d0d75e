"""TagResources and UntagResources: each resource for itself; those that fail are told with their reason."""

from __future__ import annotations

from collections.abc import Callable

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource.tagging import tag_pairs
from cloche.foundation.errors import ClocheError, Invalid


@operation("TagResources")
def tag_resources(ctx: Context, request: Members) -> Members:
    """A tag that nobody may set fails the request; what one resource does not take fails for that one."""
    pairs = tag_pairs({"Key": key, "Value": value} for key, value in request["Tags"].items())
    return _each(request, lambda arn: ctx.parts.tagging.tag(ctx.account, ctx.region, arn, pairs))


@operation("UntagResources")
def untag_resources(ctx: Context, request: Members) -> Members:
    keys = request["TagKeys"]
    for key in keys:
        if key.lower().startswith("aws:"):
            raise Invalid(f"Tag key {key} is invalid: tag keys that begin with aws: are reserved", field="TagKeys")
    return _each(request, lambda arn: ctx.parts.tagging.untag(ctx.account, ctx.region, arn, keys))


def _each(request: Members, change: Callable[[str], None]) -> Members:
    failed = {}
    for arn in dict.fromkeys(request["ResourceARNList"]):
        try:
            if arn.count(":") < 5 or not arn.startswith("arn:"):
                raise Invalid(f"{arn} is not an ARN")
            change(arn)
        except ClocheError as error:
            failed[arn] = {"StatusCode": 400, "ErrorCode": "InvalidParameterException", "ErrorMessage": error.message}
    return {"FailedResourcesMap": failed}
