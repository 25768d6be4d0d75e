"""Every declared rule of built-in XGBoost, broken once; derived from the declaration itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from cloche_jobs.algorithms.declarations import Hyperparameter, Interval, metric_definitions
from cloche_jobs.algorithms.xgboost.older import without_silent
from cloche_jobs.algorithms.xgboost.spec import CHANNELS, HYPERPARAMETERS, METRICS
from cloche_jobs.contract.failure import UserError

BASE = {"num_round": "1"}


def broken(declared: Hyperparameter) -> Iterator[str]:
    """Texts that break the declared type or range."""
    if declared.type in ("Integer", "Continuous"):
        yield from ("word", "")
        assert isinstance(declared.range, Interval)
        low, high = declared.range.min, declared.range.max
        if low is not None:
            yield f"{low:g}" if declared.range.min_open else f"{low - 1:g}"
        if high is not None:
            yield f"{high:g}" if declared.range.max_open else f"{high + 1:g}"
        if declared.type == "Integer":
            yield "1.5"
        else:
            yield "nan"
    elif declared.type == "Categorical":
        yield from ("no-such-value", "")
    elif declared.type == "List":
        good = next(iter(declared.range))  # type: ignore[arg-type]
        yield from ("no-such-value", f"{good},no-such-value", "")
    elif declared.type == "Tuple":
        yield from ("(5,)", "word", "__import__('os').getcwd()", "(" * 500)
    else:
        yield from ("[[0]]", "[1]", "word", "[[1.5]]")


CASES = [(declared.name, value) for declared in HYPERPARAMETERS.declared for value in broken(declared)]


@pytest.mark.parametrize(("name", "value"), CASES)
def test_each_broken_value_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(UserError, match=f"^Hyperparameter {name}: "):
        HYPERPARAMETERS.validate({**BASE, name: value})


def good(declared: Hyperparameter) -> Any:
    if isinstance(declared.range, Interval):
        if declared.type == "Nested":
            return "[[1,2],[3]]"
        low = declared.range.min if declared.range.min is not None else 0
        high = declared.range.max if declared.range.max is not None else low + 2
        middle = (low + high) / 2
        return str(int(middle) if declared.type == "Integer" else middle)
    return "(1,-1,0)" if declared.type == "Tuple" else declared.range[-1]


@pytest.mark.parametrize("declared", HYPERPARAMETERS.declared, ids=lambda declared: declared.name)
def test_each_good_value_and_default_is_taken(declared: Hyperparameter) -> None:
    company = {
        **BASE,
        "tree_method": "hist",
        "num_class": "3",
        "objective": "binary:logistic",
        "process_type": "default",
    }
    value = good(declared)
    if declared.name == "updater":
        value, company["booster"] = "coord_descent", "gblinear"
    assert declared.name in HYPERPARAMETERS.validate({**company, declared.name: value})
    if declared.default is not None and declared.name != "updater":
        assert declared.name in HYPERPARAMETERS.validate({**company, declared.name: declared.default})


RULES = {
    "Require input for parameter 'num_class'": {"objective": "multi:softmax"},
    "Metric 'auc' can only be applied": {"objective": "reg:squarederror", "eval_metric": "auc"},
    "Metric 'aft-nloglik' can only": {"objective": "binary:logistic", "eval_metric": "aft-nloglik"},
    "monotone_constraints can be used only": {"monotone_constraints": "(1,)"},
    "interaction_constraints can be used only": {"interaction_constraints": "[[1,2]]"},
    "Linear updater should be one of": {"booster": "gblinear", "updater": "prune"},
    "process_type 'update' can only": {"process_type": "update", "updater": "grow_colmaker"},
    "Tree updater should be selected": {"updater": "shotgun"},
    "Only one tree grow plugin": {"updater": "grow_colmaker,grow_histmaker"},
    "User defined evaluation metric": {"eval_metric": "<function f>"},
    "Metric 'auc@0.5' is not supported": {"eval_metric": "auc@0.5"},
    "Threshold value 't' in 'error@t'": {"eval_metric": "error@x"},
    "Missing required hyperparameter: num_round": {},
    "Extraneous hyperparameter found: nonsense": {"nonsense": "1"},
}


@pytest.mark.parametrize("sentence", RULES)
def test_rules_between_values_speak_as_aws_does(sentence: str) -> None:
    given = RULES[sentence] if sentence.startswith("Missing") else {**BASE, **RULES[sentence]}
    with pytest.raises(UserError) as refused:
        HYPERPARAMETERS.validate(given)
    assert refused.value.message.startswith(sentence)


def test_ranges_are_printed_as_aws_prints_them() -> None:
    with pytest.raises(UserError) as refused:
        HYPERPARAMETERS.validate({**BASE, "subsample": "0"})
    assert refused.value.message == "Hyperparameter subsample: 0.0 is not in (0, 1]"
    with pytest.raises(UserError) as refused:
        HYPERPARAMETERS.validate({"num_round": "0"})
    assert refused.value.message == "Hyperparameter num_round: 0 is not in [1, +inf)"


def test_aliases() -> None:
    assert HYPERPARAMETERS.validate({**BASE, "learning_rate": "0.5", "reg_alpha": "2"}) == {
        "num_round": 1,
        "eta": 0.5,
        "alpha": 2.0,
    }


def test_channels() -> None:
    assert CHANNELS.validate({"train": {}})["train"]["ContentType"] == "text/libsvm"
    for given, sentence in (
        ({}, "Missing required channel: train"),
        ({"train": {}, "test": {}}, "Extraneous channel found: test"),
        ({"train": {"ContentType": "image/png"}}, "Channel configuration for 'train' channel is not supported"),
        ({"train": {"TrainingInputMode": "Pipe"}}, "Channel configuration for 'train' channel is not supported"),
    ):
        with pytest.raises(UserError, match=sentence):
            CHANNELS.validate(given)


def test_metric_expressions_find_what_was_logged() -> None:
    by_name = {metric.name: metric for metric in METRICS}
    line = "[12]#011train-auc:0.99#011validation-auc:0.98123#011validation-mae:1.5e-05"
    assert by_name["validation:auc"].find(line) == 0.98123
    assert by_name["train:auc"].find(line) == 0.99
    assert by_name["validation:mae"].find(line) == 1.5e-05
    assert by_name["validation:mape"].find(line) is None
    assert by_name["validation:auc"].direction == "Maximize"
    assert {"Name", "Regex"} == set(metric_definitions(METRICS)[0])


def test_what_the_server_imports_is_light() -> None:
    source = (
        "import sys, cloche_jobs.catalog, cloche_jobs.contract.environment, cloche_jobs.contract.unpacking\n"
        "import cloche_jobs.algorithms.xgboost.spec\n"
        "assert not {'numpy', 'xgboost', 'asyncio', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", source], check=True)


@pytest.mark.parametrize("image", ["xgboost:1", "sagemaker-xgboost:0.90-2", "sagemaker-xgboost:1.0-1"])
def test_silent_is_taken_by_old_images(image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOCHE_IMAGE", image)
    assert HYPERPARAMETERS.validate(without_silent({**BASE, "silent": "0"})) == {"num_round": 1}
    with pytest.raises(UserError, match="silent"):
        without_silent({**BASE, "silent": "2"})


def test_and_by_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOCHE_IMAGE", "sagemaker-xgboost:1.2-1")
    with pytest.raises(UserError, match="Extraneous hyperparameter found: silent"):
        HYPERPARAMETERS.validate(without_silent({**BASE, "silent": "0"}))
