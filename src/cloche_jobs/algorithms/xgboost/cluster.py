"""Several hosts train one model: XGBoost's own collective, with its tracker on the first host.

As in AWS's container, there are two rounds of meeting: in the first all hosts tell whether they got data, in the second
those that did train together, and the first of them prints and saves. The ports are AWS's, on the host's own address.
A host that meets before the tracker is there would be given up by the library after a few tries, and nothing may try
the tracker's port but the library. So the first host rings a bell, a second port, once its tracker listens.

Source: ``distributed.py`` and ``algorithm_mode/train.py`` of aws/sagemaker-xgboost-container.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from xgboost import collective
from xgboost.tracker import RabitTracker

from cloche_jobs.algorithms.xgboost.engine import xgboost
from cloche_jobs.contract.failure import AlgorithmError, PlatformError

log = logging.getLogger(__name__)

FIRST_PORT: Final = 9099
SECOND_PORT: Final = 9100
BELL: Final = 100
"""Added to a tracker's port."""
MEETING_SECONDS_MAX: Final = 15 * 60
"""How long AWS's container waits for the other hosts to be there."""
_IS_BEFORE_2: Final = xgboost.__version__.startswith("1.")


def train_together(
    hosts: Sequence[str],
    current: str,
    has_data: bool,
    train: Callable[[bool], None],
    ports: tuple[int, int] = (FIRST_PORT, SECOND_PORT),
) -> None:
    """Call ``train(is_first)`` on every host that has data, within the collective. Raises ``JobError``."""
    hosts = sorted(hosts)
    log.info("Distributed node training with %d hosts: %s", len(hosts), hosts)
    if not has_data:
        log.warning(
            "Host %s does not have data. Will broadcast to cluster and will not be used in distributed training.",
            current,
        )
    with _meeting(hosts, current, ports[0]):
        told = [_from(rank, (current, has_data)) for rank in range(collective.get_world_size())]
    with_data = sorted(host for host, has in told if has)
    if not with_data:
        raise AlgorithmError("No hosts received training data.")
    if not has_data:
        log.warning("Host %s not being used for distributed training.", current)
    elif len(with_data) == 1:
        train(True)
    else:
        with _meeting(with_data, current, ports[1]):
            train(current == with_data[0])


def _from(rank: int, mine: tuple[str, bool]) -> tuple[str, bool]:
    said: tuple[str, bool] = collective.broadcast(mine if rank == collective.get_rank() else None, rank)
    return said


@contextmanager
def _meeting(hosts: Sequence[str], current: str, port: int) -> Iterator[None]:
    """The collective of ``hosts``. It is left in order only when all went well: a host that fails must not tell the
    others before it has told why."""
    address = socket.gethostbyname(hosts[0])
    tracker = _Tracker(address, port, len(hosts)) if current == hosts[0] else None
    if tracker is None:
        _await_bell(hosts[0], address, port + BELL)
    collective.init(**_arguments(address, port, len(hosts)))
    yield
    collective.finalize()
    if tracker is not None:
        tracker.end()


def _arguments(address: str, port: int, count: int) -> dict[str, Any]:
    arguments = {"dmlc_tracker_uri": address, "dmlc_tracker_port": port}
    if not _IS_BEFORE_2:
        return arguments
    return {**{name.upper(): value for name, value in arguments.items()}, "DMLC_NUM_WORKER": count}


class _Tracker:
    """The library's, on this host, and the bell that tells of it."""

    def __init__(self, address: str, port: int, count: int) -> None:
        self.tracker: Any = RabitTracker(host_ip=address, n_workers=count, port=port)
        self.tracker.start(*([count] if _IS_BEFORE_2 else []))
        self.bell = socket.create_server((address, port + BELL), backlog=count)

    def end(self) -> None:
        """Once every host has left."""
        self.bell.close()
        if _IS_BEFORE_2:
            self.tracker.join()
        else:
            self.tracker.wait_for()


def _await_bell(host: str, address: str, port: int) -> None:
    deadline = time.monotonic() + MEETING_SECONDS_MAX
    while True:
        try:
            socket.create_connection((address, port), timeout=5).close()
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise PlatformError(f"the first host, {host}, did not begin to train: {error}") from error
        time.sleep(0.05)
