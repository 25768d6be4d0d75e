"""Model quality and the merging of ground truth, beyond the recorded case."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloche_jobs import catalog

from .conftest import BARE_CSV, CAPTURE, CSV, Analyze, Ended, captured

MERGED = {"sagemakerMergeJson": {"captureIndexNames": ["endpointOutput"]}}


def quality(problem: str, **attributes: str) -> dict[str, str]:
    return {"analysis_type": "MODEL_QUALITY", "problem_type": problem, **attributes}


NAMED = {"ground_truth_attribute": "label", "inference_attribute": "prediction"}


def rows(pairs: list[tuple[Any, Any]]) -> str:
    return "label,prediction\n" + "".join(f"{label},{said}\n" for label, said in pairs)


def values(metrics: dict[str, Any]) -> dict[str, float]:
    return {name: each["value"] for name, each in metrics.items() if "value" in each}


def test_measures_of_the_documentation(analyze: Analyze) -> None:
    """The multiclass example of model-monitor-model-quality-metrics.html, but for its constant classifier."""
    pairs = [(0, 0)] * 1180 + [(0, 1)] * 510 + [(1, 0)] * 268 + [(1, 1)] * 138
    ended = analyze({"a.csv": rows(pairs)}, format=CSV, **quality("MulticlassClassification", **NAMED))
    found = ended.document("statistics.json")["multiclass_classification_metrics"]
    share = 1690 / 2096
    assert found["confusion_matrix"] == {"0": {"0": 1180, "1": 510}, "1": {"0": 268, "1": 138}}
    assert values(found) == pytest.approx(
        {
            "accuracy": 0.6288167938931297,
            "weighted_recall": 0.6288167938931297,
            "weighted_precision": 0.6983172269629505,
            "weighted_f0_5": 0.6803947317178771,
            "weighted_f1": 0.6571162346664904,
            "weighted_f2": 0.6384024354394601,
            "accuracy_best_constant_classifier": share,
            "weighted_recall_best_constant_classifier": share,
            "weighted_precision_best_constant_classifier": share**2,
            "weighted_f0_5_best_constant_classifier": share * 1.25 * share / (0.25 * share + 1),
            "weighted_f1_best_constant_classifier": share * 2 * share / (share + 1),
            "weighted_f2_best_constant_classifier": share * 5 * share / (4 * share + 1),
        },
        rel=1e-12,
    )
    assert all(0 < each["standard_deviation"] < 0.05 for name, each in found.items() if "value" in each)
    constraints = ended.document("constraints.json")["multiclass_classification_constraints"]
    assert list(constraints) == [
        "accuracy",
        "weighted_recall",
        "weighted_precision",
        "weighted_f0_5",
        "weighted_f1",
        "weighted_f2",
    ]


def test_few_rows_have_no_standard_deviation(analyze: Analyze) -> None:
    """The binary example of the same page: its four rows, and its measures at the threshold."""
    pairs = [(0, 0), (0, 1), (0, 1), (1, 1)]
    ended = analyze({"a.csv": rows(pairs)}, format=CSV, **quality("BinaryClassification", **NAMED))
    found = ended.document("statistics.json")["binary_classification_metrics"]
    assert "auc" not in found  # it needs a probability
    assert found["recall"] == {"value": 1.0, "standard_deviation": "NaN"}
    said = values(found)
    assert said["precision"] == 0.3333333333333333 and said["true_negative_rate"] == 0.33333333333333337
    assert said["false_positive_rate"] == 0.6666666666666666
    assert (said["f0_5"], said["f1"], said["f2"]) == (0.3846153846153846, 0.5, 0.7142857142857143)


def test_regression(analyze: Analyze) -> None:
    pairs = [(number, number + number % 3 - 1) for number in range(300)]
    ended = analyze({"a.csv": rows(pairs)}, format=CSV, **quality("Regression", **NAMED))
    found = ended.document("statistics.json")["regression_metrics"]
    spread = sum((number - 149.5) ** 2 for number in range(300))
    assert values(found) == pytest.approx(
        {"mae": 200 / 300, "mse": 200 / 300, "rmse": (200 / 300) ** 0.5, "r2": 1 - 200 / spread}, rel=1e-12
    )
    constraints = ended.document("constraints.json")["regression_constraints"]
    assert [each["comparison_operator"] for each in constraints.values()] == [
        *["GreaterThanThreshold"] * 3,
        "LessThanThreshold",
    ]
    worse = rows([(number, number + 5) for number in range(10)])
    run = analyze(
        {"a.csv": worse},
        format=CSV,
        constraints=ended.document("constraints.json"),
        **quality("Regression", **NAMED),
    )
    told = {each["metric_name"]: each["description"] for each in run.violations}
    assert told["mae"] == "Metric mae with 5.0 +/- NaN was GreaterThanThreshold '0.6666666666666666'"
    assert set(told) == {"mae", "mse", "rmse", "r2"}
    document = ended.document("constraints.json")
    same = analyze({"a.csv": rows(pairs)}, format=CSV, constraints=document, **quality("Regression", **NAMED))
    assert same.violations == []


def test_json_predictions_by_path(analyze: Analyze) -> None:
    def line(score: float, label: int) -> str:
        document = json.loads(captured(json.dumps({"predictions": [{"score": score}]}), "{}", encoding="JSON"))
        document["groundTruthData"] = {"data": json.dumps({"label": label}), "encoding": "JSON"}
        return json.dumps(document) + "\n"

    ended = analyze(
        {"a.jsonl": line(0.9, 1) + line(0.2, 0) + line(0.7, 0)},
        format=MERGED,
        **quality(
            "BinaryClassification",
            probability_attribute="predictions[0].score",
            probability_threshold_attribute="0.8",
            ground_truth_attribute="label",
        ),
    )
    found = ended.document("statistics.json")["binary_classification_metrics"]
    assert (found["accuracy"]["value"], found["auc"]["value"]) == (1.0, 1.0)
    assert found["receiver_operating_characteristic_curve"]["false_positive_rates"] == [0.0, 0.0, 0.5, 1.0, 1.0]


def test_a_preprocessor_names_the_columns(analyze: Analyze) -> None:
    script = """
