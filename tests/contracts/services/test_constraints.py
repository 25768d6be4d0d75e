"""One broken constraint for every member of CreateTrainingJob: refused, with the member's name and nothing else."""

from __future__ import annotations

import re

import pytest

from cloche.aws.errors import AwsError
from cloche.aws.model.load import service_model
from cloche.aws.validation import validate

from .breaking import Case, broken, valid

SERVICE = service_model("sagemaker")
OPERATION = SERVICE.operation_model("CreateTrainingJob")
GOOD = valid(OPERATION.input_shape)
CASES = list(broken(OPERATION.input_shape, GOOD))


def test_the_request_all_cases_start_from_is_good() -> None:
    validate(SERVICE, OPERATION, GOOD)


def test_every_member_that_has_a_constraint_has_a_case() -> None:
    covered = {case.path.partition(".")[0] for case in CASES}
    members = {name[0].lower() + name[1:] for name in OPERATION.input_shape.members}
    switches = {"remoteDebugConfig", "infraCheckConfig", "sessionChainingConfig"}  # structures of booleans
    without_constraints = {name for name in members if name.startswith("enable")} | switches
    assert members - covered == without_constraints
    assert len(CASES) > 150


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_refused_by_the_members_name(case: Case) -> None:
    with pytest.raises(AwsError) as refused:
        validate(SERVICE, OPERATION, case.request)
    message = refused.value.message
    assert refused.value.code == "ValidationException"
    assert re.match(r"\d+ validation errors? detected: ", message), message
    assert set(re.findall(r"at '([^']+)' failed to satisfy constraint", message)) == {case.path}, message
