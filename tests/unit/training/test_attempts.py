"""What a job's runs share, and what each has of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cloche.engines.training import attempts
from cloche.jobs.ending import Ending
from cloche.lifecycle.machine import Item

from .test_stage_inputs import PLAN

SPOT = replace(PLAN, max_runtime_seconds=100, max_wait_seconds=150, retries=2)


def item(**data: Any) -> Item:
    document = {**attempts.first_run(SPOT, 1000.0), **data}
    return Item("arn", "training-job", "Training", document, "", 1, 1000.0, 1000.0, None)


def test_every_run_has_a_process_and_a_stream_of_its_own() -> None:
    first = item()
    changes = attempts.next_run(first, SPOT, 1000.2, ran_seconds=7.0)
    second = item(**{**first.data, **changes})
    third = attempts.next_run(second, SPOT, 1000.4, ran_seconds=2.5, retried=True)
    assert [first.data["stream"], changes["stream"], third["stream"]] == [
        "j/algo-1-1000",
        "j/algo-1-1001",
        "j/algo-1-1002",
    ]
    assert len({first.data["process"], changes["process"], third["process"]}) == 3
    assert changes["left"] == first.data["process"]
    assert (changes["ran_seconds"], third["ran_seconds"]) == (7.0, 9.5)
    assert (changes["retries"], third["retries"]) == (0, 1)


@pytest.mark.parametrize(
    ("ran", "now", "left"),
    [(0.0, 1000.0, 100.0), (60.0, 1080.0, 40.0), (10.0, 1120.0, 30.0), (99.9, 1101.0, 1.0), (0.0, 1200.0, 1.0)],
)
def test_runs_share_the_limits(ran: float, now: float, left: float) -> None:
    assert attempts.limited(item(ran_seconds=ran), SPOT, now).max_runtime_seconds == left


@pytest.mark.parametrize(
    ("started", "ran", "waited"), [(1000.0, 0.0, False), (1060.0, 0.0, True), (1060.0, 50.0, False)]
)
def test_which_limit_was_met(started: float, ran: float, waited: bool) -> None:
    ending = Ending("max_runtime", started_at=started)
    assert attempts.has_waited_too_long(item(ran_seconds=ran), SPOT, ending) is waited


def test_only_our_failures_are_retried_and_only_so_often() -> None:
    ours, theirs = "InternalServerError: We encountered an internal error.", "AlgorithmError: exit code: 1"
    assert attempts.may_retry(item(retries=1), SPOT, ours)
    assert not attempts.may_retry(item(retries=2), SPOT, ours)
    assert not attempts.may_retry(item(), SPOT, theirs)
    assert not attempts.may_retry(item(), PLAN, ours)
