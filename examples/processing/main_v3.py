"""SageMaker Python SDK v3: ScriptProcessor and FrameworkProcessor of ``sagemaker.core.processing``.

main_v3.py DATA
"""

import json
import sys
from pathlib import Path

from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.processing import FrameworkProcessor, ScriptProcessor
from sagemaker.core.resources import ProcessingJob
from sagemaker.core.shapes import ProcessingInput, ProcessingOutput, ProcessingS3Input, ProcessingS3Output

data, here = Path(sys.argv[1]), Path(__file__).parent
session = Session()
bucket = session.default_bucket()
role = f"arn:aws:iam::{session.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole"
image = image_uris.retrieve("sklearn", session.boto_region_name, "1.4-2")
machine = {"role": role, "instance_type": "ml.m5.large", "instance_count": 1, "sagemaker_session": session}


def source(name: str, uri: str) -> ProcessingInput:
    given = ProcessingS3Input(
        s3_uri=uri, local_path=f"/opt/ml/processing/input/{name}", s3_data_type="S3Prefix", s3_input_mode="File"
    )
    return ProcessingInput(input_name=name, s3_input=given)


def sink(name: str) -> ProcessingOutput:
    target = ProcessingS3Output(
        s3_uri=f"s3://{bucket}/processing3/{name}",
        local_path=f"/opt/ml/processing/output/{name}",
        s3_upload_mode="EndOfJob",
    )
    return ProcessingOutput(output_name=name, s3_output=target)


uploaded = session.upload_data(str(data / "train"), bucket, "processing3/rows")
splitter = ScriptProcessor(image_uri=image, command=["python3"], base_job_name="split3", **machine)
splitter.run(
    code=str(here / "split.py"),
    inputs=[source("rows", uploaded)],
    outputs=[sink("train"), sink("test")],
    arguments=["--test-share", "0.25"],
)
split = ProcessingJob.get(splitter.latest_job.processing_job_name)
assert split.processing_job_status == "Completed", split
print("SPLIT", split.exit_message)

evaluator = FrameworkProcessor(image_uri=image, command=["python3"], base_job_name="evaluate3", **machine)
evaluator.run(
    code="evaluate.py",
    source_dir=str(here / "source"),
    inputs=[source(name, f"s3://{bucket}/processing3/{name}") for name in ("train", "test")],
    outputs=[sink("report")],
)
report = session.read_s3_file(bucket, "processing3/report/evaluation.json")
print("RESULT " + json.dumps({"accuracy": json.loads(report)["binary_classification_metrics"]["accuracy"]["value"]}))
