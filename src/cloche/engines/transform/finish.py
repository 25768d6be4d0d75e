"""What an ended batch leaves: outputs and manifests in S3, and a reason if it failed."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

from cloche.engines.transform.plan import Plan
from cloche.engines.transform.staging import Desk
from cloche.foundation.errors import Denied, Invalid, NotFound
from cloche.jobs.ending import INTERNAL, Ending
from cloche.jobs.ending import reason as reason_of_process
from cloche.jobs.place import Place, is_own_folder
from cloche.jobs.sources import Unfit
from cloche.storage.objects import ObjectStore
from cloche_jobs.contract.failure import REASON_CHARACTERS_MAX, read_failure
from cloche_jobs.transform.batch import Orders

SEE_LOGS = "See job logs for more information"
"""AWS's own words for a job that failed by its data or its model; what Cloche knows follows them."""


def reason(plan: Plan, place: Place, desk: Desk, ending: Ending) -> str | None:
    """``FailureReason``; ``None`` if all files were transformed."""
    if ending.cause == "companion_done":
        return _reason_of_files(plan, desk)
    if ending.cause == "companion_failed":
        kind, _, text = ending.message.partition(": ")
        model = kind == "AlgorithmError"
        return f"{kind}: {SEE_LOGS}: {text}" if model else f"{INTERNAL} ({ending.message})"[:REASON_CHARACTERS_MAX]
    if ending.cause == "exited" and ending.exit_code == 0:
        return f"AlgorithmError: {SEE_LOGS}: the model server ended before the batch was done"

    def told(host: int) -> str:
        layout = place.of_host(host).layout
        return read_failure(layout.failure) if is_own_folder(layout.output, layout.root) else ""

    found = reason_of_process(ending, work="transform", own_entrypoint=False, told=told)
    return found or f"{INTERNAL} (The transform was ended by somebody else.)"


def _reason_of_files(plan: Plan, desk: Desk) -> str | None:
    """Of the first file, in their order, that could not be transformed."""
    failures = {entry["file"]: entry for entry in _reported(desk)}
    missing = sorted(number for number in failures if not desk.output(number).exists())
    if not missing:
        return None
    first = failures[missing[0]]
    names = desk.read_names()
    where = f", {first['where']}" if first["where"] else ""
    more = f" ({len(missing) - 1} more of {len(names)} files failed.)" if len(missing) > 1 else ""
    start = f"{first['kind']}: {SEE_LOGS}: {names[missing[0]]}{where}: "
    message: str = first["message"]
    return start + message[: max(0, REASON_CHARACTERS_MAX - len(start) - len(more))] + more


def _reported(desk: Desk) -> list[Mapping[str, Any]]:
    try:
        lines = desk.report.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines if line.endswith("}")]


def upload(plan: Plan, desk: Desk, objects: ObjectStore, done: list[int]) -> list[int]:
    """Store the files that are complete; which those are, with those of ``done``, which were stored before. May be
    repeated. Raises ``Unfit`` when the bucket is gone."""
    stored = set(done)
    try:
        for number, name in enumerate(desk.read_names()):
            path = desk.output(number)
            if path.exists():
                objects.put_file(plan.output_bucket, plan.output_key(name), path)
                stored.add(number)
    except (NotFound, Invalid, Denied) as error:
        raise Unfit(f"ClientError: Output upload failed: {error.message}") from None
    return sorted(stored)


def capture(plan: Plan, desk: Desk, objects: ObjectStore, done: list[int], started_at: float) -> None:
    """Store the manifests of what went in and came out. May be repeated. Raises ``Unfit`` when the bucket is gone.

    Form: the answer of a real job in ``SageMaker-Monitoring-Bias-Drift-for-Batch-Transform.ipynb`` of
    aws/amazon-sagemaker-examples, and docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-batch.html
    """
    if plan.capture is None or not done:
        return
    all_names = desk.read_names()
    names = [all_names[number] for number in done]
    hour = time.strftime("%Y/%m/%d/%H", time.gmtime(started_at))
    beginning = f"{plan.output_prefix}/" if plan.output_prefix else ""
    output = [{"prefix": f"s3://{plan.output_bucket}/{beginning}"}, *(f"{name}.out" for name in names)]
    manifests = {"input": [{"prefix": _input_start(plan, desk)}, *names], "output": output}
    start = f"{plan.capture.prefix}/" if plan.capture.prefix else ""
    try:
        for which, manifest in manifests.items():
            key = f"{start}{which}/{hour}/{uuid.uuid5(uuid.NAMESPACE_URL, f'{plan.arn}/{which}/{started_at}')}.json"
            objects.put_bytes(plan.capture.bucket, key, json.dumps(manifest).encode())
    except (NotFound, Invalid, Denied) as error:
        raise Unfit(f"ClientError: Data capture upload failed: {error.message}") from None


def _input_start(plan: Plan, desk: Desk) -> str:
    """What stands before the inputs' names in their addresses."""
    first = Orders.read(desk.orders).files[0].name
    return "s3://" + first.removesuffix(desk.read_names()[0])
