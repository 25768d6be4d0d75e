"""Which of AWS's images Cloche can stand in for, and what stands in.

An image is an environment (a lock file in ``locks/``, built by ``cloche.compute.images``) and two entry points.
Where the library AWS ships no longer installs, the nearest that behaves alike is taken and ``note`` says so.
Everything the server needs to know about an image is here; the entry points are names, loaded in the job alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from cloche_jobs.registries import FIRST_GENERATION, MONITOR, SHARED, SPARK

LOCKS: Final = Path(__file__).resolve().parent / "locks"


class Mode(Enum):
    BUILT_IN = "built-in algorithm"
    """Runs without user code; with ``sagemaker_program`` it runs that script instead."""
    FRAMEWORK = "script-mode framework"
    """Runs the user's script and nothing else."""
    PROCESSING = "processing"
    """Runs in processing jobs alone, by programs of its own."""


@dataclass(frozen=True, slots=True)
class Image:
    """One image. ``key`` (``sagemaker-xgboost:1.7-1``) is what jobs carry in ``CLOCHE_IMAGE``."""

    name: str
    version: str
    mode: Mode
    environment: str
    """Name of the lock file, without ``.txt``."""
    library: str
    """What is installed in AWS's stead, for people to read."""
    train: str
    serve: str
    spec: str | None
    """Module with the algorithm's hyperparameters, channels and metrics; ``None`` for frameworks."""
    note: str = ""
    programs: tuple[tuple[str, str], ...] = ()
    """What a processing job finds on its path besides: (name, module that is run)."""
    needs_java: bool = False
    module: str = ""
    """Run in a processing job that names no entry point of its own: the image's own program."""
    imports: tuple[str, ...] = ()
    """What that program begins with importing: a process that stands by does so ahead."""

    @property
    def key(self) -> str:
        return f"{self.name}:{self.version}" if self.version else self.name

    @property
    def entrypoint(self) -> tuple[str, ...]:
        """The command line of the image's own program; empty where it has none."""
        return ("python3", "-P", "-m", self.module) if self.module else ()

    @property
    def lock(self) -> Path:
        return LOCKS / f"{self.environment}.txt"

    def uri(self, region: str = "us-east-1") -> str:
        """The address AWS's SDKs compute for this image."""
        accounts = _accounts(self.name)
        account = accounts.get(region, accounts["us-east-1"])
        suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        tails = {Mode.BUILT_IN: "", Mode.FRAMEWORK: "-cpu-py3", Mode.PROCESSING: "-cpu-py39-v1.0"}
        tag = f":{self.version}{tails[self.mode]}" if self.version else ""
        return f"{account}.dkr.ecr.{region}.{suffix}/{self.name}{tag}"


class ImageUnknown(LookupError):
    """``str()`` is a sentence for the caller: what is wrong, and what would be right."""


def _xgboost(version: str, environment: str, library: str, note: str = "", name: str = "sagemaker-xgboost") -> Image:
    return Image(
        name=name,
        version=version,
        mode=Mode.BUILT_IN,
        environment=environment,
        library=library,
        train="cloche_jobs.algorithms.xgboost.train:main",
        serve="cloche_jobs.algorithms.xgboost.serve:main",
        spec="cloche_jobs.algorithms.xgboost.spec",
        note=note,
    )


def _sklearn(version: str, environment: str, library: str, note: str = "") -> Image:
    return Image(
        name="sagemaker-scikit-learn",
        version=version,
        mode=Mode.FRAMEWORK,
        environment=environment,
        library=library,
        train="cloche_jobs.frameworks.script:main",
        serve="cloche_jobs.frameworks.sklearn.serve:main",
        spec=None,
        note=note,
    )


# What 1.7.6 predicts beside the engines it stands in for was measured on 2026-11-25 with wheels of 0.90, 1.0.2, 1.2.1,
# 1.3.3 and 1.5.2: breast cancer (defaults; and with subsampling, gamma and min_child_weight), diabetes, three classes;
# 50 rounds each, one thread.
_SAME = "predictions are the same bit for bit"
_SIX_DIGITS = "predictions of two classes are the same bit for bit, others to six digits"
_OLD_ENGINE = "the 0.72 engine runs on no Python of today, so how near the figures are is not measured"
_NEWER_SKLEARN = "scikit-learn 1.2.2 stands in; models pickled by the older library may not load"

