"""Scripts launched over MPI: processes on several instances compute what they would on one."""

from __future__ import annotations

import json
import signal
import time
from typing import Any

import pytest
from framework_jobs import PYTORCH, completed, said, trained
from training_requests import Bench

from cloche.compute.local.sandbox import bubblewrap

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(bubblewrap() is None, reason="NOT TESTED: several instances need bubblewrap"),
]
SUMS = """
import json, os, socket
import numpy
from mpi4py import MPI

world = MPI.COMM_WORLD
rows = numpy.arange(24.0).reshape(8, 3) ** 2
mine, total = rows[world.rank :: world.size].sum(axis=0), numpy.zeros(3)
world.Allreduce(mine, total)
print(f"rank {world.rank} of {world.size} on {socket.gethostname()}")
if world.rank == 0:
    with open(os.environ["SM_MODEL_DIR"] + "/sums.json", "w") as file:
        json.dump(total.tolist(), file)
"""
FAILING = """
import time
from mpi4py import MPI
if MPI.COMM_WORLD.rank == 3:
    raise ValueError("rank three gives up")
time.sleep(300)
"""
WAITING = """
import time
from mpi4py import MPI
print("ready", flush=True)
MPI.COMM_WORLD.Barrier()
time.sleep(300)
"""
OVER_MPI = {"sagemaker_mpi_enabled": True, "sagemaker_mpi_num_of_processes_per_host": 2}
FOUR = [f"rank {rank} of 4 on algo-{1 + rank // 2}" for rank in range(4)]


@pytest.fixture(scope="module")
def bench(server: Any) -> Bench:
    return Bench(server)


def test_four_processes_on_two_instances_sum_what_two_do_on_one(bench: Bench) -> None:
    options = {"sagemaker_mpi_custom_mpi_options": "-verbose -x SAID=yes --NCCL_DEBUG WARN"}
    trained(bench, "mpi-one", PYTORCH, SUMS, 1, OVER_MPI)
    trained(bench, "mpi-two", PYTORCH, SUMS, 2, {**OVER_MPI, **options})
    trained(bench, "mpi-apart", PYTORCH, SUMS, 2, OVER_MPI, EnableNetworkIsolation=True)
    alone = json.loads(completed(bench, "mpi-one")["sums.json"])
    assert alone == [1260.0, 1436.0, 1628.0]
    for name in ("mpi-two", "mpi-apart"):
        assert json.loads(completed(bench, name)["sums.json"]) == alone
        lines = said(bench, name)
        assert all(line in lines for line in FOUR), lines
    assert "mpirun --host algo-1:2,algo-2:2 -np 4 --allow-run-as-root" in said(bench, "mpi-two")
    assert "-x NCCL_DEBUG=WARN" in said(bench, "mpi-two")


def test_one_process_that_fails_ends_all(bench: Bench) -> None:
    trained(bench, "mpi-failing", PYTORCH, FAILING, 2, OVER_MPI)
    job = bench.ended("mpi-failing", 120)
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("AlgorithmError: ExecuteUserScriptError:"), job["FailureReason"]
    assert "rank three gives up" in said(bench, "mpi-failing")


def test_a_launched_job_outlives_a_kill_of_the_server_and_is_stopped(start_server: Any) -> None:
    server = start_server()
    bench = Bench(server)
    trained(bench, "mpi-killed", PYTORCH, WAITING, 2, OVER_MPI)
    bench.says("mpi-killed", "ready")
    server.stop(signal.SIGKILL)
    again = Bench(start_server(data=server.data))
    began = time.monotonic()
    again.sagemaker.stop_training_job(TrainingJobName="mpi-killed")
    assert again.ended("mpi-killed", 130)["TrainingJobStatus"] == "Stopped"
    assert time.monotonic() - began < 100, "it was killed after the grace instead of ending when asked"
