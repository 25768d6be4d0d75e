"""The same container with SageMaker's Python SDK 2: `Estimator(image_uri=...)`, `deploy`, `transformer`."""

import random
import tempfile
from pathlib import Path

import sagemaker
from sagemaker.deserializers import CSVDeserializer
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.serializers import CSVSerializer

session = sagemaker.Session()
account, region = session.account_id(), session.boto_region_name
bucket, prefix = session.default_bucket(), "example-byoc"
numbers = random.Random(1)
points = [(numbers.uniform(0, 1), numbers.uniform(0, 1)) for _ in range(400)]
with tempfile.TemporaryDirectory() as folder:
    rows = [f"{'outer' if x > 0.6 or y > 0.7 else 'inner'},{x:.4f},{y:.4f}" for x, y in points]
    Path(folder, "points.csv").write_text("\n".join(rows))
    Path(folder, "batch.csv").write_text("0.1,0.1\n0.9,0.1\n")
    train = session.upload_data(f"{folder}/points.csv", bucket, f"{prefix}/train")
    batch = session.upload_data(f"{folder}/batch.csv", bucket, f"{prefix}/batch")

estimator = Estimator(
    image_uri=f"{account}.dkr.ecr.{region}.amazonaws.com/byoc-tree:latest",
    role=f"arn:aws:iam::{account}:role/service-role/AmazonSageMaker-ExecutionRole",
    instance_count=1,
    instance_type="ml.m5.large",
    hyperparameters={"max_depth": 3},
    metric_definitions=[{"Name": "train:accuracy", "Regex": "train-accuracy=([0-9.]+);"}],
    output_path=f"s3://{bucket}/{prefix}/output",
    sagemaker_session=session,
)
estimator.fit({"train": TrainingInput(train, content_type="text/csv")})
predictor = estimator.deploy(1, "ml.m5.large", serializer=CSVSerializer(), deserializer=CSVDeserializer())
print("asked:", predictor.predict([[0.2, 0.3], [0.9, 0.2]]))
transformer = estimator.transformer(1, "ml.m5.large", output_path=f"s3://{bucket}/{prefix}/answers")
transformer.transform(batch, content_type="text/csv", split_type="Line", wait=True, logs=False)
answers = session.read_s3_file(bucket, f"{prefix}/answers/batch.csv.out")
print("batch:", answers.split())
predictor.delete_model()
predictor.delete_endpoint()
print("taken down")
