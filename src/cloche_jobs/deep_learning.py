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
"""Name of the environment."""

_PYTORCH_LIBRARY: Final = "torch 2.13.0 (CPU)"

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
        imports=tuple(entries.get("imports", "").split()),
        is_deep_learning=True,
    )


def _pytorch(name: str, table: Mapping[str, str], **entries: str) -> Iterator[Image]:
    for python, versions in reversed(list(table.items())):
        for version in reversed(versions.split()):
            note = f"2.13 stands in for {version.rpartition('.')[0]}"
            yield _framework(name, version, f"-cpu-{python}", PYTORCH, _PYTORCH_LIBRARY, note, **entries)


DEEP_LEARNING: Final = (
    *_pytorch(
        "pytorch-training", _PYTORCH_TRAINING, train="cloche_jobs.frameworks.pytorch.train:main", imports="torch"
    ),
    *_pytorch("pytorch-inference", _PYTORCH, serve="cloche_jobs.frameworks.pytorch.serve:main"),
)
"""Newest first."""

IMPORTED: Final[dict[str, tuple[str, ...]]] = {
    PYTORCH: (
        "torch",
        "torch.distributed.run",
        "torch.utils.data",
        "torch.jit",
        "torch._dynamo",
        "boto3",
        "pip._internal.cli.main",
    ),
}
"""Of environments with thousands of modules, of which a program loads a few hundred: these are imported once when such
an environment is built, so that byte code of what they load is there. Compiling all of it takes minutes."""

TORCH: Final = "torch-cpu"
"""A lock beside an environment's own, without ``.txt``; kept by hand."""
USES_TORCH: Final = frozenset({PYTORCH})
