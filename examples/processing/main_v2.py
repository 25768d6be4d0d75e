"""SageMaker Python SDK v2: SKLearnProcessor, ScriptProcessor and FrameworkProcessor, one after the other.

main_v2.py DATA
"""

import json
import sys
from pathlib import Path

import sagemaker
from sagemaker import image_uris
from sagemaker.processing import FrameworkProcessor, ProcessingInput, ProcessingOutput, ScriptProcessor
from sagemaker.s3 import S3Downloader
from sagemaker.sklearn import SKLearn
from sagemaker.sklearn.processing import SKLearnProcessor

data, here = Path(sys.argv[1]), Path(__file__).parent
session = sagemaker.Session()
bucket = session.default_bucket()
role = f"arn:aws:iam::{session.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole"
machine = {"role": role, "instance_type": "ml.m5.large", "instance_count": 1, "sagemaker_session": session}
uploaded = session.upload_data(str(data / "train"), bucket, "processing2/rows")

splitter = SKLearnProcessor("1.2-1", base_job_name="split", max_runtime_in_seconds=600, **machine)
splitter.run(
    code=str(here / "split.py"),
    inputs=[ProcessingInput(source=uploaded, destination="/opt/ml/processing/input/rows")],
    outputs=[
        ProcessingOutput(output_name=name, source=f"/opt/ml/processing/output/{name}") for name in ("train", "test")
    ],
    arguments=["--test-share", "0.25"],
)
split = splitter.latest_job.describe()
assert split["ProcessingJobStatus"] == "Completed", split
print("SPLIT", split["ExitMessage"])
addresses = {each["OutputName"]: each["S3Output"]["S3Uri"] for each in split["ProcessingOutputConfig"]["Outputs"]}

evaluator = FrameworkProcessor(
    estimator_cls=SKLearn, framework_version="1.2-1", base_job_name="evaluate", command=["python3"], **machine
)
evaluator.run(
    code="evaluate.py",
    source_dir=str(here / "source"),
    inputs=[
        ProcessingInput(source=addresses[name], destination=f"/opt/ml/processing/input/{name}")
        for name in ("train", "test")
    ],
    outputs=[ProcessingOutput(output_name="report", source="/opt/ml/processing/output/report")],
)
report = evaluator.latest_job.outputs[0].destination
accuracy = json.loads(S3Downloader.read_file(f"{report}/evaluation.json", session))["binary_classification_metrics"]

counter = ScriptProcessor(
    image_uri=image_uris.retrieve("xgboost", session.boto_region_name, "1.7-1"),
    command=["/bin/bash"],
    base_job_name="count",
    **machine,
)
script = Path("count.sh")
script.write_text("cat /opt/ml/processing/input/rows/*.csv | wc -l > /opt/ml/processing/output/count/lines\n")
counter.run(
    code=str(script),
    inputs=[ProcessingInput(source=addresses["test"], destination="/opt/ml/processing/input/rows")],
    outputs=[ProcessingOutput(output_name="count", source="/opt/ml/processing/output/count")],
    logs=False,
)
lines = S3Downloader.read_file(f"{counter.latest_job.outputs[0].destination}/lines", session)
print("RESULT " + json.dumps({"accuracy": accuracy["accuracy"]["value"], "test_rows": int(lines)}))
