"""Targets that are operations: a SageMaker pipeline to be started, and whatever else the Scheduler may call.

They are called through the port of the engines, as the role that the target names, outside of any transaction; tokens
made of the delivery's own id keep a call that is made twice from having its effect twice, where an operation takes one.

docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html and managing-targets-templated.html
"""

from __future__ import annotations

import base64
import json
import re
import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from cloche.aws.arn import Arn
from cloche.aws.model.load import service_model
from cloche.aws.model.shape import Shape
from cloche.engines.events import Parcel
from cloche.engines.events.transform import dynamic
from cloche.foundation.api import Api, Behalf, Refused
from cloche.foundation.errors import Denied, Invalid, NotFound, NotSupported
from cloche.server.dispatch import Dispatch
from cloche.server.documents import read_members

if TYPE_CHECKING:
    from botocore.model import OperationModel

_UNIVERSAL: Final = re.compile(r"arn:aws:scheduler:::aws-sdk:([a-z0-9]+):([a-zA-Z0-9]+)")
_OF_SDK: Final[Mapping[str, str]] = {"eventbridge": "events", "cloudwatchlogs": "logs", "cloudwatchevents": "events"}
"""Names that the SDK for Java gives services where they are not the names of the endpoints without their dashes."""
_READING: Final = (
    *("get", "describe", "list", "poll", "receive", "search", "scan", "query", "select", "read", "lookup", "discover"),
    *("validate", "batchGet", "batchDescribe", "batchRead", "transactGet", "adminGet", "adminList", "testMigration"),
    *("retrieve", "testConnection", "translateDocument", "isAuthorized", "invokeModel"),
)
_PLACE: Final = re.compile(r"<aws\.scheduler\.[a-z-]+>")


class PipelineTarget:
    """``arn:aws:sagemaker:…:pipeline/name``: an execution is started, once for each delivery."""

    in_transaction = False

    def __init__(self, api: Api) -> None:
        self._api = api

    def deliver(self, tx: sqlite3.Connection | None, parcel: Parcel) -> None:
        arn = Arn.parse(parcel.arn)
        if arn.kind != "pipeline":
            raise NotFound(f"{parcel.arn} is not the ARN of a pipeline.")
        parameters = (parcel.target.get("SageMakerPipelineParameters") or {}).get("PipelineParameterList") or []
        request = {
            "PipelineName": arn.name,
            "ClientRequestToken": parcel.id,
            "PipelineParameters": [
                {"Name": each["Name"], "Value": dynamic(each["Value"], parcel.event)} for each in parameters
            ],
        }
        _call(self._api, parcel, "sagemaker", "StartPipelineExecution", request)


class UniversalTarget:
    """``arn:aws:scheduler:::aws-sdk:service:operation``: any operation that Cloche offers, asked for the input."""

    in_transaction = False

    def __init__(self, api: Api, dispatch: Dispatch) -> None:
        self._api, self._dispatch = api, dispatch

    def require(self, arn: str, input: str | None) -> None:
        service, operation = self._named(arn)
        _request(service, operation, _PLACE.sub("0", input or "{}"))

    def deliver(self, tx: sqlite3.Connection | None, parcel: Parcel) -> None:
        service, operation = self._named(parcel.arn)
        request = _request(service, operation, parcel.payload)
        token = _token(operation)
        if token is not None:
            request.setdefault(token, parcel.id)
        try:
            members = read_members(service, operation.name, request)
        except Refused as error:
            raise Invalid(error.message) from error
        _call(self._api, parcel, service, operation.name, members)

    def _named(self, arn: str) -> tuple[str, OperationModel]:
        """The service in botocore's words. Raises ``Invalid``, ``NotSupported``."""
        found = _UNIVERSAL.fullmatch(arn)
        if found is None:
            raise Invalid(f"Provided Arn is not in correct format: {arn}")
        folder = _OF_SDK.get(found[1], found[1])
        if not self._dispatch.has(folder):
            folder = next((name for name in self._dispatch.folders() if name.replace("_", "") == folder), folder)
        offered = self._dispatch.offered(folder)
        if offered is None:
            raise NotSupported(f"Cloche does not offer the service {found[1]}. ({arn})")
        if found[2].startswith(_READING):
            raise Invalid(f"{found[2]} is not a valid target: it only reads. ({arn})")
        name, model = found[2][:1].upper() + found[2][1:], service_model(offered.service.name)
        if name not in model.operation_names:
            raise Invalid(f"{found[1]} has no operation {found[2]}. ({arn})")
        if name not in offered.operations:
            reason = offered.unsupported.get(name, "")
            raise NotSupported(f"Cloche does not offer {name} of {offered.service.name}: {reason} ({arn})")
        return offered.service.name, model.operation_model(name)


def _call(api: Api, parcel: Parcel, service: str, operation: str, request: Mapping[str, Any]) -> None:
    sender, source = Arn.parse(parcel.rule_arn), parcel.rule_arn
    if sender.service == "scheduler":  # which names the group, not the schedule
        source = source.rpartition("/")[0].replace(":schedule/", ":schedule-group/")
    principal, role = f"{sender.service}.amazonaws.com", parcel.target.get("RoleArn") or ""
    behalf = Behalf(parcel.account, parcel.region, role, f"AWS-{sender.service}", principal, source)
    try:
        api.call(behalf, service, operation, request)
    except Refused as error:
        raise _as_final(error) from error


def _as_final(error: Refused) -> Exception:
    """What cannot get better by waiting is not tried again."""
    said = f"{error.code}: {error.message}"
    if "AccessDenied" in error.code:
        return Denied(said)
    if "NotFound" in error.code or error.code.startswith("NoSuch") or "NonExistent" in error.code:
        return NotFound(said)
    return Invalid(said) if error.code.startswith(("Validation", "Invalid", "Malformed")) else error


def _request(service: str, operation: OperationModel, text: str) -> dict[str, Any]:
    """The input, with the names of its members as the model has them; it writes all with a large first letter."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise Invalid("Invalid RequestJson provided. Reason Request payload is not a JSON object.")
    shape = operation.input_shape
    if shape is None:
        return {}
    missing = [_large(name) for name in shape.required_members if _large(name) not in document]
    if missing:
        raise Invalid(
            f"Invalid RequestJson provided. Reason Request payload is missing the following field(s): "
            f"{', '.join(missing)}."
        )
    made = _named_as(shape, document)
    assert isinstance(made, dict)
    for name in document:
        if not any(_large(known) == name for known in shape.members):
            raise Invalid(f"Invalid RequestJson provided. Reason The field '{name}' is not one of {operation.name}.")
    return made


def _large(name: str) -> str:
    return name[:1].upper() + name[1:]


def _named_as(shape: Shape, value: Any) -> Any:
    if shape.type_name == "structure" and isinstance(value, dict):
        known = {_large(name): name for name in shape.members}
        return {
            known.get(name, name): _named_as(shape.members[known[name]], each) if name in known else each
            for name, each in value.items()
        }
    if shape.type_name == "list" and isinstance(value, list):
        return [_named_as(shape.member, each) for each in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {name: _named_as(shape.value, each) for name, each in value.items()}
    if shape.type_name == "blob" and isinstance(value, str):  # a text, where the wire has Base64
        return base64.b64encode(value.encode()).decode()
    return value


def _token(operation: OperationModel) -> str | None:
    shape = operation.input_shape
    members = {} if shape is None else shape.members
    return next((name for name, each in members.items() if each.metadata.get("idempotencyToken")), None)
