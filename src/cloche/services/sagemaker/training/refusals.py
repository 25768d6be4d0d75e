"""What a CreateTrainingJob may ask for that Cloche does not do: each by name, none passed over in silence.

Kept and shown without being acted on, because the SDKs send them unasked: ``DebugHookConfig`` (no tensors are
collected; the description's ``ProfilingStatus`` says ``Disabled``), ``ProfilerConfig`` without rules, and
``EnableInterContainerTrafficEncryption`` (what a job's hosts say to each other never leaves this machine).
``VpcConfig`` is kept as well, and the job's log says so (decision 40).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cloche.aws.operation import Members
from cloche.foundation.errors import NotSupported

Test = Callable[[Any], bool]


def given(value: Any) -> bool:
    return value not in (None, "", [], {}, False)


def _other_than(*allowed: Any) -> Test:
    return lambda value: value is not None and value not in allowed


def _enabled(member: str) -> Test:
    return lambda value: bool(value and value.get(member))


REFUSED: Final[tuple[tuple[str, Test, str], ...]] = (
    ("AlgorithmSpecification.AlgorithmName", given, "algorithm resources and marketplace algorithms; name an image"),
    ("AlgorithmSpecification.TrainingImageConfig", given, "images from private registries"),
    ("OutputDataConfig.KmsKeyId", given, "encryption of artifacts with a KMS key"),
    ("ResourceConfig.InstancePreferences", given, "a choice among instance types"),
    ("ResourceConfig.InstancePlacementConfig", given, "placement of instances"),
    ("ResourceConfig.TrainingPlanArn", given, "training plans"),
    ("ResourceConfig.VolumeKmsKeyId", given, "encryption of the training volume with a KMS key"),
    ("DebugRuleConfigurations", given, "Debugger rules"),
    ("ProfilerRuleConfigurations", given, "profiler rules"),
    ("RemoteDebugConfig", _enabled("EnableRemoteDebug"), "remote debugging"),
    ("InfraCheckConfig", _enabled("EnableInfraCheck"), "checks of the infrastructure"),
    ("SessionChainingConfig", _enabled("EnableSessionTagChaining"), "session tag chaining"),
    ("ServerlessJobConfig", given, "serverless model customisation"),
    ("MlflowConfig", given, "managed MLflow"),
    ("ModelPackageConfig", given, "model packages"),
)
REFUSED_IN_CHANNEL: Final[tuple[tuple[str, Test, str], ...]] = (
    ("DataSource.DatasetSource", given, "data sets as a data source"),
    ("DataSource.S3DataSource.S3DataType", lambda value: value == "Converse", "data in the Converse format"),
    ("DataSource.S3DataSource.ModelAccessConfig", given, "gated models"),
    ("DataSource.S3DataSource.HubAccessConfig", given, "hubs"),
)
PENDING_TIME: Final[tuple[tuple[str, Test, str], ...]] = (
    ("StoppingCondition.MaxPendingTimeInSeconds", given, "a limit on the time a job waits for accelerated instances"),
)
REFUSED_UPDATES: Final[tuple[tuple[str, Test, str], ...]] = (
    ("ProfilerConfig", lambda value: given(value) and not value.get("DisableProfiler"), "profiling"),
    ("ProfilerRuleConfigurations", given, "profiler rules"),
    ("RemoteDebugConfig", _enabled("EnableRemoteDebug"), "remote debugging"),
)


def refuse_what_is_not_done(request: Members) -> None:
    """Raises ``NotSupported`` for the first member that asks for something Cloche does not do."""
    refuse("", request, REFUSED)
    _refuse_pending_time(request)
    for number, channel in enumerate(request.get("InputDataConfig") or (), 1):
        refuse(f"InputDataConfig.{number}.", channel, REFUSED_IN_CHANNEL)


def _refuse_pending_time(request: Members) -> None:
    """AWS heeds it for accelerated instances alone; for all others it is kept, shown and means nothing there either
    (docs.aws.amazon.com/sagemaker/latest/APIReference/API_StoppingCondition.html)."""
    resources = request.get("ResourceConfig") or {}
    types = [
        resources.get("InstanceType"),
        *(each.get("InstanceType") for each in resources.get("InstanceGroups") or ()),
    ]
    if any(str(each).startswith(("ml.p", "ml.g", "ml.trn")) for each in types):
        refuse("", request, PENDING_TIME)


def refuse_updates_not_done(request: Members) -> None:
    """The same for an UpdateTrainingJob."""
    refuse("", request, REFUSED_UPDATES)


def refuse(prefix: str, members: Members, table: tuple[tuple[str, Test, str], ...]) -> None:
    """Raises ``NotSupported`` for the first of ``table`` that ``members`` ask for."""
    for path, forbidden, what in table:
        value = _at(members, path)
        if forbidden(value):
            shown = "" if isinstance(value, dict | list | bool) else f" ({value})"
            raise NotSupported(f"Cloche does not support {prefix}{path}{shown} yet: {what}.")


def _at(members: Members, path: str) -> Any:
    value: Any = members
    for name in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value
