"""Images of one's own as containers of Podman's: what a job and a model server there may count on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from training_requests import Bench, channel

from cloche.compute.podman import NAME, Podman, found
from cloche.foundation.errors import Invalid
from made_images import Layout, python_image

CLOCHE = str(Path(sys.executable).with_name("cloche"))
IMAGE = "byoc-tree:latest"


@pytest.fixture(scope="module")
def podman() -> Podman:
    try:
        return found()
    except Invalid as error:
        pytest.skip(f"PODMAN IS NOT TESTED: {error.message}")


@pytest.fixture
def bench(start_server: Any, podman: Podman, tmp_path: Path) -> Iterator[Bench]:
    server = start_server("--containers", "podman")
    bench = Bench(server)
    load(bench, python_image(tmp_path / "image.tar"))
    yield bench
    names = subprocess.run([*podman.line, "images", "--format", "{{.Repository}}:{{.Tag}}"], stdout=subprocess.PIPE)
    for name in names.stdout.decode().split():
        if name.startswith(NAME):
            podman.discard(name)


def load(bench: Bench, image: Path) -> None:
    subprocess.run([CLOCHE, "images", "load", "--data", str(bench.server.data), str(image)], check=True)


def algorithm(**more: Any) -> dict[str, Any]:
    return {"AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File", **more}}


def containers(podman: Podman) -> list[str]:
    done = subprocess.run([*podman.line, "ps", "--format", "{{.Names}}"], stdout=subprocess.PIPE, check=True)
    return [name for name in done.stdout.decode().split() if name.startswith("cloche-")]


def test_it_trains_serves_and_outlives_the_server(bench: Bench, podman: Podman, start_server: Any) -> None:
    bench.s3.put_object(Bucket="training-stories", Key="own/rows.csv", Body=b"a,1\nb,2\n")
    inputs = {"InputDataConfig": [channel("train", "own/")]}
    job = bench.run("podman-good", **algorithm(), **inputs, EnableNetworkIsolation=True)
    assert job["TrainingJobStatus"] == "Completed", (job, bench.lines("podman-good"))
    assert "train-accuracy=1.0000;" in bench.lines("podman-good")
    script = (
        "echo $$ $TRAINING_JOB_NAME $WHO $PWD; echo up; while ! test -e /opt/ml/go; do read -t 0.1 x < /dev/zero; done"
    )
    entry = algorithm(ContainerEntrypoint=["/bin/sh", "-c", script])
    bench.create("podman-kept", **entry, Environment={"WHO": "me"})
    bench.says("podman-kept", "up")
    (name,) = containers(podman)
    bench.server.stop(signal.SIGKILL)
    assert containers(podman) == [name]
    again = Bench(start_server("--containers", "podman", data=bench.server.data))
    assert again.describe("podman-kept")["TrainingJobStatus"] == "InProgress"
    served(again, job["ModelArtifacts"]["S3ModelArtifacts"])
    again.sagemaker.stop_training_job(TrainingJobName="podman-kept")
    assert again.ended("podman-kept")["TrainingJobStatus"] == "Stopped"
    assert again.lines("podman-kept")[0] == "1 podman-kept me /opt/program"
    assert containers(podman) == []


def served(bench: Bench, artefact: str) -> None:
    sagemaker = bench.sagemaker
    container = {"Image": IMAGE, "ModelDataUrl": artefact}
    sagemaker.create_model(ModelName="podman", ExecutionRoleArn=bench.role, PrimaryContainer=container)
    variant = {"VariantName": "a", "ModelName": "podman", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName="podman", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="podman", EndpointConfigName="podman")
    sagemaker.get_waiter("endpoint_in_service").config.delay = 1
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="podman", WaiterConfig={"Delay": 1})
    answer = bench.server.client("sagemaker-runtime").invoke_endpoint(
        EndpointName="podman", ContentType="text/csv", Body=b"2\n1\n"
    )
    assert json.dumps(answer["Body"].read().decode().split()) == '["b", "a"]'
    sagemaker.delete_endpoint(EndpointName="podman")


def of_root(image: Path) -> None:
    """The same image, but for its user, beside it as ``root.tar``."""
    made = Layout()
    with tarfile.open(image) as archive:
        made.files = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]

    def read(descriptor: dict[str, Any]) -> dict[str, Any]:
        return dict(json.loads(made.files[f"blobs/{descriptor['digest'].replace(':', '/')}"]))

    manifest = read(json.loads(made.files["index.json"])["manifests"][0])
    config = read(manifest["config"])
    config["config"]["User"] = "0"
    manifest["config"] = made.blob(manifest["config"]["mediaType"], json.dumps(config).encode())
    made.named(made.document(manifest.pop("mediaType"), manifest), "of-root:1")
    made.write(image.with_name("root.tar"))


def test_a_program_of_roots_becomes_another_user(bench: Bench, tmp_path: Path) -> None:
    """What a sandbox of bubblewrap's cannot: it has one user."""
    of_root(tmp_path / "image.tar")
    load(bench, tmp_path / "root.tar")
    script = (
        "import os\n"
        "open('/opt/ml/model/mine', 'w').close(); os.chown('/opt/ml/model/mine', 7, 7); os.setgid(7); os.setuid(7)\n"
        "open('/opt/ml/model/mine', 'w').write('changed'); open('/opt/ml/model/other', 'w').close()\n"
        "print(os.getuid(), open('/opt/ml/input/data/train/rows.csv').read(3))"
    )
    entry = algorithm(ContainerEntrypoint=["/usr/local/bin/python3", "-c", "import os; exec(os.environ['SCRIPT'])"])
    entry["AlgorithmSpecification"]["TrainingImage"] = "of-root:1"
    more: dict[str, Any] = {"InputDataConfig": [channel("train", "input/one/")], "Environment": {"SCRIPT": script}}
    job = bench.run("podman-users", **entry, **more)
    assert job["TrainingJobStatus"] == "Completed", (job, bench.lines("podman-users"))
    assert bench.lines("podman-users") == ["7 1,2"]


def test_docker_is_refused_by_name(tmp_path: Path) -> None:
    done = subprocess.run(
        [CLOCHE, "up", "--port", "0", "--data", str(tmp_path / "data"), "--containers", "docker"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and "Docker is not supported" in done.stderr
