"""Models that AWS's XGBoost images of years ago have left, and how those images answer."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from runtime_requests import ROW, XGBOOST, Hosting, archive, hosting_of, trained

from cloche.compute.images import EnvironmentBuilder

# What 0.90 pickled: the class, and of the model what ``save_raw`` gives, with no snapshot of its settings around it.
_PICKLE = """
import pickle, sys, numpy, xgboost
rows = numpy.array([[x / 10, y / 10] for x in range(20) for y in range(20)])
booster = xgboost.train({"max_depth": 3}, xgboost.DMatrix(rows, label=rows[:, 0]), 20)
state = {"handle": booster.save_raw("deprecated"), "feature_names": None, "best_iteration": 19}
xgboost.Booster.__getstate__ = lambda self: state
open(sys.argv[1], "wb").write(pickle.dumps(booster, 3))
print(repr(float(booster.inplace_predict(numpy.array([[0.5, 1.0]], dtype=numpy.float32))[0])))
"""


@pytest.fixture(scope="module")
def hosting(server: Any) -> Hosting:
    return hosting_of(server)


@cache
def _pickled() -> tuple[bytes, str]:
    python = EnvironmentBuilder().ensure("xgboost-1.7").python
    with TemporaryDirectory() as folder:
        path = Path(folder) / "xgboost-model"
        command = [str(python), "-c", _PICKLE, str(path)]
        said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout
        return archive({"xgboost-model": path.read_bytes()}), said.strip()


def _image(version: str) -> str:
    return XGBOOST.replace("1.7-1", f"{version}-cpu-py3")


def test_a_pickle_of_090_answers_in_one_line(hosting: Hosting) -> None:
    model, expected = _pickled()
    endpoint = hosting.endpoint(hosting.put(model), image=_image("0.90-2"))
    assert hosting.described(endpoint)["EndpointStatus"] == "InService"
    answer = hosting.runtime.invoke_endpoint(
        EndpointName=endpoint, Body=f"{ROW}\n{ROW}", ContentType="text/csv", Accept="application/json"
    )
    assert answer["ContentType"].startswith("text/csv")
    assert answer["Body"].read().decode() == f"{expected},{expected}"
    hosting.gone(endpoint)


def test_up_to_121_a_model_that_cannot_be_loaded_refuses_requests(hosting: Hosting) -> None:
    endpoint = hosting.endpoint(hosting.put(_pickled()[0]), image=_image("1.2-1"))
    assert hosting.described(endpoint)["EndpointStatus"] == "InService"
    with pytest.raises(hosting.runtime.exceptions.ModelError) as error:
        hosting.ask(endpoint)
    assert error.value.response["OriginalStatusCode"] == 500
    assert error.value.response["OriginalMessage"].startswith("Unable to load model: Model /opt/ml/model/xgboost-model")
    hosting.gone(endpoint)


def test_to_072_a_program_says_nothing(hosting: Hosting) -> None:
    image = XGBOOST.replace("683313688378", "811284229777").replace("sagemaker-xgboost:1.7-1", "xgboost:1")
    named = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    model, expected = trained(1)
    endpoint = hosting.endpoint(hosting.put(model), image=image, environment=named)
    assert hosting.ask(endpoint) == pytest.approx(expected, abs=1e-6)
    hosting.gone(endpoint)