def preprocess_handler(record):
    return {"said": record.endpoint_output.data.split(",")[1], "real": record.ground_truth.data}
"""
    document = json.loads(captured("x,4.5", "1"))
    document["groundTruthData"] = {"data": "4", "encoding": "CSV"}
    ended = analyze(
        {"a.jsonl": json.dumps(document)},
        format=MERGED,
        scripts={"record_preprocessor_script": script},
        **quality("Regression", inference_attribute="said"),
    )
    assert ended.document("statistics.json")["regression_metrics"]["mae"]["value"] == 0.5


@pytest.mark.parametrize(
    ("files", "variables", "told"),
    [
        ("1,1\n", {"problem_type": "Ranking"}, "problem_type 'Ranking' is not one of"),
        ("1,1\n", {"inference_attribute": ""}, "inference_attribute or probability_attribute is required"),
        ("1,1\n", {"inference_attribute": "7"}, "the dataset has no column '7'; it has _c0, _c1"),
        ("1,x\n", {}, "a inference is no number"),
        ("1,nan\n", {}, "a inference is not finite"),
        ("1,\n", {}, "no row has both a ground truth and an inference; in 1 something is missing"),
        ("2,1\n", {"problem_type": "BinaryClassification"}, "a ground truth of a binary classification is 0 or 1"),
        ("1,1\n", {"probability_threshold_attribute": "high"}, "probability_threshold_attribute 'high' is no number"),
    ],
)
def test_quality_that_cannot_be_measured(analyze: Analyze, files: str, variables: dict[str, str], told: str) -> None:
    given = quality("Regression", ground_truth_attribute="0", inference_attribute="1") | variables
    ended = analyze({"a.csv": files}, format=BARE_CSV, **given)
    assert (ended.code, told in ended.message) == (255, True), ended.message


def truth(identity: str, data: str) -> str:
    held = {"groundTruthData": {"data": data, "encoding": "CSV"}, "eventMetadata": {"eventId": identity}}
    return json.dumps(held) + "\n"


def merge(analyze: Analyze, files: dict[str, str], truths: dict[str, str], **window: str) -> Ended:
    return analyze(files, format=CAPTURE, truths=truths, image=catalog.MERGER, **window)


def lines(ended: Ended) -> list[Any]:
    return [json.loads(line) for part in sorted(ended.output.rglob("part-*")) for line in part.read_text().splitlines()]


def test_ids_that_are_unknown_missing_or_there_twice(analyze: Analyze) -> None:
    files = {
        "ep/v/2026/11/26/10/a.jsonl": captured("1", "x", inferenceId="one")
        + captured("2", "x", inferenceId="two")
        + captured("3", "x", inferenceId="none"),
        "ep/v/2026/11/26/11/b.jsonl": captured("4", "x", eventId="three") + captured("5", "x", inferenceId="one"),
        "ep/v/2026/11/26/12/c.jsonl": captured("6", "x", inferenceId="nobody"),
    }
    truths = {
        "2026/11/26/10/a.jsonl": truth("one", "old") + truth("unknown", "9") + truth("two", "2"),
        "2026/11/26/11/b.jsonl": truth("one", "new") + truth("three", "3"),
    }
    ended = merge(analyze, files, truths)
    assert (ended.code, ended.message) == (0, "")
    found = [(each["captureData"]["endpointOutput"]["data"], each["groundTruthData"]["data"]) for each in lines(ended)]
    assert found == [
        ("1", "new"),
        ("2", "2"),
        ("4", "3"),
        ("5", "new"),
    ]
    assert {str(each.parent.relative_to(ended.output)) for each in ended.output.rglob("part-*")} == {
        "ep/v/2026/11/26/10",
        "ep/v/2026/11/26/11",
    }
    assert lines(ended)[0]["eventMetadata"]["inferenceId"] == "one"


def test_only_the_window_is_merged(analyze: Analyze) -> None:
    files = {"a": captured("1", "x", eventId="a", time="2026-11-26T09:00:00Z") + captured("2", "x", eventId="a")}
    window = {"start_time": "2026-11-26T10:00:00Z", "end_time": "2026-11-26T11:00:00Z"}
    ended = merge(analyze, files, {"t": truth("a", "1")}, **window)
    assert len(lines(ended)) == 1


def test_windows_that_overlap_leave_the_same_file_of_an_hour(analyze: Analyze) -> None:
    """What two schedules merge of one hour lies in one place: the later replaces the earlier, nothing counts twice."""
    files = {
        f"ep/v/2026/11/26/{hour}/a.jsonl": captured(hour, "x", eventId=hour, time=f"2026-11-26T{hour}:30:00Z")
        for hour in ("10", "11", "12")
    }
    truths = {f"2026/11/26/{hour}/t.jsonl": truth(hour, "1") for hour in ("10", "11", "12")}
    left: list[dict[str, str]] = []
    for start, end in (("10", "12"), ("11", "13")):
        window = {"start_time": f"2026-11-26T{start}:00:00Z", "end_time": f"2026-11-26T{end}:00:00Z"}
        ended = merge(analyze, files, truths, **window)
        parts = ended.output.rglob("part-*")
        left.append({str(part.relative_to(ended.output)): part.read_text() for part in parts})
    shared = left[0].keys() & left[1].keys()
    assert [name[:18] for name in shared] == ["ep/v/2026/11/26/11"]
    assert all(left[0][name] == left[1][name] for name in shared)
    assert len(left[0].keys() | left[1].keys()) == 3


@pytest.mark.parametrize(
    ("truths", "told"),
    [
        ({"a": truth("other", "1")}, "No ground truth belongs to a captured record"),
        ({"a": "{}"}, "line 1 of a is no ground truth"),
        ({"a": json.dumps({"groundTruthData": {"data": "1"}})}, "has no eventId"),
        ({"a": "torn"}, "line 1 of a is not JSON"),
        ({"a": ""}, "The dataset is empty"),
    ],
)
def test_ground_truth_that_cannot_be_merged(analyze: Analyze, truths: dict[str, str], told: str) -> None:
    ended = merge(analyze, {"a": captured("1", "x", eventId="e")}, truths)
    assert (ended.code, told in ended.message) == (255, True), ended.message
    assert not list(ended.output.rglob("part-*"))
