"""Experiments and lineage with SageMaker's Python SDK 2: runs of one's own code, compared, and what came of what.

The numbers come from a small logistic regression by gradient descent, on data drawn here.
"""

import json
import math
import random
import tempfile
from pathlib import Path

import sagemaker
from sagemaker.analytics import ExperimentAnalytics
from sagemaker.experiments import Run, list_runs, load_run
from sagemaker.lineage.artifact import Artifact
from sagemaker.lineage.association import Association
from sagemaker.lineage.context import Context
from sagemaker.lineage.query import LineageFilter, LineageQuery, LineageQueryDirectionEnum, LineageSourceEnum

session = sagemaker.Session()
experiment = f"descent-{random.SystemRandom().randrange(10**9)}"
draw = random.Random(7)
rows = [(draw.gauss(label, 1.0), draw.gauss(-label, 1.0), label) for label in draw.choices((0, 1), k=400)]


def chance(weights, row):
    return 1 / (1 + math.exp(-(weights[0] + weights[1] * row[0] + weights[2] * row[1])))


for rate in (0.001, 0.1, 1.0):
    with Run(experiment, f"rate-{str(rate).replace('.', '-')}", sagemaker_session=session) as run:
        run.log_parameter("rate", rate)
        run.log_parameters({"rows": len(rows), "algorithm": "gradient descent"})
        weights = [0.0, 0.0, 0.0]
        for step in range(25):
            gaps = [chance(weights, row) - row[2] for row in rows]
            for at in range(3):
                slope = sum(gap * (1, row[0], row[1])[at] for gap, row in zip(gaps, rows, strict=True)) / len(rows)
                weights[at] -= rate * slope
            loss = -sum(math.log(c if row[2] else 1 - c) for row in rows for c in [chance(weights, row)]) / len(rows)
            run.log_metric("train:loss", loss, step=step)
        with load_run(sagemaker_session=session) as same:
            same.log_parameter("steps", 25)
        truth, scores = [row[2] for row in rows], [chance(weights, row) for row in rows]
        run.log_confusion_matrix(truth, [int(score > 0.5) for score in scores], title="confusion", is_output=True)
        run.log_roc_curve(truth, scores, title="roc")
        run.log_precision_recall(truth, scores, title="precision-recall")
        run.log_artifact("weights", json.dumps(weights), media_type="application/json")
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "weights.json"
            file.write_text(json.dumps(weights))
            run.log_file(str(file), name="weights-file")

runs = list_runs(experiment, sagemaker_session=session)
assert len(runs) == 3, runs
frame = ExperimentAnalytics(
    sagemaker_session=session,
    experiment_name=experiment,
    sort_by="metrics.train:loss.last",
    sort_order="Ascending",
    metric_names=["train:loss"],
    parameter_names=["rate", "steps"],
).dataframe()
print(frame[["TrialComponentName", "rate", "train:loss - Last"]].to_string(index=False))
best = frame.iloc[0]
assert best["rate"] == 1.0 and best["steps"] == 25 and best["train:loss - Count"] == 25, best

# What the run made: its graphs are artifacts of the lineage already. One may go on by hand.
component = session.sagemaker_client.describe_trial_component(TrialComponentName=best["TrialComponentName"])
graphs = list(Association.list(source_arn=component["TrialComponentArn"], sagemaker_session=session))
assert sorted(graph.destination_type for graph in graphs) == ["ConfusionMatrix", "PrecisionRecallCurve", "ROCCurve"]
model = Artifact.create("weights", f"s3://models/{experiment}", artifact_type="Model", sagemaker_session=session)
Association.create(component["TrialComponentArn"], model.artifact_arn, "Produced", sagemaker_session=session)
place = Context.create(f"{experiment}-shelf", "shelf", "Shelf", "Shelf", sagemaker_session=session)
Association.create(model.artifact_arn, place.context_arn, "AssociatedWith", sagemaker_session=session)
above = LineageQuery(session).query(
    [place.context_arn],
    LineageQueryDirectionEnum.ASCENDANTS,
    query_filter=LineageFilter(sources=[LineageSourceEnum.MODEL]),
    include_edges=False,
)
assert [vertex.to_lineage_object().artifact_arn for vertex in above.vertices] == [model.artifact_arn]

print("RESULT " + json.dumps({"runs": len(runs), "best_rate": best["rate"], "loss": best["train:loss - Last"]}))
