"""Images pushed to ECR, run by jobs; and what is said of those that are not there or cannot run."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from training_requests import Bench, channel

from cloche.compute.local.root import works
from cloche.compute.local.sandbox import bubblewrap
from made_images import Layout, file, layer, python_image
from server_process import ServerProcess

pytestmark = pytest.mark.skipif(
    bubblewrap() is None or not works(), reason="images cannot be run here: IMAGES OF ONE'S OWN ARE NOT TESTED"
)
PART_BYTES = 10 << 20
HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


def push(server: ServerProcess, repository: str, files: dict[str, bytes], manifest: str) -> None:
    """By ECR's own operations."""
    ecr = server.client("ecr")
    ecr.create_repository(repositoryName=repository)
    document = json.loads(files[_path(manifest)])
    for part in (document["config"], *document["layers"]):
        content = files[_path(part["digest"])]
        upload = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
        for first in range(0, len(content), PART_BYTES):
            piece = content[first : first + PART_BYTES]
            ecr.upload_layer_part(
                repositoryName=repository,
                uploadId=upload,
                partFirstByte=first,
                partLastByte=first + len(piece) - 1,
                layerPartBlob=piece,
            )
        ecr.complete_layer_upload(repositoryName=repository, uploadId=upload, layerDigests=[part["digest"]])
    ecr.put_image(
        repositoryName=repository,
        imageManifest=files[_path(manifest)].decode(),
        imageManifestMediaType=document["mediaType"],
        imageTag="1",
    )


def _path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


@pytest.fixture(scope="module")
def bench(server: ServerProcess) -> Bench:
    return Bench(server)


def algorithm(image: str, **more: Any) -> dict[str, Any]:
    return {"AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File", **more}}


def test_a_pushed_image_trains_and_tells_why_it_failed(bench: Bench, tmp_path: Path) -> None:
    with tarfile.open(python_image(tmp_path / "image.tar")) as archive:
        files = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
    push(bench.server, "team/tree", files, json.loads(files["index.json"])["manifests"][0]["digest"])
    image = f"{HOST}/team/tree:1"
    bench.s3.put_object(Bucket="training-stories", Key="own/rows.csv", Body=b"a,1\nb,2\n")
    inputs = {"InputDataConfig": [channel("train", "own/")]}
    job = bench.run("own-good", **algorithm(image), **inputs, EnableNetworkIsolation=True)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert "train-accuracy=1.0000;" in bench.lines("own-good")
    empty = {"InputDataConfig": [channel("train", "input/one/")], "HyperParameters": {"max_depth": "deep"}}
    failed = bench.run("own-bad", **algorithm(image), **empty)
    assert failed["TrainingJobStatus"] == "Failed"
    assert failed["FailureReason"].startswith("AlgorithmError: ValueError: invalid literal for int()"), failed
    script = "id -u 2>/dev/null; echo $TRAINING_JOB_NAME $WHO $AWS_REGION $PWD $HOME; test ! -e /opt/cloche"
    entry = algorithm(image, ContainerEntrypoint=["/bin/sh", "-c", script])
    bench.run("own-entry", **entry, Environment={"WHO": "me"})
    assert bench.lines("own-entry")[-1] == "own-entry me us-east-1 /opt/program /var/model"
    assert bench.describe("own-entry")["TrainingJobStatus"] == "Completed"


def test_what_cannot_run_is_told(bench: Bench) -> None:
    with pytest.raises(ClientError, match="Cannot find repository: nothing in registry ID: 123456789012 Please check"):
        bench.create("own-missing", **algorithm(f"{HOST}/nothing:1"))
    with pytest.raises(ClientError, match=f"Requested image {HOST}/nothing:1 not found"):
        bench.sagemaker.create_model(
            ModelName="own-missing", ExecutionRoleArn=bench.role, PrimaryContainer={"Image": f"{HOST}/nothing:1"}
        )
    hostile, foreign = Layout(), Layout()
    made = hostile.image([layer([file("../../outside", b"x")])], {"Cmd": ["x"]})
    push(bench.server, "hostile", hostile.files, made["digest"])
    job = bench.run("own-hostile", **algorithm(f"{HOST}/hostile:1"))
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: the image sha256:")
    assert "leads out of it" in job["FailureReason"]
    made = foreign.image([layer([file("a")])], where={"os": "linux", "architecture": "s390x"})
    push(bench.server, "foreign", foreign.files, made["digest"])
    with pytest.raises(ClientError, match="is made for linux/s390x"):
        bench.create("own-foreign", **algorithm(f"{HOST}/foreign:1"))
