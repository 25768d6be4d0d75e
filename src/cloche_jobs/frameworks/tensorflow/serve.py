"""Serving SavedModels as TensorFlow Serving does over REST, in Python: its server is in no package that installs here.

Source: ``python_service.py`` and ``tensorflowServing.js`` of aws/sagemaker-tensorflow-serving-container;
www.tensorflow.org/tfx/serving/api_rest for requests and answers. ``predict`` alone is done; ``classify`` and
``regress``, which want serialised examples, are refused by name. No port of TensorFlow Serving is there: a ``handler``
that calls ``context.rest_uri`` or gRPC itself finds nobody, while ``input_handler`` and ``output_handler`` do.
"""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import logging
import os
import sys
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import numpy
import tensorflow

from cloche_jobs.contract.failure import AlgorithmError, UserError
from cloche_jobs.contract.layout import Layout
from cloche_jobs.frameworks.hooks import BODY_BYTES_MAX
from cloche_jobs.frameworks.requirements import install_requirements
from cloche_jobs.frameworks.tensorflow.forms import asked, attributes, refusal
from cloche_jobs.serving import Answer, InferenceError, OneByOne, Question, serve

log = logging.getLogger(__name__)
Context = namedtuple(
    "Context",
    "model_name, model_version, method, rest_uri, grpc_port, channel, custom_attributes, request_content_type, "
    "accept_header, content_length",
)
_HEADER: Final = "x-amzn-sagemaker-custom-attributes"
_DEFAULT_SIGNATURE: Final = "serving_default"


def main(layout: Layout) -> None:
    """Load all models, newest versions first; serve until SIGTERM. Raises ``JobError``."""
    serve(lambda: SavedModels(layout))


class SavedModels(OneByOne):
    """The models below the artefact, by name and version. Raises ``JobError`` where there is none."""

    body_bytes_max = BODY_BYTES_MAX
    inline_bytes_max = -1

    def __init__(self, layout: Layout) -> None:
        self.models: dict[str, dict[int, Any]] = {}
        for file in sorted(layout.model.rglob("saved_model.pb")):
            if file.parent.name.isdigit():
                found = self.models.setdefault(file.parent.parent.name, {})
                found[int(file.parent.name)] = _loaded(file.parent)
        if not self.models:
            raise UserError(
                "no SavedModel is in the artefact: saved_model.pb is looked for in folders named by numbers"
            )
        self.default = os.environ.get("TFS_DEFAULT_MODEL_NAME") or next(iter(self.models))
        self.handler = _handlers(layout, self._post)

    def answer(self, question: Question) -> Answer:
        content_type = question.content_type or "application/json"
        accept = question.accept if question.accept and question.accept != "*/*" else "application/json"
        said = question.headers.get(_HEADER, "")
        if self.handler is not None:
            return self._handled(question.body, content_type, accept, said)
        document = asked(question.body, content_type)
        body = self._predicted(attributes(said), document)
        return Answer(body.encode(), accept.replace(" ", "").split(",")[0])

    def execution_parameters(self) -> Answer | None:
        return None

    def _handled(self, body: bytes, content_type: str, accept: str, said: str) -> Answer:
        wanted = attributes(said)
        name, method = wanted.get("tfs-model-name", self.default), wanted.get("tfs-method", "predict")
        version = wanted.get("tfs-model-version")
        uri = f"http://localhost:8501/v1/models/{name}{f'/versions/{version}' if version else ''}:{method}"
        context = Context(name, version, method, uri, 8500, None, said or None, content_type, accept, len(body))
        try:
            assert self.handler is not None
            answer, kind = self.handler(io.BytesIO(body), context)
        except Exception as error:
            log.exception("exception handling request: %s", error)
            raise refusal(500, str(error)) from error
        return Answer(answer.encode() if isinstance(answer, str) else bytes(answer), kind)

    def _post(self, data: Any, context: Any) -> Any:
        """What a POST to TensorFlow Serving would answer: the parts of ``requests.Response`` that handlers look at."""
        text = data.read() if hasattr(data, "read") else data
        try:
            body, status = self._predicted(attributes(context.custom_attributes or ""), json.loads(text)), 200
        except InferenceError as error:
            body, status = error.message, error.status
        except ValueError as error:
            body, status = json.dumps({"error": f"JSON Parse error: {error}"}), 400
        return SimpleNamespace(
            status_code=status, content=body.encode(), text=body, ok=status < 400, json=lambda: json.loads(body)
        )

    def _predicted(self, wanted: dict[str, str], document: dict[str, Any]) -> str:
        name, method = wanted.get("tfs-model-name", self.default), wanted.get("tfs-method", "predict")
        if method != "predict":
            raise refusal(400, f"tfs-method {method} is not done here; predict is")
        versions = self.models.get(name, {})
        version = int(wanted["tfs-model-version"]) if "tfs-model-version" in wanted else max(versions, default=0)
        if version not in versions:
            raise refusal(404, f"Servable not found for request: Specific({name}, {version})")
        return json.dumps(predicted(versions[version], document), indent=4, default=_as_json)


