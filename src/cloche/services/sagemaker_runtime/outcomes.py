"""What came of a request to a model, in AWS's words. Shared by the ordinary handler and the server's quick path."""

from __future__ import annotations

from typing import Final

from cloche.aws.errors import AwsError, fact
from cloche.engines.hosting import (
    COMPONENT,
    Answer,
    ComponentWanted,
    ContainerUnknown,
    ContainerWanted,
    EndpointUnknown,
    Full,
    NotStreamed,
    Outcome,
    ScaledToNone,
    SessionUnknown,
    TimedOut,
    Unanswered,
    VariantUnknown,
)
from cloche.services.sagemaker_runtime.asking import session_unknown

NOT_FOUND: Final = fact(
    "ValidationError",
    "Endpoint {name} of account {account} not found.",
    source="aws/amazon-sagemaker-examples#559, #293",
)
COMPONENT_WANTED: Final = fact(
    "ValidationError",
    "Inference Component Name header is required for endpoints to which you plan to deploy inference components. "
    "Please include Inference Component Name header or consider using SageMaker models.",
    source="aws-samples/amazon-kendra-langchain-extensions#64",
)
TIMED_OUT: Final = (
    "Your invocation timed out while waiting for a response from container primary. Review the latency metrics for "
    "each container in Amazon CloudWatch, resolve the issue, and try again."
)
"""RamVegiraju/SageMaker-Deployment#3 (with status 0)."""
NO_RESPONSE: Final = "Amazon SageMaker could not get a response from the {name} endpoint. ({why}.)"
"""Where the model's process ended at the request: aws/amazon-sagemaker-examples#2815 and #3089, with status 0. What AWS
guesses there of high utilization is left out; what came about, in brackets, is Cloche's."""
MESSAGE_BYTES_MAX: Final = 8_192
_SAID: Final = {
    ScaledToNone: "{asked} has no copies to answer requests with.",
    ContainerWanted: "Endpoint {name} is configured for direct invocation of its containers: the request must name one "
    "in TargetContainerHostname.",
    ContainerUnknown: "Endpoint {name} has no container of the TargetContainerHostname given that could be invoked "
    "directly.",
    NotStreamed: "Endpoint {name} is an inference pipeline: its answers are not streamed by Cloche.",
}
"""Cloche's own words. When a container must be named, and when it must not, is said ("you will get validation errors if
...") by docs.aws.amazon.com/sagemaker/latest/dg/multi-container-direct.html."""


def refusal(outcome: Outcome, variant: str, *, name: str, account: str, region: str) -> AwsError:
    """The error for any outcome but a 2xx answer."""
    if isinstance(outcome, ComponentWanted):
        return COMPONENT_WANTED.error()
    endpoint, _, component = name.partition(COMPONENT)
    if words := next((words for kind, words in _SAID.items() if isinstance(outcome, kind)), ""):
        return AwsError("ValidationError", words.format(asked=component or endpoint, name=endpoint))
    if isinstance(outcome, EndpointUnknown) and component:
        return AwsError("ValidationError", f"Endpoint {endpoint} has no inference component {component} that serves.")
    if isinstance(outcome, EndpointUnknown):
        return NOT_FOUND.error(name=name, account=account)
    if isinstance(outcome, VariantUnknown):
        return AwsError("ValidationError", f"Endpoint {name} has no production variant of the name asked for.")
    if isinstance(outcome, SessionUnknown):
        return session_unknown(name)
    if isinstance(outcome, Full):
        return AwsError("ServiceUnavailable", "The endpoint has too many requests under way. Please try again.", 503)
    if isinstance(outcome, Answer):
        text = outcome.body[:MESSAGE_BYTES_MAX].decode("utf-8", "replace")
        return model_error(outcome.status, text, name=name, account=account, region=region)
    if isinstance(outcome, TimedOut):
        return model_error(0, TIMED_OUT, name=name, account=account, region=region)
    if isinstance(outcome, Unanswered):
        text = NO_RESPONSE.format(name=endpoint, why=outcome)
        return model_error(0, text, name=name, account=account, region=region)
    return AwsError(
        "InternalFailure",
        f"No model server of {f'variant {variant} of ' if variant else ''}endpoint {name} could be reached in time; "
        "they are being started again. Please try again.",
        500,
    )


def model_error(status: int, text: str, *, name: str, account: str, region: str) -> AwsError:
    """``ModelError``, worded as in aws/sagemaker-huggingface-inference-toolkit#122."""
    fault = "client" if 400 <= status < 500 else "server"
    endpoint, _, component = name.partition(COMPONENT)
    group = f"/aws/sagemaker/InferenceComponents/{component}" if component else f"/aws/sagemaker/Endpoints/{endpoint}"
    message = (
        f'Received {fault} error ({status}) from primary with message "{text}". See '
        f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#logEventViewer:group={group} "
        f"in account {account} for more information."
    )
    return AwsError(
        "ModelError",
        message,
        424,
        fields={
            "OriginalStatusCode": status,
            "OriginalMessage": text,
            "LogStreamArn": f"arn:aws:logs:{region}:{account}:log-group:{group}",
        },
    )
