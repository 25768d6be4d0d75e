"""Rounds of boosting: the engine called with what a job's hyperparameters ask for.

Source: ``algorithm_mode/train.py`` and ``callback.py`` of aws/sagemaker-xgboost-container.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cloche_jobs.algorithms.declarations import Values
from cloche_jobs.algorithms.xgboost.custom_metrics import custom_metric
from cloche_jobs.algorithms.xgboost.engine import first_paragraph, xgboost
from cloche_jobs.algorithms.xgboost.metric_names import COMPUTED_BY_US, MAXIMIZE
from cloche_jobs.algorithms.xgboost.older import default_metrics, number_format
from cloche_jobs.algorithms.xgboost.rounds import Checkpoints, InOrder, Printer, StopOnTerm
from cloche_jobs.contract.failure import AlgorithmError, JobError, UserError

log = logging.getLogger(__name__)

SMALL_CELLS: Final = 100_000
"""Below this, handing work to other threads costs more than it brings; the trees are the same."""

CUSTOMER_ERRORS: Final = (
    "label must be ",
    "Label contains NaN",
    "Target is multiclass but average='binary'",
    "feature_names mismatch",
    "Check failed: preds.size() == info.labels_.size()",
    "Check failed: !auc_error AUC: the dataset only contains pos or neg samples",
    "base_score must be in (0,1) for ",
    "`base_score` must be greater than 0",
    "should be greater equal to",
    "value 0 for Parameter num_class",
)
"""What the engine says when the data or a value is wrong: ``constants/xgb_constants.py``, and what 1.7.6, 3.0.5 and
3.2.0 say of labels (each in its own words, all beginning so) and, from 2.0 on, of the first guess they make of them."""


@dataclass(frozen=True, slots=True)
class Matrices:
    """What is trained on and what is watched."""

    train: Any
    validation: Any

    def watched(self) -> list[tuple[Any, str]]:
        return [(self.train, "train")] + ([] if self.validation is None else [(self.validation, "validation")])


class Boosting:
    """One run of ``num_round`` rounds, from the last checkpoint in ``checkpoints`` where there is such a folder. Of
    several hosts that train together one ``tells``: it prints the metrics and writes the checkpoints."""

    def __init__(self, values: Values, matrices: Matrices, checkpoints: Path | None, *, tells: bool = True) -> None:
        values = dict(values)
        self.matrices = matrices
        self.rounds: int = values.pop("num_round")
        patience = values.pop("early_stopping_rounds", None)
        on_termination = values.pop("save_model_on_termination", "false") == "true"
        metrics, self.evaluate = _metrics(values)
        if values.get("objective") == "survival:aft":
            for matrix, _ in matrices.watched():
                _bound_by_labels(matrix)
        self.parameters = _engine_parameters(values, matrices.train.num_row() * matrices.train.num_col())
        self.checkpoints = Checkpoints(checkpoints) if checkpoints is not None else None
        self.rounds_done = self.checkpoints.rounds_done if self.checkpoints is not None else 0
        self.callbacks: list[Any] = [Printer(number_format(), self.rounds_done)] if tells else []
        if self.checkpoints is not None:
            self.callbacks += [self.checkpoints] if tells else []
            if self.rounds_done:
                log.info("Checkpoint loaded from %s", self.checkpoints.model)
                log.info("Resuming from iteration %d", self.rounds_done)
        self.stop = StopOnTerm() if on_termination else None
        if self.stop is not None:
            self.callbacks.append(self.stop)
        if patience:
            self.callbacks += _early_stopping(patience, metrics, matrices.validation)

    @property
    def was_stopped(self) -> bool:
        """Whether SIGTERM came, and the model so far was asked for."""
        return self.stop is not None and self.stop.asked

    def run(self, train: Any = None, results: dict[str, Any] | None = None) -> Any:
        """The booster; ``train`` in place of the training matrix, which is watched all the same. Raises
        ``JobError``."""
        if train is not None and self.parameters.get("objective") == "survival:aft":
            _bound_by_labels(train)
        warnings.filterwarnings("ignore", "`feval` is deprecated")
        try:
            return xgboost.train(
                self.parameters,
                self.matrices.train if train is None else train,
                num_boost_round=max(0, self.rounds - self.rounds_done),
                evals=self.matrices.watched(),
                evals_result=results,
                **self.evaluate,
                callbacks=[InOrder(self.callbacks)],
                xgb_model=self.checkpoints.model if self.checkpoints else None,
                verbose_eval=False,
            )
        except JobError:
            raise
        except Exception as error:
            text = first_paragraph(error)
            if any(known in text for known in CUSTOMER_ERRORS):
                raise UserError(text) from error
            raise AlgorithmError(f"XGB train call failed with exception:\n {text}") from error


def _bound_by_labels(matrix: Any) -> None:
    """Give the survival objective the bounds it wants: none of AWS's forms of data has any, and its container, which
    hands over labels alone, ends such a job. A label is the time at which something happened, known exactly."""
    labels = matrix.get_label()
    matrix.set_float_info("label_lower_bound", labels)
    matrix.set_float_info("label_upper_bound", labels)


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
