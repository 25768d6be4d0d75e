"""Images of one's own as containers of Docker's and Podman's: what a job and a model server there may count on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from training_requests import Bench, channel

from cloche.compute.containers.finding import NAMES
from cloche.compute.containers.program import ContainerProgram
from container_programs import Programs, containers
from made_images import of_root, python_image

CLOCHE = str(Path(sys.executable).with_name("cloche"))
IMAGE = "byoc-tree:latest"


@pytest.fixture(params=NAMES)
def program(request: pytest.FixtureRequest, container_programs: Programs) -> ContainerProgram:
    return container_programs.program(request.param)


@pytest.fixture
def bench(start_server: Any, program: ContainerProgram, tmp_path: Path) -> Bench:
    bench = Bench(start_server("--containers", program.name))
    load(bench, python_image(tmp_path / "image.tar"))
    return bench


def load(bench: Bench, image: Path) -> None:
    subprocess.run([CLOCHE, "images", "load", "--data", str(bench.server.data), str(image)], check=True)


def algorithm(**more: Any) -> dict[str, Any]:
    return {"AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File", **more}}


def test_it_trains_serves_and_outlives_the_server(
    bench: Bench, program: ContainerProgram, start_server: Any, tmp_path: Path
) -> None:
    bench.s3.put_object(Bucket="training-stories", Key="own/rows.csv", Body=b"a,1\nb,2\n")
    inputs = {"InputDataConfig": [channel("train", "own/")]}
    job = bench.run("good", **algorithm(), **inputs, EnableNetworkIsolation=True)
    assert job["TrainingJobStatus"] == "Completed", (job, bench.lines("good"))
    assert "train-accuracy=1.0000;" in bench.lines("good")
    a_program_of_roots_becomes_another_user(bench, tmp_path)
    script = (
        "echo $$ $TRAINING_JOB_NAME $WHO $PWD; echo up; "
        "while ! test -e /opt/ml/go; do read -t 0.1 x < /dev/zero 2> /dev/null; done"
    )
    entry = algorithm(ContainerEntrypoint=["/bin/sh", "-c", script])
    bench.create("kept", **entry, Environment={"WHO": "me"})
    bench.says("kept", "up")
    endpoint(bench, job["ModelArtifacts"]["S3ModelArtifacts"])
    kept = containers(program)
    bench.server.stop(signal.SIGKILL)
    assert containers(program) == kept and len(kept) == 2
    again = Bench(start_server("--containers", program.name, data=bench.server.data))
    assert again.describe("kept")["TrainingJobStatus"] == "InProgress"
    assert answer(again) == ["b", "a"]
    assert containers(program) == kept, "no model was loaded anew"
    again.sagemaker.delete_endpoint(EndpointName="own")
    again.sagemaker.stop_training_job(TrainingJobName="kept")
    assert again.ended("kept")["TrainingJobStatus"] == "Stopped"
    assert again.lines("kept")[0] == "1 kept me /opt/program"
    again.sagemaker.get_waiter("endpoint_deleted").wait(EndpointName="own", WaiterConfig={"Delay": 1})
    assert containers(program) == []


def endpoint(bench: Bench, artefact: str) -> None:
    sagemaker = bench.sagemaker
    container = {"Image": IMAGE, "ModelDataUrl": artefact}
    sagemaker.create_model(ModelName="own", ExecutionRoleArn=bench.role, PrimaryContainer=container)
    variant = {"VariantName": "a", "ModelName": "own", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName="own", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="own", EndpointConfigName="own")
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="own", WaiterConfig={"Delay": 1})
    assert answer(bench) == ["b", "a"]


def answer(bench: Bench) -> list[str]:
    runtime = bench.server.client("sagemaker-runtime")
    told = runtime.invoke_endpoint(EndpointName="own", ContentType="text/csv", Body=b"2\n1\n")
    return list(told["Body"].read().decode().split())


def a_program_of_roots_becomes_another_user(bench: Bench, tmp_path: Path) -> None:
    load(bench, of_root(tmp_path / "image.tar"))
    script = (
        "import os\n"
        "open('/opt/ml/model/mine', 'w').close(); os.chown('/opt/ml/model/mine', 7, 7); os.setgid(7); os.setuid(7)\n"
        "open('/opt/ml/model/mine', 'w').write('changed'); open('/opt/ml/model/other', 'w').close()\n"
        "print(os.getuid(), open('/opt/ml/input/data/train/rows.csv').read(3))"
    )
    entry = algorithm(ContainerEntrypoint=["/usr/local/bin/python3", "-c", "import os; exec(os.environ['SCRIPT'])"])
    entry["AlgorithmSpecification"]["TrainingImage"] = "of-root:1"
    more: dict[str, Any] = {"InputDataConfig": [channel("train", "input/one/")], "Environment": {"SCRIPT": script}}
    job = bench.run("users", **entry, **more)
    assert job["TrainingJobStatus"] == "Completed", (job, bench.lines("users"))
    assert bench.lines("users") == ["7 1,2"]


@pytest.mark.parametrize(
    ("host", "why"), [("tcp://127.0.0.1:2375", "only one of this machine"), ("unix:///nowhere/none", "runs nothing")]
)
def test_a_daemon_that_cannot_run_jobs_is_refused(host: str, why: str, tmp_path: Path) -> None:
    if shutil.which("docker") is None or os.geteuid() != 0:
        pytest.skip("DOCKER IS NOT TESTED: it is not there, or tests do not run as root")
    done = subprocess.run(
        [CLOCHE, "up", "--port", "0", "--data", str(tmp_path / "data"), "--containers", "docker"],
        capture_output=True,
        text=True,
        env={**os.environ, "DOCKER_HOST": host},
    )
    assert done.returncode == 1 and why in done.stderr, done.stderr
