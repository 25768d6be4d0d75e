"""Where torch's processes meet: at a port of the run's own, for hosts share this machine with other runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cloche_jobs.frameworks import sharing
from cloche_jobs.frameworks.pytorch import train

ARN = "arn:aws:sagemaker:us-east-1:123456789012:training-job/one"


class Two:
    """What is asked of a ``Training`` here."""

    master = "algo-1"
    resources: dict[str, Any] = {"hosts": ["algo-1", "algo-2"], "network_interface_name": "eth0"}


def port(monkeypatch: pytest.MonkeyPatch, folder: Path, address: str, arn: str = ARN) -> int:
    hosts = folder / "hosts"
    if address:
        hosts.write_text(f"127.0.0.1 localhost\n{address} algo-1\n127.9.9.9 algo-2\n")
    monkeypatch.setattr(sharing, "HOSTS", hosts)
    monkeypatch.setenv("TRAINING_JOB_ARN", arn)
    two: Any = Two()
    given = train.variables_of(two)
    assert (given["MASTER_ADDR"], given["GLOO_SOCKET_IFNAME"]) == ("algo-1", "eth0")
    return int(given["MASTER_PORT"])


def test_all_hosts_of_a_run_take_the_same_port_and_no_two_runs_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = port(monkeypatch, tmp_path, "127.1.1.1")
    assert port(monkeypatch, tmp_path, "127.1.1.1") == first in sharing.PORTS
    others = {port(monkeypatch, tmp_path, f"127.{number}.1.1") for number in range(2, 20)}
    others.add(port(monkeypatch, tmp_path, "127.1.1.1", arn=ARN + "-more"))
    assert first not in others
    assert len(others) == 19


def test_where_names_are_not_given_the_job_alone_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert port(monkeypatch, tmp_path, "") == port(monkeypatch, tmp_path, "")
    assert port(monkeypatch, tmp_path, "") != port(monkeypatch, tmp_path, "", arn=ARN + "-more")
