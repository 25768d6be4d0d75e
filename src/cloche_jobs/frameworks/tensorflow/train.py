"""Training with TensorFlow: the user's script, told in ``TF_CONFIG`` who else trains where that is asked for.

Source: ``training.py`` of aws/sagemaker-tensorflow-training-toolkit. Parameter servers, which its newer strategies have
left behind, are refused by name. Its port 8890 is one of each host's own here: workers listen on
all addresses, and hosts share their network with each other and, without isolation, with other jobs.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from cloche_jobs.contract.failure import UserError
from cloche_jobs.contract.layout import Layout
from cloche_jobs.frameworks import mpi, variables
from cloche_jobs.frameworks.script import Launch, log, train
from cloche_jobs.frameworks.sharing import port_of_run, threads_each
from cloche_jobs.frameworks.variables import Training

_REFUSED: Final = {
    variables.SMDATAPARALLEL: "smdistributed.dataparallel is AWS's own library for its GPUs and network",
    variables.PARAMETER_SERVER: "parameter servers are not launched here",
}


def main(layout: Layout) -> None:
    """Run the user's training program to its end. Raises ``JobError``."""
    train(layout, launched)
    _tell_what_cannot_be_served(layout.model)


def launched(training: Training, command: list[str]) -> Launch:
    """What this host runs for ``command``. Raises ``UserError``."""
    launch = training.launch()
    if launch == variables.PARAMETER_SERVER and len(training.resources["hosts"]) == 1:
        launch = None  # AWS's toolkit starts none for one host either
    if launch in _REFUSED:
        instead = 'distribution={"multi_worker_mirrored_strategy": {"enabled": True}} tells each host of the others'
        raise UserError(f"{launch}: {_REFUSED[launch]}. {instead}")
    if launch == variables.MPI:
        return mpi.launched(training, command, {})
    found = threads_each(training)
    if launch == variables.MULTI_WORKER_MIRRORED:
        found |= {"TF_CONFIG": json.dumps(_config(training))}
    return Launch(command, found)


def _config(training: Training) -> dict[str, object]:
    hosts, port = training.distribution_hosts, port_of_run(training.master)
    return {
        "cluster": {"worker": [f"{host}:{port + number}" for number, host in enumerate(hosts)]},
        "environment": "cloud",
        "task": {"index": hosts.index(training.current_host), "type": "worker"},
    }


def _tell_what_cannot_be_served(model: Path) -> None:
    found = [Path(folder) for folder, _, files in os.walk(model) if "saved_model.pb" in files]
    for folder in found:
        if not folder.name.isdigit():
            log.warning(
                "Your model will NOT be servable with SageMaker TensorFlow Serving containers. "
                'The SavedModel bundle is under directory "%s", not a numeric name.',
                folder.name,
            )
    if not found:
        log.warning(
            "Your model will NOT be servable with SageMaker TensorFlow Serving container: no SavedModel is there."
        )
