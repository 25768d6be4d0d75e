"""InvokeEndpoint: a body in, the model's body out, untouched both ways."""

from __future__ import annotations

from typing import Final

from cloche.aws.operation import Context, Members, operation
from cloche.engines.hosting import Answer, request_bytes
from cloche.foundation.errors import Invalid, NotSupported
from cloche.services.sagemaker_runtime.outcomes import refusal

REFUSED: Final = {
    "TargetModel": "several models behind one endpoint",
    "TargetContainerHostname": "calling one of several containers",
    "InferenceComponentName": "inference components",
    "EnableExplanations": "explanations beside predictions",
    "SessionId": "stateful sessions",
    "PrefixAwareId": "routing by what a request says",
}
FORWARDED: Final = (
    ("ContentType", b"content-type"),
    ("Accept", b"accept"),
    ("CustomAttributes", b"x-amzn-sagemaker-custom-attributes"),
)


@operation("InvokeEndpoint", reads=True)
async def invoke_endpoint(ctx: Context, request: Members) -> Members:
    """Send the body to one model server and answer what it answers."""
    for name, purpose in REFUSED.items():
        if request.get(name):
            raise NotSupported(f"{name} ({purpose}) is not supported by Cloche yet.")
    name = request["EndpointName"]
    headers = [(header, request[member].encode("latin-1")) for member, header in FORWARDED if request.get(member)]
    try:
        data = request_bytes(headers, request.get("Body") or b"")
    except ValueError as error:
        raise Invalid(str(error)) from None
    key = (ctx.account, ctx.region, name)
    variant, outcome = await ctx.parts.hosting.invoker.invoke(key, request.get("TargetVariant") or "", data)
    if not isinstance(outcome, Answer) or not 200 <= outcome.status < 300:
        raise refusal(outcome, variant, name=name, account=ctx.account, region=ctx.region)
    members: Members = {"Body": outcome.body, "InvokedProductionVariant": variant}
    if content_type := outcome.header(b"content-type"):
        members["ContentType"] = content_type.decode("latin-1")
    if attributes := outcome.header(b"x-amzn-sagemaker-custom-attributes"):
        members["CustomAttributes"] = attributes.decode("latin-1")
    return members
