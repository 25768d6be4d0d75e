"""The table of an endpoint's life, held to what AWS's own waiters expect."""

from __future__ import annotations

import pytest

from cloche.engines.hosting import machine
from cloche.engines.hosting.machine import ENDPOINT, STEPS
from cloche.lifecycle.machine import BROKEN


def test_the_table_has_no_flaws() -> None:
    assert ENDPOINT.flaws() == []


def test_every_state_but_the_last_is_a_status_of_the_model() -> None:
    from cloche.aws.model.load import service_model

    statuses = set(service_model("sagemaker").shape_for("EndpointStatus").enum)
    assert ENDPOINT.states - {machine.DELETED} <= statuses


def test_an_update_that_fails_leaves_the_endpoint_in_service() -> None:
    assert ENDPOINT.next(machine.UPDATING, machine.UNHEALTHY) == machine.IN_SERVICE
    assert ENDPOINT.next(machine.UPDATING, BROKEN) == machine.IN_SERVICE


@pytest.mark.parametrize("state", [machine.CREATING, machine.UPDATING, machine.DELETING])
@pytest.mark.parametrize("event", [machine.UPDATE_ASKED, machine.DELETE_ASKED])
def test_nothing_can_be_asked_of_an_endpoint_in_progress(state: str, event: str) -> None:
    assert ENDPOINT.next(state, event) is None


def test_a_failed_endpoint_can_only_be_deleted() -> None:
    assert {event for state, event in ENDPOINT.table if state == machine.FAILED} == {machine.DELETE_ASKED, BROKEN}


def test_every_step_stands_beside_its_undo() -> None:
    assert all(step.name and step.undo for step in STEPS)
