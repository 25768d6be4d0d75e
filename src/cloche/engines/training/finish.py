"""What an ended process leaves: archives in S3, and a reason if it failed."""

from __future__ import annotations

from pathlib import Path

from cloche.engines.training.plan import Plan
from cloche.foundation.errors import Invalid, NotFound
from cloche.jobs import ending
from cloche.jobs.ending import Ending
from cloche.jobs.folders import check_key
from cloche.jobs.place import Place, is_own_folder
from cloche.jobs.sources import Unfit
from cloche.storage.objects import ObjectStore
from cloche_jobs.contract import packing
from cloche_jobs.contract.failure import read_failure


def reason(plan: Plan, place: Place, ended: Ending) -> str | None:
    """``FailureReason``; ``None`` unless the process failed by itself."""

    def told(host: int) -> str:
        layout = place.of_host(host).layout
        return read_failure(layout.failure) if is_own_folder(layout.output, layout.root) else ""

    return ending.reason(ended, work="training", own_entrypoint=bool(plan.entrypoint), told=told)


def upload(plan: Plan, place: Place, objects: ObjectStore, *, with_model: bool, empty_model: bool) -> str | None:
    """Store ``output.tar.gz`` if the job wrote data, and ``model.tar.gz``; the answer is the model's address.

    What all hosts wrote goes into one archive; "they should ensure no file/directory names clash", AWS says
    (docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-output.html), and here the first host's wins.
    May be repeated. Raises ``Unfit`` when the bucket is gone, or a file has a name that no key can be.
    """
    layouts = [place.of_host(host.number).layout for host in plan.hosts]
    data = [layout.output_data for layout in layouts if is_own_folder(layout.output_data, layout.root)]
    model = [layout.model for layout in layouts if is_own_folder(layout.model, layout.root)]
    address = None
    try:
        if not all(map(packing.is_empty, data)):
            _store(plan, place, objects, "output.tar.gz", data)
        if with_model and model and (empty_model or not all(map(packing.is_empty, model))):
            address = _store_model(plan, place, objects, model)
    except (NotFound, Invalid) as error:
        raise Unfit(f"ClientError: Artifact upload failed: {error.message}") from None
    return address


def _store_model(plan: Plan, place: Place, objects: ObjectStore, folders: list[Path]) -> str:
    """As one archive, or file by file; these are copied, so that they are all here still for another attempt."""
    if plan.compressed:
        return _store(plan, place, objects, "model.tar.gz", folders)
    files = {name: path for name, path in packing.members(folders).items() if path.is_file()}
    for name in files:
        check_key(f"{plan.output_prefix}/output/model/{name}")
    for name, path in files.items():
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
