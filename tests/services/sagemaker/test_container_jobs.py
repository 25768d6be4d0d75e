"""Processing, batch transform and file systems with images of one's own in Docker's and Podman's containers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from processing_requests import ML, sink, source
from processing_requests import Bench as Processing
from training_requests import BUCKET, Bench

from cloche.compute.containers.finding import NAMES
from cloche.compute.containers.program import ContainerProgram
from container_programs import Programs, containers
from made_images import python_image

CLOCHE = str(Path(sys.executable).with_name("cloche"))
IMAGE = "byoc-tree:latest"
FILE_SYSTEM = "fs-0123456789abcdef0"
PYTHON = "/usr/local/bin/python3"
VPC = {"SecurityGroupIds": ["sg-0123456789abcdef0"], "Subnets": ["subnet-0123456789abcdef0"]}


pytestmark = pytest.mark.slow


@pytest.fixture(params=NAMES)
def program(request: pytest.FixtureRequest, container_programs: Programs) -> ContainerProgram:
    return container_programs.program(request.param)


def test_they_process_transform_and_see_file_systems(
    start_server: Any, program: ContainerProgram, tmp_path: Path
) -> None:
    shared = tmp_path / "efs"
    (shared / "train").mkdir(parents=True)
    (shared / "train" / "rows.csv").write_text("a,1\nb,2\n")
    (shared / "train" / "rows.csv").chmod(0o666)
    server = start_server("--containers", program.name, "--file-system", f"{FILE_SYSTEM}={shared}")
    image = python_image(tmp_path / "image.tar")
    subprocess.run([CLOCHE, "images", "load", "--data", str(server.data), str(image)], check=True)
    processed(Processing(server))
    bench = Bench(server)
    transformed(bench, trained(bench, shared))
    assert containers(program) == []


def processed(bench: Processing) -> None:
    """Two instances share the objects among them; each writes what it has seen where a job may write."""
    bench.put("rows/one", "1")
    bench.put("rows/two", "2")
    script = (
        "import os, socket\n"
        f"[row] = os.listdir('{ML}/input/rows')\n"
        f"with open('{ML}/output/seen/' + row, 'w') as file:\n"
        "    print(socket.gethostname(), os.environ['WHO'], os.getuid(), file=file)\n"
    )
    job = bench.run(
        "in-a-container",
        script,
        count=2,
        AppSpecification={"ImageUri": IMAGE, "ContainerEntrypoint": [PYTHON, f"{ML}/input/code/run.sh"]},
        ProcessingInputs=[source("rows", "rows/", S3DataDistributionType="ShardedByS3Key")],
        ProcessingOutputConfig={"Outputs": [sink("seen", "seen/")]},
        Environment={"WHO": "me"},
    )
    assert job["ProcessingJobStatus"] == "Completed", (job, bench.lines("in-a-container"))
    assert [bench.get(key).decode() for key in bench.keys("seen/")] == ["algo-1 me 1000\n", "algo-2 me 1000\n"]


def trained(bench: Bench, shared: Path) -> str:
    """On a directory of this machine: read-only as it is asked for, and told so in the container, too."""
    files = {
        "FileSystemId": FILE_SYSTEM,
        "FileSystemType": "EFS",
        "FileSystemAccessMode": "ro",
        "DirectoryPath": "/train",
    }
    inputs = [{"ChannelName": "train", "DataSource": {"FileSystemDataSource": files}}]
    algorithm = {"TrainingImage": IMAGE, "TrainingInputMode": "File"}
    job = bench.run("on-files", AlgorithmSpecification=algorithm, InputDataConfig=inputs, VpcConfig=VPC)
    assert job["TrainingJobStatus"] == "Completed", (job, bench.lines("on-files"))
    entry = [PYTHON, "-c", "open('/opt/ml/input/data/train/rows.csv', 'a')"]
    bench.run(
        "writes",
        AlgorithmSpecification={**algorithm, "ContainerEntrypoint": entry},
        InputDataConfig=inputs,
        VpcConfig=VPC,
    )
    assert bench.lines("writes")[-1].startswith("OSError: [Errno 30] Read-only file system")
    return str(job["ModelArtifacts"]["S3ModelArtifacts"])


def transformed(bench: Bench, artefact: str) -> None:
    sagemaker = bench.sagemaker
    container = {"Image": IMAGE, "ModelDataUrl": artefact}
    sagemaker.create_model(ModelName="in-batches", ExecutionRoleArn=bench.role, PrimaryContainer=container)
    bench.s3.put_object(Bucket=BUCKET, Key="batch/rows.csv", Body=b"1\n2\n1\n")
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/batch/"}}
    sagemaker.create_transform_job(
        TransformJobName="in-batches",
        ModelName="in-batches",
        TransformInput={"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"},
        TransformOutput={"S3OutputPath": f"s3://{BUCKET}/scored", "AssembleWith": "Line"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    waiter = sagemaker.get_waiter("transform_job_completed_or_stopped")
    waiter.wait(TransformJobName="in-batches", WaiterConfig={"Delay": 1})
    assert sagemaker.describe_transform_job(TransformJobName="in-batches")["TransformJobStatus"] == "Completed"
    body = bench.s3.get_object(Bucket=BUCKET, Key="scored/rows.csv.out")["Body"].read()
    assert body.split() == [b"a", b"b", b"a"]
