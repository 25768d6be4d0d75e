"""Training of built-in XGBoost, in the order AWS's container goes: hyperparameters, channels, data, rounds, model.

Source: ``algorithm_mode/train.py`` and ``callback.py`` of aws/sagemaker-xgboost-container. Not done, and refused by
name: GPUs, cross-validation on several hosts.
"""

from __future__ import annotations

import logging
from typing import Any

from cloche_jobs.algorithms.declarations import Values
from cloche_jobs.algorithms.xgboost.boosting import Boosting, Matrices
from cloche_jobs.algorithms.xgboost.content import accepted_form
from cloche_jobs.algorithms.xgboost.engine import first_paragraph, matrix, save, xgboost
from cloche_jobs.algorithms.xgboost.folds import cross_validate
from cloche_jobs.algorithms.xgboost.older import check_pipes, pickles_models, without_silent
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
    values = HYPERPARAMETERS.validate(without_silent(configuration.read_hyperparameters(layout)))
    channels = CHANNELS.validate(configuration.read_input_data_config(layout))
    resources = configuration.read_resource_config(layout)
    hosts: list[str] = resources.get("hosts", ["algo-1"])
    _refuse_what_is_missing(values, hosts)
    log.info("Running XGBoost Sagemaker in algorithm mode")
    weights = values.pop("csv_weights", 0) == 1
    form = accepted_form(channels["train"]["ContentType"])
    sources: dict[str, list[Source]] = {}
    for name in ("train", "validation"):
        if name in channels:
            mode = channels[name].get("TrainingInputMode", "File")
            check_pipes(form, mode)
            sources[name] = channel_sources(layout, name, mode)
    _warn_of_twins(sources)
    has_data = len(hosts) == 1 or bool(sources["train"])
    train, validation = _matrices(layout, sources, form, weights) if has_data else (None, None)
    layout.model.mkdir(parents=True, exist_ok=True)

    def boost(tells: bool) -> None:
        _tell_sizes(train, validation)
        folder = configuration.checkpoint_folder(layout)
        booster = Boosting(values, Matrices(train, validation), folder, tells=tells).run()
        if tells:
            save(booster, layout.model / MODEL_FILE, pickled=pickles_models())

    if len(hosts) > 1:
        from cloche_jobs.algorithms.xgboost.cluster import train_together

        train_together(hosts, resources["current_host"], has_data, boost)
        return
    log.info("Single node training.")
    if "_kfold" in values:
        _tell_sizes(train, validation)
        both = [source for found in sources.values() for source in found]
        whole = train if validation is None else matrix_of(both, "both channels", form, weights)
        cross_validate(values, Matrices(train, validation), whole, layout)
        return
    boost(True)


def _matrices(layout: Layout, sources: dict[str, list[Source]], form: Form, weights: bool) -> tuple[Any, Any]:
    train = matrix_of(sources["train"], f"training channel path {layout.channel('train')}", form, weights)
    if "validation" not in sources:
        return train, None
    where = f"validation channel path {layout.channel('validation')}"
    return train, matrix_of(sources["validation"], where, form, weights)


def _tell_sizes(train: Any, validation: Any) -> None:
    log.info("Train matrix has %d rows and %d columns", train.num_row(), train.num_col())
    if validation is not None:
        log.info("Validation matrix has %d rows", validation.num_row())


def _refuse_what_is_missing(values: Values, hosts: list[str]) -> None:
    if values.get("use_dask_gpu_training") == "true":
        raise UserError("use_dask_gpu_training is not supported: there is no GPU training in Cloche.")
    for name, value in (("tree_method", "gpu_hist"), ("predictor", "gpu_predictor")):
        if values.get(name) == value:
            raise UserError(f"{name} {value} is not supported: there is no GPU training in Cloche.")
    if len(hosts) > 1 and "_kfold" in values:
        raise UserError("Cross-validation (_kfold) on several hosts is not supported by Cloche.")


def matrix_of(sources: list[Source], where: str, form: Form, weights: bool) -> Any:
    """The data that lie ``where`` as ``xgboost.DMatrix``; scripts ask for it, too. Raises ``UserError``."""
    if not sources:
        raise UserError(f"No data in {where}")
    try:
        table = read_table(form, sources, weights=weights)
        made = matrix(table.features, label=table.labels, weight=table.weights)
        if table.groups is not None:
            made.set_info(qid=table.groups)
    except xgboost.core.XGBoostError as error:
        raise UserError(f"Failed to load {form} data with exception:\n{first_paragraph(error)}") from error
    return made


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
