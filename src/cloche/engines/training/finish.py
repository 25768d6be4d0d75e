"""What an ended process leaves: archives in S3, and a reason if it failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from cloche.compute.runtime import Ended, Lost, Observation
from cloche.engines.training.place import Place
from cloche.engines.training.plan import Plan
from cloche.engines.training.sources import Unfit
from cloche.foundation.errors import NotFound
from cloche.storage.objects import ObjectStore
from cloche_jobs.contract import Layout, packing
from cloche_jobs.contract.failure import REASON_CHARACTERS_MAX, failure_reason, read_failure

INTERNAL: Final = "InternalServerError: We encountered an internal error. Please try again."
"""AWS's own words, as in aws/sagemaker-python-sdk#2013 and many more; what Cloche knows follows them."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How the process ended, as kept in the job's document."""

    cause: str
    """``exited``, ``stopped``, ``max_runtime``, ``limit_reached``, ``companion_failed``, ``not_started``, ``lost``;
    ``none``: never begun."""
    exit_code: int = 0
    """Negative: the signal's number."""
    message: str = ""
    host: int = 0
    """Whose it is, counted from 0."""
    started_at: float = 0.0
    seconds: float = 0.0
    """How long the process ran."""

    @property
    def is_success(self) -> bool:
        return self.cause == "exited" and self.exit_code == 0

    def to_data(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_data(data: Mapping[str, Any] | None) -> Ending:
        return Ending("none") if data is None else Ending(**data)


def ending_of(observed: Observation | None) -> Ending:
    if observed is None:
        return Ending("none")
    if isinstance(observed, Lost):
        return Ending("lost", started_at=observed.started_at)
    assert isinstance(observed, Ended), observed
    code = -observed.signal if observed.signal is not None else observed.exit_code or 0
    seconds = observed.ended_at - observed.started_at
    return Ending(observed.cause, code, observed.message, observed.host, observed.started_at, seconds)


def reason(plan: Plan, place: Place, ending: Ending) -> str | None:
    """``FailureReason``; ``None`` unless the process failed by itself."""
    if ending.cause == "exited":
        if ending.exit_code == 0:
            return None
        return failure_reason(_told(place.of_host(ending.host).layout), ending.exit_code)
    if ending.cause == "not_started":
        whose = "ClientError: The container's entry point" if plan.entrypoint else f"{INTERNAL} (The training process"
        return f"{whose} could not be started: {ending.message}{'' if plan.entrypoint else ')'}"
    if ending.cause == "lost":
        return f"{INTERNAL} (The process that watched over the training was killed; how the training ended is unknown.)"
    if ending.cause == "limit_reached":
        return f"AlgorithmError: {ending.message}, exit code: 137"
    if ending.cause == "companion_failed":
        return f"ClientError: Data download failed: {ending.message}"[:REASON_CHARACTERS_MAX]
    if ending.cause == "none":
        return f"{INTERNAL} (The training process is not there any more.)"
    return None


def _told(layout: Layout) -> str:
    return read_failure(layout.failure) if _is_own_folder(layout.output, layout.root) else ""


def upload(plan: Plan, place: Place, objects: ObjectStore, *, with_model: bool, empty_model: bool) -> str | None:
    """Store ``output.tar.gz`` if the job wrote data, and ``model.tar.gz``; the answer is the model's address.

    What all hosts wrote goes into one archive; "they should ensure no file/directory names clash", AWS says
    (docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-output.html), and here the first host's wins.
    May be repeated. Raises ``Unfit`` when the bucket is gone.
    """
    layouts = [place.of_host(host.number).layout for host in plan.hosts]
    data = [layout.output_data for layout in layouts if _is_own_folder(layout.output_data, layout.root)]
    model = [layout.model for layout in layouts if _is_own_folder(layout.model, layout.root)]
    address = None
    try:
        if not all(map(packing.is_empty, data)):
            _store(plan, place, objects, "output.tar.gz", data)
        if with_model and model and (empty_model or not all(map(packing.is_empty, model))):
            address = _store_model(plan, place, objects, model)
    except NotFound as error:
        raise Unfit(f"ClientError: Artifact upload failed: {error.message}") from None
    return address


def _is_own_folder(folder: Path, root: Path) -> bool:
    """The job may have put a link in place of any folder of its own: what lies beyond is not its to send away."""
    while folder != root:
        if folder.is_symlink() or not folder.is_dir():
            return False
        folder = folder.parent
    return True


def _store_model(plan: Plan, place: Place, objects: ObjectStore, folders: list[Path]) -> str:
    """As one archive, or file by file; these are copied, so that they are all here still for another attempt."""
    if plan.compressed:
        return _store(plan, place, objects, "model.tar.gz", folders)
    for name, path in packing.members(folders).items():
        if path.is_file():
            objects.put_file(plan.output_bucket, f"{plan.output_prefix}/output/model/{name}", path, move=False)
    return model_address(plan)


def _store(plan: Plan, place: Place, objects: ObjectStore, name: str, folders: list[Path]) -> str:
    place.packed.mkdir(parents=True, exist_ok=True)
    packed = place.packed / name
    packing.pack(packed, *folders)
    key = f"{plan.output_prefix}/output/{name}"
    objects.put_file(plan.output_bucket, key, packed)
    return f"s3://{plan.output_bucket}/{key}"


def model_address(plan: Plan) -> str:
    """Where the model is, or will be: clients read it before it is there."""
    name = "model.tar.gz" if plan.compressed else "model/"
    return f"s3://{plan.output_bucket}/{plan.output_prefix}/output/{name}"
