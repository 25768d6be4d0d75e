"""AWS's images that bring a Python and the SDK: what ``@remote``, ``@step`` and notebook jobs run in.

Training and processing jobs run them with the entry point they name. Their Python has AWS's version: another cannot
read what the caller's has pickled. Sources of which that is: ``sagemaker-base-python-310`` says it; ``RELEASE.md`` of
1.6.0, 2.0.0 and 3.2.0 in ``build_artifacts`` of aws/sagemaker-distribution.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from cloche_jobs.image import Image, Mode

SDKS: Final = {"2": "sagemaker 2.257.7", "3": "sagemaker 3.27.0"}
"""Each is installed by the lock ``sagemaker-2`` or ``sagemaker-3``."""
NOTEBOOKS: Final = (("amazon_sagemaker_scheduler", "cloche_jobs.notebooks"),)
"""What notebook jobs name; the lock of the older SDK brings the driver that it begins."""
_CLIENT: Final = "--client_sagemaker_pysdk_version"
"""Source: ``job.py`` in ``remote_function`` of both SDKs."""
_NOT_ALL: Final = "the SDK and what it needs; what else AWS's has comes by requirements"


def _bare(name: str, version: str, python: str, note: str) -> tuple[Image, ...]:
    return tuple(
        Image(
            name=name,
            version=version,
            mode=Mode.BARE,
            environment=f"sagemaker-{generation}@{python}",
            library=f"Python {python}, {sdk}",
            train="",
            serve="",
            spec=None,
            note=note,
            sdk="" if generation == "2" else generation,
            programs=NOTEBOOKS if generation == "2" else (),
        )
        for generation, sdk in SDKS.items()
    )


BARE: Final = (
    *_bare("sagemaker-base-python-310", "1.0", "3.10", "what @remote takes by default where Python is 3.10"),
    *_bare("sagemaker-distribution-prod", "3", "3.12", _NOT_ALL),
    *_bare("sagemaker-distribution-prod", "2", "3.11", _NOT_ALL),
    *_bare("sagemaker-distribution-prod", "1", "3.10", _NOT_ALL),
)


def of_client(images: Mapping[str, Image], image: Image, arguments: Sequence[str]) -> Image:
    """The same image with the SDK that the caller has, where ``arguments`` are those of a function run remotely."""
    if image.mode is not Mode.BARE or _CLIENT not in arguments[:-1]:
        return image
    generation = arguments[arguments.index(_CLIENT) + 1].partition(".")[0]
    return images.get(f"{image.key}+sdk{generation}", image)
