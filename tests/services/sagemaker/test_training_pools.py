"""Warm pools: kept, taken over, ended; and what they keep."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from training_requests import Bench

CACHE = "$([ -d /opt/ml/sagemaker ] && echo /opt/ml || echo $CLOCHE_ML_ROOT)/sagemaker/warmpoolcache"


@pytest.fixture(scope="module")
def bench(server: Any) -> Bench:
    return Bench(server)


def pooled(seconds: int = 600, volume: int = 7, **changes: Any) -> dict[str, Any]:
    """``volume`` tells the tests' pools apart."""
    resources = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": volume}
    return {"ResourceConfig": {**resources, "KeepAlivePeriodInSeconds": seconds, **changes}}


def pool(bench: Bench, name: str) -> dict[str, Any]:
    found: dict[str, Any] = bench.describe(name)["WarmPoolStatus"]
    return found


def becomes(bench: Bench, name: str, status: str) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while pool(bench, name)["Status"] != status:
        assert time.monotonic() < deadline, pool(bench, name)
        time.sleep(0.05)
    return pool(bench, name)


def test_a_pool_and_its_cache_go_to_the_next_job_that_matches(bench: Bench) -> None:
    bench.create("first", f"cat {CACHE}/*; echo kept > {CACHE}/note; sleep 1", **pooled())
    assert pool(bench, "first") == {"Status": "InUse"}
    assert "ReusedByJob" not in pool(bench, "first")
    bench.ended("first")
    assert becomes(bench, "first", "Available") == {"Status": "Available"}
    job = bench.run("unlike", f"cat {CACHE}/*", **pooled(volume=8))
    assert bench.lines("unlike") != ["kept"]
    assert pool(bench, "first")["Status"] == "Available"
    job = bench.run("second", f"cat {CACHE}/*", **pooled())
    assert job["TrainingJobStatus"] == "Completed"
    assert bench.lines("second") == ["kept"]
    reused = pool(bench, "first")
    assert (reused["Status"], reused["ReusedByJob"]) == ("Reused", "second")
    assert reused["ResourceRetainedBillableTimeInSeconds"] >= 1
    assert becomes(bench, "second", "Available") == {"Status": "Available"}
    names = {
        status: {
            each["TrainingJobName"]
            for each in bench.sagemaker.list_training_jobs(WarmPoolStatusEquals=status)["TrainingJobSummaries"]
        }
        for status in ("Available", "Reused", "InUse")
    }
    assert names["Reused"] >= {"first"}
    assert names["Available"] >= {"second", "unlike"}
    assert not names["InUse"] & {"first", "second", "unlike"}
    for name in ("second", "unlike"):
        bench.sagemaker.update_training_job(TrainingJobName=name, ResourceConfig={"KeepAlivePeriodInSeconds": 0})
        assert pool(bench, name)["Status"] == "Terminated"
    assert bench.describe("second")["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 0
    bench.run("third", f"ls {CACHE}", **pooled())
    assert bench.lines("third") == []


def test_a_pool_is_over_when_its_time_is(bench: Bench) -> None:
    bench.run("brief", **pooled(1, volume=9))
    assert becomes(bench, "brief", "Terminated")["ResourceRetainedBillableTimeInSeconds"] >= 1


def test_which_jobs_leave_a_pool(bench: Bench) -> None:
    bench.run("fails", "exit 1", **pooled(volume=10))
    assert becomes(bench, "fails", "Available")
    broken = 'echo "InternalServerError: broken" > $CLOCHE_ML_ROOT/output/failure; exit 1'
    bench.run("breaks", broken, **pooled(volume=11))
    assert becomes(bench, "breaks", "Terminated") == {"Status": "Terminated"}
    assert "WarmPoolStatus" not in bench.run("none")


def test_an_available_pool_can_be_kept_longer_but_its_job_not_deleted(bench: Bench) -> None:
    bench.run("longer", **pooled(600, volume=12))
    becomes(bench, "longer", "Available")
    bench.sagemaker.update_training_job(TrainingJobName="longer", ResourceConfig={"KeepAlivePeriodInSeconds": 1200})
    assert bench.describe("longer")["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 1200
    assert pool(bench, "longer")["Status"] == "Available"
    with pytest.raises(ClientError, match="has an available warm pool"):
        bench.sagemaker.delete_training_job(TrainingJobName="longer")
    bench.sagemaker.update_training_job(TrainingJobName="longer", ResourceConfig={"KeepAlivePeriodInSeconds": 0})
    with pytest.raises(ClientError, match="has no available warm pool"):
        bench.sagemaker.update_training_job(TrainingJobName="longer", ResourceConfig={"KeepAlivePeriodInSeconds": 60})
    bench.sagemaker.delete_training_job(TrainingJobName="longer")
