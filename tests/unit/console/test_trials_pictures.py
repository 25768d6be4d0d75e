"""A tuning job's trials as charts and parallel coordinates."""

from __future__ import annotations

from typing import Any

from cloche.console.trials import Axis, axes_of, charts, coordinates

RANGES = {
    "ContinuousParameterRanges": [{"Name": "eta", "MinValue": "0.001", "MaxValue": "1", "ScalingType": "Auto"}],
    "IntegerParameterRanges": [{"Name": "depth", "MinValue": "1", "MaxValue": "9", "ScalingType": "Linear"}],
    "CategoricalParameterRanges": [{"Name": "kind", "Values": ["a", "b", "c"]}],
}


def trial(number: int, value: float | None, status: str = "Completed", **chosen: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "TrainingJobName": f"t-{number}",
        "TrainingJobStatus": status,
        "TunedHyperParameters": {"eta": "0.1", "depth": "5", "kind": "b", **chosen},
    }
    if value is not None:
        made["FinalHyperParameterTuningJobObjectiveMetric"] = {"Value": value}
    return made


TRIALS = [trial(1, 0.5), trial(2, None, "Failed"), trial(3, 0.9, "Stopped", eta="0.01"), trial(4, 0.7, kind="c")]


def test_axes() -> None:
    eta, depth, kind = axes_of(RANGES)
    assert (eta.is_logarithmic, depth.is_logarithmic) == (True, False)
    assert abs(eta.place("0.0316227766") - 0.5) < 1e-6
    assert depth.place("5") == 0.5
    assert [kind.place(value) for value in "abc"] == [0, 0.5, 1]
    assert kind.ends == ("a", "c")
    assert Axis("one", 2, 2).place("2") == 0.5


def test_the_objective_by_trial_and_by_each_hyperparameter() -> None:
    by_trial, by_eta, by_depth, by_kind = charts(TRIALS, axes_of(RANGES), maximize=True)
    assert by_trial["x"] == [1, 3, 4]
    assert by_trial["series"] == [
        {"label": "objective", "values": [0.5, None, 0.7], "marks": True},
        {"label": "stopped", "values": [None, 0.9, None], "marks": True},
        {"label": "best so far", "values": [0.5, 0.9, 0.9]},
    ]
    assert by_eta["x"] == [0.01, 0.1, 0.1] and by_eta["x_log"]
    assert by_depth["x"] == [5, 5, 5] and not by_depth["x_log"]
    assert by_kind["x"] == [1, 1, 2] and by_kind["x_labels"] == ["a", "b", "c"]
    assert charts([TRIALS[1]], axes_of(RANGES), maximize=True) == []


def test_the_best_line_lies_above() -> None:
    drawn = coordinates(TRIALS, axes_of(RANGES), maximize=True)
    assert drawn is not None
    assert [line.name for line in drawn.lines] == ["t-1", "t-4", "t-3"]
    assert [line.share for line in drawn.lines] == [0, 0.5, 1]
    assert [axis.name for _, axis in drawn.axes] == ["eta", "depth", "kind", "objective"]
    least = coordinates(TRIALS, axes_of(RANGES), maximize=False)
    assert least is not None and least.lines[-1].name == "t-1"
    assert coordinates(TRIALS[:2], axes_of(RANGES), maximize=True) is None
