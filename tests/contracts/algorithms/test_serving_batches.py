"""Questions that wait are predicted together where that changes no byte, and only there."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cloche_jobs.contract import Layout

from .conftest import Serve

SCRIPT = """
import os, time
import numpy
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier

def model_fn(model_dir):
    random = numpy.random.RandomState(1)
    rows = random.normal(size=(400, 6))
    model = {
        "forest": RandomForestRegressor(20, random_state=1),
        "boosting": HistGradientBoostingClassifier(max_iter=20),
        "tree": DecisionTreeClassifier(max_depth=6, random_state=1),
        "linear": LinearRegression(),
    }[os.environ["KIND"]]
    target = rows[:, 0] * 3 + rows[:, 1] ** 2
    model.fit(rows, target if os.environ["KIND"] in ("forest", "linear") else (target > 1).astype(int))
    predict = model.predict

    def recording(table):
        with open(model_dir + "/sizes", "a") as file:
            file.write(f"{len(table)}\\n")
        time.sleep(0.01)
        return predict(table)

    model.predict = recording
    return model
"""
OWN_STEP = """

def predict_fn(data, model):
    return model.predict(data)
"""
ROWS_MAX = 4


def questions(seed: int, count: int) -> list[tuple[bytes, str, str]]:
    """Bodies with their types and the types wanted; a few are wrong in one way or another."""
    chance = random.Random(seed)
    found = []
    for _ in range(count):
        columns = chance.choice([6] * 12 + [5, 7])
        rows = [[chance.choice([chance.gauss(0, 1), 0.0, 1e30]) for _ in range(columns)]]
        rows += [[chance.gauss(0, 1) for _ in range(columns)] for _ in range(chance.randrange(ROWS_MAX))]
        if chance.random() < 0.5:
            body, kind = json.dumps(rows).encode(), "application/json"
        else:
            body, kind = "\n".join(",".join(map(repr, row)) for row in rows).encode(), "text/csv"
        if chance.random() < 0.1:
            body = chance.choice([b"", b"a,b", b"[1, [2]]", b"\xff", body[:-1] + b","])
        accept = chance.choice(["text/csv", "application/json", "application/x-npy", "*/*", "image/png"])
        found.append((body, kind, accept))
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "own_step", "together"),
    [
        ("forest", "", True),
        ("boosting", "", True),
        ("tree", "", True),
        ("linear", "", False),
        ("tree", OWN_STEP, False),
    ],
)
def test_answers_are_the_same_to_the_byte(
    kind: str, own_step: str, together: bool, served: Serve, tmp_path: Path
) -> None:
    layout = Layout(tmp_path / "ml").make()
    code = layout.model / "code"
    code.mkdir()
    (code / "inference.py").write_text(SCRIPT + own_step)
    asked = questions(7, 150)
    with served(layout, "sagemaker-scikit-learn:1.2-1", {"KIND": kind}) as server:
        alone = [server.ask(*question) for question in asked]
        assert {status for status, _, _ in alone} >= {200, 406, 500}
        (layout.model / "sizes").write_text("")
        with ThreadPoolExecutor(24) as pool:
            crowd = list(pool.map(lambda question: server.ask(*question), asked))
    for question, single, other in zip(asked, alone, crowd, strict=True):
        assert other == single, question
    sizes = [int(line) for line in (layout.model / "sizes").read_text().split()]
    assert (max(sizes) > ROWS_MAX) == together
