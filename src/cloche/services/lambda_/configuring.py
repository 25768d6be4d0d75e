"""From the members of CreateFunction and UpdateFunctionConfiguration to a configuration, with the checks AWS makes.

What Cloche does not do is refused by its name; what changes nothing here is taken.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from cloche.aws.operation import Context, Members
from cloche.engines.functions import Code, Configuration
from cloche.foundation.errors import Denied, Invalid, NotSupported

LAMBDA: Final = "lambda.amazonaws.com"
ENVIRONMENT_BYTES_MAX: Final = 4096
TIMEOUT_SECONDS_MAX: Final = 900
MEMORY_MB_MAX: Final = 10_240
STORAGE_MB: Final = (512, 10_240)
"""All: docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
PYTHONS: Final = tuple(f"python3.{minor}" for minor in range(8, 15))
"""Those that AWS's model and its SDKs name; one Python stands in for all of them."""
RESERVED: Final = frozenset(
    (
        *("_HANDLER", "_X_AMZN_TRACE_ID", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"),
        *("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_RUNTIME_API"),
        *("AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION"),
        *("AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME"),
        *("AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    )
)
"""docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html: "Reserved environment variables"."""
_REFUSED: Final = {
    "FileSystemConfigs": "file systems of EFS and S3 Files",
    "CodeSigningConfigArn": "code signing",
    "ImageConfig": "container images",
    "CapacityProviderConfig": "Lambda Managed Instances",
    "TenancyConfig": "tenant isolation",
    "DurableConfig": "durable functions",
    "RuntimeConfig": "custom runtimes",
    "AcceleratorConfig": "accelerators",
}


def check_refused(operation: str, request: Members) -> None:
    """Raises ``NotSupported`` for what Cloche does not do."""
    for member, what in _REFUSED.items():
        if request.get(member):
            raise NotSupported(f"{operation} does not support {member} in Cloche: {what} are not offered")
    if request.get("PackageType", "Zip") != "Zip":
        raise NotSupported(f"{operation} does not support PackageType Image in Cloche: container images cannot run")
    if (request.get("SnapStart") or {}).get("ApplyOn", "None") != "None":
        raise NotSupported(f"{operation} does not support SnapStart in Cloche")
    logging = request.get("LoggingConfig") or {}
    for member in ("ApplicationLogLevel", "SystemLogLevel"):
        if logging.get(member):
            raise NotSupported(f"{operation} does not support {member} in Cloche: logs are written as text")
    if logging.get("LogFormat", "Text") != "Text":
        raise NotSupported(f"{operation} does not support LogFormat JSON in Cloche: logs are written as text")
    if request.get("PublishTo"):
        raise NotSupported(f"{operation} does not support PublishTo in Cloche")


def first(ctx: Context, request: Members, code: Code) -> Configuration:
    """Of a new function."""
    for member in ("Runtime", "Handler"):
        if not request.get(member):
            raise Invalid(
                "Runtime and Handler are mandatory parameters for functions created with deployment packages."
            )
    return Configuration(**changes_of(ctx, "CreateFunction", request, code))


def changes_of(ctx: Context, operation: str, request: Members, code: Code) -> dict[str, Any]:
    """What the members that are given make of a configuration. Raises ``Invalid``, ``NotSupported``, ``Denied``."""
    readers: dict[str, tuple[str, Callable[[Any], Any]]] = {
        "Handler": ("handler", str),
        "Description": ("description", str),
        "KMSKeyArn": ("kms_key", str),
        "Runtime": ("runtime", lambda runtime: _runtime(operation, runtime)),
        "Role": ("role", lambda role: _role(ctx, role)),
        "Timeout": ("timeout_seconds", lambda value: _at_most(value, TIMEOUT_SECONDS_MAX, "timeout")),
        "MemorySize": ("memory_mb", lambda value: _at_most(value, MEMORY_MB_MAX, "memorySize")),
        "Environment": ("environment", lambda given: _environment(given.get("Variables") or {})),
        "Layers": ("layers", lambda arns: ctx.parts.functions.layers.used(ctx.account, ctx.region, arns, code)),
        "DeadLetterConfig": ("dead_letter", lambda given: _dead_letter(ctx, given.get("TargetArn", ""))),
        "EphemeralStorage": ("storage_mb", lambda given: given["Size"]),
        "TracingConfig": ("tracing", lambda given: given.get("Mode", "PassThrough")),
        "Architectures": ("architecture", lambda given: given[0]),
        "LoggingConfig": ("log_group", lambda given: given.get("LogGroup", "")),
        "VpcConfig": ("vpc", _vpc),
    }
    return {name: read(request[member]) for member, (name, read) in readers.items() if member in request}


def _runtime(operation: str, runtime: str) -> str:
    if runtime not in PYTHONS:
        raise NotSupported(
            f"{operation} does not support the runtime {runtime} in Cloche: {PYTHONS[0]} to {PYTHONS[-1]} are offered, "
            "for each of which the Python of this machine stands in"
        )
    return runtime


def _role(ctx: Context, role: str) -> str:
    account = role.split(":")[4]
    if account != ctx.account:
        raise Denied("Cross-account pass role is not allowed.")
    if not ctx.parts.identity.trusts(role, LAMBDA, account=ctx.account):
        # aws/amazon-sagemaker-examples and many others quote it.
        raise Invalid("The role defined for the function cannot be assumed by Lambda.", field="Role")
    return role


def _vpc(given: Members) -> Members:
    """Kept and shown, and nothing more (decision 40); without subnets and groups there is none. Raises ``Invalid``."""
    found = {member: list(given.get(member) or ()) for member in ("SubnetIds", "SecurityGroupIds")}
    if not any(found.values()):
        return {}
    if not all(found.values()):
        # AWS's own words, which many quote: without a field, whose name it would add.
        raise Invalid("SubnetIds and SecurityIds must coexist or be both empty list.")
    return {**found, "Ipv6AllowedForDualStack": bool(given.get("Ipv6AllowedForDualStack"))}


def _at_most(value: int, most: int, member: str) -> int:
    if value > most:
        raise Invalid(
            f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must "
            f"have value less than or equal to {most}",
            field=member,
        )
    return value


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    reserved = sorted(RESERVED & set(variables))
    if reserved:
        raise Invalid(
            "Lambda was unable to configure your environment variables because the environment variables you have "
            "provided contains reserved keys that are currently not supported for modification. Reserved keys used in "
            f"this request: {', '.join(reserved)}",
            field="Environment",
        )
    text = json.dumps(dict(variables), separators=(",", ":"), ensure_ascii=False)
    if len(text.encode("utf-8", "surrogatepass")) > ENVIRONMENT_BYTES_MAX:
        raise Invalid(
            "Lambda was unable to configure your environment variables because the environment variables you have "
            f"provided exceeded the 4KB limit. String measured: {text}",
            field="Environment",
        )
    if any("\0" in value for value in variables.values()):
        raise Invalid("An environment variable may not contain a NUL character", field="Environment")
    return dict(variables)


def _dead_letter(ctx: Context, arn: str) -> str:
    if arn:
        check_outlet(arn, "DeadLetterConfig")
    return arn


def check_outlet(arn: str, member: str) -> None:
    """Raises ``NotSupported`` for what is neither a queue of Amazon SQS nor a standard topic of Amazon SNS."""
    if not arn.startswith(("arn:aws:sqs:", "arn:aws:sns:")):
        service = arn.split(":")[2]
        raise NotSupported(f"{member} does not support {service} in Cloche: Amazon SQS and SNS are offered")
    if arn.startswith("arn:aws:sns:") and arn.endswith(".fifo"):
        raise NotSupported(f"{member} does not support FIFO topics in Cloche")
