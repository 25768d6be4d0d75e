"""InvokeEndpointWithResponseStream: the model's body is passed on in parts, while the model still makes it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from cloche.aws.errors import AwsError
from cloche.aws.operation import Context, Members, operation
from cloche.engines.hosting import Answer, AnswerStream, TimedOut, Unanswered, stream
from cloche.services.sagemaker_runtime.asking import asked
from cloche.services.sagemaker_runtime.outcomes import model_error, refusal
from cloche.services.sagemaker_runtime.sessions import MalformedSession, note_sessions


@operation("InvokeEndpointWithResponseStream", reads=True)
async def invoke_endpoint_with_response_stream(ctx: Context, request: Members) -> Members:
    """Send the body to one model server; what it answers comes as ``PayloadPart`` events."""
    question = await asked(ctx, request)
    where = {"name": question.name, "account": ctx.account, "region": ctx.region}
    invoker = ctx.parts.hosting.invoker
    variant, outcome = await stream(invoker, question.key, question.wanted, question.data, question.heard)
    if not isinstance(outcome, AnswerStream):
        raise refusal(outcome, variant, **where)
    try:
        if not 200 <= outcome.status < 300:
            body = await outcome.whole()
            raise refusal(Answer(outcome.status, outcome.head.headers, body), variant, **where)
        if request.get("SessionId"):
            await note_sessions(ctx, question, outcome)
    except (TimedOut, Unanswered) as error:
        raise refusal(error, variant, **where) from None
    except MalformedSession as malformed:
        outcome.close()
        raise model_error(outcome.status, str(malformed), **where) from None
    except BaseException:
        outcome.close()
        raise
    members: Members = {"Body": _events(outcome), "InvokedProductionVariant": variant}
    if content_type := outcome.header(b"content-type"):
        members["ContentType"] = content_type.decode("latin-1")
    if attributes := outcome.header(b"x-amzn-sagemaker-custom-attributes"):
        members["CustomAttributes"] = attributes.decode("latin-1")
    return members


async def _events(answer: AnswerStream) -> AsyncIterator[Members]:
    """The two ``ErrorCode``s are the model's (``ModelStreamError``)."""
    pieces = answer.pieces()
    try:
        async for piece in pieces:
            yield {"PayloadPart": {"Bytes": piece}}
    except TimedOut as error:
        raise _broken("ModelInvocationTimeExceeded", f"The model did not finish its answer in time: {error}.") from None
    except Unanswered as error:
        raise _broken("StreamBroken", f"The model's answer broke off: {error}.") from None
    finally:
        await pieces.aclose()
        answer.close()


def _broken(code: str, message: str) -> AwsError:
    return AwsError("ModelStreamError", message, fields={"ErrorCode": code})
