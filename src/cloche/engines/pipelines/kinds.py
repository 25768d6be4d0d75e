"""The types of steps, as a table: what a step of each makes through the API, and how what it made is followed.

A type whose operations are not offered yet is refused by the API, by name, when a step of it begins.

Members and statuses: the operations' shapes in botocore's model. What is part of a cache key:
docs.aws.amazon.com/sagemaker/latest/dg/pipelines-default-keys.html. Which types take retry policies:
docs.aws.amazon.com/sagemaker/latest/dg/pipelines-retry-policy.html.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from cloche.engines.pipelines.naming import NAME_CHARACTERS

CONDITION: Final = "Condition"
FAIL: Final = "Fail"
CALLBACK: Final = "Callback"
LAMBDA: Final = "Lambda"
QUALITY_CHECK: Final = "QualityCheck"

_JOB_GOOD: Final = frozenset({"Completed"})


@dataclass(frozen=True, slots=True)
class Child:
    """What steps of one type make."""

    create: str
    describe: str
    name: str
    """The member that names it, in both."""
    arn: str
    """The member of the create's answer."""
    metadata: str
    """The member of a step's ``Metadata`` that tells its ARN."""
    status: str = ""
    """The member of the description; without one, it is done once it is made."""
    good: frozenset[str] = frozenset()
    bad: frozenset[str] = frozenset({"Failed"})
    stopped: frozenset[str] = frozenset({"Stopped"})
    stop: str = ""
    tracked: bool = False
    """Its create takes an ``ExperimentConfig``."""
    own_name: bool = False
    """A name in the arguments is the thing's own, not a prefix of it."""
    small: bool = False
    """Names that Cloche derives are in small letters."""
    name_characters: int = NAME_CHARACTERS
    token: str = ""
    """The member for an idempotency token, where the create gives the name."""
    cached: tuple[str, ...] = ()
    """Arguments that are part of a cache key; without any, all of them."""
    cacheable: bool = True
    retries_jobs: bool = True
    """Whether a policy for ``SageMaker.JOB_INTERNAL_ERROR`` applies."""

    @property
    def is_made_at_once(self) -> bool:
        return not self.status


_PROCESSING: Final = Child(
    "CreateProcessingJob",
    "DescribeProcessingJob",
    "ProcessingJobName",
    "ProcessingJobArn",
    "ProcessingJob",
    status="ProcessingJobStatus",
    good=_JOB_GOOD,
    stop="StopProcessingJob",
    tracked=True,
    cached=("AppSpecification", "Environment", "ProcessingInputs"),
)

CHILDREN: Final[dict[str, Child]] = {
    "Processing": _PROCESSING,
    QUALITY_CHECK: replace(_PROCESSING, metadata="QualityCheck"),
    "Training": Child(
        "CreateTrainingJob",
        "DescribeTrainingJob",
        "TrainingJobName",
        "TrainingJobArn",
        "TrainingJob",
        status="TrainingJobStatus",
        good=_JOB_GOOD,
        stop="StopTrainingJob",
        tracked=True,
        cached=(
            "AlgorithmSpecification",
            "CheckpointConfig",
            "DebugHookConfig",
            "DebugRuleConfigurations",
            "Environment",
            "HyperParameters",
            "InputDataConfig",
        ),
    ),
    "Tuning": Child(
        "CreateHyperParameterTuningJob",
        "DescribeHyperParameterTuningJob",
        "HyperParameterTuningJobName",
        "HyperParameterTuningJobArn",
        "TuningJob",
        status="HyperParameterTuningJobStatus",
        good=_JOB_GOOD,
        stop="StopHyperParameterTuningJob",
        name_characters=32,
        cached=("HyperParameterTuningJobConfig", "TrainingJobDefinition", "TrainingJobDefinitions"),
        retries_jobs=False,
    ),
    "Transform": Child(
        "CreateTransformJob",
        "DescribeTransformJob",
        "TransformJobName",
        "TransformJobArn",
        "TransformJob",
        status="TransformJobStatus",
        good=_JOB_GOOD,
        stop="StopTransformJob",
        tracked=True,
        cached=("DataProcessing", "Environment", "ModelName", "TransformInput"),
    ),
    "Model": Child("CreateModel", "DescribeModel", "ModelName", "ModelArn", "Model", small=True, cacheable=False),
    "RegisterModel": Child(
        "CreateModelPackage",
        "DescribeModelPackage",
        "ModelPackageName",
        "ModelPackageArn",
        "RegisterModel",
        status="ModelPackageStatus",
        good=_JOB_GOOD,
        token="ClientToken",  # noqa: S106 - a member's name
        cacheable=False,
    ),
    "EndpointConfig": Child(
        "CreateEndpointConfig",
        "DescribeEndpointConfig",
        "EndpointConfigName",
        "EndpointConfigArn",
        "EndpointConfig",
        own_name=True,
    ),
    "Endpoint": Child(
        "CreateEndpoint",
        "DescribeEndpoint",
        "EndpointName",
        "EndpointArn",
        "Endpoint",
        status="EndpointStatus",
        good=frozenset({"InService"}),
        bad=frozenset({"Failed", "OutOfService", "UpdateRollbackFailed"}),
        own_name=True,
    ),
    "InferenceComponent": Child(
        "CreateInferenceComponent",
        "DescribeInferenceComponent",
        "InferenceComponentName",
        "InferenceComponentArn",
        "InferenceComponent",
        status="InferenceComponentStatus",
        good=frozenset({"InService"}),
        own_name=True,
        cacheable=False,
    ),
}
_ENDS: Final = {
    f"sagemaker/{child.create.removeprefix('Create')}": child.good | child.bad | child.stopped
    for child in CHILDREN.values()
    if not child.token  # what those are is told by their description alone
}


def may_be_over(kind: str, status: str) -> bool:
    """Whether a record of that kind and status may be a child that has come to an end."""
    return kind not in _ENDS or status in _ENDS[kind]


WITHOUT_CHILD: Final = frozenset({CONDITION, FAIL, CALLBACK, LAMBDA})
RETRIED: Final = frozenset({"Processing", "Training", "Tuning", "Transform", "Model", "RegisterModel"})

UNSUPPORTED: Final = {
    "ClarifyCheck": "Clarify is not built yet",
    "EMR": "EMR clusters are not built yet",
    "EMRServerless": "EMR Serverless is not built yet",
    "AutoML": "AutoML jobs are not built yet",
    "Lineage": "lineage is recorded by itself; steps that write their own are not built yet",
    "Job": "agent and customisation jobs are not built yet",
    "Cleanup": "steps that delete outputs are not built yet",
    "ForEach": "loops over items are not built yet",
    "Athena": "Athena is not built yet",
    "HubContent": "hubs are not built yet",
    "BedrockCustomModel": "Bedrock is not built yet",
    "BedrockCustomModelDeployment": "Bedrock is not built yet",
    "BedrockProvisionedModelThroughput": "Bedrock is not built yet",
    "BedrockModelImport": "Bedrock is not built yet",
}