IMAGES: Final = (
    _xgboost("1.7-1", "xgboost-1.7", "xgboost 1.7.6", "AWS ships 1.7.4; 1.7.6 is the last fix release of that line"),
    _xgboost("1.5-1", "xgboost-1.7", "xgboost 1.7.6", f"1.7.6 stands in for 1.5: {_SAME}"),
    _xgboost("1.3-1", "xgboost-1.7", "xgboost 1.7.6", f"1.7.6 stands in for 1.3: {_SAME}"),
    _xgboost("1.2-2", "xgboost-1.7", "xgboost 1.7.6", f"1.7.6 stands in for 1.2: {_SIX_DIGITS}"),
    _xgboost("1.2-1", "xgboost-1.7", "xgboost 1.7.6", f"1.7.6 stands in for 1.2: {_SIX_DIGITS}"),
    _xgboost("1.0-1", "xgboost-1.7", "xgboost 1.7.6", f"1.7.6 stands in for 1.0: {_SIX_DIGITS}"),
    _xgboost("0.90-2", "xgboost-1.7", "xgboost 1.7.6", f"1.7.6 stands in for 0.90: {_SIX_DIGITS}"),
    _xgboost("0.90-1", "xgboost-1.7", "xgboost 1.7.6", f"1.7.6 stands in for 0.90: {_SIX_DIGITS}"),
    _xgboost("3.0-5", "xgboost-3.0", "xgboost 3.0.5", "the build without GPU code on Linux"),
    _xgboost("1", "xgboost-1.7", "xgboost 1.7.6", f"1.7.6 stands in for 0.72: {_OLD_ENGINE}", name="xgboost"),
    _sklearn("1.2-1", "sklearn-1.2", "scikit-learn 1.2.2"),
    _sklearn("1.4-2", "sklearn-1.4", "scikit-learn 1.4.2"),
    _sklearn("1.0-1", "sklearn-1.2", "scikit-learn 1.2.2", _NEWER_SKLEARN),
    _sklearn("0.23-1", "sklearn-1.2", "scikit-learn 1.2.2", _NEWER_SKLEARN),
    _sklearn("0.20.0", "sklearn-1.2", "scikit-learn 1.2.2", _NEWER_SKLEARN),
)
SPARK_ENVIRONMENT: Final = "spark-3.5"
MONITOR_ENVIRONMENT: Final = "monitor"
ANALYZER: Final = "sagemaker-model-monitor-analyzer"
MERGER: Final = "sagemaker-model-monitor-groundtruth-merger"
MONITORS: Final = tuple(
    Image(
        name=name,
        version="",
        mode=Mode.PROCESSING,
        environment=MONITOR_ENVIRONMENT,
        library="Cloche's own",
        train="",
        serve="",
        spec=None,
        note="AWS runs Spark and Deequ",
        module="cloche_jobs.monitor.main",
        imports=("cloche_jobs.monitor.data_quality",) if name == ANALYZER else ("cloche_jobs.monitor.merge",),
    )
    for name in (ANALYZER, MERGER)
)
"""Model Monitor's; AWS's addresses of them have no tag."""
PROCESSING: Final = MONITORS + tuple(
    Image(
        name="sagemaker-spark-processing",
        version=version,
        mode=Mode.PROCESSING,
        environment=SPARK_ENVIRONMENT,
        library="pyspark 3.5.7",
        train="",
        serve="",
        spec=None,
        note=("" if version == "3.5" else f"3.5 stands in for {version}; ") + "one machine, no cluster",
        programs=(("smspark-submit", "cloche_jobs.spark.submit"),),
        needs_java=True,
    )
    for version in ("3.5", "3.3", "3.2", "3.1", "3.0", "2.4")
)
"""Images that processing jobs run beside all of ``IMAGES``."""
_BY_KEY: Final = {image.key: image for image in (*IMAGES, *PROCESSING)} | {
    "xgboost:latest": next(image for image in IMAGES if image.name == "xgboost")
}
DOCUMENTS: Final = "documents"
"""An environment that is no image's: with it Cloche makes documents (``cloche_jobs.documents``)."""
SEARCH: Final = "tuning"
"""Another: where the search of a tuning job runs (``tuning/search.py``)."""
FUNCTIONS: Final = "functions"
"""That of Lambda functions: what AWS's Python runtimes bring along."""
ENVIRONMENTS: Final = (
    *dict.fromkeys(image.environment for image in IMAGES),
    DOCUMENTS,
    SEARCH,
    FUNCTIONS,
    MONITOR_ENVIRONMENT,
    SPARK_ENVIRONMENT,
)
ON_DEMAND: Final = frozenset({SPARK_ENVIRONMENT, MONITOR_ENVIRONMENT})
"""Large, and needed by few: built when an image of theirs is asked for."""

