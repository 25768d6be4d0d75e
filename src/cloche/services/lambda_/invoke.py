"""Invocations: awaited, kept for later, tried out only, streamed."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Final

import orjson

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.engines.functions import LATEST, Event, Outcome, Throttled, Unready
from cloche.engines.functions.registry import resolve
from cloche.foundation.errors import NotSupported
from cloche.services.lambda_.naming import named

PAYLOAD_BYTES_MAX: Final = 6 * 1024 * 1024
EVENT_BYTES_MAX: Final = 1024 * 1024
"""docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: "1 MB for the asynchronous request"."""
CONTEXT_BYTES_MAX: Final = 3583
"""API_Invoke.html: "Up to 3,583 bytes of base64-encoded data"."""


@operation("Invoke")
async def invoke(ctx: Context, request: Members) -> Members:
    kind = request.get("InvocationType", "RequestResponse")
    for member in ("DurableExecutionName", "TenantId"):
        if request.get(member):
            raise NotSupported(f"Invoke does not support {member} in Cloche")
    payload = _payload(request, kind)
    owner, qualifier = named(ctx, request)
    qualifier = qualifier or LATEST
    if kind == "DryRun":
        await asyncio.to_thread(resolve, ctx.parts.database.reader, owner, qualifier)
        return {"StatusCode": 204}
    if kind == "Event":
        await asyncio.to_thread(_keep, ctx, request, payload)
        return {"StatusCode": 202}
    outcome = await _outcome(ctx, request, payload)
    answer: Members = {"StatusCode": 200, "ExecutedVersion": outcome.version, "Payload": outcome.payload}
    if outcome.failed:
        answer["FunctionError"] = "Unhandled"
    if request.get("LogType") == "Tail":
        answer["LogResult"] = base64.b64encode(outcome.log).decode()
    return answer


@operation("InvokeAsync")
async def invoke_async(ctx: Context, request: Members) -> Members:
    """The old form of ``InvocationType=Event``."""
    payload = _payload({**request, "Payload": request["InvokeArgs"]}, "Event")
    await asyncio.to_thread(_keep, ctx, request, payload)
    return {"Status": 202}


@operation("InvokeWithResponseStream")
async def invoke_with_response_stream(ctx: Context, request: Members) -> Members:
    """Python's runtimes do not stream: the whole answer is one part, as on AWS."""
    if request.get("InvocationType") == "DryRun":
        owner, qualifier = named(ctx, request)
        await asyncio.to_thread(resolve, ctx.parts.database.reader, owner, qualifier or LATEST)
        return {"StatusCode": 204}
    outcome = await _outcome(ctx, request, _payload(request, "RequestResponse"))
    return {"StatusCode": 200, "ExecutedVersion": outcome.version, "EventStream": _parts(request, outcome)}


async def _parts(request: Members, outcome: Outcome) -> AsyncIterator[Members]:
    end: Members = {}
    if outcome.failed:
        told = orjson.loads(outcome.payload)
        end = {"ErrorCode": told["errorType"], "ErrorDetails": outcome.payload.decode()}
    else:
        yield {"PayloadChunk": {"Payload": outcome.payload}}
    if request.get("LogType") == "Tail":
        end["LogResult"] = base64.b64encode(outcome.log).decode()
    yield {"InvokeComplete": end}


async def _outcome(ctx: Context, request: Members, payload: bytes) -> Outcome:
    owner, qualifier = named(ctx, request)
    arn = f"{owner.arn}:{qualifier}" if qualifier else owner.arn
    context = _client_context(request.get("ClientContext"))
    event = Event(ctx.request_id, payload, arn, context, request.get("LogType") == "Tail")
    functions = ctx.parts.functions
    try:
        outcome: Outcome = await functions.invoke(functions.target(owner, qualifier or LATEST), event)
    except Throttled as error:
        fields = {"Type": "User", "Reason": error.reason}
        raise AwsError("TooManyRequestsException", str(error), 429, fields=fields) from None
    except Unready as error:
        raise AwsError("ResourceConflictException", str(error), 409, fields={"Type": "User"}) from None
    return outcome


def _keep(ctx: Context, request: Members, payload: bytes) -> None:
    owner, qualifier = named(ctx, request)
    resolve(ctx.parts.database.reader, owner, qualifier or LATEST)
    ctx.parts.functions.events.submit(owner, qualifier or LATEST, ctx.request_id, payload)


def _payload(request: Members, kind: str) -> bytes:
    """Raises for what is too long or no JSON (the words are AWS's as clients quote them)."""
    payload = bytes(request.get("Payload") or b"")
    most = EVENT_BYTES_MAX if kind == "Event" else PAYLOAD_BYTES_MAX
    if len(payload) > most:
        text = f"{len(payload)} byte payload is too large for the {kind} invocation type (limit {most} bytes)"
        raise AwsError("RequestTooLargeException", text, 413, fields={"Type": "User"})
    if payload:
        try:
            orjson.loads(payload)
        except orjson.JSONDecodeError as error:
            text = f"Could not parse request body into json: Could not parse payload into json: {error}"
            raise AwsError("InvalidRequestContentException", text, 400, fields={"Type": "User"}) from None
    return payload


def _client_context(text: str | None) -> str | None:
    """Raises for what is not Base64 of a JSON object."""
    if not text:
        return None
    try:
        told = base64.b64decode(text, validate=True).decode()
        fits = len(text) <= CONTEXT_BYTES_MAX and isinstance(orjson.loads(told), dict)
    except ValueError:
        fits = False
    if not fits:
        text = "Client context must be a valid Base64-encoded JSON object."
        raise AwsError("InvalidRequestContentException", text, 400, fields={"Type": "User"})
    return told
