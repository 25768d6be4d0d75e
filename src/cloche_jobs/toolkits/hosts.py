"""Waiting until the other hosts of a job have addresses."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterable
from typing import Final

WAIT_SECONDS_MAX: Final = 15 * 60
"""As ``_wait_hostname_resolution`` of aws/sagemaker-training-toolkit has it."""


def wait_for_hosts(hosts: Iterable[str] | None = None) -> None:
    """Return once each host's name resolves; without ``hosts`` those of the job. Raises ``OSError`` for one that never
    does."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    for host in json.loads(os.environ.get("SM_HOSTS", "[]")) if hosts is None else hosts:
        while True:
            try:
                socket.gethostbyname(host)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.1)
