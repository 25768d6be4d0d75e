"""Requests to TensorFlow endpoints, as TensorFlow Serving reads them; the library itself is not needed for it."""

from __future__ import annotations

import json

import pytest

from cloche_jobs.frameworks.tensorflow.forms import asked, attributes
from cloche_jobs.serving import InferenceError


@pytest.mark.parametrize(
    ("body", "content_type", "document"),
    [
        ('{"instances": [1]}', "application/json", {"instances": [1]}),
        (
            '{"inputs": {"a": 1}, "signature_name": "s"}',
            "application/json",
            {"inputs": {"a": 1}, "signature_name": "s"},
        ),
        ("[[1, 2], [3, 4]]", "application/json", {"instances": [[1, 2], [3, 4]]}),
        ("[1, 2]", "application/json", {"instances": [[1, 2]]}),
        ('{"a": 1}', "application/json", {"instances": [{"a": 1}]}),
        ('{"a": 1}\n{"a": 2}\n', "application/jsonlines", {"instances": [{"a": 1}, {"a": 2}]}),
        ("1,2.5\n3,4\n", "text/csv", {"instances": [[1, 2.5], [3, 4]]}),
        ("1\n2", "text/csv", {"instances": [1, 2]}),
        ("ab,c d", "text/csv", {"instances": [["ab", "c d"]]}),
        ('"a, b",2', "text/csv", {"instances": [["a, b", 2]]}),
    ],
)
def test_what_is_asked(body: str, content_type: str, document: object) -> None:
    assert asked(body.encode(), content_type) == document


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff", "text/csv", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"", "x/y", 415),
    ],
)
def test_what_cannot_be_read(body: bytes, content_type: str, status: int) -> None:
    with pytest.raises(InferenceError) as refused:
        asked(body, content_type)
    assert refused.value.status == status
    assert set(json.loads(refused.value.message)) == {"error"}


def test_custom_attributes_choose_the_model() -> None:
    assert attributes("tfs-model-name=half,tfs-model-version=2,other=3") == {
        "tfs-model-name": "half",
        "tfs-model-version": "2",
    }
    assert attributes("") == {}
