"""What a request to an endpoint says, for the engine: where it goes and the bytes that go there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members
from cloche.engines.hosting import COMPONENT, Known, Wanted, request_bytes, request_head
from cloche.foundation.errors import Invalid, NotSupported

REFUSED: Final = {
    "TargetModel": "several models behind one endpoint",
    "EnableExplanations": "explanations beside predictions",
    "PrefixAwareId": "routing by what a request says",
}
FORWARDED: Final = (
    ("ContentType", b"content-type"),
    ("Accept", b"accept"),
    ("CustomAttributes", b"x-amzn-sagemaker-custom-attributes"),
    ("SessionId", b"x-amzn-sagemaker-session-id"),
)
"""``InferenceId`` is for the captured data, not for the model (API_runtime_InvokeEndpoint.html)."""
NEW_SESSION: Final = "NEW_SESSION"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: the endpoint's key in the engine, what it wants there, and the whole HTTP request."""

    key: tuple[str, str, str]
    wanted: Wanted
    data: tuple[bytes, ...]
    heard: Known

    @property
    def name(self) -> str:
        """The endpoint's, and the component's after a ``COMPONENT``."""
        return self.key[2]


async def asked(ctx: Context, request: Members) -> Asked:
    """Raises ``NotSupported``, ``Invalid``, and AWS's words for a session that is not there."""
    for member, purpose in REFUSED.items():
        if request.get(member):
            raise NotSupported(f"{member} ({purpose}) is not supported by Cloche yet.")
    headers = [(header, request[member].encode("latin-1")) for member, header in FORWARDED if request.get(member)]
    body = request.get("Body") or b""
    try:
        data = request_bytes(request_head(headers), body)
    except ValueError as error:
        raise Invalid(str(error)) from None
    name = request["EndpointName"]
    if component := request.get("InferenceComponentName"):
        if request.get("TargetVariant"):
            raise Invalid("A request names an inference component or a variant, not both.", field="TargetVariant")
        name += COMPONENT + component
    key = (ctx.account, ctx.region, name)
    instance = ""
    session = request.get("SessionId") or NEW_SESSION
    if session != NEW_SESSION:
        instance = await asyncio.to_thread(ctx.parts.hosting.sessions.process, key, session) or ""
        if not instance:
            raise session_unknown(key[2])
    type, id, attributes = (request.get(name) or "" for name in ("ContentType", "InferenceId", "CustomAttributes"))
    heard = Known(body, ctx.request_id.encode(), (type, id, attributes))
    wanted = Wanted(request.get("TargetVariant") or "", instance, request.get("TargetContainerHostname") or "")
    return Asked(key, wanted, data, heard)


def session_unknown(endpoint: str) -> AwsError:
    """Neither the model nor the documentation has AWS's words for it; these are Cloche's."""
    return AwsError(
        "ValidationError",
        f"Endpoint {endpoint} has no session of that id: it never was, has expired or was closed, or the instance "
        "that held it is gone.",
    )
