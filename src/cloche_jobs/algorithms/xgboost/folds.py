"""Cross-validation (``_kfold``): one booster for each fold, all of them kept.

As in AWS's container: the rows of both channels together are dealt into folds (by class where there are classes),
``_num_cv_round`` times; each booster is watched on the whole channels, the means of the last round's metrics are
printed for each round of folds, and what every row was predicted to be by the booster that had not seen it is written
to ``predictions.csv`` below ``output/data``. The folds are drawn anew by chance there; here ``seed`` makes them the
same again. Source: ``algorithm_mode/train.py`` and ``prediction_utils.py`` of aws/sagemaker-xgboost-container.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from cloche_jobs.algorithms.declarations import Values
from cloche_jobs.algorithms.xgboost.boosting import Boosting, Matrices
from cloche_jobs.algorithms.xgboost.engine import Array, numpy, save
from cloche_jobs.algorithms.xgboost.older import pickles_models
from cloche_jobs.algorithms.xgboost.spec import MODEL_FILE
from cloche_jobs.contract import configuration
from cloche_jobs.contract.failure import UserError
from cloche_jobs.contract.layout import Layout

log = logging.getLogger(__name__)
PREDICTIONS: Final = "predictions.csv"


def cross_validate(values: Values, matrices: Matrices, whole: Any, layout: Layout) -> None:
    """Train and keep all boosters. Raises ``JobError``."""
    folds, repeats = values.pop("_kfold"), values.pop("_num_cv_round", 1)
    rounds = values["num_round"]
    is_classes = bool(values.get("num_class")) or values.get("objective", "").startswith("binary:")
    log.info("Run %d-round of %d-fold cross validation with %d rows", repeats, folds, whole.num_row())
    predicted = Predicted(whole.get_label(), is_classes)
    results: list[dict[str, Any]] = []
    kept = configuration.checkpoint_folder(layout)
    for number, (inside, outside) in enumerate(_splits(whole, folds, repeats, values.get("seed"), is_classes)):
        log.info("Train cross validation fold %d", number % folds + 1)
        checkpoints = kept / f"model-{number}" if kept is not None else None
        if checkpoints is not None:
            checkpoints.mkdir(exist_ok=True)
        boosting = Boosting(values, matrices, checkpoints)
        result: dict[str, Any] = {}
        booster = boosting.run(whole.slice(inside), result)
        save(booster, layout.model / f"{MODEL_FILE}-{number}", pickled=pickles_models())
        if boosting.was_stopped:
            return
        results.append(result)
        predicted.take(outside, booster.predict(whole.slice(outside)))
        if (number + 1) % folds == 0:
            log.info("The metrics of round %d cross validation", (number + 1) // folds)
            _print_means(rounds, results[-folds:])
    layout.output_data.mkdir(parents=True, exist_ok=True)
    numpy.savetxt(layout.output_data / PREDICTIONS, predicted.columns(), delimiter=",", fmt="%f")
    if repeats > 1:
        log.info("The overall metrics of %d-round cross validation", repeats)
        _print_means(rounds, results)


def _splits(whole: Any, folds: int, repeats: int, seed: int | None, is_classes: bool) -> Any:
    """Pairs of (rows trained on, rows left out)."""
    from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold

    kind = RepeatedStratifiedKFold if is_classes else RepeatedKFold
    rows = numpy.arange(whole.num_row())
    labels = whole.get_label() if is_classes else None
    random_state = None if seed is None else abs(seed)
    try:
        yield from kind(n_splits=folds, n_repeats=repeats, random_state=random_state).split(rows, labels)
    except ValueError as error:
        raise UserError(f"The data cannot be dealt into {folds} folds: {error}") from error


def _print_means(rounds: int, results: list[dict[str, Any]]) -> None:
    """Last values, metric by metric, as means over boosters."""
    names = [(data, metric) for metric in results[0]["train"] for data in results[0]]
    means = (
        f"\t{data}-{metric}:{numpy.mean([result[data][metric][-1] for result in results]):.5f}"
        for data, metric in names
    )
    print(f"[{rounds}]{''.join(means)}", flush=True)


class Predicted:
    """What each row was predicted to be, once in every round of folds."""

    def __init__(self, truth: Array, is_classes: bool) -> None:
        self.truth, self.is_classes = truth, is_classes
        self.answers: list[list[float]] = [[] for _ in truth]
        self.chances: list[list[float]] = [[] for _ in truth]

    def take(self, rows: Array, predictions: Array) -> None:
        answers = chances = predictions
        if self.is_classes and predictions.ndim > 1:
            answers, chances = predictions.argmax(axis=1), predictions.max(axis=1)
        elif self.is_classes:
            answers = (predictions > 0.5).astype(int)
        for row, answer, chance in zip(rows.tolist(), answers.tolist(), chances.tolist(), strict=True):
            self.answers[row].append(answer)
            self.chances[row].append(chance)

    def columns(self) -> Array:
        """Label and mean prediction; for classes the label, the mean probability and the commonest class."""
        if not self.is_classes:
            return numpy.column_stack([self.truth, [numpy.mean(each) for each in self.answers]])
        commonest = [max(sorted(set(each)), key=each.count) for each in self.answers]
        return numpy.column_stack([self.truth, [numpy.mean(each) for each in self.chances], commonest])
