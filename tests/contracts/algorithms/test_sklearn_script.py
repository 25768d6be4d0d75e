"""scikit-learn script mode: one bundle trains and serves, with every default that serving has."""

from __future__ import annotations

import io
import json
import tarfile

import pytest

from .conftest import Serve, Train

SCRIPT = """
import argparse, os
import joblib
from sklearn.datasets import load_breast_cancer
from sklearn.tree import DecisionTreeClassifier

def model_fn(model_dir):
    return joblib.load(os.path.join(model_dir, "model.joblib"))

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--max-depth", type=int)
    parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
    given = parser.parse_args()
    data = load_breast_cancer()
    model = DecisionTreeClassifier(max_depth=given.max_depth, random_state=0).fit(data.data, data.target)
    print(f"train-accuracy={model.score(data.data, data.target):.4f}")
    joblib.dump(model, os.path.join(given.model_dir, "model.joblib"))
"""
HOOKS = """
import json
def model_fn(model_dir): return 3
def input_fn(body, content_type, context): return json.loads(body), context.get_request_header(0, "Content-Type")
def predict_fn(data, model): return {"times": data[0] * model, "seen": data[1]}
def output_fn(prediction, accept): return json.dumps(prediction), accept
"""
IMAGES = ["sagemaker-scikit-learn:1.2-1", "sagemaker-scikit-learn:1.4-2", "sagemaker-scikit-learn:1.9-0"]


def bundle(path: object, **files: str) -> None:
    with tarfile.open(str(path), "w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(f"{name}.py")
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))


def place(train: Train, image: str, folder: str = "ml") -> object:
    """An ML root with a bundle in it; training itself fails for want of a program, which does not matter here."""
    return train({}, {}, image=image, folder=folder).layout


@pytest.mark.parametrize("image", IMAGES)
def test_trains_and_serves_with_defaults(
    image: str, train: Train, served: Serve, breast_cancer: dict[str, str]
) -> None:
    layout = place(train, image)
    layout.failure.unlink()
    bundle(layout.bundle, script=SCRIPT)
    ended = train(
        {
            "sagemaker_program": '"script.py"',
            "sagemaker_submit_directory": '"s3://bucket/sourcedir.tar.gz"',
            "max-depth": "3",
        },
        {"train": {}},
        image=image,
    )
    assert ended.exit_code == 0, ended.log
    assert ended.output.startswith("train-accuracy=0.9")
    request = {"SAGEMAKER_PROGRAM": "script.py", "SAGEMAKER_SUBMIT_DIRECTORY": "s3://bucket/sourcedir.tar.gz"}
    rows = [[float(cell) for cell in line.split(",")[1:]] for line in breast_cancer["test"].split()]
    text = "\n".join(",".join(map(repr, row)) for row in rows).encode()
    with served(ended.layout, image, request) as server:
        status, content_type, body = server.ask(text)
        assert (status, content_type) == (200, "text/csv; charset=utf-8")
        answers = [int(line) for line in body.split()]
        assert set(answers) == {0, 1}
        status, content_type, body = server.ask(json.dumps(rows).encode(), "application/json", "application/json")
        assert (status, content_type) == (200, "application/json")
        assert json.loads(body) == answers
        assert json.loads(server.ask(text.split(b"\n")[0], accept="*/*")[2]) == answers[:1]
        assert server.ask(text, accept="application/x-npy")[2].startswith(b"\x93NUMPY")
        status, _, body = server.ask(b"x", "image/png")
        assert (status, json.loads(body)["error"]) == (415, "UnsupportedFormatError")
        assert server.ask(text, accept="image/png")[0] == 406
        assert server.ask(b"1,2,x")[0] == 500


def test_the_users_functions_are_called(train: Train, served: Serve) -> None:
    layout = place(train, IMAGES[0])
    bundle(layout.bundle, inference=HOOKS)
    request = {"SAGEMAKER_SUBMIT_DIRECTORY": "s3://bucket/sourcedir.tar.gz"}
    with served(layout, IMAGES[0], request) as server:
        status, _, body = server.ask(b"14", "application/json", "application/json")
    assert (status, json.loads(body)) == (200, {"times": 42, "seen": "application/json"})
