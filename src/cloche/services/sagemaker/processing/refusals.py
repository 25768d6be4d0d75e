"""What a CreateProcessingJob may ask for that Cloche does not do: each by name, none passed over in silence.

Kept and shown without being acted on, because they change nothing a job here could see: ``KmsKeyId`` of outputs and
``VolumeKmsKeyId`` (all of it stays on this machine) and ``EnableInterContainerTrafficEncryption`` (what a job's hosts
say to each other never leaves it). So is ``NetworkConfig.VpcConfig``, and the job's log says so (decision 40).
"""

from __future__ import annotations

from typing import Final

from cloche.aws.operation import Members
from cloche.foundation.errors import NotSupported
from cloche.services.sagemaker.training.refusals import Test, given, refuse

REFUSED: Final[tuple[tuple[str, Test, str], ...]] = (
    ("ProcessingResources.ClusterConfig.InstancePreferences", given, "a choice among instance types"),
)
REFUSED_IN_INPUT: Final[tuple[tuple[str, Test, str], ...]] = (
    ("DatasetDefinition.AthenaDatasetDefinition", given, "queries of Athena as an input"),
    ("DatasetDefinition.RedshiftDatasetDefinition", given, "queries of Redshift as an input"),
)
REFUSED_IN_OUTPUT: Final[tuple[tuple[str, Test, str], ...]] = (
    ("FeatureStoreOutput", given, "outputs to a feature group"),
)
ANALYZERS: Final = {
    "sagemaker-clarify-processing": "SageMaker Clarify's analyzer",
    "sagemaker-data-wrangler-container": "Data Wrangler's processor",
}
"""Images whose own program is the job, by the name of their repository."""


def refuse_what_is_not_done(request: Members) -> None:
    """Raises ``NotSupported`` for the first member that asks for something Cloche does not do."""
    refuse("", request, REFUSED)
    for number, each in enumerate(request.get("ProcessingInputs") or (), 1):
        refuse(f"ProcessingInputs.{number}.", each, REFUSED_IN_INPUT)
    for number, each in enumerate((request.get("ProcessingOutputConfig") or {}).get("Outputs") or (), 1):
        refuse(f"ProcessingOutputConfig.Outputs.{number}.", each, REFUSED_IN_OUTPUT)
    repository = request["AppSpecification"]["ImageUri"].partition("/")[2].partition(":")[0].partition("@")[0]
    if repository in ANALYZERS:
        raise NotSupported(
            f"Cloche does not support AppSpecification.ImageUri {repository} yet: {ANALYZERS[repository]}."
        )
