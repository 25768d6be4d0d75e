"""The least that each operation's model lets through, and ARNs of a stranger's account in it."""

from __future__ import annotations

from typing import Any

from cloche.aws import validation
from cloche.aws.errors import AwsError
from cloche.server.dispatch import Dispatch

STRANGER = "999988887777"
ARNS = tuple(
    text.format(STRANGER)
    for text in (
        "arn:aws:sagemaker:us-east-1:{}:training-job/theirs",
        "arn:aws:iam::{}:role/theirs",
        "arn:aws:iam::{}:policy/theirs",
        "arn:aws:iam::{}:oidc-provider/theirs.example",
        "arn:aws:iam::{}:saml-provider/theirs",
        "arn:aws:iam::{}:mfa/theirs",
        "arn:aws:logs:us-east-1:{}:log-group:theirs",
        "arn:aws:logs:us-east-1:{}:log-group:theirs:log-stream:s",
        "arn:aws:cloudwatch:us-east-1:{}:alarm:theirs",
        "arn:aws:kms:us-east-1:{}:key/12345678-1234-1234-1234-123456789012",
        "arn:aws:s3:us-east-1:{}:accesspoint/theirs",
        "arn:aws:sns:us-east-1:{}:theirs",
        "arn:aws:sqs:us-east-1:{}:theirs",
        "arn:aws:events:us-east-1:{}:event-bus/theirs",
        "arn:aws:scheduler:us-east-1:{}:schedule-group/theirs",
        "arn:aws:lambda:us-east-1:{}:function:theirs",
        "arn:aws:lambda:us-east-1:{}:layer:theirs",
        "arn:aws:lambda:us-east-1:{}:layer:theirs:1",
        "arn:aws:lambda:us-east-1:{}:code-signing-config:csc-0123456789abcdef0",
        "arn:aws:kinesis:us-east-1:{}:stream/theirs",
        "arn:aws:sagemaker:us-east-1:{}:endpoint/theirs",
        "arn:aws:sagemaker:us-east-1:{}:model-package/theirs/1",
        "arn:aws:sagemaker:us-east-1:{}:training-plan/theirs",
        "arn:aws:sagemaker:us-east-1:{}:artifact/theirs",
        "arn:aws:sagemaker:us-east-1:{}:action/theirs",
        "arn:aws:sagemaker:us-east-1:{}:context/theirs",
        "arn:aws:sagemaker:us-east-1:{}:lineage-group/theirs",
        "arn:aws:sagemaker:us-east-1:{}:model-card/theirs",
        "arn:aws:sagemaker:us-east-1:{}:pipeline/theirs",
        "arn:aws:sagemaker:us-east-1:{}:pipeline/theirs/execution/abcdefghijkl",
        "arn:aws:sagemaker:us-east-1:{}:model-card/theirs/export-job/theirs",
        "arn:aws:application-autoscaling:us-east-1:{}:scalable-target/0a1b2c3d4e5f",
        "arn:aws:iam::{}:root",
    )
)
TEXTS = (
    "theirs-1",
    "1",
    "v1",
    "123456789012",
    "s3://theirs/x",
    "us-east-1",
    "/theirs",
    "{}",
    "ml.m5.large",
    "a@b.example",
    "lambda:GetLayerVersion",
)


class NoInput(ValueError):
    """Nothing that this generator makes passes the model's checks."""


def offered() -> list[tuple[str, str]]:
    """Every operation that Cloche answers, by service and name."""
    dispatch = Dispatch()
    found = []
    for service in dispatch.names():
        known = dispatch.offered(service)
        assert known is not None
        found += [(service, name) for name in sorted(known.operations)]
    return found


def is_arn(name: str, shape: Any) -> bool:
    return shape.type_name == "string" and ("arn" in name.lower() or "arn:" in str(shape.metadata.get("pattern", "")))


def minimal(shape: Any, *, arn: str, also: str = "", depth: int = 0) -> Any:
    """A value of ``shape`` with what is required, and the top-level member called ``also``."""
    kind = shape.type_name
    if kind == "structure":
        names = list(shape.required_members)
        if getattr(shape, "is_tagged_union", False) and not names and shape.members:
            names = [next(iter(shape.members))]
        if also and also not in names:
            names.append(also)
        if depth > 6:
            return {}
        return {name: _member(name, shape.members[name], arn, depth) for name in names}
    if kind == "list":
        return [minimal(shape.member, arn=arn, depth=depth + 1)] * max(1, int(shape.metadata.get("min", 1)))
    if kind == "map":
        return {minimal(shape.key, arn=arn): minimal(shape.value, arn=arn, depth=depth + 1)}
    return _scalar("", shape, arn)


def _member(name: str, shape: Any, arn: str, depth: int) -> Any:
    if shape.type_name == "string":
        return _scalar(name, shape, arn)
    return minimal(shape, arn=arn, depth=depth + 1)


def _scalar(name: str, shape: Any, arn: str) -> Any:
    kind = shape.type_name
    if kind == "string":
        if shape.metadata.get("enum"):
            return shape.metadata["enum"][0]
        for text in ((arn,) if is_arn(name, shape) else ()) + TEXTS + ARNS:
            if fits(shape, text):
                return text
        return "x" * max(1, int(shape.metadata.get("min", 1)))
    if kind in ("integer", "long", "short", "byte", "float", "double"):
        return max(1, int(shape.metadata.get("min", 1)))
    return {"boolean": True, "blob": b"x", "timestamp": "2026-11-25T00:00:00Z"}.get(kind, "x")


def fits(shape: Any, text: str) -> bool:
    checks = validation._Checks("probe")
    check = checks.of(shape)
    return check is None or not check(text)


def with_stranger(service: Any, operation: Any, member: str) -> list[dict[str, Any]]:
    """Inputs that the model passes, each with a stranger's ARN as ``member``: all the service's own kinds of ARN, or
    the first of others' that fits. Raises ``NoInput`` where there is none."""
    shape = operation.input_shape
    own = [arn for arn in ARNS if arn.split(":")[2] == service.signing_name]
    found: list[dict[str, Any]] = []
    for arn in own + [arn for arn in ARNS if arn not in own]:
        if (found and arn not in own) or not fits(shape.members[member], arn):
            continue
        made = {**minimal(shape, arn=arn, also=member), member: arn}
        try:
            validation.validate(service, operation, made)
        except AwsError:
            continue
        found.append(made)
    if not found:
        raise NoInput(f"{service.service_name}.{operation.name} {member}")
    return found
