"""Launching a script over MPI: ``mpirun`` on the first host, and on the others somebody who starts what it wants there.

Source of the command, its options and their order: ``mpi.py`` and ``runner.py`` of aws/sagemaker-training-toolkit. Its
options are Open MPI 4's; this is Open MPI 5, where options have two dashes, ``--display-map`` is ``--display map``, and
what is asked of daemons (``oob``, ``plm``, ``orte``) is PRRTE's, under other names. What AWS does for its own network
cards and to tell hosts their names is not needed.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from cloche_jobs.contract.failure import UserError
from cloche_jobs.frameworks.script import Launch
from cloche_jobs.frameworks.sharing import threads_each
from cloche_jobs.frameworks.variables import Training
from cloche_jobs.meeting import call, listen

PROCESSES_PER_HOST: Final = "sagemaker_mpi_num_of_processes_per_host"
PROCESSES: Final = "sagemaker_mpi_num_processes"
OPTIONS: Final = "sagemaker_mpi_custom_mpi_options"
_NAMES_FOR_AWS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_LIBRARY: Final = "LD_LIBRARY_PATH"


def launched(training: Training, command: list[str], variables: Mapping[str, str]) -> Launch:
    """What this host runs; ``variables`` are the framework's own. Raises ``UserError``."""
    variables = {**variables, **threads_each(training, processes_per_host(training))}
    if training.current_host != training.master:
        socket = training.layout.meeting / training.current_host
        return Launch([sys.executable, "-I", listen.__file__, str(socket)], variables)
    agent = shlex.join([sys.executable, "-I", call.__file__])
    exported = [*training.variables(), *variables, "PYTHONPATH"]
    return Launch(
        [*mpirun(training, exported), *_with_mpi4py(command)],
        {**variables, "PRTE_MCA_plm_ssh_agent": agent, "PRTE_MCA_plm_ssh_no_tree_spawn": "1"},
        partial(_end_others, [host for host in training.distribution_hosts if host != training.master]),
    )


def mpirun(training: Training, exported: list[str]) -> list[str]:
    """The command line up to the program; ``exported`` variables are the same for all processes, those of hosts too
    (so it is with AWS: ``SM_CURRENT_HOST`` is the first host's everywhere). Raises ``UserError``."""
    each, hosts = processes_per_host(training), training.distribution_hosts
    count = _number(training, PROCESSES, each * len(hosts))
    interface = str(training.resources.get("network_interface_name", "eth0"))
    debug, others = _options(training)
    named = [name for name in (_LIBRARY, "PATH", *_NAMES_FOR_AWS) if name in os.environ]
    return [
        "mpirun",
        *("--host", ",".join(hosts if each == 1 else [f"{host}:{each}" for host in hosts])),
        *("-np", str(count)),
        "--allow-run-as-root",
        *("--display", "map"),
        "--tag-output",
        *("--mca", "btl_tcp_if_include", interface),
        *("--bind-to", "none"),
        *("--map-by", "slot"),
        *("--mca", "pml", "ob1"),
        *("--mca", "btl", "^openib"),
        *("-x", "NCCL_MIN_NRINGS=4"),
        *("-x", f"NCCL_SOCKET_IFNAME={interface}"),
        *("-x", f"NCCL_DEBUG={debug}"),
        *others,
        *(word for name in dict.fromkeys([*named, *exported]) for word in ("-x", name)),
    ]


def processes_per_host(training: Training) -> int:
    """Raises ``UserError``. AWS takes the number of GPUs, or one where there are none."""
    return _number(training, PROCESSES_PER_HOST, 1)


def _number(training: Training, name: str, otherwise: int) -> int:
    count = training.settings.get(name, otherwise)
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise UserError(f"{name} is {count!r}: a number of processes is wanted")
    return count


def _options(training: Training) -> tuple[str, list[str]]:
    """``--NCCL_DEBUG`` and the user's other options of ``mpirun``. Raises ``UserError``."""
    given: Any = training.settings.get(OPTIONS) or ""
    try:
        found = shlex.split(str(given))
    except ValueError as error:
        raise UserError(f"{OPTIONS} cannot be read: {error}") from None
    debug, others = "INFO", list[str]()
    words = iter(found)
    for word in words:
        if word == "--NCCL_DEBUG":
            debug = next(words, debug)
        elif word.startswith("--NCCL_DEBUG="):
            debug = word.partition("=")[2]
        else:
            others.append(_as_now(word))
    return debug, others


def _as_now(word: str) -> str:
    """Options of Open MPI 4 may have one dash however long they are."""
    is_old = len(word) > 2 and word[0] == "-" and word[1:].replace("-", "").isalpha() and word[1] != "-"
    return f"-{word}" if is_old and word not in ("-np",) else word


def _with_mpi4py(command: list[str]) -> list[str]:
    """Python by way of ``mpi4py``: an exception that nobody catches ends all processes, not just its own."""
    return [command[0], "-m", "mpi4py", *command[1:]] if command[0] == sys.executable else command


def _end_others(hosts: list[str]) -> None:
    for host in hosts:
        call.end(host)
