"""AWS's images of PyTorch, Hugging Face and TensorFlow, and what stands in for each.

There is one environment for each framework, not one for each of sixty versions: libraries of that size are built and
kept but once, and a script of an older version runs on a newer one far more often than not. ``Image.note`` tells the
difference, and so does every job's log. AWS's images come for processors and for GPUs; both run on processors here.

Source of versions and tags: ``pytorch.json``, ``huggingface.json`` and ``tensorflow.json`` in ``image_uri_config`` of
the PyPI packages ``sagemaker`` 2.257.7 and ``sagemaker-core`` 2.27.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from cloche_jobs.image import Image, Mode

PYTORCH: Final = "pytorch"
HUGGING_FACE: Final = "huggingface"
TENSORFLOW: Final = "tensorflow"
"""Names of environments."""

_PYTORCH_LIBRARY: Final = "torch 2.13.0 (CPU)"
_TENSORFLOW_LIBRARY: Final = "tensorflow 2.21.0 (CPU)"
_HUGGING_FACE_LIBRARY: Final = "transformers 4.57.6 on torch 2.13.0 (CPU)"

# Python of AWS's image -> versions.
_PYTORCH: Final = {
    "py3": "1.2.0 1.3.1",
    "py36": "1.4.0 1.5.0 1.6.0 1.7.1 1.8.0 1.8.1",
    "py38": "1.9.0 1.9.1 1.10.0 1.10.2 1.11.0 1.12.0 1.12.1",
    "py39": "1.13.1",
    "py310": "2.0.0 2.0.1 2.1.0 2.2.0",
    "py311": "2.3.0 2.4.0 2.5.1",
    "py312": "2.6.0",
}
_PYTORCH_TRAINING: Final = {**_PYTORCH, "py312": "2.6.0 2.7.1 2.8.0 2.9.0", "py313": "2.10.0"}

# What AWS's tag has after the versions -> versions of transformers with that of PyTorch.
_HUGGING_FACE_TRAINING: Final = {
    "-gpu-py36-cu110-ubuntu18.04": "4.6.1/1.7.1 4.10.2/1.8.1",
    "-gpu-py36-cu111-ubuntu18.04": "4.6.1/1.8.1",
    "-gpu-py38-cu111-ubuntu20.04": "4.10.2/1.9.0 4.11.0/1.9.0 4.12.3/1.9.1",
    "-gpu-py38-cu113-ubuntu20.04": "4.17.0/1.10.2",
    "-gpu-py39-cu117-ubuntu20.04": "4.26.0/1.13.1",
    "-gpu-py310-cu118-ubuntu20.04": "4.28.1/2.0.0",
    "-gpu-py310-cu121-ubuntu20.04": "4.36.0/2.1.0",
    "-gpu-py311-cu121-ubuntu20.04": "4.46.1/2.3.0 4.48.0/2.3.0",
    "-gpu-py311-cu124-ubuntu22.04": "4.49.0/2.5.1",
    "-gpu-py312-cu128-ubuntu22.04": "4.55.0/2.7.1",
    "-gpu-py312-cu129-ubuntu22.04": "4.56.2/2.8.0",
    "-gpu-py312-cu130-ubuntu22.04": "5.3.0/2.9.0",
}
_HUGGING_FACE_INFERENCE: Final = {
    "-cpu-py36-ubuntu18.04": "4.6.1/1.7.1 4.6.1/1.8.1 4.10.2/1.8.1",
    "-cpu-py38-ubuntu20.04": "4.10.2/1.9.0 4.11.0/1.9.0 4.12.3/1.9.1 4.17.0/1.10.2",
    "-cpu-py39-ubuntu20.04": "4.26.0/1.13.1",
    "-cpu-py310-ubuntu20.04": "4.28.1/2.0.0",
    "-cpu-py310-ubuntu22.04": "4.37.0/2.1.0",
    "-cpu-py311-ubuntu22.04": "4.48.0/2.3.0",
    "-cpu-py312-ubuntu22.04": "4.49.0/2.6.0 4.51.3/2.6.0 5.5.3/2.6.0",
}

_TENSORFLOW_TRAINING: Final = {
    "py3": "1.13.1 1.14.0 1.15.0 2.0.0 2.0.1 2.0.2 2.1.0 2.1.1",
    "py36": "2.0.3 2.0.4 2.1.2 2.1.3",
    "py37": "1.15.2 1.15.3 1.15.4 1.15.5 2.2.0 2.2.1 2.2.2 2.3.0 2.3.1 2.3.2 2.4.1 2.4.3 2.5.0 2.5.1",
    "py38": "2.6.0 2.6.2 2.6.3 2.7.1",
    "py39": "2.8.0 2.9.2 2.10.1 2.11.0",
    "py310": "2.12.0 2.13.0 2.14.1 2.16.2 2.18.0",
    "py312": "2.19.0 2.21.0",
}
_TENSORFLOW_INFERENCE: Final = (
    "1.13.0 1.14.0 1.15.0 1.15.2 1.15.3 1.15.4 1.15.5 2.0.0 2.0.1 2.0.2 2.0.3 2.0.4 2.1.0 2.1.1 2.1.2 2.1.3 2.2.0 "
    "2.2.1 2.2.2 2.3.0 2.3.1 2.3.2 2.4.1 2.4.3 2.5.1 2.6.0 2.6.3 2.7.0 2.8.0 2.8.4 2.9.2 2.9.3 2.10.0 2.10.1 2.11.0 "
    "2.11.1 2.12.1 2.13.0 2.14.1 2.16.1 2.18.0 2.19.0 2.20.0"
)

_PROGRAMS: Final = (("ssh", "cloche_jobs.meeting.call"), ("sshd", "cloche_jobs.meeting.daemon"))
"""AWS's training images have ssh, for launches over MPI."""
_LAUNCHERS: Final = {
    PYTORCH: (("torchrun", "torch.distributed.run"),),
    HUGGING_FACE: (("torchrun", "torch.distributed.run"), ("accelerate", "accelerate.commands.accelerate_cli")),
}
"""Programs of libraries that run a user's script, by environment: ``console_scripts`` in their ``entry_points.txt``."""


