"""What pipelines are fed from and what becomes of their answers; the library itself is not needed for it."""

from __future__ import annotations

import json

import pytest

from cloche_jobs.frameworks.hooks import UnsupportedFormatError
from cloche_jobs.frameworks.huggingface.forms import read, written


def test_documents_and_tables_go_in() -> None:
    assert read('{"inputs": "a", "parameters": {"top_k": 1}}', "application/json", "") == {
        "inputs": "a",
        "parameters": {"top_k": 1},
    }
    assert read("inputs\na b\nc", "text/csv", "text-classification") == {"inputs": ["a b", "c"]}
    asked = read("question,context\nwho?,me\n", "text/csv", "question-answering")
    assert asked == {"inputs": [{"question": "who?", "context": "me"}]}
    assert read(b"RIFF", "audio/wave", "") == {"inputs": b"RIFF"}
    with pytest.raises(ValueError, match="You need to provide the correct CSV with Header columns"):
        read("a,b\n1,2", "text/csv", "")
    with pytest.raises(ValueError, match="text/csv not support with zero-shot-classification"):
        read("inputs\na", "text/csv", "zero-shot-classification")
    with pytest.raises(UnsupportedFormatError, match="Content type text/html is not supported"):
        read("x", "text/html", "")


def test_answers_come_out() -> None:
    class Tensor:
        def tolist(self) -> list[float]:
            return [0.5]

    answer = [{"label": "schön", "score": 0.5}]
    assert written(answer, "application/json") == '[{"label":"schön","score":0.5}]'
    assert json.loads(written({"a": Tensor()}, "application/json")) == {"a": [0.5]}
    assert written(answer, "text/csv") == "label,score\r\nschön,0.5\r\n"
    with pytest.raises(ValueError, match="Out of range float values are not JSON compliant"):
        written([float("nan")], "application/json")
    with pytest.raises(UnsupportedFormatError):
        written(answer, "text/html")
