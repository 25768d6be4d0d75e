"""What TensorFlow's workers are told of each other: each has a port of its own, as all listen on all addresses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloche_jobs.contract.failure import UserError
from cloche_jobs.frameworks import variables
from cloche_jobs.frameworks.tensorflow import train


class Two:
    """What is asked of a ``Training`` here."""

    master = "algo-1"
    current_host = "algo-2"
    distribution_hosts = ("algo-1", "algo-2")
    resources: dict[str, Any] = {"hosts": ["algo-1", "algo-2"]}

    def __init__(self, launch: str | None) -> None:
        self.launch = lambda: launch


def launched(launch: str | None) -> dict[str, str]:
    two: Any = Two(launch)
    return train.launched(two, ["python", "train.py"]).variables


def test_mirrored_workers_are_told_of_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    given = launched(variables.MULTI_WORKER_MIRRORED)
    told = json.loads(given["TF_CONFIG"])
    assert told["task"] == {"type": "worker", "index": 1}
    first, second = (worker.split(":") for worker in told["cluster"]["worker"])
    assert (first[0], second[0]) == ("algo-1", "algo-2")
    assert int(second[1]) == int(first[1]) + 1
    assert set(launched(None)) == {"OMP_NUM_THREADS"}


@pytest.mark.parametrize("launch", [variables.PARAMETER_SERVER, variables.SMDATAPARALLEL])
def test_others_are_refused_by_name(launch: str) -> None:
    with pytest.raises(UserError, match=launch):
        launched(launch)
