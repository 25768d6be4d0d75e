"""``cloche jobs`` and ``cloche status`` know every kind of job."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

CLOCHE = str(Path(sys.executable).with_name("cloche"))
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
ROLE = "arn:aws:iam::123456789012:role/service-role/AmazonSageMaker-ExecutionRole"


def cloche(server: Any, *arguments: str) -> str:
    done = subprocess.run(
        [CLOCHE, *arguments, "--data", str(server.data)], stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def test_processing_jobs_are_listed_and_counted(start_server: Any) -> None:
    server = start_server()
    sagemaker = server.client("sagemaker")
    sagemaker.create_processing_job(
        ProcessingJobName="edge-processing",
        RoleArn=ROLE,
        AppSpecification={"ImageUri": IMAGE, "ContainerEntrypoint": ["sleep", "60"]},
        ProcessingResources={"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}},
    )
    assert "jobs      1 in progress (1 processing)" in cloche(server, "status")
    assert cloche(server, "jobs", "--kind", "processing").split("\t")[:2] == ["edge-processing", "InProgress"]
    assert cloche(server, "jobs", "--kind", "transform") == cloche(server, "jobs") == ""
    sagemaker.stop_processing_job(ProcessingJobName="edge-processing")
