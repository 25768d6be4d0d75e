"""Serving a Hugging Face model: a pipeline made from the artefact, without code, or the user's functions.

Source: ``handler_service.py``, ``transformers_utils.py`` and ``mms_model_server.py`` of
aws/sagemaker-huggingface-inference-toolkit; the form of its errors: aws/sagemaker-huggingface-inference-toolkit#122.
Models come from the artefact alone: there is no hub to fetch one from, and a name in ``HF_MODEL_ID`` is refused.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

from cloche_jobs.contract.failure import UserError
from cloche_jobs.contract.layout import Layout
from cloche_jobs.frameworks.hooks import Defaults, HookedModel
from cloche_jobs.frameworks.huggingface.forms import read, written
from cloche_jobs.serving import Answer, serve

TASKS: Final = {
    "TapasForQuestionAnswering": "table-question-answering",
    "ForQuestionAnswering": "question-answering",
    "ForTokenClassification": "token-classification",
    "ForSequenceClassification": "text-classification",
    "ForMultipleChoice": "multiple-choice",
    "ForMaskedLM": "fill-mask",
    "ForCausalLM": "text-generation",
    "ForConditionalGeneration": "text2text-generation",
    "MTModel": "text2text-generation",
    "EncoderDecoderModel": "text2text-generation",
    "GPT2LMHeadModel": "text-generation",
    "T5WithLMHeadModel": "text2text-generation",
}
"""End of an architecture's name -> the task that is meant where ``HF_TASK`` names none; the last that fits."""
_OF_SOUNDS_AND_PICTURES: Final = frozenset(
    {
        "automatic-speech-recognition",
        "image-segmentation",
        "image-classification",
        "audio-classification",
        "object-detection",
        "zero-shot-image-classification",
    }
)


def main(layout: Layout) -> None:
    """Load the user's module, if there is one, and the model; serve until SIGTERM. Raises ``JobError``."""
    name = os.environ.get("HF_MODEL_ID")
    if name and not Path(name).is_dir():
        raise UserError(
            f"HF_MODEL_ID is {name!r}: Cloche fetches no model from the Hugging Face Hub. Put its files into the "
            "model's model.tar.gz (model_data) and leave HF_MODEL_ID out."
        )
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a file that is missing is to be missed at once
    serve(lambda: HookedModel(layout, DEFAULTS))


def default_model_fn(model_dir: str) -> Any:
    """A pipeline for ``HF_TASK``, or for what the model's architecture is for."""
    from transformers import pipeline

    folder = os.environ.get("HF_MODEL_ID") or model_dir
    task = os.environ.get("HF_TASK") or _task_of(Path(folder))
    os.environ["HF_TASK"] = task
    reads = "feature_extractor" if task in _OF_SOUNDS_AND_PICTURES else "tokenizer"
    trusted = os.environ.get("HF_TRUST_REMOTE_CODE", "").lower() in ("y", "yes", "t", "true", "on", "1")
    return pipeline(task=task, model=folder, device=-1, trust_remote_code=trusted, **{reads: folder})


def _task_of(folder: Path) -> str:
    config = folder / "config.json"
    if not config.is_file():
        from transformers.pipelines import SUPPORTED_TASKS

        raise ValueError(f"You need to define one of the following {list(SUPPORTED_TASKS)} as env 'HF_TASK'.")
    architecture = str((json.loads(config.read_text()).get("architectures") or [None])[0])
    tasks = [task for end, task in TASKS.items() if architecture.endswith(end)]
    if not tasks:
        raise ValueError(
            f"The task of a {architecture} is not known, only those of architectures that end with {list(TASKS)}. "
            "Use env `HF_TASK` to define your task."
        )
    return tasks[-1]


def default_input_fn(data: Any, content_type: str) -> Any:
    return read(data, content_type, os.environ.get("HF_TASK", ""))


def default_predict_fn(data: Any, model: Any) -> Any:
    """``inputs`` with ``parameters``, or the whole document where it has no ``inputs``."""
    inputs = data.pop("inputs", data)
    parameters = data.pop("parameters", None)
    return model(inputs) if parameters is None else model(inputs, **parameters)


def refused(error: Exception) -> Answer:
    """Whatever goes wrong is the request's fault: so says AWS's image."""
    said = {"code": 400, "type": "InternalServerException", "message": str(error)}
    return Answer(json.dumps(said, indent=2).encode(), "application/json", 400)


DEFAULTS: Final = Defaults(
    default_input_fn, default_predict_fn, written, model_fn=default_model_fn, is_newer=True, refused=refused
)