def _framework(name: str, version: str, tail: str, environment: str, library: str, note: str, **entries: str) -> Image:
    return Image(
        name=name,
        version=version,
        mode=Mode.FRAMEWORK,
        environment=environment,
        library=library,
        train=entries.get("train", ""),
        serve=entries.get("serve", ""),
        spec=None,
        note=note,
        tail=tail,
        programs=(*_PROGRAMS, *_LAUNCHERS.get(environment, ())) if entries.get("train") else (),
        imports=tuple(entries.get("imports", "").split()),
        is_deep_learning=True,
    )


def _pytorch(name: str, table: Mapping[str, str], **entries: str) -> Iterator[Image]:
    for python, versions in reversed(list(table.items())):
        for version in reversed(versions.split()):
            note = f"2.13 stands in for {version.rpartition('.')[0]}"
            yield _framework(name, version, f"-cpu-{python}", PYTORCH, _PYTORCH_LIBRARY, note, **entries)


def _hugging_face(name: str, table: Mapping[str, str], **entries: str) -> Iterator[Image]:
    for tail, pairs in reversed(list(table.items())):
        for pair in reversed(pairs.split()):
            transformers, torch = pair.split("/")
            version = f"{torch}-transformers{transformers}"
            short, older = (full.rpartition(".")[0] for full in (transformers, torch))
            note = f"transformers 4.57 stands in for {short}, torch 2.13 for {older}"
            yield _framework(name, version, tail, HUGGING_FACE, _HUGGING_FACE_LIBRARY, note, **entries)


def _tensorflow_training() -> Iterator[Image]:
    for python, versions in reversed(list(_TENSORFLOW_TRAINING.items())):
        for version in reversed(versions.split()):
            yield _framework(
                "tensorflow-training",
                version,
                f"-cpu-{python}",
                TENSORFLOW,
                _TENSORFLOW_LIBRARY,
                f"2.21 stands in for {version.rpartition('.')[0]}",
                train="cloche_jobs.frameworks.tensorflow.train:main",
                imports="tensorflow",
            )


def _tensorflow_inference() -> Iterator[Image]:
    for version in reversed(_TENSORFLOW_INFERENCE.split()):
        note = f"2.21 in Python stands in for TensorFlow Serving {version.rpartition('.')[0]}"
        serve = "cloche_jobs.frameworks.tensorflow.serve:main"
        yield _framework("tensorflow-inference", version, "-cpu", TENSORFLOW, _TENSORFLOW_LIBRARY, note, serve=serve)


_TRAIN_PYTORCH: Final = "cloche_jobs.frameworks.pytorch.train:main"
DEEP_LEARNING: Final = (
    *_pytorch("pytorch-training", _PYTORCH_TRAINING, train=_TRAIN_PYTORCH, imports="torch"),
    *_pytorch("pytorch-inference", _PYTORCH, serve="cloche_jobs.frameworks.pytorch.serve:main"),
    *_hugging_face(
        "huggingface-pytorch-training", _HUGGING_FACE_TRAINING, train=_TRAIN_PYTORCH, imports="torch transformers"
    ),
    *_hugging_face(
        "huggingface-pytorch-inference",
        _HUGGING_FACE_INFERENCE,
        serve="cloche_jobs.frameworks.huggingface.serve:main",
    ),
    *_tensorflow_training(),
    *_tensorflow_inference(),
)
"""Newest first."""

_WITH_TORCH: Final = ("torch", "torch.distributed.run", "torch.utils.data", "torch.jit", "torch._dynamo")
_ALWAYS: Final = ("boto3", "pip._internal.cli.main")
IMPORTED: Final[dict[str, tuple[str, ...]]] = {
    PYTORCH: (*_WITH_TORCH, *_ALWAYS),
    HUGGING_FACE: (
        *_WITH_TORCH,
        "transformers",
        "transformers.pipelines",
        "transformers.trainer",
        "datasets",
        *_ALWAYS,
    ),
}
"""Of environments with thousands of modules, of which a program loads a few hundred: these are imported once when such
an environment is built, so that byte code of what they load is there. Compiling all of it takes minutes."""

TORCH: Final = "torch-cpu"
"""A lock beside an environment's own, without ``.txt``; kept by hand."""
USES_TORCH: Final = frozenset({PYTORCH, HUGGING_FACE})
