"""What hosts of one job share on this machine: its ports, and its processors."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Final

from cloche_jobs.frameworks.variables import Training

PORTS: Final = range(20_000, 30_000)
HOSTS: Final = Path("/etc/hosts")


def port_of_run(master: str) -> int:
    """The same on all hosts of a job, most likely another for every run: drawn from its name and its first host's
    address. Launchers listen on all addresses."""
    try:
        lines = [line for line in HOSTS.read_text().splitlines() if master in line.split()]
    except OSError:
        lines = []  # without a sandbox nobody is asked where the name leads: nowhere
    run = " ".join([os.environ.get("TRAINING_JOB_ARN", ""), *lines])
    return PORTS[zlib.crc32(run.encode()) % len(PORTS)]


def threads_each(training: Training, processes: int = 1) -> dict[str, str]:
    """A process's share of the processors, where there are several and the job does not say. Threads that wait for each
    other in a loop would keep each other from running."""
    count = processes * len(training.resources["hosts"])
    if count == 1 or "OMP_NUM_THREADS" in os.environ:
        return {}
    return {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // count))}
