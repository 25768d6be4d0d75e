"""The lifecycle of a package's validation is whole, and its states are words of the API."""

from __future__ import annotations

import botocore.session

from cloche.engines.package_validation.machine import LIFECYCLE


def test_the_table_has_no_flaws() -> None:
    assert LIFECYCLE.flaws() == []


def test_states_are_those_of_a_package() -> None:
    statuses = botocore.session.get_session().get_service_model("sagemaker").shape_for("ModelPackageStatus").enum
    assert LIFECYCLE.states == set(statuses) - {"Deleting"}
