"""The training jobs that a tuning job launched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cloche.aws.operation import Context, Members, operation
from cloche.aws.resource import tokens
from cloche.aws.resource.listing import PAGE_DEFAULT
from cloche.services.sagemaker.tuning import facts
from cloche.services.sagemaker.tuning.viewing import view_trial
from cloche.services.sagemaker.tuning.warm_start import KIND
from cloche.storage.metadata import records

_KEYS: Final[dict[str, Callable[[dict[str, Any]], Any]]] = {
    "Name": lambda trial: trial["name"],
    "CreationTime": lambda trial: (trial["created_at"], trial["name"]),
    "Status": lambda trial: (trial["status"], trial["name"]),
    "FinalObjectiveMetricValue": lambda trial: (trial["objective"], trial["name"]),
}


@operation("ListTrainingJobsForHyperParameterTuningJob", reads=True)
def list_training_jobs(ctx: Context, request: Members) -> Members:
    """Newest first where no order is asked for: the reference says Name, Ascending, but AWS's answers are in the order
    of case tune-01 (aws/amazon-sagemaker-examples, 3_train_tune_predict_predmaint.ipynb). Sorted by
    the objective, only jobs that have one are listed (API reference of the operation)."""
    name = request["HyperParameterTuningJobName"]
    reader = ctx.parts.database.reader
    record = records.find(reader, ctx.account, ctx.region, KIND, name)
    if record is None:
        raise facts.MISSING.error(name=name)
    sort_by, status = request.get("SortBy"), request.get("StatusEquals")
    found = [
        trial
        for trial in ctx.parts.tuning.told_of(record.arn)
        if (status is None or trial["status"] == status)
        and (sort_by != "FinalObjectiveMetricValue" or trial["objective"] is not None)
    ]
    order = request.get("SortOrder") or ("Ascending" if sort_by else "Descending")
    found.sort(key=_KEYS[sort_by or "CreationTime"], reverse=order == "Descending")
    question = ["ListTrainingJobsForHyperParameterTuningJob", record.arn, sort_by, order, status]
    return _page(records.page_secret(reader), question, found, request)


def _page(secret: bytes, question: list[Any], found: list[dict[str, Any]], request: Members) -> Members:
    """After the job the token names, wherever it stands now; where it has gone from the list, from its old place."""
    start, token = 0, request.get("NextToken")
    if token:
        last, place = tokens.unseal(secret, question, token)
        names = [trial["name"] for trial in found]
        start = names.index(last) + 1 if last in names else min(int(place), len(found))
    end = start + request.get("MaxResults", PAGE_DEFAULT)
    answer: Members = {"TrainingJobSummaries": [view_trial(trial) for trial in found[start:end]]}
    if end < len(found):
        answer["NextToken"] = tokens.seal(secret, question, (found[end - 1]["name"], end))
    return answer
