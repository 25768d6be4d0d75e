"""Each operation of each offered model is answered or refused with a reason: exactly one of the two."""

from __future__ import annotations

import re

import pytest

from cloche.aws.model.load import service_model
from cloche.aws.resource import explain

from .offered import SERVICES, offered


def test_the_services_of_the_first_slice_are_offered() -> None:
    assert {"cloudwatch", "iam", "logs", "s3", "sagemaker", "sagemaker-runtime", "sts"} <= set(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_appears_exactly_once(service: str) -> None:
    found = offered(service)
    model = set(service_model(service).operation_names)
    answered, refused = set(found.operations), set(found.unsupported)
    assert answered & refused == set(), "answered, and called unsupported"
    assert answered - model == set(), "no such operation"
    assert refused - model == set(), "no such operation"
    assert model - answered - refused == set(), "neither answered nor refused with a reason"


@pytest.mark.parametrize("service", SERVICES)
def test_reasons_are_sentences_for_people(service: str) -> None:
    for name, reason in offered(service).unsupported.items():
        assert len(reason) > 10, name
        assert not re.search(r"\bTODO\b|\bNYI\b|\n", reason), name


@pytest.mark.parametrize("service", SERVICES)
def test_every_answer_can_be_explained_to_its_line(service: str) -> None:
    for name, operation in offered(service).operations.items():
        told = explain(operation)
        source = told.file.read_text().splitlines()
        near = "\n".join(source[max(told.line - 2, 0) : told.line + 2])
        assert f'"{name}"' in near, f"{name} is spelled where it is answered ({told.file.name}:{told.line})"
