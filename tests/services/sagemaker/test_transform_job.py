"""Transform jobs over a real XGBoost model, from the request to the objects they leave."""

from __future__ import annotations

from typing import Any

import pytest
from hosting_requests import hosting_of, trained
from transform_requests import Transforming


@pytest.fixture(scope="module")
def bench(server: Any) -> Transforming:
    return Transforming(hosting_of(server), server)


@pytest.fixture(scope="module")
def model(bench: Transforming) -> str:
    return bench.hosting.model(bench.hosting.put(trained(1)[0]))


def test_files_become_answers_beside_each_other(bench: Transforming, model: str) -> None:
    uri = bench.put({"one.csv": b"0.5,1.0\n1.5,1.0\n", "deep/two.csv": b"0.5,1.0\n"})
    job = bench.run(model, uri)
    assert job["TransformJobStatus"] == "Completed", job
    found = bench.outputs(job)
    assert set(found) == {"one.csv.out", "deep/two.csv.out"}
    assert float(found["deep/two.csv.out"]) == pytest.approx(trained(1)[1], abs=1e-6)
    assert found["one.csv.out"].startswith(found["deep/two.csv.out"]) and found["one.csv.out"].count(b"\n") == 2
    print(job, bench.lines(job["TransformJobName"]), bench.lines(job["TransformJobName"], "/data-log"))
