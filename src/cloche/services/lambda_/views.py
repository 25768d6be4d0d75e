"""How functions and their parts look on the wire."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cloche.aws.operation import Context, Members
from cloche.engines.functions import LATEST, Alias, EventConfig, LayerVersion, Owner, Version
from cloche.foundation.clock import from_epoch

STATES = {
    "Pending": ("Creating", "The function is being created."),
    "Failed": ("InternalError", ""),
}
"""``StateReasonCode`` and, where AWS always says the same, ``StateReason`` (its answers to CreateFunction)."""


def stamp(at: float) -> str:
    """``2026-11-25T17:03:12.123+0000``"""
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return moment.replace("+00:00", "+0000")


def configuration(ctx: Context, version: Version, *, qualified: bool) -> Members:
    """``qualified``: the ARN names the version."""
    held, owner = version.configuration, version.owner
    number = ctx.parts.functions.python_version
    shown: Members = {
        "FunctionName": owner.name,
        "FunctionArn": f"{owner.arn}:{version.qualifier}" if qualified else owner.arn,
        "Runtime": held.runtime,
        "Role": held.role,
        "Handler": held.handler,
        "CodeSize": version.code.zipped_bytes,
        "Description": held.description,
        "Timeout": held.timeout_seconds,
        "MemorySize": held.memory_mb,
        "LastModified": stamp(version.modified_at),
        "CodeSha256": version.code.sha256,
        "Version": version.qualifier,
        "TracingConfig": {"Mode": held.tracing},
        "RevisionId": version.revision,
        "State": version.state,
        "PackageType": "Zip",
        "Architectures": [held.architecture],
        "EphemeralStorage": {"Size": held.storage_mb},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "RuntimeVersionConfig": {
            "RuntimeVersionArn": f"arn:aws:lambda:{owner.region}::runtime:cloche-cpython-{number}"
        },
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": version.log_group},
    }
    if version.state in STATES:
        code, reason = STATES[version.state]
        shown |= {"StateReasonCode": code, "StateReason": version.reason or reason}
    else:
        shown["LastUpdateStatus"] = "Successful"
    if held.environment:
        shown["Environment"] = {"Variables": dict(held.environment)}
    if held.dead_letter:
        shown["DeadLetterConfig"] = {"TargetArn": held.dead_letter}
    if held.layers:
        shown["Layers"] = [{"Arn": layer.arn, "CodeSize": layer.zipped_bytes} for layer in held.layers]
    if held.kms_key:
        shown["KMSKeyArn"] = held.kms_key
    if held.vpc:
        shown["VpcConfig"] = dict(held.vpc)
    return shown


def alias(owner: Owner, held: Alias) -> Members:
    shown: Members = {
        "AliasArn": f"{owner.arn}:{held.name}",
        "Name": held.name,
        "FunctionVersion": held.version,
        "Description": held.description,
        "RevisionId": held.revision,
    }
    if held.weights:
        shown["RoutingConfig"] = {"AdditionalVersionWeights": dict(held.weights)}
    return shown


def layer_version(held: LayerVersion) -> Members:
    shown: Members = {
        "LayerVersionArn": held.arn,
        "Version": held.number,
        "Description": held.description,
        "CreatedDate": stamp(held.created_at),
    }
    if held.runtimes:
        shown["CompatibleRuntimes"] = list(held.runtimes)
    if held.architectures:
        shown["CompatibleArchitectures"] = list(held.architectures)
    if held.license:
        shown["LicenseInfo"] = held.license
    return shown


def layer_content(held: LayerVersion) -> Members:
    content = {"CodeSha256": held.code.sha256, "CodeSize": held.code.zipped_bytes}
    return {**layer_version(held), "LayerArn": held.layer_arn, "Content": content}


def event_config(owner: Owner, held: EventConfig) -> Members:
    arn = owner.arn if held.qualifier == LATEST else f"{owner.arn}:{held.qualifier}"
    shown: Members = {"LastModified": from_epoch(held.modified_at), "FunctionArn": f"{arn}:$LATEST"}
    if held.qualifier != LATEST:
        shown["FunctionArn"] = arn
    if held.retries is not None:
        shown["MaximumRetryAttempts"] = held.retries
    if held.age_seconds is not None:
        shown["MaximumEventAgeInSeconds"] = held.age_seconds
    destinations: dict[str, Any] = {"OnSuccess": {}, "OnFailure": {}}
    if held.on_success:
        destinations["OnSuccess"] = {"Destination": held.on_success}
    if held.on_failure:
        destinations["OnFailure"] = {"Destination": held.on_failure}
    shown["DestinationConfig"] = destinations
    return shown
