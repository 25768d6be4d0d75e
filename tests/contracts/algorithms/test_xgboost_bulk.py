"""Long bodies and answers go another way than short ones; nobody could tell by what comes out."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cloche.compute.images import EnvironmentBuilder
from cloche_jobs.contract import package_folder

PROGRAM = """
import json, random, sys
import numpy
from cloche_jobs.algorithms.xgboost import bulk
from cloche_jobs.algorithms.xgboost.payloads import parse_csv

def same_rows(body):
    try:
        careful = numpy.array(parse_csv(body), dtype=numpy.float32)
    except Exception:
        careful = None
    found = bulk.read_csv(body)
    if found is None:
        return "left to the other"
    return careful is not None and bool(numpy.array_equal(found, careful, equal_nan=True))

def same_text(values):
    values = numpy.array(values)
    found = bulk.write_lines(values)
    expected = ("\\n".join(map(repr, values.tolist())) + "\\n").encode()
    return "left to the other" if found is None else found == expected

dice = numpy.random.default_rng(3)
body = "\\n".join(",".join(map(repr, row)) for row in dice.normal(size=(4000, 5)).tolist()).encode()
mixed = dice.random(5000)
mixed[7], mixed[8], mixed[9], mixed[10], mixed[11] = 1e-7, 0.0, 1.0, 1e300, float("nan")
bodies = {
    "plain": body, "windows": body.replace(b"\\n", b"\\r\\n"),
    "holes": b"1,,2\\n,3,nan\\n", "spaces": b" 1, 2\\n3 ,4\\n",
    "ragged": b"1,2\\n3\\n", "word": b"1,a\\n", "quotes": b'"1",2\\n', "infinite": b"1,inf\\n", "huge": b"1,1e39\\n",
    "blank": b"1,2\\n\\n3,4\\n", "one column": b"1\\n2\\n", "underscore": b"1_0,2\\n", "none": b"",
}
texts = {
    "fractions": dice.random(5000), "some others": mixed,
    "floats": dice.random(5000).astype(numpy.float32).astype(float),
    "whole": numpy.arange(5000.0), "few": dice.random(10), "two columns": dice.random((5000, 2)),
    "around the ends": numpy.concatenate([dice.uniform(5e-5, 2e-4, 4000), dice.uniform(-1e12, 1e12, 4000)]),
}
print(json.dumps({name: same_rows(each) for name, each in bodies.items()}
                 | {name: same_text(each) for name, each in texts.items()}))
"""
LEFT = "left to the other"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    python = EnvironmentBuilder().ensure("xgboost-1.7").python
    folder: Path = package_folder().parent
    line = [str(python), "-c", PROGRAM]
    said = subprocess.run(line, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(folder)}).stdout
    answer: dict[str, Any] = json.loads(said)
    return answer


def test_rows_and_texts_are_the_same_to_the_last_bit_or_left_to_the_careful_way(found: dict[str, Any]) -> None:
    quick = {"plain", "windows", "holes", "spaces", "fractions", "some others", "floats"}
    assert {name for name, value in found.items() if value is True} >= quick
    assert {name: value for name, value in found.items() if value is not True} == {
        name: LEFT for name in found if name not in quick and found[name] is not True
    }
    for name in ("ragged", "word", "quotes", "infinite", "huge", "blank", "whole", "few", "two columns"):
        assert found[name] == LEFT, name