_URI: Final = re.compile(
    r"(?P<account>[0-9]{12})\.dkr\.ecr(?:-fips)?\.(?P<region>[a-z0-9-]{1,32})\.(?P<suffix>[a-z0-9.-]{1,64})"
    r"/(?P<name>[a-z0-9._/-]{1,200}?)(?::(?P<tag>[A-Za-z0-9_.-]{1,128}))?(?:@sha256:[0-9a-f]{64})?"
)
_TAG: Final = re.compile(r"(?P<version>.+?)(?:-(?:cpu|gpu))?(?:-py[0-9.]+)?(?:-v[0-9.]+)?")


def find(uri: str, *, processing: bool = False) -> Image:
    """The image that stands in for ``uri``; with ``processing`` those for processing jobs alone are known too. Raises
    ``ImageUnknown``.

    A digest is not looked at (there is one build of each here); without a tag the newest known is meant, as a
    registry's ``latest`` would be. ``-cpu`` and ``-py3`` at a tag's end say nothing that differs here.
    """
    images = (*IMAGES, *PROCESSING) if processing else IMAGES
    known = _known(images)
    match = _URI.fullmatch(uri)
    if match is None:
        raise ImageUnknown(f"{_shown(uri)} is not the address of an image in Amazon ECR. {known}")
    name, tag, account = match["name"], match["tag"], match["account"]
    if all(image.name != name for image in images):
        raise ImageUnknown(f"Cloche has nothing that stands in for the image {_shown(uri)}. {known}")
    accounts = _accounts(name)
    if account not in accounts.values():
        raise ImageUnknown(
            f"{_shown(uri)} is not AWS's own image: {name} is published by {accounts['us-east-1']} in us-east-1 "
            f"and by its own accounts elsewhere; images built by others cannot run here. {known}"
        )
    if tag is None or (tag == "latest" and f"{name}:latest" not in _BY_KEY):
        return next(image for image in images if image.name == name)
    if "-gpu" in tag:
        raise ImageUnknown(f"{_shown(uri)} needs a GPU. {known}")
    version = _TAG.fullmatch(tag)
    image = _BY_KEY.get(f"{name}:{tag}") or (version and _BY_KEY.get(f"{name}:{version['version']}"))
    if not image:
        raise ImageUnknown(f"Cloche does not know version {_shown(tag)} of {name}. {known}")
    return image


def by_key(key: str) -> Image:
    """The image of that ``key``. Raises ``ImageUnknown``."""
    try:
        return _BY_KEY[key]
    except KeyError:
        raise ImageUnknown(f"there is no image {_shown(key)}. {_known(IMAGES)}") from None


def _accounts(name: str) -> dict[str, str]:
    """Who publishes the images of that name, by region."""
    own = {"xgboost": FIRST_GENERATION, "sagemaker-spark-processing": SPARK, ANALYZER: MONITOR, MERGER: MONITOR}
    return own.get(name, SHARED)


def _known(images: Sequence[Image]) -> str:
    return f"Known are: {', '.join(_families(images))}."


def _families(images: Sequence[Image]) -> Iterator[str]:
    for name in dict.fromkeys(image.name for image in images):
        versions = ", ".join(image.version for image in images if image.name == name and image.version)
        yield f"{name} ({versions})" if versions else name


def _shown(text: str) -> str:
    return text if len(text) <= 200 and text.isprintable() else ascii(text[:200])
