"""TensorFlow: what a script saves is served as TensorFlow Serving would, and through a user's handlers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from cloche_jobs.contract import Layout

from .conftest import Serve

INFERENCE = "tensorflow-inference:2.19.0"
SAVING = """
import sys
import tensorflow as tf

class Sums(tf.Module):
    def __init__(self, factor):
        self.factor = tf.Variable(factor)
    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="rows")])
    def one(self, rows):
        return tf.reduce_sum(rows, axis=1) * self.factor
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name=name) for name in "ab"])
    def two(self, a, b):
        return {"sum": a + b, "product": a * b}

for version, factor in (("1", 1.0), ("12", 10.0)):
    sums = Sums(factor)
    signatures = {"serving_default": sums.one, "both": sums.two}
    tf.saved_model.save(sums, f"{sys.argv[1]}/export/{version}", signatures=signatures)
"""
HANDLERS = """
import json
def input_handler(data, context):
    assert context.request_content_type == "text/plain" and context.method == "predict"
    return json.dumps({"instances": [[float(cell) for cell in data.read().decode().split()]]})
def output_handler(response, context):
    assert response.status_code == 200, response.text
    return f"{response.json()['predictions'][0]} {context.custom_attributes}", context.accept_header
"""


def test_serves_over_rest_and_through_handlers(served: Serve, python_of: Callable[[str], Path], tmp_path: Path) -> None:
    layout = Layout(tmp_path / "ml").make()
    subprocess.run([python_of(INFERENCE), "-c", SAVING, str(layout.model)], check=True, capture_output=True)
    with served(layout, INFERENCE) as server:

        def asked(body: object, content_type: str = "application/json") -> tuple[int, object]:
            sent = body if isinstance(body, str) else json.dumps(body)
            status, _, answer = server.ask(sent.encode(), content_type, "application/json")
            return status, json.loads(answer)

        thirty = (200, {"predictions": [30.0]})
        assert asked({"instances": [[1, 2]]}) == thirty, "the newest version, by number"
        assert asked([1, 2]) == thirty
        assert asked([[1, 2], [3, 4]]) == (200, {"predictions": [30.0, 70.0]})
        assert asked("[1, 2]\n[3, 4]", "application/jsonlines") == (200, {"predictions": [30.0, 70.0]})
        assert asked("1,2\n3,4", "text/csv") == (200, {"predictions": [30.0, 70.0]})
        assert asked({"inputs": [[1, 2]]}) == (200, {"outputs": [30.0]})
        both = {"signature_name": "both", "instances": [{"a": 2, "b": 3}]}
        assert asked(both) == (200, {"predictions": [{"sum": 5.0, "product": 6.0}]})
        columns = {"signature_name": "both", "inputs": {"a": [2], "b": [3]}}
        assert asked(columns) == (200, {"outputs": {"sum": [5.0], "product": [6.0]}})
        for body, status, said in (
            ({"signature_name": "none", "instances": [1]}, 400, "not found in signature def"),
            ({"instances": [[1, 2, 3]]}, 400, "input rows has the shape (1, 3), which is not (None, 2)"),
            ({"instances": []}, 400, "Malformed request"),
            ({"signature_name": "both", "instances": [{"a": 1}]}, 400, "Missing named input: b"),
            ("{", 400, "JSON Parse error"),
        ):
            found, answer = asked(body)
            assert found == status and said in answer["error"], answer  # type: ignore[index]
        assert asked("x", "image/png") == (415, {"error": "Unsupported Media Type: image/png"})
    (layout.model / "code").mkdir()
    (layout.model / "code" / "inference.py").write_text(HANDLERS)
    with served(layout, INFERENCE) as server:
        assert server.ask(b"1 2", "text/plain", "text/plain") == (200, "text/plain", b"30.0 None")
        status, _, body = server.ask(b"1 x", "text/plain", "text/plain")
        assert status == 500 and "could not convert string to float" in json.loads(body)["error"]
