"""The table of a transform job's states."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.session import Session

from cloche.engines.transform.machine import LIFECYCLE, PLACED, STOP_ASKED, WAITING, State


def test_the_table_has_no_dead_ends() -> None:
    assert LIFECYCLE.flaws() == []
    assert LIFECYCLE.states == {state.name for state in State}
    assert LIFECYCLE.active == WAITING | PLACED


def test_statuses_are_aws_own() -> None:
    model: Any = Session().get_service_model("sagemaker")
    known = set(model.shape_for("TransformJobStatus").enum)
    assert {state.status for state in State} == known
    for state in State:
        assert state.is_terminal == (state.status in ("Completed", "Failed", "Stopped"))


@pytest.mark.parametrize("state", sorted(LIFECYCLE.active - {"Uploading", "Stopping"}))
def test_a_job_can_be_stopped_until_it_uploads(state: str) -> None:
    assert LIFECYCLE.next(state, STOP_ASKED) == "Stopping"
    assert LIFECYCLE.next("Uploading", STOP_ASKED) is None
