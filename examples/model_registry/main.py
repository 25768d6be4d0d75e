"""SageMaker Python SDK v2: train, evaluate, register a version, approve it, deploy it by its ARN, write its model card.

main.py DATA     DATA holds train/, validation/ and test/ as CSV, label first
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import sagemaker
from sagemaker import ModelPackage, image_uris
from sagemaker.deserializers import CSVDeserializer
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.model_card import (
    EvaluationJob,
    EvaluationMetricTypeEnum,
    IntendedUses,
    ModelCard,
    ModelCardStatusEnum,
    ModelOverview,
    RiskRatingEnum,
)
from sagemaker.model_metrics import MetricsSource, ModelMetrics
from sagemaker.predictor import Predictor
from sagemaker.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
from sagemaker.serializers import CSVSerializer

data = Path(sys.argv[1])
session = sagemaker.Session()
sagemaker_client = session.sagemaker_client
bucket = session.default_bucket()
role = f"arn:aws:iam::{session.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole"
image = image_uris.retrieve("xgboost", session.boto_region_name, "1.7-1")
name = f"registry-{int(time.time())}"

addresses = {part: session.upload_data(str(data / part), bucket, f"{name}/{part}") for part in ("train", "test")}
estimator = Estimator(
    image,
    role,
    instance_count=1,
    instance_type="ml.m5.xlarge",
    output_path=f"s3://{bucket}/{name}/output",
    sagemaker_session=session,
    hyperparameters={"objective": "binary:logistic", "num_round": 20, "max_depth": 3},
)
estimator.fit({"train": TrainingInput(addresses["train"], content_type="text/csv")}, logs=False)

evaluated = f"s3://{bucket}/{name}/evaluation"
ScriptProcessor(
    image_uri=image,
    command=["python3"],
    role=role,
    instance_count=1,
    instance_type="ml.m5.large",
    sagemaker_session=session,
).run(
    code=str(Path(__file__).with_name("evaluate.py")),
    inputs=[
        ProcessingInput(estimator.model_data, "/opt/ml/processing/model"),
        ProcessingInput(addresses["test"], "/opt/ml/processing/test"),
    ],
    outputs=[ProcessingOutput("/opt/ml/processing/evaluation", evaluated)],
    logs=False,
)
report = f"{evaluated}/evaluation.json"
quality = json.loads(session.read_s3_file(bucket, f"{name}/evaluation/evaluation.json"))
auc = quality["binary_classification_metrics"]["auc"]
print(f"AUC {auc['value']:.4f} ± {auc['standard_deviation']:.4f}")

package = estimator.register(
    content_types=["text/csv"],
    response_types=["text/csv"],
    inference_instances=["ml.m5.large"],
    transform_instances=["ml.m5.large"],
    model_package_group_name=name,
    model_metrics=ModelMetrics(model_statistics=MetricsSource("application/json", report)),
    customer_metadata_properties={"trained by": "the example"},
    description="the first version",
)
arn = package.model_package_arn
version = ModelPackage(role, model_package_arn=arn, sagemaker_session=session, predictor_cls=Predictor)
version.update_approval_status("Rejected", "not looked at yet")
version.update_approval_status("Approved", "good enough")
version.deploy(1, "ml.m5.large", endpoint_name=name, wait=False)
sagemaker_client.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig={"Delay": 1})
rows = np.loadtxt(data / "test" / "test.csv", delimiter=",")
predictor = Predictor(name, session, serializer=CSVSerializer(), deserializer=CSVDeserializer())
scores = np.array([float(cell) for line in predictor.predict(rows[:, 1:]) for cell in line])
accuracy = float(np.mean((scores > 0.5) == rows[:, 0]))
predictor.delete_endpoint()

evaluation = EvaluationJob(name="rows it has not seen")
evaluation.add_metric_group_from_s3(session.boto_session, report, EvaluationMetricTypeEnum.BINARY_CLASSIFICATION)
card = ModelCard(
    name=name,
    status=ModelCardStatusEnum.DRAFT,
    model_overview=ModelOverview(model_name=name, problem_type="Binary Classification", algorithm_type="XGBoost"),
    intended_uses=IntendedUses(purpose_of_model="an example", risk_rating=RiskRatingEnum.LOW),
    evaluation_details=[evaluation],
    sagemaker_session=session,
)
card.create()
card.intended_uses.explanations_for_risk_rating = "nobody relies on it"
card.status = ModelCardStatusEnum.APPROVED
card.update()
again = ModelCard.load(name, sagemaker_session=session)
history = [each["ModelCardVersion"] for each in card.get_version_history()]
document = again.export_pdf(s3_output_path=f"s3://{bucket}/{name}/cards")
key = document.removeprefix(f"s3://{bucket}/")
start = session.boto_session.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read(5).decode()
print(f"{document} begins with {start}")
print("RESULT " + json.dumps({"auc": auc["value"], "accuracy": accuracy, "card_versions": history}))
