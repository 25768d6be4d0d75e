"""InvokeEndpoint: a body in, the model's body out, untouched both ways."""

from __future__ import annotations

from cloche.aws.operation import Context, Members, operation
from cloche.engines.hosting import Answer
from cloche.services.sagemaker_runtime.asking import asked
from cloche.services.sagemaker_runtime.outcomes import model_error, refusal
from cloche.services.sagemaker_runtime.sessions import MalformedSession, note_sessions


@operation("InvokeEndpoint", reads=True)
async def invoke_endpoint(ctx: Context, request: Members) -> Members:
    """Send the body to one model server and answer what it answers."""
    question = await asked(ctx, request)
    where = {"name": question.name, "account": ctx.account, "region": ctx.region}
    variant, outcome = await ctx.parts.hosting.invoker.invoke(
        question.key, question.wanted, question.data, question.heard
    )
    if not isinstance(outcome, Answer) or not 200 <= outcome.status < 300:
        raise refusal(outcome, variant, **where)
    members: Members = {"Body": outcome.body, "InvokedProductionVariant": variant}
    if content_type := outcome.header(b"content-type"):
        members["ContentType"] = content_type.decode("latin-1")
    if attributes := outcome.header(b"x-amzn-sagemaker-custom-attributes"):
        members["CustomAttributes"] = attributes.decode("latin-1")
    if request.get("SessionId"):
        try:
            opened, closed = await note_sessions(ctx, question, outcome)
        except MalformedSession as malformed:
            raise model_error(outcome.status, str(malformed), **where) from None
        members |= {"NewSessionId": opened or None, "ClosedSessionId": closed or None}
    return members
