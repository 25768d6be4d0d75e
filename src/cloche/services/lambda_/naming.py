"""Functions and layers as requests name them: by name, by a part of the ARN, by the ARN, with a qualifier or without.

The forms: docs.aws.amazon.com/lambda/latest/api/API_Invoke.html ("Function name, Partial ARN, Function ARN").
"""

from __future__ import annotations

import re

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members
from cloche.engines.functions import LATEST, Owner
from cloche.foundation.errors import Invalid

_NAME = re.compile(
    r"(?:arn:aws[a-zA-Z-]*:lambda:)?(?:(?P<region>[a-z]{2}(?:-[a-z]+)+-\d):)?(?:(?P<account>\d{12}):)?(?:function:)?"
    r"(?P<name>[a-zA-Z0-9_-]{1,64})(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9_-]+))?"
)
_LAYER = re.compile(
    r"arn:aws[a-zA-Z-]*:lambda:(?P<region>[^:]+):(?P<account>\d{12}):layer:(?P<name>[a-zA-Z0-9_-]{1,140})"
)


def named(ctx: Context, request: Members) -> tuple[Owner, str]:
    """The function, and the qualifier of its name or of the request (empty for none). Raises ``Invalid``, and
    ``ResourceNotFoundException`` for another account's."""
    text = str(request["FunctionName"])
    found = _NAME.fullmatch(text)
    if found is None:
        raise Invalid(f"{text[:140]} is not a function's name or ARN", field="FunctionName")
    owner = Owner(ctx.account, ctx.region, found["name"])
    if found["account"] not in (None, ctx.account):
        raise AwsError("AccessDeniedException", f"Cross-account access to {text} is not possible in Cloche", 403)
    if found["region"] not in (None, ctx.region):
        raise AwsError(
            "ResourceNotFoundException",
            f"Functions from '{found['region']}' are not reachable in this region ('{ctx.region}')",
            404,
            fields={"Type": "User"},
        )
    inside, beside = found["qualifier"] or "", str(request.get("Qualifier") or "")
    if inside and beside and inside != beside:
        raise Invalid(
            "The derived qualifier from the function name does not match the specified qualifier.", field="Qualifier"
        )
    return owner, inside or beside


def unqualified(ctx: Context, request: Members) -> Owner:
    """The function, for operations on the function itself. Raises ``Invalid`` where a version is named."""
    owner, qualifier = named(ctx, request)
    if qualifier not in ("", LATEST):
        raise Invalid(f"{request['FunctionName']} names a version or an alias", field="FunctionName")
    return owner


def layer_name(ctx: Context, request: Members) -> str:
    """Raises ``Invalid`` for another account's or region's."""
    text = str(request["LayerName"])
    if not text.startswith("arn:"):
        return text
    found = _LAYER.fullmatch(text)
    if found is None or (found["region"], found["account"]) != (ctx.region, ctx.account):
        raise Invalid(f"{text} is not a layer of this account and region", field="LayerName")
    return found["name"]
