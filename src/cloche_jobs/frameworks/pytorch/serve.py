"""Serving a PyTorch model: the user's functions, and defaults for a TorchScript file.

Source: ``default_pytorch_inference_handler.py`` of aws/sagemaker-pytorch-inference-toolkit, ``decoder.py`` and
``encoder.py`` of aws/sagemaker-inference-toolkit. Pickled arrays are not read: whoever may ask an endpoint may not run
code in it.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, Final

import numpy
import torch

from cloche_jobs.contract.layout import Layout
from cloche_jobs.frameworks.encoding import Array, encoded
from cloche_jobs.frameworks.hooks import Defaults, HookedModel, UnsupportedFormatError
from cloche_jobs.serving import serve

DEFAULT_FILE: Final = "model.pt"
_SUFFIXES: Final = (".pt", ".pth")
_TEXT: Final = ("application/json", "text/csv")


class ModelLoadError(Exception):
    """The file is no TorchScript."""


def main(layout: Layout) -> None:
    """Load the user's module, if there is one, and the model; serve until SIGTERM. Raises ``JobError``."""
    serve(lambda: HookedModel(layout, DEFAULTS))


def default_model_fn(model_dir: str) -> Any:
    """``model.pt``, or the one file that ends like it, as TorchScript."""
    folder = Path(model_dir)
    path = folder / DEFAULT_FILE
    if not path.exists():
        files = sorted(file.name for file in folder.iterdir() if file.is_file() and file.suffix in _SUFFIXES)
        if len(files) != 1:
            raise ValueError(f"Exactly one .pth or .pt file is required for PyTorch models: {files}")
        path = folder / files[0]
    try:
        return torch.jit.load(str(path), map_location=torch.device("cpu"))
    except RuntimeError as error:
        raise ModelLoadError(f"Failed to load {path}. Please ensure model is saved using torchscript.") from error


def default_input_fn(data: Any, content_type: str) -> Any:
    """A tensor: of floats from JSON and CSV, of what it holds from npy."""
    array = _decoded(data, content_type)
    return torch.FloatTensor(array) if content_type in _TEXT else torch.from_numpy(array)


def default_predict_fn(data: Any, model: Any) -> Any:
    with torch.no_grad():
        model.eval()
        return model(data)


def default_output_fn(prediction: Any, accept: str) -> Any:
    """Lists of numbers in the first form of ``accept`` that can be written. Raises ``UnsupportedFormatError``."""
    if type(prediction) is torch.Tensor:
        prediction = prediction.detach().numpy().tolist()
    for kind in accept.replace(" ", "").split(","):
        if kind == "text/csv":
            stream = io.StringIO()
            numpy.savetxt(stream, prediction, delimiter=",", fmt="%s")
            return stream.getvalue()
        if kind in ("application/json", "application/x-npy"):
            return encoded(prediction, kind)
    raise UnsupportedFormatError(accept)


def _decoded(data: Any, content_type: str) -> Array:
    if content_type == "application/json":
        return numpy.array(json.loads(data))
    if content_type == "text/csv":
        return numpy.genfromtxt(io.StringIO(data), delimiter=",")
    if content_type == "application/x-npy":
        return numpy.load(io.BytesIO(data), allow_pickle=False)
    raise UnsupportedFormatError(content_type)


DEFAULTS: Final = Defaults(
    default_input_fn, default_predict_fn, default_output_fn, model_fn=default_model_fn, is_newer=True
)
