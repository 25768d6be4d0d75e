"""Which of AWS's images Cloche can stand in for, and what stands in.

An image is an environment (a lock file in ``locks/``, built by ``cloche.compute.images``) and two entry points.
Where the library AWS ships no longer installs, the nearest that behaves alike is taken and ``note`` says so.
Everything the server needs to know about an image is here; the entry points are names, loaded in the job alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from cloche_jobs.bare_images import BARE, of_client
from cloche_jobs.deep_learning import DEEP_LEARNING, IMPORTED, TORCH, USES_TORCH
from cloche_jobs.image import LOCKS, Image, ImageUnknown, Mode

__all__ = ["BARE", "IMPORTED", "LOCKS", "TORCH", "USES_TORCH", "Image", "ImageUnknown", "Mode"]
"""Of other modules, to be found here."""


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
_WITHOUT_GPU = "the build without GPU code on Linux"
_NEWER_SKLEARN = "scikit-learn 1.2.2 stands in; models pickled by the older library may not load"

IMAGES: Final = (
    _xgboost("3.2-0", "xgboost-3.2", "xgboost 3.2.0", _WITHOUT_GPU),
    _xgboost("3.0-5", "xgboost-3.0", "xgboost 3.0.5", _WITHOUT_GPU),
    _xgboost("1.7-1", "xgboost-1.7", "xgboost 1.7.6", "AWS ships 1.7.4; 1.7.6 is the last fix release of that line"),
    _xgboost("1.5-1", "xgboost-1.7", "xgboost 1.7.6", f"1.7.6 stands in for 1.5: {_SAME}"),
    _xgboost("1.3-1", "xgboost-1.7", "xgboost 1.7.6", f"1.7.6 stands in for 1.3: {_SAME}"),
    _xgboost("1.2-2", "xgboost-1.7", "xgboost 1.7.6", f"1.7.6 stands in for 1.2: {_SIX_DIGITS}"),
    _xgboost("1.2-1", "xgboost-1.7", "xgboost 1.7.6", f"1.7.6 stands in for 1.2: {_SIX_DIGITS}"),
    _xgboost("1.0-1", "xgboost-1.7", "xgboost 1.7.6", f"1.7.6 stands in for 1.0: {_SIX_DIGITS}"),
    _xgboost("0.90-2", "xgboost-1.7", "xgboost 1.7.6", f"1.7.6 stands in for 0.90: {_SIX_DIGITS}"),
    _xgboost("0.90-1", "xgboost-1.7", "xgboost 1.7.6", f"1.7.6 stands in for 0.90: {_SIX_DIGITS}"),
    _xgboost("1", "xgboost-1.7", "xgboost 1.7.6", f"1.7.6 stands in for 0.72: {_OLD_ENGINE}", name="xgboost"),
    _sklearn("1.9-0", "sklearn-1.9", "scikit-learn 1.9.0"),
    _sklearn("1.4-2-py312", "sklearn-1.4", "scikit-learn 1.4.2", "on the Python that Cloche itself runs on"),
    _sklearn("1.4-2", "sklearn-1.4", "scikit-learn 1.4.2"),
    _sklearn("1.2-1", "sklearn-1.2", "scikit-learn 1.2.2"),
    _sklearn("1.0-1", "sklearn-1.2", "scikit-learn 1.2.2", _NEWER_SKLEARN),
    _sklearn("0.23-1", "sklearn-1.2", "scikit-learn 1.2.2", _NEWER_SKLEARN),
    _sklearn("0.20.0", "sklearn-1.2", "scikit-learn 1.2.2", _NEWER_SKLEARN),
    *DEEP_LEARNING,
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
_BY_KEY: Final = {image.key: image for image in (*IMAGES, *PROCESSING, *BARE)} | {
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
    *dict.fromkeys(image.environment for image in BARE),
)
ON_DEMAND: Final = frozenset(
    {SPARK_ENVIRONMENT, MONITOR_ENVIRONMENT, *(image.environment for image in (*DEEP_LEARNING, *BARE))}
)
"""Large, and needed by few: built when an image of theirs is asked for."""

_VERSIONS_SHOWN_MAX: Final = 9
_URI: Final = re.compile(
    r"(?P<account>[0-9]{12})\.dkr\.ecr(?:-fips)?\.(?P<region>[a-z0-9-]{1,32})\.(?P<suffix>[a-z0-9.-]{1,64})"
    r"/(?P<name>[a-z0-9._/-]{1,200}?)(?::(?P<tag>[A-Za-z0-9_.-]{1,128}))?(?:@sha256:[0-9a-f]{64})?"
)
_TAG: Final = re.compile(
    r"(?P<version>.+?)(?:-(?P<processor>cpu|gpu))?(?:-(?P<python>py[0-9.]+))?(?:-cu[0-9]+)?(?:-ubuntu[0-9.]+)?"
    r"(?:-sagemaker)?(?:-v[0-9.]+)?"
)


@lru_cache(maxsize=256)
def find(uri: str, *, processing: bool = False, bare: bool = False) -> Image:
    """The image that stands in for ``uri``; with ``processing`` those for processing jobs alone are known too, with
    ``bare`` those without a program. Raises ``ImageUnknown``.

    A digest is not looked at (there is one build of each here); without a tag the newest known is meant, as a
    registry's ``latest`` would be. What a tag has after the version says nothing that differs here, but for Python 2
    and, where a library needs them, GPUs.
    """
    images = (*IMAGES, *(PROCESSING if processing else ()), *(BARE if bare else ()))
    known = _known(images)
    match = _URI.fullmatch(uri)
    if match is None:
        raise ImageUnknown(f"{_shown(uri)} is not the address of an image in Amazon ECR. {known}")
    name, tag, account = match["name"], match["tag"], match["account"]
    if all(image.name != name for image in images):
        raise ImageUnknown(f"Cloche has nothing that stands in for the image {_shown(uri)}. {known}")
    accounts = next(image for image in images if image.name == name).accounts
    if account not in accounts.values():
        raise ImageUnknown(
            f"{_shown(uri)} is not AWS's own image: {name} is published by {accounts['us-east-1']} in us-east-1 "
            f"and by its own accounts elsewhere; images built by others cannot run here. {known}"
        )
    if tag is None or (tag == "latest" and f"{name}:latest" not in _BY_KEY):
        return next(image for image in images if image.name == name)
    parts = _TAG.fullmatch(tag)
    image = _BY_KEY.get(f"{name}:{tag}") or (parts and _of_version(images, name, parts["version"]))
    if not image:
        raise ImageUnknown(f"Cloche does not know version {_shown(tag)} of {name}. {known}")
    if parts and parts["processor"] == "gpu" and not image.is_deep_learning:
        raise ImageUnknown(f"{_shown(uri)} needs a GPU. {known}")
    if parts and parts["python"] in ("py2", "py27"):
        raise ImageUnknown(f"{_shown(uri)} is for Python 2, which nothing here runs. {known}")
    return image


def _of_version(images: Sequence[Image], name: str, version: str) -> Image | None:
    """That of just this version; of those for deep learning also the newest of a version cut short (``2.3``), and of
    those without a program the one of its line (``2`` of ``2.8.0``)."""
    found = _BY_KEY.get(f"{name}:{version}")
    if found is not None:
        return found
    line = _BY_KEY.get(f"{name}:{version.partition('.')[0]}")
    if line is not None and line.mode is Mode.BARE:
        return line
    same = (image for image in images if image.name == name and image.is_deep_learning)
    return next((image for image in same if _begins(image.version, version)), None)


def _begins(version: str, short: str) -> bool:
    """``2.1.0-transformers4.36.0`` begins so as ``2.1-transformers4.36`` does."""
    parts, shorts = version.split("-"), short.split("-")
    return len(parts) == len(shorts) and all(
        part == begin or part.startswith(f"{begin}.") for part, begin in zip(parts, shorts, strict=True)
    )


def for_client(image: Image, arguments: Sequence[str]) -> Image:
    """``of_client`` with all images."""
    return of_client(_BY_KEY, image, arguments)


def own_image(digest: str, name: str = "", tag: str = "") -> Image:
    """An image of the user's own, whatever is in it. Nothing of Cloche's runs in it."""
    return Image(
        name=name,
        version=tag,
        mode=Mode.OWN,
        environment="",
        library="what the image holds",
        train="",
        serve="",
        spec=None,
        digest=digest,
    )


def by_key(key: str) -> Image:
    """The image of that ``key``. Raises ``ImageUnknown``."""
    if key.startswith("sha256:"):
        return own_image(key)
    try:
        return _BY_KEY[key]
    except KeyError:
        raise ImageUnknown(f"there is no image {_shown(key)}. {_known(IMAGES)}") from None


def _known(images: Sequence[Image]) -> str:
    return f"Known are: {', '.join(_families(images))}."


def _families(images: Sequence[Image]) -> Iterator[str]:
    for name in dict.fromkeys(image.name for image in images):
        named = (image.version for image in images if image.name == name and image.version)
        versions = list(dict.fromkeys(named))
        shown = f"{versions[-1]} to {versions[0]}" if len(versions) > _VERSIONS_SHOWN_MAX else ", ".join(versions)
        yield f"{name} ({shown})" if shown else name


def _shown(text: str) -> str:
    return text if len(text) <= 200 and text.isprintable() else ascii(text[:200])
