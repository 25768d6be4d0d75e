"""Scripts of deep-learning frameworks on several instances: together they train the model that one trains alone."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

import pytest
from training_requests import BUCKET, LOG_GROUP, Bench

from cloche.compute.local.sandbox import bubblewrap

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(bubblewrap() is None, reason="NOT TESTED: several instances need bubblewrap"),
]
PYTORCH = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.8.0-cpu-py312"
SUMS = """
import json, os
import torch
import torch.distributed as together
from torch.nn.parallel import DistributedDataParallel

hosts = json.loads(os.environ["SM_HOSTS"])
if "RANK" not in os.environ:
    os.environ["RANK"] = str(hosts.index(os.environ["SM_CURRENT_HOST"]))
    os.environ["WORLD_SIZE"] = str(len(hosts))
together.init_process_group("gloo")
rank, size = together.get_rank(), together.get_world_size()
torch.manual_seed(3)
rows = torch.rand(64, 3)
wanted = rows @ torch.tensor([[1.0], [2.0], [3.0]])
layer = torch.nn.Linear(3, 1)
model = DistributedDataParallel(layer)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(50):
    optimizer.zero_grad()
    torch.nn.functional.mse_loss(model(rows[rank::size]), wanted[rank::size]).backward()
    optimizer.step()
print(f"rank {rank} of {size} on {os.environ['SM_CURRENT_HOST']}")
if rank == 0:
    with open(os.environ["SM_MODEL_DIR"] + "/weights.json", "w") as file:
        json.dump(layer.weight.tolist()[0] + layer.bias.tolist(), file)
together.destroy_process_group()
"""


@pytest.fixture(scope="module")
def bench(server: Any) -> Bench:
    return Bench(server)


def trained(
    bench: Bench, name: str, image: str, script: str, count: int, settings: dict[str, Any], **changes: Any
) -> Any:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        info = tarfile.TarInfo("train.py")
        info.size = len(script.encode())
        tar.addfile(info, io.BytesIO(script.encode()))
    bench.s3.put_object(Bucket=BUCKET, Key=f"code/{name}.tar.gz", Body=packed.getvalue())
    parameters = {
        "sagemaker_program": "train.py",
        "sagemaker_submit_directory": f"s3://{BUCKET}/code/{name}.tar.gz",
        **settings,
    }
    return bench.create(
        name,
        AlgorithmSpecification={"TrainingImage": image, "TrainingInputMode": "File"},
        HyperParameters={key: json.dumps(value) for key, value in parameters.items()},
        StoppingCondition={"MaxRuntimeInSeconds": 1800},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": count, "VolumeSizeInGB": 1},
        Environment={"OMP_NUM_THREADS": "1"},  # threads that wait for each other on a busy machine take minutes
        **changes,
    )


def completed(bench: Bench, name: str) -> dict[str, bytes]:
    """The files of the model that a job has left."""
    job = bench.ended(name, 550)
    assert job["TrainingJobStatus"] == "Completed", (job, said(bench, name))
    body = bench.s3.get_object(Bucket=BUCKET, Key=f"output/{name}/output/model.tar.gz")["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        return {each.name: tar.extractfile(each).read() for each in tar if each.isfile()}  # type: ignore[union-attr]


def said(bench: Bench, name: str) -> str:
    streams = bench.logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=f"{name}/")["logStreams"]
    lines = []
    for stream in (stream["logStreamName"] for stream in streams):
        events = bench.logs.get_log_events(logGroupName=LOG_GROUP, logStreamName=stream, startFromHead=True)["events"]
        lines += [event["message"] for event in events]
    return "\n".join(lines)


def test_pytorch_together_trains_what_it_trains_alone(bench: Bench) -> None:
    launched = {"sagemaker_torch_distributed_enabled": True, "sagemaker_instance_type": "ml.m5.large"}
    trained(bench, "torch-alone", PYTORCH, SUMS, 1, {})
    trained(bench, "torch-launched", PYTORCH, SUMS, 2, launched)
    trained(bench, "torch-together", PYTORCH, SUMS, 2, {}, EnableNetworkIsolation=True)
    alone = json.loads(completed(bench, "torch-alone")["weights.json"])
    assert alone != pytest.approx([1, 2, 3, 0], abs=1e-3)  # it has not converged: how it got there shows
    for name in ("torch-launched", "torch-together"):
        assert json.loads(completed(bench, name)["weights.json"]) == pytest.approx(alone, rel=1e-5)
        lines = said(bench, name)
        assert "rank 0 of 2 on algo-1" in lines and "rank 1 of 2 on algo-2" in lines
    assert "-m torch.distributed.run --nnodes 2 --nproc_per_node 1 --master_addr algo-1" in said(
        bench, "torch-launched"
    )


@pytest.mark.parametrize("setting", ["sagemaker_distributed_dataparallel_enabled", "sagemaker_mpi_enabled"])
def test_aws_own_launchers_are_refused_by_name(bench: Bench, setting: str) -> None:
    name = f"torch-{setting.split('_')[1]}"
    trained(bench, name, PYTORCH, SUMS, 1, {setting: True})
    job = bench.ended(name)
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith(f"ClientError: {setting}: ")
