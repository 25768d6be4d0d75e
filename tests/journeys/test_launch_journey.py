"""SDK 3's ``ModelTrainer`` on two instances: its drivers of MPI and of torchrun, unmodified.

That of MPI runs as many processes as are asked for on each host, altogether; its hosts ask for its end every 30 s.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from example_runs import by, result, run

from cloche.compute.local.sandbox import bubblewrap, networks

pytestmark = [
    pytest.mark.journey,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        bubblewrap() is None or networks() != "each",
        reason="NOT TESTED: hosts with networks of their own, whose port 22 a driver asks, cannot be had here",
    ),
]
LAUNCH = """
import json, time
import boto3
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.training.configs import Compute, Networking, SourceCode
from sagemaker.train import ModelTrainer
from sagemaker.train.distributed import MPI, Torchrun

session, aws, logs = Session(), boto3.client("sagemaker"), boto3.client("logs")
role = f"arn:aws:iam::{session.account_id()}:role/service-role/AmazonSageMaker-ExecutionRole"
wanted = {"instance_type": "ml.m5.large", "image_scope": "training", "py_version": "py312"}
image = image_uris.retrieve("pytorch", session.boto_region_name, "2.8.0", **wanted)
ways = {
    "mpi": ("sums.py", MPI(process_count_per_node=2, mpi_additional_options=["--map-by", "node"])),
    "torchrun": ("reduce.py", Torchrun(process_count_per_node=1)),
}
trainers, found = {}, {}
for name, (script, way) in ways.items():
    trainers[name] = ModelTrainer(
        training_image=image, role=role, sagemaker_session=session, base_job_name=name, distributed=way,
        source_code=SourceCode(source_dir="code", entry_script=script), hyperparameters={"rows": 8},
        compute=Compute(instance_type="ml.m5.large", instance_count=2),
        networking=Networking(enable_network_isolation=True), environment={"OMP_NUM_THREADS": "1"},
    )
    trainers[name].train(wait=False, logs=False)
for name, trainer in trainers.items():
    job = {"TrainingJobName": trainer._latest_training_job.training_job_name}
    while (state := aws.describe_training_job(**job))["TrainingJobStatus"] == "InProgress":
        time.sleep(1)
    group = {"logGroupName": "/aws/sagemaker/TrainingJobs", "logStreamNamePrefix": job["TrainingJobName"]}
    lines = [each["message"] for each in logs.filter_log_events(**group)["events"]]
    found[name] = [state["TrainingJobStatus"], state.get("FailureReason", ""), lines]
print("RESULT " + json.dumps(found))
"""
SUMS = """
import socket, sys
from mpi4py import MPI
world = MPI.COMM_WORLD
total = world.allreduce(sum(range(world.rank, int(sys.argv[2]), world.size)))
print("rank", world.rank, "of", world.size, "on", socket.gethostname(), "total", total)
"""
REDUCE = """
import socket, sys
import torch, torch.distributed as together
together.init_process_group("gloo")
rank, size = together.get_rank(), together.get_world_size()
total = torch.tensor(sum(range(rank, int(sys.argv[2]), size)))
together.all_reduce(total)
print("rank", rank, "of", size, "on", socket.gethostname(), "total", int(total))
together.destroy_process_group()
"""


def test_drivers_of_sdk_v3_on_two_instances(server: Any, tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "sums.py").write_text(SUMS)
    (code / "reduce.py").write_text(REDUCE)
    found = result(run(server, by("sagemaker3", "-c", LAUNCH), tmp_path))
    for status, reason, lines in found.values():
        printed = "\n".join(lines)
        assert (status, reason) == ("Completed", ""), printed[-6000:]
        for rank in range(2):
            assert f"rank {rank} of 2 on algo-{1 + rank} total 28" in printed, printed
