"""The table of a training job's life, and what AWS is told in each state."""

from __future__ import annotations

import botocore.session
import pytest

from cloche.engines.training.machine import LIFECYCLE, PLACED, STOP_ASKED, State


def test_the_table_has_no_flaws() -> None:
    assert LIFECYCLE.flaws() == []


def test_every_state_is_named_once() -> None:
    assert {state.name for state in State} == LIFECYCLE.states


def test_statuses_are_awss_own() -> None:
    model = botocore.session.get_session().get_service_model("sagemaker")
    assert {state.status for state in State} <= set(model.shape_for("TrainingJobStatus").enum)
    assert {state.secondary_status for state in State} <= set(model.shape_for("SecondaryStatus").enum)


@pytest.mark.parametrize("state", sorted(LIFECYCLE.active - {"Stopping", "Saving"}))
def test_every_job_that_has_not_ended_can_be_stopped(state: str) -> None:
    after = LIFECYCLE.next(state, STOP_ASKED)
    assert after is not None
    assert State[after].status == "Stopping"


def test_a_stopped_job_never_completes() -> None:
    reached = {"Stopping"}
    while True:
        more = {after for (state, _), after in LIFECYCLE.table.items() if state in reached} - reached
        if not more:
            break
        reached |= more
    assert reached == {"Stopping", "Saving", "Stopped", "Failed"}


def test_ends_are_those_the_waiter_knows() -> None:
    """botocore's waiter ``training_job_completed_or_stopped`` waits for these three."""
    assert {state.status for state in State if state.is_terminal} == {"Completed", "Failed", "Stopped"}


def test_places_are_held_by_what_works() -> None:
    assert LIFECYCLE.active > PLACED
    assert not PLACED & {"Submitted", "Pending"}
