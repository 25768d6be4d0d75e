"""Training with PyTorch: the user's script, started by itself or by ``torchrun`` on every host.

Source: ``training.py`` of aws/sagemaker-pytorch-training-toolkit, ``torch_distributed.py`` of
aws/sagemaker-training-toolkit. AWS's launchers for its own network cards (``smdistributed``, ``pytorchddp``) and for
Trainium have nothing to run on here and are refused by name.

AWS's master listens at port 7777. Hosts are sandboxes that may share this machine's network with other jobs, also with
another Cloche's of the same name, and torch's rendezvous listens on all addresses. So each run has a port of its own,
drawn from its name and from its first host's address, which are the same on all of its hosts.
"""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cloche_jobs.contract.failure import UserError
from cloche_jobs.contract.layout import Layout
from cloche_jobs.frameworks import variables
from cloche_jobs.frameworks.script import Launch, train
from cloche_jobs.frameworks.variables import Training

PORTS: Final = range(20_000, 30_000)
HOSTS: Final = Path("/etc/hosts")
_REFUSED: Final = {
    variables.SMDATAPARALLEL: "smdistributed.dataparallel is AWS's own library for its GPUs and network",
    variables.PYTORCH_DDP: "pytorchddp is launched by AWS's smddprun, for its GPUs and network",
    variables.PYTORCH_XLA: "PyTorch/XLA is for AWS's Trainium",
}


def main(layout: Layout) -> None:
    """Run the user's training program to its end. Raises ``JobError``."""
    train(layout, launched)


def launched(training: Training, command: list[str]) -> Launch:
    """What this host runs for ``command``. Raises ``UserError``."""
    launch = training.launch()
    if launch in _REFUSED:
        instead = 'distribution={"torch_distributed": {"enabled": True}} runs the same script with gloo'
        raise UserError(f"{launch}: {_REFUSED[launch]}, and is not there. {instead}")
    found = variables_of(training)
    if launch == variables.TORCH_DISTRIBUTED:
        return Launch(torchrun(training, command, found["MASTER_PORT"]), found)
    return Launch(command, found)


def variables_of(training: Training) -> dict[str, str]:
    """What ``torch.distributed`` and its backends look for."""
    interface = str(training.resources.get("network_interface_name", "eth0"))
    given = {
        "MASTER_ADDR": training.master,
        "MASTER_PORT": _port_of(training.master),
        "NCCL_SOCKET_IFNAME": interface,
        "NCCL_IB_DISABLE": "1",
        "NCCL_DEBUG": "WARN",
    }
    return {**given, **{name: value for name, value in _unless_set(training, interface) if name not in os.environ}}


def _port_of(master: str) -> str:
    try:
        lines = [line for line in HOSTS.read_text().splitlines() if master in line.split()]
    except OSError:
        lines = []  # without a sandbox nobody is asked where the name leads: nowhere
    run = " ".join([os.environ.get("TRAINING_JOB_ARN", ""), *lines])
    return str(PORTS[zlib.crc32(run.encode()) % len(PORTS)])


def _unless_set(training: Training, interface: str) -> Iterator[tuple[str, str]]:
    """What AWS's containers do not set. Hosts have machines of their own there; here they share processors, and threads
    that wait for each other in a loop would keep each other from running."""
    yield "GLOO_SOCKET_IFNAME", interface
    hosts = len(training.resources["hosts"])
    if hosts > 1:
        yield "OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // hosts))


def torchrun(training: Training, command: list[str], port: str) -> list[str]:
    """``command`` started by torch's launcher, as often as asked for. Raises ``UserError``."""
    if "-m" in command[:2] or command[0] != sys.executable:
        raise UserError(
            "Python packages are not supported for torch_distributed. Please use a python script as the entry-point"
        )
    hosts = training.distribution_hosts
    options = ["--nnodes", str(len(hosts)), "--nproc_per_node", str(processes_per_host(training))]
    if len(hosts) > 1:
        rank = hosts.index(training.current_host)
        options += ["--master_addr", training.master, "--master_port", port, "--node_rank", str(rank)]
    return [sys.executable, "-m", "torch.distributed.run", *options, *command[1:]]


def processes_per_host(training: Training) -> int:
    """Raises ``UserError``. AWS's launcher takes the number of GPUs, or one where there are none."""
    name = "sagemaker_mpi_num_of_processes_per_host"
    count = training.settings.get(name) or 1
    if not isinstance(count, int) or count < 1:
        raise UserError(f"{name} is {count!r}: a number of processes is wanted")
    return count
