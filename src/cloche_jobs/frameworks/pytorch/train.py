"""Training with PyTorch: the user's script, started by itself, by ``torchrun`` on every host, or over MPI.

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
from typing import Final

from cloche_jobs.contract.failure import UserError
from cloche_jobs.contract.layout import Layout
from cloche_jobs.frameworks import mpi, variables
from cloche_jobs.frameworks.script import Launch, train
from cloche_jobs.frameworks.sharing import port_of_run, threads_each
from cloche_jobs.frameworks.variables import Training

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
        raise UserError(f"{launch}: {_REFUSED[launch]}. {instead}")
    found = variables_of(training)
    if launch == variables.MPI:
        return mpi.launched(training, command, found)
    if launch == variables.TORCH_DISTRIBUTED:
        return Launch(torchrun(training, command, found["MASTER_PORT"]), found)
    return Launch(command, found)


def variables_of(training: Training) -> dict[str, str]:
    """What ``torch.distributed`` and its backends look for."""
    interface = str(training.resources.get("network_interface_name", "eth0"))
    gloo = {} if "GLOO_SOCKET_IFNAME" in os.environ else {"GLOO_SOCKET_IFNAME": interface}  # AWS's set nothing for it
    return {
        "MASTER_ADDR": training.master,
        "MASTER_PORT": str(port_of_run(training.master)),
        "NCCL_SOCKET_IFNAME": interface,
        "NCCL_IB_DISABLE": "1",
        "NCCL_DEBUG": "WARN",
        **gloo,
        **threads_each(training),
    }


def torchrun(training: Training, command: list[str], port: str) -> list[str]:
    """``command`` started by torch's launcher, as often as asked for. Raises ``UserError``."""
    if "-m" in command[:2] or command[0] != sys.executable:
        raise UserError(
            "Python packages are not supported for torch_distributed. Please use a python script as the entry-point"
        )
    hosts = training.distribution_hosts
    options = ["--nnodes", str(len(hosts)), "--nproc_per_node", str(mpi.processes_per_host(training))]
    if len(hosts) > 1:
        rank = hosts.index(training.current_host)
        options += ["--master_addr", training.master, "--master_port", port, "--node_rank", str(rank)]
    return [sys.executable, "-m", "torch.distributed.run", *options, *command[1:]]
