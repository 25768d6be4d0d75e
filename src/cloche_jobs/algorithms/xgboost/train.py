"""Training of built-in XGBoost, in the order AWS's container goes: hyperparameters, channels, data, rounds, model.

Source: ``algorithm_mode/train.py`` and ``callback.py`` of aws/sagemaker-xgboost-container. Not done, and refused by
name: GPUs, more than one host.
"""

from __future__ import annotations

import logging
from typing import Any

from cloche_jobs.algorithms.declarations import Values
from cloche_jobs.algorithms.xgboost.boosting import Boosting, Matrices
from cloche_jobs.algorithms.xgboost.content import accepted_form
from cloche_jobs.algorithms.xgboost.engine import first_paragraph, save, xgboost
from cloche_jobs.algorithms.xgboost.folds import cross_validate
from cloche_jobs.algorithms.xgboost.older import check_pipes, image_note
from cloche_jobs.algorithms.xgboost.spec import CHANNELS, HYPERPARAMETERS, MODEL_FILE
from cloche_jobs.contract import configuration
from cloche_jobs.contract.failure import UserError
from cloche_jobs.contract.layout import Layout
from cloche_jobs.data.content_types import Form
from cloche_jobs.data.read import read_table
from cloche_jobs.data.sources import Source, channel_sources

log = logging.getLogger(__name__)


def main(layout: Layout) -> None:
    """Train as the files below ``layout`` say. Raises ``JobError``."""
    values = HYPERPARAMETERS.validate(configuration.read_hyperparameters(layout))
    channels = CHANNELS.validate(configuration.read_input_data_config(layout))
    _refuse_what_is_missing(values, configuration.read_resource_config(layout))
    log.info("Running XGBoost Sagemaker in algorithm mode")
    said = image_note()
    if said:
        log.info("This image: %s", said)
    weights = values.pop("csv_weights", 0) == 1
    form = accepted_form(channels["train"]["ContentType"])
    sources: dict[str, list[Source]] = {}
    for name in ("train", "validation"):
        if name in channels:
            mode = channels[name].get("TrainingInputMode", "File")
            check_pipes(form, mode)
            sources[name] = channel_sources(layout, name, mode)
    _warn_of_twins(sources)
    train = _matrix(sources["train"], f"training channel path {layout.channel('train')}", form, weights)
    validation = (
        _matrix(sources["validation"], f"validation channel path {layout.channel('validation')}", form, weights)
        if "validation" in sources
        else None
    )
    log.info("Single node training.")
    log.info("Train matrix has %d rows and %d columns", train.num_row(), train.num_col())
    if validation is not None:
        log.info("Validation matrix has %d rows", validation.num_row())
    layout.model.mkdir(parents=True, exist_ok=True)
    if "_kfold" in values:
        both = [source for found in sources.values() for source in found]
        whole = train if validation is None else _matrix(both, "both channels", form, weights)
        cross_validate(values, Matrices(train, validation), whole, layout)
        return
    booster = Boosting(values, Matrices(train, validation), configuration.checkpoint_folder(layout)).run()
    save(booster, layout.model / MODEL_FILE)


def _refuse_what_is_missing(values: Values, resources: dict[str, Any]) -> None:
    if values.get("use_dask_gpu_training") == "true":
        raise UserError("use_dask_gpu_training is not supported: there is no GPU training in Cloche.")
    for name, value in (("tree_method", "gpu_hist"), ("predictor", "gpu_predictor")):
        if values.get(name) == value:
            raise UserError(f"{name} {value} is not supported: there is no GPU training in Cloche.")
    if len(resources.get("hosts", ["algo-1"])) > 1:
        raise UserError("Distributed training on several hosts is not supported by Cloche yet.")


def _matrix(sources: list[Source], where: str, form: Form, weights: bool) -> Any:
    if not sources:
        raise UserError(f"No data in {where}")
    try:
        table = read_table(form, sources, weights=weights)
        matrix = xgboost.DMatrix(table.features, label=table.labels, weight=table.weights)
        if table.groups is not None:
            matrix.set_info(qid=table.groups)
    except xgboost.core.XGBoostError as error:
        raise UserError(f"Failed to load {form} data with exception:\n{first_paragraph(error)}") from error
    return matrix


def _warn_of_twins(sources: dict[str, list[Source]]) -> None:
    """Validation data that were trained on say nothing about the model."""
    sizes = {
        channel: {(source.name, source.path.stat().st_size) for source in found if source.path is not None}
        for channel, found in sources.items()
    }
    for name, size in sorted(sizes.get("train", set()) & sizes.get("validation", set())):
        log.warning(
            "Suspected identical files found. (%s in both channels with same size %d bytes). Note: Duplicate data in "
            "the training set and validation set is usually not intentional and can impair the validity of the model "
            "evaluation by the validation score.",
            name,
            size,
        )
