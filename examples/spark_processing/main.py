"""PySparkProcessor of SageMaker's Python SDK v2, on the Spark of this machine.

main.py DATA
"""

import json
import sys
from pathlib import Path

import sagemaker
from sagemaker.processing import ProcessingInput, ProcessingOutput
from sagemaker.s3 import S3Downloader
from sagemaker.spark.processing import PySparkProcessor

data, here = Path(sys.argv[1]), Path(__file__).parent
session = sagemaker.Session()
bucket = session.default_bucket()
uploaded = session.upload_data(str(data / "train"), bucket, "spark/rows")

processor = PySparkProcessor(
    base_job_name="spark-count",
    framework_version="3.5",
    py_version="py39",
    container_version="1",
    role=f"arn:aws:iam::{session.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole",
    instance_type="ml.m5.large",
    instance_count=1,
    max_runtime_in_seconds=600,
    sagemaker_session=session,
)
processor.run(
    submit_app=str(here / "count.py"),
    arguments=["--column", "_c0"],
    inputs=[ProcessingInput(source=uploaded, destination="/opt/ml/processing/input/rows")],
    outputs=[ProcessingOutput(source="/opt/ml/processing/output/counts", destination=f"s3://{bucket}/spark/counts")],
    configuration=[{"Classification": "spark-defaults", "Properties": {"spark.sql.shuffle.partitions": "3"}}],
    spark_event_logs_s3_uri=f"s3://{bucket}/spark/events",
)
listed = S3Downloader.list(f"s3://{bucket}/spark/counts", session)
counts = next(S3Downloader.read_file(each, session) for each in listed if each.endswith(".csv"))
events = S3Downloader.list(f"s3://{bucket}/spark/events", session)
print("RESULT " + json.dumps({"counts": counts.splitlines(), "event_logs": len(events)}))
