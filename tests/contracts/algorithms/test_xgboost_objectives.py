"""Every objective and every metric AWS's XGBoost names is trained with, on both engines."""

from __future__ import annotations

import pytest

from cloche_jobs.algorithms.xgboost.metric_names import MAXIMIZE, MINIMIZE
from cloche_jobs.algorithms.xgboost.spec import OBJECTIVES

from .conftest import Train

IMAGES = ["sagemaker-xgboost:1.7-1", "sagemaker-xgboost:3.2-0"]
FEATURES = [f"{n % 7},{n % 5},{n * n % 11}" for n in range(40)]
POSITIVE = "reg:gamma,reg:tweedie,count:poisson,survival:cox,reg:squaredlogerror"
METRICS = {
    "binary:logistic": "error,error@0.3,logloss,auc,aucpr,accuracy,balanced_accuracy,f1,f1_binary,f1_macro,precision,"
    "precision_macro,precision_micro,recall,recall_macro,recall_micro",
    "multi:softprob": "merror,mlogloss,accuracy,balanced_accuracy,f1,f1_macro,precision_macro,precision_micro,"
    "recall_macro,recall_micro",
    "rank:ndcg": "ndcg,map,ndcg@2,map@2",
    "reg:squarederror": "rmse,mae,mape,rmsle,mphe,mse,r2",
    "reg:gamma": "gamma-deviance,gamma-nloglik",
    "count:poisson": "poisson-nloglik",
    "survival:cox": "cox-nloglik",
    "survival:aft": "aft-nloglik,interval-regression-accuracy",
}
"""Beside its own default, what goes with an objective; together all there are but the tweedie's, which names itself."""


def label(objective: str, row: int) -> str:
    if objective.startswith("multi:"):
        return str(row % 3)
    if objective.startswith(("binary:", "reg:logistic", "rank:")):
        return str(row % 2)
    return str(row % 9 + 1)


@pytest.mark.slow
@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("objective", [each for each in OBJECTIVES if each != "aft_loss_distribution"])
def test_an_objective(objective: str, image: str, train: Train) -> None:
    values = {"objective": objective, "num_round": "2"}
    if objective.startswith("multi:"):
        values["num_class"] = "3"
    if objective in METRICS:
        values["eval_metric"] = METRICS[objective]
    rows = "".join(f"{label(objective, row)},{features}\n" for row, features in enumerate(FEATURES))
    ended = train(values, {"train": {"d.csv": rows}}, image=image)
    assert ended.exit_code == 0, ended.failure
    assert (ended.layout.model / "xgboost-model").exists()
    for metric in METRICS.get(objective, "").split(","):
        assert not metric or len(ended.column(f"train-{metric}")) == 2, ended.output


def test_all_metrics_are_tried() -> None:
    tried = {name.partition("@")[0] for names in METRICS.values() for name in names.split(",")}
    assert tried | {"tweedie-nloglik"} == {*MAXIMIZE, *MINIMIZE}
