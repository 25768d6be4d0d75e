"""One model of several hosts, trained by the script's own function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cloche_jobs.algorithms.xgboost.cluster import FIRST_PORT, SECOND_PORT, train_together
from cloche_jobs.toolkits.hosts import wait_for_hosts as wait_hostname_resolution

__all__ = ["rabit_run", "wait_hostname_resolution"]


def rabit_run(
    exec_fun: Callable[..., Any],
    args: dict[str, Any],
    include_in_training: bool,
    hosts: list[str],
    current_host: str,
    first_port: int | None = None,
    second_port: int | None = None,
    max_connect_attempts: int | None = None,
    connect_retry_timeout: int = 3,
    update_rabit_args: bool = False,
) -> None:
    """Call ``exec_fun(**args)`` on every host that has data, within XGBoost's collective; with ``update_rabit_args`` it
    is told ``is_master``, too. The two settings of attempts mean nothing here: a host waits until the first one's
    tracker is there. Raises ``JobError``."""

    def run(is_first: bool) -> None:
        exec_fun(**args, **({"is_master": is_first} if update_rabit_args else {}))

    ports = (first_port or FIRST_PORT, second_port or SECOND_PORT)
    train_together(hosts, current_host, include_in_training, run, ports)
