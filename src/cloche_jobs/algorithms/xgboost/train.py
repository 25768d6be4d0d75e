"""Training of built-in XGBoost, in the order AWS's container goes: hyperparameters, channels, data, rounds, model.

Source: ``algorithm_mode/train.py`` and ``callback.py`` of aws/sagemaker-xgboost-container. Not done, and refused by
name: cross-validation (``_kfold``), GPUs, more than one host, parquet and RecordIO data, pipe mode.
"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any, Final

from cloche_jobs.algorithms.declarations import Values
from cloche_jobs.algorithms.xgboost.custom_metrics import custom_metric
from cloche_jobs.algorithms.xgboost.engine import first_paragraph, save, xgboost
from cloche_jobs.algorithms.xgboost.files import data_files, delimiter_of, form_of
from cloche_jobs.algorithms.xgboost.metric_names import COMPUTED_BY_US, MAXIMIZE
from cloche_jobs.algorithms.xgboost.older import default_metrics, number_format
from cloche_jobs.algorithms.xgboost.rounds import Checkpoints, Printer, StopOnTerm
from cloche_jobs.algorithms.xgboost.spec import CHANNELS, HYPERPARAMETERS, MODEL_FILE
from cloche_jobs.algorithms.xgboost.tables import Table, read_csv, read_libsvm
from cloche_jobs.contract import configuration
from cloche_jobs.contract.failure import AlgorithmError, JobError, UserError
from cloche_jobs.contract.layout import Layout

log = logging.getLogger(__name__)

SMALL_CELLS: Final = 100_000
"""Below this, handing work to other threads costs more than it brings; the trees are the same."""

CUSTOMER_ERRORS: Final = (
    "label must be in [0,1] for logistic regression",
    "label must be in [0, num_class)",
    "Target is multiclass but average='binary'",
    "feature_names mismatch",
    "Check failed: preds.size() == info.labels_.size()",
    "Check failed: !auc_error AUC: the dataset only contains pos or neg samples",
    "base_score must be in (0,1) for logistic loss",
    "label must be nonnegative",
    "should be greater equal to",
    "SoftmaxMultiClassObj: label must be in",
    "value 0 for Parameter num_class",
)
"""What the engine says when the data or a value is wrong (``constants/xgb_constants.py``, and what 1.7 added)."""


def main(layout: Layout) -> None:
    """Train as the files below ``layout`` say. Raises ``JobError``."""
    values = HYPERPARAMETERS.validate(configuration.read_hyperparameters(layout))
    channels = CHANNELS.validate(configuration.read_input_data_config(layout))
    _refuse_what_is_missing(values, configuration.read_resource_config(layout))
    log.info("Running XGBoost Sagemaker in algorithm mode")
    weights = values.pop("csv_weights", 0) == 1
    form = form_of(channels["train"]["ContentType"])
    train = _matrix(layout.channel("train"), "training", form, weights)
    validation = (
        _matrix(layout.channel("validation"), "validation", form, weights) if "validation" in channels else None
    )
    log.info("Single node training.")
    log.info("Train matrix has %d rows and %d columns", train.num_row(), train.num_col())
    if validation is not None:
        log.info("Validation matrix has %d rows", validation.num_row())
    booster = _boost(values, train, validation, layout)
    layout.model.mkdir(parents=True, exist_ok=True)
    save(booster, layout.model / MODEL_FILE)


def _refuse_what_is_missing(values: Values, resources: dict[str, Any]) -> None:
    if values.get("use_dask_gpu_training") == "true":
        raise UserError("use_dask_gpu_training is not supported: there is no GPU training in Cloche.")
    for name, value in (("tree_method", "gpu_hist"), ("predictor", "gpu_predictor")):
        if values.get(name) == value:
            raise UserError(f"{name} {value} is not supported: there is no GPU training in Cloche.")
    for name in ("_kfold", "_num_cv_round"):
        if name in values:
            raise UserError(
                f"Hyperparameter {name} is not supported by Cloche: it trains no cross-validation ensembles."
            )
    if len(resources.get("hosts", ["algo-1"])) > 1:
        raise UserError("Distributed training on several hosts is not supported by Cloche yet.")


def _matrix(folder: Path, channel: str, form: str, weights: bool) -> Any:
    paths = data_files(folder)
    if not paths:
        raise UserError(f"No data in {channel} channel path {folder}")
    try:
        table = _table(paths, form, weights)
        matrix = xgboost.DMatrix(table.features, label=table.labels, weight=table.weights)
        if table.groups is not None:
            matrix.set_info(qid=table.groups)
    except xgboost.core.XGBoostError as error:
        raise UserError(f"Failed to load {form} data with exception:\n{first_paragraph(error)}") from error
    return matrix


def _table(paths: list[Path], form: str, weights: bool) -> Table:
    if form == "libsvm":
        return read_libsvm(paths)
    delimiters = [delimiter_of(path) for path in paths]
    return read_csv(paths, delimiters[0], weights=weights)


def _boost(values: Values, train: Any, validation: Any, layout: Layout) -> Any:
    rounds = values.pop("num_round")
    patience = values.pop("early_stopping_rounds", None)
    on_termination = values.pop("save_model_on_termination", "false") == "true"
    metrics, evaluate = _metrics(values)
    checkpoints = Checkpoints(layout.checkpoints) if layout.checkpoints.is_dir() else None
    rounds_done = checkpoints.rounds_done if checkpoints is not None else 0
    callbacks: list[Any] = [Printer(number_format(), rounds_done)]
    if checkpoints is not None:
        callbacks.append(checkpoints)
        if rounds_done:
            log.info("Checkpoint loaded from %s", checkpoints.model)
            log.info("Resuming from iteration %d", rounds_done)
    if on_termination:
        callbacks.append(StopOnTerm())
    if patience:
        callbacks += _early_stopping(patience, metrics, validation)
    warnings.filterwarnings("ignore", "`feval` is deprecated")
    try:
        return xgboost.train(
            _engine_parameters(values, train.num_row() * train.num_col()),
            train,
            num_boost_round=max(0, rounds - rounds_done),
            evals=[(train, "train")] + ([] if validation is None else [(validation, "validation")]),
            **evaluate,
            callbacks=callbacks,
            xgb_model=checkpoints.model if checkpoints else None,
            verbose_eval=False,
        )
    except JobError:
        raise
    except Exception as error:
        text = first_paragraph(error)
        if any(known in text for known in CUSTOMER_ERRORS):
            raise UserError(text) from error
        raise AlgorithmError(f"XGB train call failed with exception:\n {text}") from error


def _metrics(values: Values) -> tuple[list[str], dict[str, Any]]:
    """The metrics asked for, in order, and the argument that has ours computed; the engine's stay in ``values``."""
    asked: list[str] = list(values.get("eval_metric", []))
    tuned = values.pop("_tuning_objective_metric", None)
    if tuned is not None:
        name = tuned.split(":")[1]
        log.info("Setting up HPO optimized metric to be : %s", name)
        asked = [metric for metric in asked if metric != name] + [name]
    ours = [name for name in asked if name in COMPUTED_BY_US]
    theirs = [name for name in asked if name not in COMPUTED_BY_US] or default_metrics(values.get("objective", ""))
    if theirs:
        values["eval_metric"] = theirs
    else:
        values.pop("eval_metric", None)
    return asked, custom_metric(ours, values.get("objective", ""))


def _early_stopping(patience: int, metrics: list[str], validation: Any) -> list[Any]:
    """AWS watches the last metric named; without a name or a validation channel it never stops early."""
    if validation is None or not metrics:
        log.warning(
            "early_stopping_rounds has no effect without %s (as on AWS).",
            "a validation channel" if validation is None else "eval_metric",
        )
        return []
    stop = xgboost.callback.EarlyStopping(
        rounds=patience,
        data_name="validation",
        metric_name=metrics[-1],
        maximize=metrics[-1].partition("@")[0] in MAXIMIZE,
        save_best=True,
    )
    return [stop]


def _engine_parameters(values: Values, cells: int) -> Values:
    parameters = dict(values)
    if cells < SMALL_CELLS:
        parameters.setdefault("nthread", 1)
    parameters.pop("use_dask_gpu_training", None)
    if "updater" in parameters:
        parameters["updater"] = ",".join(parameters["updater"])
    for name in ("monotone_constraints", "interaction_constraints"):
        if name in parameters:
            parameters[name] = str(parameters[name])
    return parameters
