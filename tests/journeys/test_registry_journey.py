"""The registry by SageMaker's SDK 3: its core resources and the helper its model builder registers with.

``ModelPackage.create`` is not tried for a version: it reads a member that ``CreateModelPackage`` does not answer.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from example_runs import by, result, run

SCRIPT = """
import json
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.model_registry import create_model_package_from_containers
from sagemaker.core.resources import Model, ModelCard, ModelPackage, ModelPackageGroup
from sagemaker.core.shapes import ContainerDefinition

session = Session()
image = image_uris.retrieve("xgboost", session.boto_region_name, "1.7-1")
role = f"arn:aws:iam::{session.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole"
bucket, group = session.default_bucket(), "journey-three"
session.boto_session.client("s3").put_object(Bucket=bucket, Key="three/model.tar.gz", Body=b"a model")
ModelPackageGroup.create(model_package_group_name=group)
arns = [
    create_model_package_from_containers(
        session,
        containers=[{"Image": image, "ModelDataUrl": f"s3://{bucket}/three/model.tar.gz"}],
        content_types=["text/csv"],
        response_types=["text/csv"],
        inference_instances=["ml.m5.large"],
        transform_instances=["ml.m5.large"],
        model_package_group_name=group,
    )["ModelPackageArn"]
    for _ in range(2)
]
package = ModelPackage.get(model_package_name=arns[1])
before = package.model_approval_status
package.update(model_approval_status="Approved", approval_description="good enough")
model = Model.create(
    model_name=group, execution_role_arn=role, containers=[ContainerDefinition(model_package_name=arns[1])]
)
card = ModelCard.create(
    model_card_name=group, content=json.dumps({"model_overview": {"model_name": group}}), model_card_status="Draft"
)
said = {
    "versions": [arn.rpartition(":")[2] for arn in arns],
    "approvals": [before, package.model_approval_status],
    "image_is_the_packages": model.containers[0].image == image,
    "card_version": card.model_card_version,
    "groups": [each.model_package_group_name for each in ModelPackageGroup.get_all(name_contains=group)],
}
print("RESULT " + json.dumps(said))
"""

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(600)]


def test_versions_approval_and_models_by_sdk_v3(server: object, tmp_path: Path) -> None:
    assert result(run(server, by("sagemaker3", "-c", SCRIPT), tmp_path)) == {
        "versions": ["model-package/journey-three/1", "model-package/journey-three/2"],
        "approvals": ["PendingManualApproval", "Approved"],
        "image_is_the_packages": True,
        "card_version": 1,
        "groups": ["journey-three"],
    }