def predicted(model: Any, document: dict[str, Any]) -> dict[str, Any]:
    """The answer of one model to one request, by rows or by columns. Raises ``InferenceError``."""
    name = document.get("signature_name", _DEFAULT_SIGNATURE)
    signature = model.signatures.get(name)
    if signature is None:
        raise refusal(400, f'Serving signature name: "{name}" not found in signature def')
    specs = signature.structured_input_signature[1]
    by_rows = "instances" in document
    given = document["instances"] if by_rows else document.get("inputs")
    if by_rows and (not isinstance(given, list) or not given):
        raise refusal(400, "Malformed request: 'instances' must be a list of at least one")
    columns = _columns(given, specs, by_rows)
    try:
        tensors = {key: tensorflow.constant(_bytes_in(columns[key]), dtype=specs[key].dtype) for key in specs}
        for key, tensor in tensors.items():
            if not specs[key].shape.is_compatible_with(tensor.shape):
                raise ValueError(f"input {key} has the shape {tensor.shape}, which is not {specs[key].shape}")
        found = {key: value.numpy().tolist() for key, value in signature(**tensors).items()}
    except KeyError as error:
        raise refusal(400, f"Missing named input: {error.args[0]}") from error
    except (TypeError, ValueError, tensorflow.errors.OpError) as error:
        raise refusal(400, str(error)) from error
    alone = next(iter(found.values())) if len(found) == 1 else None
    if not by_rows:
        return {"outputs": found if alone is None else alone}
    if alone is not None:
        return {"predictions": alone}
    return {"predictions": [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]}


def _columns(given: Any, specs: dict[str, Any], by_rows: bool) -> dict[str, Any]:
    """Input -> its values. Named in the request, or the model's only one."""
    if by_rows and isinstance(given[0], dict) and "b64" not in given[0]:
        names = given[0]
        return {name: [row[name] for row in given] for name in names}
    if not by_rows and isinstance(given, dict) and "b64" not in given:
        return dict(given)
    if len(specs) != 1:
        raise refusal(400, f"The model has the inputs {sorted(specs)}: name each of them")
    return {next(iter(specs)): given}


def _bytes_in(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"b64"}:
        return base64.b64decode(value["b64"])
    return [_bytes_in(each) for each in value] if isinstance(value, list) else value


def _as_json(value: Any) -> Any:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"b64": base64.b64encode(value).decode()}
    if isinstance(value, numpy.generic):
        return value.item()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _loaded(folder: Path) -> Any:
    try:
        return tensorflow.saved_model.load(str(folder))
    except Exception as error:
        raise AlgorithmError(f"the SavedModel in {folder} could not be loaded: {error}") from error


def _handlers(layout: Layout, post: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any] | None:
    """The user's ``handler``, or ``input_handler`` and ``output_handler`` around the model. Raises ``UserError``."""
    code = layout.model / "code"
    if not (code / "inference.py").is_file():
        return None
    packages = install_requirements(code, layout)
    sys.path[:0] = [str(code), *([str(packages)] if packages else []), str(code / "lib")]
    spec = importlib.util.spec_from_file_location("inference", code / "inference.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if hasattr(module, "handler"):
        handler: Callable[[Any, Any], Any] = module.handler
        return handler
    if not (hasattr(module, "input_handler") and hasattr(module, "output_handler")):
        raise UserError("Handlers are not implemented correctly in user script.")
    return lambda data, context: module.output_handler(post(module.input_handler(data, context), context), context)
