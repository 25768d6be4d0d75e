"""SageMaker Python SDK v2, as its users write it: built-in XGBoost, then a scikit-learn script; deploy, ask, update;
at last both images in a row (``PipelineModel``).

main.py DATA SCRIPT_DIR     DATA holds train/, validation/ and test/ as CSV, label first
"""

import json
import sys
from pathlib import Path

import numpy as np
import sagemaker
from sagemaker import image_uris
from sagemaker.analytics import TrainingJobAnalytics
from sagemaker.deserializers import CSVDeserializer, JSONDeserializer
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.pipeline import PipelineModel
from sagemaker.predictor import Predictor
from sagemaker.serializers import CSVSerializer, NumpySerializer
from sagemaker.sklearn import SKLearn, SKLearnModel

data, scripts = Path(sys.argv[1]), sys.argv[2]
session = sagemaker.Session()
bucket = session.default_bucket()
assert bucket == f"sagemaker-{session.boto_region_name}-{session.account_id()}"
role = f"arn:aws:iam::{session.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole"

channels = {
    name: TrainingInput(session.upload_data(str(data / name), bucket, f"sdk2/{name}"), content_type="text/csv")
    for name in ("train", "validation")
}
rows = np.loadtxt(data / "test" / "test.csv", delimiter=",")
features, labels = rows[:, 1:], rows[:, 0]

estimator = Estimator(
    image_uris.retrieve("xgboost", session.boto_region_name, "1.7-1"),
    role,
    instance_count=1,
    instance_type="ml.m5.xlarge",
    output_path=f"s3://{bucket}/sdk2/output",
    sagemaker_session=session,
    hyperparameters={"objective": "binary:logistic", "eval_metric": "auc", "num_round": 20, "max_depth": 3},
    tags=[{"Key": "team", "Value": "journey"}],
)
estimator.fit(channels, logs="All")
frame = TrainingJobAnalytics(estimator.latest_training_job.name, ["validation:auc"]).dataframe()
assert len(frame) > 0 and 0.9 < frame["value"].iloc[-1] <= 1, frame

predictor = estimator.deploy(1, "ml.m5.large", serializer=CSVSerializer(), deserializer=CSVDeserializer())
scores = np.array([float(cell) for line in predictor.predict(features) for cell in line])
accuracy = float(np.mean((scores > 0.5) == labels))
assert accuracy > 0.85, accuracy
predictor.update_endpoint(initial_instance_count=1, instance_type="ml.m5.xlarge")
again = np.array([float(cell) for line in predictor.predict(features) for cell in line])
assert np.array_equal(scores, again)
predictor.delete_model()
predictor.delete_endpoint()

script = SKLearn(
    entry_point="train.py",
    source_dir=scripts,
    framework_version="1.2-1",
    py_version="py3",
    role=role,
    instance_type="ml.m5.xlarge",
    hyperparameters={"strength": 0.5},
    metric_definitions=[{"Name": "validation:auc", "Regex": "validation-auc: ([0-9.]+)"}],
    sagemaker_session=session,
)
script.fit(channels)
answers = script.deploy(1, "ml.m5.large", serializer=NumpySerializer(), deserializer=JSONDeserializer())
predicted = np.array(answers.predict(features))
script_accuracy = float(np.mean(predicted == labels))
assert script_accuracy > 0.85, script_accuracy
answers.delete_endpoint()

# What comes in is in tenths; the first container makes units of it, the second is the model of before.
units = SKLearnModel(
    model_data=estimator.model_data,
    role=role,
    entry_point=str(Path(__file__).with_name("units.py")),
    framework_version="1.2-1",
    sagemaker_session=session,
)
serial = PipelineModel([units, estimator.create_model()], role, sagemaker_session=session, predictor_cls=Predictor)
in_a_row = serial.deploy(1, "ml.m5.large")
in_a_row.serializer, in_a_row.deserializer = CSVSerializer(), CSVDeserializer()
chained = np.array([float(cell) for line in in_a_row.predict(10 * features) for cell in line])
assert np.allclose(chained, scores, atol=1e-6), (chained, scores)
kinds = ["text/csv"], ["text/csv"], ["ml.m5.large"], ["ml.m5.large"]
package = serial.register(*kinds, model_package_group_name="sdk2-in-a-row")
described = session.sagemaker_client.describe_model_package(ModelPackageName=package.model_package_arn)
containers = len(described["InferenceSpecification"]["Containers"])
in_a_row.delete_endpoint()
serial.delete_model()
accuracies = {"xgboost_accuracy": accuracy, "sklearn_accuracy": script_accuracy}
print("RESULT " + json.dumps({**accuracies, "containers_in_a_row": containers}))
